"""Crop offsets: those of the releases, and those that Caffe's coordinate maps give."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segcompile.compiler import compile_spec
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Activation, Add, Concat, Conv, Crop, Deconv, Dropout, Pool, Shape
from segcompile.passes.derive_crops import derive_offsets
from segcompile.testing.strategies import along
from segcompile.text.errors import Diagnostic, Findings, SegcompileError

Map = tuple[Fraction, Fraction]  # Caffe's (a, b): input pixel x lies over output pixel a * x + b


def caffe_map(node: Node, axis: int) -> Map:
    """What python/caffe/coord_map.py of BVLC's Caffe says of one layer."""
    op = node.op
    if isinstance(op, Conv | Pool | Deconv):
        dilation = 1 if isinstance(op, Pool) else op.dilation[axis]
        stride = op.steps[axis] if isinstance(op, Pool) else op.stride[axis]
        kernel, pad = (op.kernel[axis] - 1) * dilation + 1, op.pads(axis)[0]
        if isinstance(op, Deconv):
            return Fraction(stride), Fraction(kernel - 1, 2) - pad
        return Fraction(1, stride), (pad - Fraction(kernel - 1, 2)) / stride
    if isinstance(op, Crop):
        assert op.offset is not None
        return Fraction(1), Fraction(-op.offset[axis])
    assert isinstance(op, Activation | Dropout | Add | Concat), op
    return Fraction(1), Fraction(0)


def caffe_maps(graph: Graph, name: str, axis: int) -> dict[str, Map]:
    """Ancestor -> the map from it to tensor `name`, along the first inputs that lead there."""
    found, todo = {name: (Fraction(1), Fraction(0))}, [name]
    while todo:
        here = todo.pop()
        if here in graph.by_name:
            node, (a, b) = graph.by_name[here], found[here]
            scale, shift = caffe_map(node, axis)
            for source in node.inputs[: 1 if isinstance(node.op, Crop) else None]:
                if source not in found:
                    found[source] = (a * scale, a * shift + b)
                    todo.append(source)
    return found


def caffe_offset(graph: Graph, crop: Node, axis: int) -> Fraction | None:
    """What `crop(top_from, top_to)` of coord_map.py computes; None for its "scale mismatch on crop"."""
    source, reference = (caffe_maps(graph, name, axis) for name in crop.inputs)
    ancestor = next(name for name in source if name in reference)
    (a, b), (c, d) = source[ancestor], reference[ancestor]
    # source <- ancestor is x -> a x + b, so reference pixel y lies over source pixel a (y - d) / c + b
    return b - a * d / c if a == c else None


def offsets(graph: Graph) -> dict[str, tuple[int, int]]:
    return {node.name: node.op.offset or (0, 0) for node in graph.nodes if isinstance(node.op, Crop)}


FCN = {
    "fcn32s": {"score": 19},
    "fcn16s": {"score_pool4c": 5, "score": 27},
    "fcn8s": {"score_pool4c": 5, "score_pool3c": 9, "score": 31},
    "fcn_alexnet": {"score": 18},
    "fcn_googlenet": {"score": 98},
}


@pytest.mark.parametrize("spec", FCN)
def test_offsets_of_the_fcn_family_are_those_of_the_release_and_of_caffe(nets: SimpleNamespace, spec: str) -> None:
    graph = nets.compiled(nets.root / f"tests/data/valid/{spec}_layers.yaml").graph
    assert offsets(graph) == {name: (offset, offset) for name, offset in FCN[spec].items()}
    for name, found in offsets(graph).items():
        assert found == tuple(caffe_offset(graph, graph.by_name[name], axis) for axis in range(2))


def test_fcn_alexnet_needs_an_odd_kernel_to_come_back_to_the_pixels_of_the_input(nets: SimpleNamespace) -> None:
    for spec in ("fcn_alexnet", "fcn_googlenet"):  # all their strides have odd kernels
        graph = nets.compiled(nets.root / f"tests/data/valid/{spec}_layers.yaml").graph
        even = graph.by_name["upscore"].op.model_copy(update={"kernel": (64, 64)})
        nodes = tuple(replace(node, op=even) if node.name == "upscore" else node for node in graph.nodes)
        nodes = tuple(replace(node, op=Crop()) if node.name == "score" else node for node in nodes)
        (found,) = derived(replace(graph, nodes=nodes))[1]
        assert found.code.code == "SC307" and "a kernel of 65 in `upscore` makes it" in (found.help or "")


def derived(graph: Graph) -> tuple[Graph, list[Diagnostic]]:
    return derived_with(graph, infer_shapes(graph, Findings()))


def derived_with(graph: Graph, shapes: dict[str, Shape]) -> tuple[Graph, list[Diagnostic]]:
    findings = Findings()
    return derive_offsets(graph, shapes, findings), findings.diagnostics


