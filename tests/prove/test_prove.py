"""Edits, passes and lowerings are proved; small sizes that lie are seen through; what is said, whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.cli.outcome import guarded
from segcompile.compiler import compile_spec, compile_variant
from segcompile.facts.fit import sizes_of
from segcompile.network.graph import Graph
from segcompile.passes import normalise
from segcompile.prove import Answer, Proof, prove
from segcompile.prove.arithmetic import Arithmetic, Array
from segcompile.prove.pairing import pair
from segcompile.prove.sizes import Taken
from segcompile.prove.sweep import sweep
from segcompile.prove.terms import Side
from segcompile.prove.weights import Variable
from segcompile.text.errors import Findings, SegcompileError

Net = Callable[..., Graph]
Write = Callable[..., Path]


def said(*arguments: object) -> tuple[int, str]:
    """Exit status and output of a command."""
    found = CliRunner().invoke(cli, [str(each) for each in arguments], standalone_mode=False)
    return guarded(lambda: found.return_value), found.output


def derived(base: Path, edits: list[str]) -> Graph:
    """The graph of a spec that derives from another by edits."""
    path = base.parent / "derived.yaml"
    listed = "".join(f"  - {edit}\n" for edit in edits)
    path.write_text(f"segcompile: 1\nmodel: derived\nbase: {base.name}\ntransform:\n{listed}")
    return compile_spec(path, Findings()).spec.graph


# --- edits, passes, lowerings ----------------------------------------------------------------------------------------


def test_a_linear_layer_made_a_convolution_is_equal_at_its_size(write: Write) -> None:
    layers = ["c: {conv: 5, act: relu}", "p: {pool: max, kernel: 2}", "fc: {linear: 7, act: relu}", "out: {linear: 3}"]
    base = write(layers, "{channels: 3, size: [6, 8]}")
    found = prove(compile_spec(base, Findings()).spec.graph, derived(base, ["convolutionalize: [fc, out]"]))
    # the convolution gives a map of one pixel, the linear layer a vector
    assert found.answer is Answer.REFUTED
    assert found.witness is not None and found.witness.shapes == ((3,), (3, 1, 1))
    flat = ["convolutionalize: [fc]", "set: {out: {}}"]
    assert prove(compile_spec(base, Findings()).spec.graph, derived(base, flat[:1])).answer is Answer.PROVED


def test_atrous_is_the_strided_network_at_every_stride_th_pixel(write: Write) -> None:
    layers = [
        "c1: {conv: 4, pad: 0, act: relu}",
        "p1: {pool: max, kernel: 3, stride: 2}",
        "c2: {conv: 4, kernel: 3, pad: 0, norm: batch, act: relu}",
        "c3: {conv: 2, kernel: 2, pad: 0}",
    ]
    base = write(layers)
    dense = derived(base, ["atrous: [p1]", "append: [{stitch: {pool: max, kernel: 1, stride: 2}}]"])
    found = prove(compile_spec(base, Findings()).spec.graph, dense)
    assert (found.answer, found.sizes) == (Answer.PROVED, None)


def test_a_shifted_image_gives_the_other_pixels_of_the_dense_network(net: Net) -> None:
    strided = ["s: {pad: [[0, 3], [0, 2]], mode: edge}", "c: {conv: 4, stride: 2, pad: 0}", "d: {conv: 4, pad: 0}"]
    dense = [
        strided[0],
        "c: {conv: 4, pad: 0}",
        "d: {conv: 4, pad: 0, dilation: 2}",
        "t: {pool: max, kernel: 1, stride: 2}",
    ]
    assert prove(net(strided), net(dense)).answer is Answer.PROVED


FOLDED = [
    "c1: {conv: 6, norm: batch, act: relu}",
    "c2: {conv: 6, groups: 3, bias: no, norm: {batch: {eps: 0.001}}, act: relu}",
    "u: {deconv: 4, kernel: 4, stride: 2, pad: 1, groups: 2, norm: batch}",
    "n: {norm: batch}",
    "s: {conv: 2, kernel: 1, pad: 0}",
]


def test_a_folded_batch_norm_is_equal(net: Net) -> None:
    found = prove(net(FOLDED), net(FOLDED), lowerings=["fold_batch_norm"])
    assert (found.answer, found.sizes, found.layers) == (Answer.PROVED, None, (7, 7))
    assert 0 < found.bound < 1e-9


def test_a_fold_of_another_epsilon_is_refuted(net: Net) -> None:
    other = [layer.replace("0.001", "0.0011") for layer in FOLDED]
    assert prove(net(FOLDED), net(other), lowerings=["fold_batch_norm"]).answer is Answer.REFUTED


@pytest.mark.parametrize("name", ["fcn8s", "unet"])
def test_normal_passes_keep_what_a_network_gives(name: str) -> None:
    graph = compile_variant(name).spec.graph
    found = prove(graph, normalise(graph, Findings()))
    assert (found.answer, found.sizes) == (Answer.PROVED, None)


def test_a_derived_crop_is_the_one_that_is_written(net: Net) -> None:
    layers = ["d: {conv: 4, stride: 2, pad: 2}", "u: {deconv: 4, kernel: 5, stride: 2}", "x: {crop: input}"]
    graph = net(layers)
    resolved = normalise(graph, Findings())
    offset = resolved.by_name["x"].op.offset  # type: ignore[attr-defined]
    assert prove(graph, resolved).answer is Answer.PROVED
    shifted = resolved.by_name["x"].op.model_copy(update={"offset": (offset[0] + 1, offset[1])})
    moved = tuple(replace(node, op=shifted) if node.name == "x" else node for node in resolved.nodes)
    assert prove(graph, replace(resolved, nodes=moved)).answer is Answer.REFUTED


@pytest.mark.parametrize("image", ["{channels: 4, size: [any]}", "{channels: 4, size: [any, any, any]}"])
def test_signals_and_volumes(net: Net, image: str) -> None:
    layers = ["c: {conv: 4, norm: batch, act: relu}", "p: {pool: max, kernel: 2}", "d: {conv: 3, dilation: 2, pad: 2}"]
    assert prove(net(layers, image), net(layers, image), lowerings=["fold_batch_norm"]).answer is Answer.PROVED
    other = [*layers[:2], "d: {conv: 3, dilation: 2, pad: 1}"]
    assert prove(net(layers, image), net(other, image)).answer is Answer.REFUTED


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_dilations_of_35_and_36_part_where_the_far_tap_meets_the_map(net: Net) -> None:
    """Up to 35 pixels of the map it hits the padding alone: the image has 281 of the 8-strided network by then."""
    first, second = (
        net(["s: {conv: 2, kernel: 1, stride: 8, pad: 0}", f"a: {{conv: 2, dilation: {rate}, pad: {rate}}}"])
        for rate in (35, 36)
    )
    found = prove(first, second)
    assert found.answer is Answer.REFUTED
    assert found.witness is not None and found.witness.size == (281, 1)
    assert found.parting is not None and found.parting.causes[0] == "the dilation: 35, and 36"


def test_ceil_and_floor_agree_at_one_half_of_the_sizes(net: Net) -> None:
    pooled = ["p: {pool: max, kernel: 2, round: %s}", "r: {resize: input, mode: nearest}"]
    floor, ceil = (net([pooled[0] % word, pooled[1]]) for word in ("floor", "ceil"))
    found = prove(floor, ceil)
    assert found.answer is Answer.REFUTED
    assert found.witness is not None and found.witness.size == (3, 2)
    even = ["d: {space_to_depth: 2}", "u: {pixel_shuffle: 2}", pooled[0]]
    floor, ceil = (net([*even[:2], even[2] % word]) for word in ("floor", "ceil"))
    assert prove(floor, ceil).answer is Answer.PROVED  # the shuffle takes even sizes alone


@dataclass(frozen=True)
class Transposed:
    """A kernel whose rows are the other's columns."""

    weight: Variable
    degree = 1

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weight.shape

    def value(self, a: Arithmetic, rows: range | None = None) -> Array:
        return a.weight(self.weight, rows).swapaxes(-1, -2)


