"""Which outputs an input pixel touches: what NumPy's definitions of the ops carry on, and what outputs see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from segcompile.compiler import analyse_graph, compile_spec, find_spec
from segcompile.facts.coverage.reach import reach
from segcompile.facts.coverage.region import Region
from segcompile.facts.facts import shapes_in
from segcompile.facts.index_set import IndexSet
from segcompile.facts.projective_field import Touched, project, repeats
from segcompile.facts.receptive_field import trace_fields
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.strides import trace_strides
from segcompile.network.graph import Graph, Node
from segcompile.ops import (
    Add,
    AnySize,
    Conv,
    Deconv,
    GlobalPool,
    Linear,
    Mul,
    Op,
    Pad,
    Position,
    Resize,
    Shape,
    Undecidable,
    Unpool,
    WindowAttention,
)
from segcompile.testing.networks import every_layer, has_lists, linear, sized, slim
from segcompile.testing.reference import FORMULAS, STEP, run
from segcompile.testing.strategies import CHANNELS, graph_of, graphs, unpooled
from segcompile.text.errors import Findings

SETTINGS = settings(phases=(Phase.explicit, Phase.generate))


# --- on maps of a fixed size: all paths, through the definitions of the ops


def carried(node: Node, read: list[np.ndarray]) -> np.ndarray:
    """One where an output of the node, by its definition, takes a share of a value that is one, and zero elsewhere."""
    op = node.op
    if op.whole_image and not isinstance(op, GlobalPool | Linear):  # norms, attention
        return np.full_like(read[0], read[0].any())
    if isinstance(op, Unpool):
        return unpooled_anywhere(op, read)
    if isinstance(op, Position):  # a vector of its own is added to each pixel
        return read[0]
    if op.pointwise:  # all channels are alike
        return np.repeat(read[0][:, :1], op.output([Shape(read[0].shape[1], read[0].shape[2:])]).channels, 1)
    if isinstance(op, Mul | Add):  # a product with zero would hide what its other factor depends on
        op = Add(align=op.align)
    if isinstance(op, Pad):  # no pixel has a share in a number
        op = op.model_copy(update={"value": 0.0})
    tensors: dict[str, np.ndarray] = {}
    if isinstance(op, Conv | Deconv):
        into, out = read[0].shape[1], op.channels
        pair = (out, into // op.groups) if isinstance(op, Conv) else (into, out // op.groups)
        tensors = {"weight": np.ones((*pair, *op.kernel))}
    if isinstance(op, WindowAttention):  # the mean of all that is attended to: queries and keys are zero
        width = read[0].shape[1]
        tensors = {each.name: np.zeros(each.shape) for each in op.parameters([Shape(width, read[0].shape[2:])])}
        tensors["qkv.weight"][2 * width :] = tensors["proj.weight"][:] = 1
    if isinstance(op, Resize) and op.mode == "cubic":  # some of its weights are negative, and no sum of theirs is zero
        read = [part * np.random.default_rng(0).uniform(1, 2, part.shape) for part in read]
    return (abs(FORMULAS[type(op)](op, read, tensors)) > 1e-9).astype(
        float
    )  # of interpolation a rounding error may be left


def unpooled_anywhere(op: Unpool, read: list[np.ndarray]) -> np.ndarray:
    """One in all of the pool's window of a cell of whose value or switch something is one."""
    cells = np.maximum(read[0], read[1])
    found = np.zeros((*cells.shape[:2], *read[2].shape[2:]))
    for cell in np.ndindex(*cells.shape[2:]):
        starts = [
            index * step - op.pool.pads(axis)[0]
            for axis, (index, step) in enumerate(zip(cell, op.pool.steps, strict=True))
        ]
        window = [slice(max(start, 0), start + taps) for start, taps in zip(starts, op.kernel, strict=True)]
        found[:, :, *window] += cells[:, :, *(slice(index, index + 1) for index in cell)]
    return (found > 0).astype(float)