@st.composite
def fcns(draw: st.DrawFn) -> Graph:
    """A network that goes down in convolutions and poolings, comes up again, and is cropped to a layer before."""
    nodes: list[Node] = []

    def add(op: Conv | Pool | Deconv, source: str) -> str:
        nodes.append(Node(f"n{len(nodes)}", op, (source,), f"n{len(nodes)}"))
        return nodes[-1].name

    last = "input"
    for _ in range(draw(st.integers(1, 4))):
        kernel, stride, pad = draw(along(1, 5)), draw(st.sampled_from([(1, 1), (2, 2), (3, 3)])), draw(along(0, 2))
        pads = tuple((side, side) for side in pad)
        if draw(st.booleans()):
            op: Conv | Pool = Conv(channels=4, kernel=kernel, stride=stride, dilation=draw(along(1, 2)), pad=pads)
        else:
            pads = tuple((min(side, taps // 2),) * 2 for side, taps in zip(pad, kernel, strict=True))
            op = Pool(kind="max", kernel=kernel, stride=stride, pad=pads, round="ceil")
        last = add(op, last)
    taps = ["input", *(node.name for node in nodes[:-1])]
    for _ in range(draw(st.integers(0, 2))):
        stride = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (4, 4)]))
        last = add(Deconv(channels=4, kernel=draw(along(1, 6)), stride=stride), last)
    inputs = (last, draw(st.sampled_from(taps)))
    inputs = inputs[::-1] if draw(st.booleans()) else inputs
    nodes.append(Node("crop", Crop(), inputs, "crop"))
    return Graph("net", {"input": Shape(4, (120, 120))}, tuple(nodes), {"output": "crop"}).verify()


@settings(max_examples=300)
@given(graph=fcns())
def test_every_offset_is_that_of_caffes_coordinate_maps_and_so_is_every_refusal(graph: Graph) -> None:
    shapes = infer_shapes(replace(graph, nodes=graph.nodes[:-1], outputs={"output": graph.nodes[-2].name}), Findings())
    assume(all(node.name in shapes for node in graph.nodes[:-1]))
    found, diagnostics = derived_with(graph, shapes)
    said = {item.code.code for item in diagnostics}
    wanted = [caffe_offset(graph, graph.by_name["crop"], axis) for axis in range(2)]
    refused = {code for offset in wanted if (code := refusal(offset)) is not None}
    assert said == refused
    if not refused:
        assert offsets(found) == {"crop": tuple(wanted)}


def refusal(offset: Fraction | None) -> str | None:
    """Caffe asserts that the scales agree, that the offset is whole, and that it is not negative."""
    if offset is None:
        return "SC305"
    if offset.denominator != 1:
        return "SC307"
    return "SC306" if offset < 0 else None


def found_in(folder: Path, layers: str, inputs: str = "{channels: 4, size: 64}") -> list[Diagnostic]:
    """The findings of a network, but for layers that nothing reads."""
    path, findings = folder / "net.yaml", Findings()
    text = "\n".join(f"  - {line.strip()}" for line in layers.splitlines() if line.strip())
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {inputs}\nlayers:\n{text}\n")
    try:
        compile_spec(path, findings)
    except SegcompileError as error:
        findings.absorb(error)
    return [found for found in findings.diagnostics if found.code.code != "SC202"]


DISPUTED = """
    a: {conv: 4, kernel: 3}
    b: {conv: 4, kernel: 2, pad: same}
    j: {add: [a, b]}
"""


def test_an_offset_that_holds_along_one_path_only_has_a_counterexample(tmp_path: Path) -> None:
    crop, join = found_in(tmp_path, f"{DISPUTED}\n k: {{conv: 4, kernel: 3, pad: 5}}\n c: {{crop: input}}")
    assert crop.message == "c is cropped by 3; another path would crop it by 5/2"
    assert [label.text for label in crop.labels] == ["via a into j: by 3", "via a -> b into j: by 5/2"]
    assert crop.help == "the paths meet apart in `j`: mend that join, or give the crop an `offset`"
    assert crop.code.code == join.code.code == "SC311" and join.message.startswith("j joins")


def test_a_reference_may_lie_in_two_ways_as_well(tmp_path: Path) -> None:
    crop, _ = found_in(tmp_path, f"{DISPUTED}\n c: {{crop: j, from: input}}")
    assert crop.message == "c is cropped by 1; another path would crop it by 3/2"


def test_an_offset_between_maps_behind_the_same_misaligned_join_is_proven(tmp_path: Path) -> None:
    (join,) = found_in(
        tmp_path, f"{DISPUTED}\n k: {{conv: 4, kernel: 5}}\n c: {{crop: k, from: j}}\n s: {{add: [k, c]}}"
    )
    assert join.message.startswith("j joins") and not any("later" in note for note in join.notes)


def test_crops_that_one_join_puts_in_doubt_are_counted(tmp_path: Path) -> None:
    crops = "k: {conv: 4, kernel: 3, pad: 5}\n c: {crop: input}\n d: {crop: input, from: k}\n e: {add: [c, d]}"
    crop, _ = found_in(tmp_path, f"{DISPUTED}\n {crops}")
    assert crop.notes == ("1 later crop is in doubt for the same reason and is not shown: d",)