def test_a_transposed_kernel_is_seen(net: Net) -> None:
    graph = normalise(net(["c: {conv: 3, bias: no}"]), Findings())
    shapes = dict(graph.inputs) | {"c": graph.by_name["c"].op.output([graph.inputs["input"]])}
    weights = pair((graph, graph), (shapes, shapes), None).first
    turned = {"c": {"weight": Transposed(weights["c"]["weight"])}}  # type: ignore[arg-type]
    sides = (Side(graph, shapes, weights), Side(graph, shapes, turned))  # type: ignore[arg-type]
    legal = tuple(axis.legal for axis in sizes_of(graph) if axis is not None)
    swept = sweep(sides, (["input"], ["input"]), {"output": ("c", "c")}, Taken(None, legal), lambda text: None)
    assert [*swept.parted] == ["output"]


def test_what_reads_the_whole_image_holds_for_the_sizes_that_were_tried(net: Net) -> None:
    first = ["c: {conv: 4, norm: batch}", "g: {pool: global_avg}"]
    assert prove(net(first), net(first), lowerings=["fold_batch_norm"]).sizes is None  # the pool is the same term
    found = prove(net(["g: {pool: global_avg}"]), net(["g: {pool: avg, bins: 1}"]))
    assert found.answer is Answer.PROVED
    assert found.sizes is not None and (1, 1) in found.sizes and (5, 1) in found.sizes