def touched_maps(graph: Graph, image: np.ndarray) -> dict[str, np.ndarray]:
    """Node -> where its map takes a share of the pixels that are one in any channel of the first input. Channels are
    not told apart, as if each op mixed them: shuffles alone keep pixels in channels, and bring them back in place."""
    values = {name: np.zeros((1, shape.channels, *shape.size)) for name, shape in graph.inputs.items()}
    values[next(iter(graph.inputs))][:] = image
    for node in graph.nodes:
        made = carried(node, [values[name] for name in node.inputs])
        values[node.name] = np.broadcast_to(made.any(1, keepdims=True), made.shape).astype(float)
    return {node.name: values[node.name].any((0, 1)) for node in graph.nodes}


def drawn(found: Touched, shape: Shape) -> np.ndarray:
    """The map, true where a cell is touched."""
    mask = np.zeros(shape.size, dtype=bool)
    for region in (found.local, found.mixed):
        for *row, first, last in region.runs() if region is not None else ():
            assert min([*row, first]) >= 0 and first <= last < shape.size[-1]
            mask[(*row, slice(first, last + 1))] = True
    return mask


def check_fixed(graph: Graph, low: tuple[int, ...], high: tuple[int, ...]) -> int:
    """The touched outputs of every node, for a box of pixels; how many nodes are touched."""
    shapes = shapes_in(graph, analyse_graph(graph, Findings()).facts)
    source, shape = next(iter(graph.inputs.items()))
    image = np.zeros(shape.size)
    image[tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True))] = 1
    pixels = {source: Region((tuple(map(IndexSet, low, high)),))}
    expected = touched_maps(graph, image)
    for node in graph.nodes:
        found = drawn(project(graph, shapes, node.name, pixels), shapes[node.name])
        assert (found == expected[node.name]).all(), (node, found.astype(int), expected[node.name].astype(int))
    return sum(mask.any() for mask in expected.values())


