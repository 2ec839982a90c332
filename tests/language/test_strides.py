"""`atrous` and `remove_stride`: every s-th output is the base's, or the edit is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.compiler import compile_spec
from segcompile.ops import ALL_OPS, Op, Refusal
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_text

from .conftest import Workbench
from .test_transform import derived, output, weights

CASES = Path(__file__).parents[1] / "data" / "cases" / "edits"


def test_edits_atrous_over_instance_norm_is_refused_at_the_edit() -> None:
    with pytest.raises(SegcompileError) as caught:
        compile_spec(CASES / "atrous_over_instance_norm.yaml", Findings(), name="atrous_over_instance_norm.yaml")
    assert render_text(caught.value.diagnostics).replace(f"{CASES}/", "") == (
        "error[SC507 not-dilatable]: the norm of `b` (instance norm) mixes the positions of the whole map, "
        "and a denser map has others\n"
        "  --> atrous_over_instance_norm.yaml:4:21\n"
        " 4 | transform: [atrous: [a]]\n"
        "   |                     ^\n"
        "  ::: base.yaml:6:43\n"
        " 6 |   - b: {conv: 8, kernel: 3, pad: 1, norm: instance, act: relu}\n"
        "   |                                           - written here\n"
        "   = help: `set: {b: {norm: none}}` before this edit, or put another op in its place"
    )


def test_the_help_of_a_refused_norm_does_what_it_says(bench: Workbench) -> None:
    base = (CASES / "base.yaml").read_text()
    bench.compile(derived(bench, "[set: {b: {norm: none}}, atrous: [a]]", base=base))
    bench.compile(derived(bench, "[set: {b: {norm: batch}}, atrous: [a]]", base=base))


HEAD = """
segcompile: 1
model: base
input: {channels: 4, size: 33}
layers:
  - a: {conv: 4, kernel: 3, stride: 2, pad: 1}