def test_attention_over_pairs_is_that_over_keys_of_one_query_alone(net: Net) -> None:
    def attending(query: str, over: str) -> Graph:
        maps = ["k: {conv: 2, kernel: 1}", "v: {conv: 3, kernel: 1, from: network.input}"]
        read = f"from: {query}, keys: k, values: v, over: {over}"
        return net([*maps, "q: {pool: global_avg, from: k}", f"a: {{attention: 1, {read}}}"])

    assert prove(attending("q", "pairs"), attending("q", "keys")).answer is Answer.PROVED
    assert prove(attending("k", "pairs"), attending("k", "keys")).answer is Answer.REFUTED


# --- how much is run -------------------------------------------------------------------------------------------------


def test_a_block_that_is_repeated_is_compared_once(net: Net) -> None:
    def runs(count: int) -> int:
        graph = net([f"c{i}: {{conv: 4, norm: batch, act: relu}}" for i in range(count)])
        found = prove(graph, graph, lowerings=["fold_batch_norm"])
        assert found.answer is Answer.PROVED
        return found.runs

    assert runs(2) == runs(6)


def test_layers_behind_the_first_that_parts_are_not_compared(net: Net) -> None:
    """Up to 6 pixels the far taps of both kernels meet the padding alone: there all layers are alike."""

    def runs(count: int) -> int:
        behind = [f"c{i}: {{conv: 4, act: relu}}" for i in range(count)]
        first, second = (net([f"d: {{conv: 4, dilation: {rate}, pad: {rate}}}", *behind]) for rate in (6, 7))
        found = prove(first, second)
        assert found.witness is not None and found.witness.size == (7, 1)
        assert found.parting is not None and found.parting.first == "d"
        return found.runs

    assert runs(2) == runs(12)


@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "second", "layer"),
    [("deeplabv3_r101@os8", "deeplabv3_r101@os16", "conv4_1.b"), ("fcn8s", "fcn8s_atonce", "score_pool4")],
)
def test_published_networks_that_differ_are_refuted_at_full_width(first: str, second: str, layer: str) -> None:
    found = prove(compile_variant(first).spec.graph, compile_variant(second).spec.graph)
    assert found.answer is Answer.REFUTED
    assert found.parting is not None and found.parting.first == layer


# --- what is said ----------------------------------------------------------------------------------------------------


def test_a_refutation_names_image_layer_and_cause(write: Write) -> None:
    layers = ["c1: {conv: 4, act: relu}", "c2: {conv: 2, dilation: 2, pad: 2}"]
    a, b = write(layers, model="a"), write([layers[0], "c2: {conv: 2, dilation: 2, pad: [2, 2, 1, 3]}"], model="b")
    code, text = said("prove", a, b)
    assert code == 1
    lines = text.splitlines()
    assert lines[0] == f"refuted: {a} and {b} differ"
    assert lines[1].startswith("  on an input of 1 x 1, weights and image of draw 0: `output`[")
    assert "of the largest value, far beyond rounding" in lines[2]
    assert lines[3:] == [
        "  they part at `c2`:",
        "    the padding at left: 2, and 1",
        "    the padding at right: 2, and 3",
        "  2 of 3 nodes have an equal",
    ]


def test_a_proof_says_what_it_rests_on(write: Write) -> None:
    spec = write(["c: {conv: 4, norm: batch}"])
    code, text = said("prove", spec, spec, "--lowering", "fold_batch_norm")
    assert code == 0
    assert text.splitlines() == [
        f"proved: {spec} and {spec} give the same for all weights and all images, in exact arithmetic",
        "  1 of 1 nodes have an equal; 13 runs over three primes of 21 bits, 1 seed",
        "  the chance that this is wrong is below 1e-13",
        "  at every size that both take: H ≥ 1, W ≥ 1",
    ]
    code, text = said("prove", spec, spec)
    assert text.splitlines()[1] == "  all 2 nodes are the same ops on the same results: nothing had to be run"