WHOLE = "give the crop an `offset`"
OTHERWISE = f"{WHOLE}, and accept the shift"
REFUSED = [
    (
        """
        p: {pool: max, kernel: 2}
        c: {crop: p, from: input}
        """,
        "c has 1 input pixel a step, its reference `p` has 2",
        "downsample `input` by 2 first, or upsample `p`",
    ),
    (
        """
        p: {pool: max, kernel: 2}
        q: {pad: 20}
        r: {conv: 4, kernel: 9, from: input}
        s: {crop: r, from: q}
        """,
        "s has 2 input pixels a step, its reference `r` has 1",
        "upsample `q` by 2 first, or downsample `r`",
    ),
    (
        """
        p: {pool: max, kernel: 2}
        q: {pool: max, kernel: 3, from: input}
        c: {crop: q, from: p}
        """,
        "c has 2 input pixels a step, its reference `q` has 3",
        "bring both to one stride first",
    ),
    (
        """
        g: {pool: global_avg}
        r: {resize: input}
        c: {crop: input}
        """,
        "c cannot be aligned: `r` has no position, as `g` mixes the whole image",
        WHOLE,
    ),
    (
        """
        k: {conv: 4, kernel: 64}
        r: {resize: input, align_corners: yes}
        c: {crop: input}
        """,
        "c cannot be aligned: `r` has no position, as `r` stretches one pixel over a map",
        WHOLE,
    ),
    (
        """
        p: {pool: max, kernel: 2}
        q: {conv: 4, kernel: 5, pad: [0, 9, 0, 9]}
        r: {conv: 4, kernel: 3, pad: 2, from: p}
        c: {crop: r, from: q}
        """,
        "c would have to be cropped by -3: `q` starts inside its reference",
        "6 input pixels more of padding between `p` and `c`, or crop the reference instead",
    ),
    (
        """
        p: {conv: 4, kernel: 3, pad: [0, 2, 1, 1]}
        c: {crop: input}
        """,
        "c, along the height, would have to be cropped by -1: `p` starts inside its reference",
        "1 input pixel more of padding between `input` and `c`, or crop the reference instead",
    ),
    (
        """
        p: {conv: 4, kernel: 2}
        c: {crop: p, from: input}
        """,
        "c would have to be cropped by 1/2, which is not a whole pixel",
        f"a kernel of 3 in `p` makes it 1; or {OTHERWISE}",
    ),
    (
        """
        p: {pool: max, kernel: 3, stride: 2, pad: 1}
        q: {conv: 4, kernel: 3, pad: 4}
        u: {deconv: 4, kernel: 4, stride: 2}
        c: {crop: input}
        """,
        "c would have to be cropped by 15/2, which is not a whole pixel",
        f"a kernel of 5 in `u` makes it 8; or {OTHERWISE}",
    ),
    (
        """
        p: {pad: [1, 3, 1, 3]}
        q: {pool: max, kernel: 1, stride: 2}
        r: {conv: 4, kernel: 1, stride: 2, from: input}
        c: {crop: r, from: q}
        """,
        "c would have to be cropped by 1/2, which is not a whole pixel",
        f"a padding of 1 in `r` makes it 0; or {OTHERWISE}",
    ),
    (
        """
        p: {pad: [1, 3, 1, 3]}
        q: {pool: max, kernel: 1, stride: 2}
        r: {pool: max, kernel: 1, stride: 2, from: input}
        c: {crop: r, from: q}
        """,
        "c would have to be cropped by 1/2, which is not a whole pixel",
        OTHERWISE,
    ),
]


@pytest.mark.parametrize(("layers", "message", "help"), REFUSED)
def test_a_crop_that_cannot_be_derived_says_why_and_what_would_help(
    tmp_path: Path, layers: str, message: str, help: str
) -> None:
    assert [(item.message, item.help) for item in found_in(tmp_path, layers) if item.is_error] == [(message, help)]


def test_a_crop_behind_a_resize_that_goes_by_the_images_size_needs_a_size(tmp_path: Path) -> None:
    layers = """
        p: {conv: 4, kernel: 3, stride: 2, pad: 1}
        r: {resize: input, align_corners: yes}
        k: {conv: 4, kernel: 3}
        c: {crop: k, from: input}
    """
    (found,) = found_in(tmp_path, layers, "{channels: 4, size: any}")
    said = "c cannot be aligned: `k` has no position, as the scale of `r` depends on the image's size"
    assert (found.message, found.help) == (said, "give the input a size, or the crop an `offset`")


def test_inputs_of_unequal_size_have_no_position_over_each_other(tmp_path: Path) -> None:
    inputs = "{a: {channels: 4, size: 64}, b: {channels: 4, size: 72}}"
    layers = "k: {conv: 4, kernel: 3, from: a}\n j: {conv: 4, kernel: 3, from: b}\n c: {crop: k}"
    (found,) = found_in(tmp_path, layers, inputs)
    assert found.message == "c cannot be aligned: `j` has no position, as `b` is not of the first input's size"
    assert found.help == WHOLE