"""
REFUSED = {
    **{
        f"x: {{{op}}}": f"SC507 {subject} mixes the positions of the whole map, and a denser map has others"
        for op, subject in {
            "norm: instance": "`x` (instance norm)",
            "norm: {group: 2}": "`x` (group norm)",
            "conv: 4, kernel: 1, norm: {group: 2}": "the norm of `x` (group norm)",
            "pool: global_avg": "`x` (global avg pool)",
            "pool: global_max": "`x` (global max pool)",
        }.items()
    },
    "x: {pool: avg, kernel: 3, stride: 1}": "SC507 `x` takes a mean of neighbours, which cannot be dilated",
    "x: {conv: 4, kernel: 3, pad: 1, mode: reflect}":
        "SC507 `x` pads by `reflect`, and a denser map ends with other pixels",
    "x: {conv: 4, kernel: 3, pad: 1, mode: edge}": "SC507 `x` pads by `edge`, and a denser map ends with other pixels",
    "x: {pad: 1, mode: edge}": "SC507 `x` pads by `edge`, and a denser map ends with other pixels",
    "x: {add: [a, {pad: 1}], align: center_crop}":
        "SC507 `x` aligns by `center_crop`, which lays maps of other sizes elsewhere",
    "x: {concat: [a, {pad: 1}], align: pad}": "SC507 `x` aligns by `pad`, which lays maps of other sizes elsewhere",
    "x: {space_to_depth: 1}":
        "SC507 `x` takes neighbouring pixels together, which lie further apart without these strides",
    "x: {linear: 3}": "SC503 `x` is linear: its weight is for the sparser map",
    **{
        f"x: {{{op}}}": "SC503 `x` brings the map back to a size, and the strides taken out here come before it"
        for op in ("deconv: 4, kernel: 2, stride: 2", "resize: 2", "resize: a", "pixel_shuffle: 2")
    },
    "x: {resize: input}":
        "SC503 `x` reads `a` and `input`, and the strides are taken out before one of them only",
    "x: {resize: a, from: input}":
        "SC503 `x` reads `a` and `input`, and the strides are taken out before one of them only",
    "x: {crop: a, from: input, offset: 0}":
        "SC503 `x` reads `a` and `input`, and the strides are taken out before one of them only",
}  # fmt: skip


@pytest.mark.parametrize("layer", REFUSED)
@pytest.mark.parametrize("edit", ["atrous", "remove_stride"])
def test_what_would_not_compute_the_same_is_refused_at_the_edit(bench: Workbench, layer: str, edit: str) -> None:
    found = bench.findings(derived(bench, f"[{edit}: [a]]", base=f"{HEAD}  - {layer}\n"))
    assert [f"{one.code.code} {one.message}" for one in found if one.is_error] == [REFUSED[layer]]
    assert found[0].span is not None and found[0].help
    assert found[0].span.source.lines[found[0].span.line - 1].startswith("transform:")


def test_a_layer_that_mixes_positions_may_stand_before_the_stride_or_beside_it(bench: Workbench) -> None:
    base = f"{HEAD}  - gate: {{pool: global_avg, from: input}}\noutputs: {{out: a, gate: gate}}\n"
    base = base.replace("  - a:", "  - first: {norm: instance}\n  - a:")
    bench.compile(derived(bench, "[atrous: [a]]", base=base))


def test_it_may_be_removed_before_the_edit(bench: Workbench) -> None:
    base = f"{HEAD}  - x: {{norm: instance}}\n  - y: {{conv: 3, kernel: 3}}\n"
    assert bench.compile(derived(bench, "[remove: [x], atrous: [a]]", base=base)).graph.by_name["y"].inputs == ("a",)


class Unknown(Op):
    """An op that says nothing of denser maps."""

    spelling = "unknown"
    summary = ""


def test_an_op_that_says_nothing_of_denser_maps_is_refused() -> None:
    with pytest.raises(Refusal, match=r"\(unknown\) has no form for a denser map"):
        Unknown().dilated((2, 2))


def test_every_op_that_is_let_through_without_a_change_is_known() -> None:
    kept = {op.__name__ for op in ALL_OPS if op.pointwise}
    assert kept == {
        "Activation", "Affine", "BatchNorm", "ChannelShuffle", "Clip", "DropPath", "Dropout", "Elu", "LayerNorm",
        "LeakyRelu", "PRelu", "PadChannels", "ResponseNorm", "Scale", "Slice", "Softmax", "SpatialDropout",
    }  # fmt: skip
    assert not any(op.pointwise and op.whole_image for op in ALL_OPS)


def test_a_last_window_that_overhangs_is_warned_of_where_it_does(bench: Workbench) -> None:
    def warned(size: str, edits: str = "[atrous: [pool3]]") -> list[str]:
        base = "segcompile: 1\nmodel: base\ninput: {channels: 2, size: 9}\ndefaults: {pool: {round: ceil}}\nlayers:\n"
        base += "".join(f"  - pool{i}: {{pool: max, kernel: 2}}\n" for i in (1, 2, 3, 4))
        found = bench.findings(derived(bench, edits, f"input: {{size: {size}}}", base=base))
        return [one.message.partition(" overhangs")[0] for one in found if one.code.code == "SC508"]

    assert warned("64") == []
    assert warned("60") == ["the last window of `pool3`"]  # 60, 30, 15
    assert warned("56") == ["the last window of `pool4`"]  # 56, 28, 14, 7
    assert warned("any") == ["the last window of `pool3`, `pool4`"]
    assert warned("56", "[remove_stride: [pool3]]") == ["the last window of `pool4`"]
    assert warned("60", "[remove_stride: [pool3]]") == []  # the pool goes
    assert warned("any", "[set: {pool3: {round: floor}, pool4: {round: floor}}, atrous: [pool3]]") == []


# --- in numbers ------------------------------------------------------------------------------------------------------

POINTWISE = ["act: relu", "act: elu", "act: {leaky_relu: 0.2}", "act: prelu", "norm: batch", "norm: lrn",
             "dropout: 0.5", "scale: -0.5", "softmax: channels"]  # fmt: skip
CARRIED = ["", ", act: relu", ", norm: batch, act: prelu", ", norm: {lrn: {size: 3}}, drop: 0.5"]


@st.composite
def networks(draw: st.DrawFn) -> tuple[str, dict[str, tuple[int, int]]]:
    """The layers of a network of ops that are let through, and those of them that have a stride."""
    lines: list[str] = ["first: {conv: 4, kernel: 1}"]
    strides: dict[str, tuple[int, int]] = {}
    small, pads = st.integers(1, 3), st.lists(st.integers(0, 2), min_size=4, max_size=4)
    for index in range(draw(st.integers(2, 5))):
        name, above = f"n{index}", lines[-1].partition(":")[0]
        step = [draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 2]))]
        kind = draw(st.sampled_from(["conv", "conv", "conv", "pool", "pool", "point", "pad", "join", "crop"]))
        if kind == "conv":
            pad = draw(st.just("same") | pads)
            kernel, dilation = [draw(small), draw(small)], [draw(small), draw(small)]
            groups, carried = draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from(CARRIED))
            lines.append(f"{name}: {{conv: 4, kernel: {kernel}, stride: {step}, dilation: {dilation}, pad: {pad}, "
                         f"groups: {groups}{carried}}}")  # fmt: skip
        elif kind == "pool":
            kernel = [draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2, 3]))]
            pad = [draw(st.integers(0, extent // 2)) if extent % 2 else 0 for extent in kernel]
            lines.append(f"{name}: {{pool: max, kernel: {kernel}, stride: {step}, pad: {pad}}}")
        elif kind == "point":
            lines.append(f"{name}: {{{draw(st.sampled_from(POINTWISE))}}}")
        elif kind == "pad":
            lines.append(f"{name}: {{pad: {draw(pads)}}}")
        elif kind == "join":
            lines.append(f"{name}_side: {{conv: 4, kernel: 3, pad: same}}")
            join = draw(st.sampled_from(["add", "mul", "concat"]))
            lines.append(f"{name}_all: {{{join}: [{above}, {name}_side]}}")
            lines.append(f"{name}: {{conv: 4, kernel: 1}}")
        else:
            lines.append(f"{name}_side: {{conv: 4, kernel: 3}}")
            offset = [draw(st.integers(0, 2)), draw(st.integers(0, 2))]
            lines.append(f"{name}: {{crop: {name}_side, from: {above}, offset: {offset}}}")
        if kind in ("conv", "pool") and step != [1, 1]:
            strides[name] = (step[0], step[1])
    return "".join(f"  - {line}\n" for line in lines), strides


def check(bench: Workbench, network: tuple[str, dict[str, tuple[int, int]]], data: st.DataObject) -> None:
    layers, strides = network
    if not strides:
        return
    size = data.draw(st.tuples(st.integers(30, 60), st.integers(30, 60)))
    base = f"segcompile: 1\nmodel: base\ninput: {{channels: 2, size: [{size[0]}, {size[1]}]}}\nlayers:\n{layers}"
    chosen = data.draw(st.lists(st.sampled_from(sorted(strides)), min_size=1, unique=True))
    if bench.errors(base):  # it shrinks to nothing
        return
    sparse = bench.compile(base).graph
    dense = bench.compile(derived(bench, f"[atrous: [{', '.join(chosen)}]]", base=base)).graph
    rows, columns = (int(np.prod([strides[name][axis] for name in chosen])) for axis in (0, 1))
    values = weights(dense)
    image = np.random.default_rng(3).standard_normal((1, 2, *size))
    everywhere, wanted = output(dense, values, image), output(sparse, values, image)
    np.testing.assert_allclose(everywhere[:, :, ::rows, ::columns], wanted, rtol=1e-9, atol=1e-12)


@settings(max_examples=40)
@given(networks(), st.data())
def test_every_sth_output_is_the_base_s(
    tmp_path_factory: pytest.TempPathFactory, network: tuple[str, dict[str, tuple[int, int]]], data: st.DataObject
) -> None:
    check(Workbench(tmp_path_factory.mktemp("dense")), network, data)


@pytest.mark.long
@settings(max_examples=1500, derandomize=False)
@given(networks(), st.data())
def test_every_sth_output_is_the_base_s_of_many_networks(
    tmp_path_factory: pytest.TempPathFactory, network: tuple[str, dict[str, tuple[int, int]]], data: st.DataObject
) -> None:
    check(Workbench(tmp_path_factory.mktemp("dense")), network, data)