def test_an_open_answer_has_a_status_of_its_own(write: Write) -> None:
    a = write(["s: {scale: 2}", "r: {act: relu}"], model="a")
    b = write(["r: {act: relu}", "s: {scale: 2}"], model="b")
    code, text = said("prove", a, b)
    assert code == 5
    assert text.splitlines() == [
        f"not decided: {a} and {b} are not shown equal, and no image was found on which they differ",
        "  they part at `s` and `r`:",
        "    `scale` in the first network, and `relu` in the second",
        "  the terms part on an input of 1 x 1",
        "  0 of 2 nodes have an equal",
    ]


def test_what_cannot_be_bounded_is_not_said_to_part(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segcompile.prove.equality.MOST_SEEDS", 0)
    spec = write(["c: {conv: 4, norm: batch}"])
    code, text = said("prove", spec, spec, "--lowering", "fold_batch_norm")
    assert code == 5
    assert "the terms are alike on an input of 1 x 1, but so much is hashed that" in text
    assert "the terms part" not in text


def test_json_is_the_whole_answer(write: Write) -> None:
    a, b = write(["c: {conv: 4}"], model="a"), write(["c: {conv: 4, pad: 2}"], model="b")
    code, text = said("prove", a, b, "--format", "json")
    found = json.loads(text)
    assert code == 1
    assert found["answer"] == "refuted"
    assert found["witness"]["size"] == [1, 1]
    assert found["witness"]["shapes"] == [[4, 1, 1], [4, 3, 3]]
    assert found["parting"] == {"first": "c", "second": "c", "causes": ["the padding on all sides: 1, and 2"]}
    assert found["diagnostics"] == []


def test_names_pair_weights_that_are_called_otherwise(write: Write, tmp_path: Path) -> None:
    a = write(["conv1: {conv: 4, act: relu}", "conv2: {conv: 4}"], model="a")
    b = write(["first: {conv: 4, act: relu}", "second: {conv: 4}"], model="b")
    code, text = said("prove", a, b)
    assert code == 1
    assert f"  `{a}` has weights that the other has not: conv1.weight, conv1.bias, conv2.weight, conv2.bias" in text
    names = tmp_path / "names.txt"
    names.write_text("conv1: first\nconv2: second\n")
    assert said("prove", a, b, "--names", names)[0] == 0
    names.write_text("conv1: second\nconv2: first\n")
    assert said("prove", a, b, "--names", names)[0] == 1


def test_names_that_mean_nothing_are_errors(write: Write, tmp_path: Path, net: Net) -> None:
    graph, names = net(["c: {conv: 4}"]), tmp_path / "names.txt"
    for line, message in (
        ("d: c", "`d` is no tensor of the first network"),
        ("c: d", "`d.weight` is no tensor of the second network"),
    ):
        names.write_text(line)
        with pytest.raises(SegcompileError, match=message):
            prove(graph, graph, names)


def test_networks_that_cannot_be_compared_say_why(net: Net) -> None:
    grey, colour = (net(["c: {conv: 4}"], f"{{channels: {count}, size: 64}}", f"of{count}") for count in (1, 3))
    with pytest.raises(SegcompileError) as error:
        prove(colour, grey)
    (found,) = error.value.diagnostics
    assert found.code.code == "SC920"
    assert found.message == "`input` of `of3` is 3 x 64 x 64, and `input` of `of1` is 1 x 64 x 64"
    assert found.hint == "compare networks of the same inputs"


def test_shared_weights_are_one_variable(net: Net) -> None:
    twice = ["c: {conv: 4}", "d: {conv: 4, share: c}", "s: {add: [d, c]}"]
    apart = ["c: {conv: 4}", "d: {conv: 4}", "s: {add: [d, c]}"]
    assert prove(net(twice), net(twice)).answer is Answer.PROVED
    assert prove(net(twice), net(apart)).answer is Answer.REFUTED


def test_a_proof_is_the_same_every_time(net: Net) -> None:
    def once() -> Proof:
        return prove(net(FOLDED), net(FOLDED), lowerings=["fold_batch_norm"])

    assert once() == once()


@pytest.mark.long
@pytest.mark.parametrize("name", ["deeplabv3_r101@os16", "deeplabv3_r101@os8", "deeplabv3plus", "enet", "erfnet"])
def test_the_fold_of_a_published_network_is_proved_at_full_width(name: str) -> None:
    graph = compile_variant(name).spec.graph
    found = prove(graph, graph, lowerings=["fold_batch_norm"])
    assert (found.answer, found.sizes) == (Answer.PROVED, None)
    assert found.bound < 1e-9