@st.composite
def boxes(draw: st.DrawFn, size: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """First and last pixel; one pixel, and one at a border, as often as not."""
    low = [draw(st.sampled_from([0, extent - 1]) | st.integers(0, extent - 1)) for extent in size]
    high = [min(first + draw(st.just(0) | st.integers(0, 5)), size[axis] - 1) for axis, first in enumerate(low)]
    return tuple(low), tuple(high)


SIDES = {1: (16, 48), 2: (16, 32), 3: (5, 11)}  # of an image, by its rank: the least and the most pixels


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(SETTINGS, max_examples=100)
@given(data=st.data())
def test_what_a_pixel_touches_is_what_the_definitions_of_the_ops_carry_on(data: st.DataObject, rank: int) -> None:
    graph = data.draw(graphs(8, *SIDES[rank], rank))
    assume(not has_lists(graph))
    check_fixed(graph, *data.draw(boxes(graph.inputs["input"].size)))


@pytest.mark.long
@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(SETTINGS, max_examples=1000, derandomize=False)
@given(data=st.data())
def test_a_thousand_graphs(data: st.DataObject, rank: int) -> None:
    graph = data.draw(graphs(9, *SIDES[rank], rank))
    assume(not has_lists(graph))
    check_fixed(graph, *data.draw(boxes(graph.inputs["input"].size)))


BORDERS = [
    Conv(channels=CHANNELS, kernel=(3, 3), dilation=(2, 3), pad=((2, 2), (3, 3)), mode="edge"),
    Conv(channels=CHANNELS, kernel=(5, 3), stride=(2, 3), dilation=(2, 2), pad=((4, 3), (2, 1)), mode="reflect"),
    Pad(amount=((3, 2), (1, 5)), mode="reflect"),
    Pad(amount=((3, 0), (0, 4)), mode="edge"),
    Conv(channels=CHANNELS, kernel=(5, 3), stride=(2, 3), dilation=(2, 2), pad=((4, 3), (2, 1)), mode="circular"),
    Pad(amount=((7, 2), (0, 8)), mode="circular"),
    Pad(amount=((3, 0), (0, 4)), value=2.0),
    Resize(factor=(3, 2), mode="bilinear"),
    Resize(factor=(3, 2), mode="bilinear", align_corners=True),
    Resize(factor=(2, 3), mode="nearest"),
    Deconv(channels=CHANNELS, kernel=(2, 3), stride=(3, 2), dilation=(2, 1), output_pad=(2, 1)),
]


@pytest.mark.parametrize("op", BORDERS, ids=lambda op: op.title)
def test_every_pixel_of_a_map_touches_also_through_padding_by_its_own_pixels(op: Op) -> None:
    graph = graph_of(op, (7, 8))
    assert sum(check_fixed(graph, (y, x), (y, x)) for y, x in np.ndindex(7, 8)) >= 28


@pytest.mark.parametrize("size", [(1, 6), (6, 1), (1, 1)])
def test_one_pixel_that_is_stretched_touches_the_whole_line(size: tuple[int, int]) -> None:
    graph = graph_of(Resize(factor=(4, 4), align_corners=True), size)
    assert check_fixed(graph, (0, 0), (0, 0)) == 1


def test_an_unpooling_may_touch_the_window_of_a_cell_and_of_a_switch() -> None:
    op = Unpool(pool_layer={"kind": "max", "kernel": (2, 3), "stride": (3, 3), "pad": ((1, 1), (1, 1))})
    size = (8, 10)
    graph = unpooled(op, size)
    (before, after) = (graph.inputs[name].size for name in ("in0", "in1"))
    assert after == size
    for y, x in np.ndindex(*before):
        check_fixed(graph, (y, x), (y, x))
    switches = replace(graph, inputs={name: graph.inputs[name] for name in ("in1", "in0")})
    for y, x in np.ndindex(*size):
        check_fixed(switches, (y, x), (y, x))


# --- on maps of any size: no borders, and everything repeats


@settings(SETTINGS, max_examples=40)
@given(data=st.data())
def test_an_output_is_touched_by_what_it_sees_and_that_repeats(data: st.DataObject) -> None:
    drawn, findings = data.draw(graphs()), Findings()
    graph = replace(drawn, inputs={"input": Shape(CHANNELS, (AnySize("H"), AnySize("W")))})
    shapes = infer_shapes(graph, findings)
    assume(not findings.has_errors)
    node = data.draw(st.sampled_from(graph.nodes)).name
    y, x = data.draw(st.tuples(st.integers(40, 60), st.integers(40, 60)))
    with suppress(Undecidable):
        check_any(graph, shapes, node, (y, x), data)


def check_any(graph: Graph, shapes: dict[str, Shape], node: str, pixel: tuple[int, int], data: st.DataObject) -> None:
    """Some cells around those that the pixel touches see it if they are among them, and one period on all is moved."""
    (y, x), strides = pixel, trace_strides(graph, shapes, trace_fields(graph, shapes))
    found = project(graph, shapes, node, {"input": Region.cell((y, x))})
    for cell in data.draw(st.lists(st.sampled_from(around(found.local, pixel)), min_size=8, max_size=8)):
        sees = reach(graph, shapes, node, cell)
        assert (cell in found.local if found.local else False) == ((y, x) in sees.regions.get("input", ())), cell
        assert found.whole or found.mixed is not None or "input" not in sees.whole
    again = repeats(graph, shapes, strides, node, "input")
    if again is not None:
        (down, moved_down), (right, moved_right) = again
        later = project(graph, shapes, node, {"input": Region.cell((y + down, x + 2 * right))}).local
        assert cells(later) == {(row + moved_down, column + 2 * moved_right) for row, column in cells(found.local)}


def cells(region: Region | None) -> set[tuple[int, int]]:
    runs: Iterator[tuple[int, int, int]] = region.runs() if region is not None else iter(())
    return {(row, column) for row, first, last in runs for column in range(first, last + 1)}


def around(region: Region | None, pixel: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells of the smallest rectangle around the region, and those next to it."""
    if region is None:
        return [pixel, (pixel[0] // 2, pixel[1] // 2), (2 * pixel[0], pixel[1])]
    rows, columns = (range(axis.low - 2, axis.high + 3) for axis in region.along)
    return [(row, column) for row in rows for column in columns]


def test_how_the_size_of_a_reference_came_about_is_not_asked() -> None:
    """`b` has a window that depends on the size, and only lends its size to `c`."""
    image = Shape(1, (AnySize("H"), AnySize("W")))
    nodes = (
        Node("a", Conv(channels=1, kernel=(3, 3), pad=("same",)), ("image",), "a"),
        Node("b", Resize(factor=(1, 2), align_corners=True), ("a",), "b"),
        Node("c", Resize(), ("a", "b"), "c"),
    )
    graph = Graph("net", {"image": image}, nodes, {"output": "c"}).verify()
    shapes = infer_shapes(graph, Findings())
    strides = trace_strides(graph, shapes, trace_fields(graph, shapes))
    found = project(graph, shapes, "c", {"image": Region.cell((5, 5))}).local
    assert cells(found) == {(row, column) for row in range(4, 7) for column in range(7, 15)}
    assert repeats(graph, shapes, strides, "c", "image") == ((1, 1), (1, 2))
    with pytest.raises(Undecidable, match="resizing W-1 to 2W-1"):
        project(graph, shapes, "b", {"image": Region.cell((5, 5))})


def test_what_is_mixed_and_spread_again_over_a_map_of_any_size_may_touch_all_of_it() -> None:
    image = Shape(1, (AnySize("H"), AnySize("W")))
    nodes = (
        Node("pool", GlobalPool(kind="global_avg"), ("image",), "pool"),
        Node("up", Resize(), ("pool", "image"), "up"),
        Node("sum", Add(), ("up", "image"), "sum"),
    )
    graph = Graph("net", {"image": image}, nodes, {"output": "sum"}).verify()
    shapes = infer_shapes(graph, Findings())
    pixels = {"image": Region.cell((5, 6))}
    assert project(graph, shapes, "pool", pixels) == Touched(None, Region.cell((0, 0)))
    assert project(graph, shapes, "up", pixels) == Touched(None, None, True)
    assert project(graph, shapes, "sum", pixels) == Touched(Region.cell((5, 6)), None, True)


# --- gradients


@pytest.mark.parametrize(("spec", "size"), [("dilated_basic", 40), ("unet", 188), ("aspp", 33), ("blue_marble", 96)])
@pytest.mark.parametrize("place", [0.0, 0.55, 1.0])
def test_the_layers_of_a_paper_are_touched_where_a_derivative_says(spec: str, size: int, place: float) -> None:
    """The derivative of every output along one pixel, by a complex step, which nothing rounds away (Squire & Trapp)."""
    graph = every_layer(linear(slim(sized(compile_spec(find_spec(spec), Findings()).graph, size, size), 1)))
    facts = analyse_graph(graph, Findings()).facts
    shapes = shapes_in(graph, facts)
    random = np.random.default_rng(0)
    parameters = {
        name: {tensor.name: random.uniform(0.5, 1, tensor.shape) for tensor in fact.parameters}
        for name, fact in facts.items()
    }
    (source, shape), pixel = next(iter(graph.inputs.items())), (round(place * (size - 1)), round(0.7 * (size - 1)))
    image = random.uniform(0, 1, (1, shape.channels, size, size)).astype(complex)
    image[..., *pixel] += 1j * STEP
    values, measured = run(graph, parameters, {source: image}), 0
    for head, node in graph.outputs.items():
        found = drawn(project(graph, shapes, node, {source: Region.cell(pixel)}), shapes[node])
        assert (found == (values[head].imag[0] != 0).any(0)).all(), node
        measured += bool(found.any())
    assert measured >= 7
