"""Every op with any attributes: its shape, parameters and window are those of the emitted PyTorch."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segcompile.facts.receptive_field import reads
from segcompile.network.graph import Graph
from segcompile.ops import (
    ALL_OPS,
    Concat,
    Linear,
    Mul,
    Op,
    Resize,
    Size,
    Undecidable,
    Unpool,
)
from segcompile.ops.size import AnySize, difference
from segcompile.testing import strategies
from segcompile.testing.op_graphs import ALIGN, joined, op_graphs
from segcompile.text.errors import SegcompileError

SETTINGS = settings(max_examples=15)
sizes = st.tuples(st.integers(4, 11), st.integers(4, 11))
UNPADDED = st.sampled_from(["none", "center_crop"])  # times a padding's zero is nothing
GRAPHS = {**op_graphs(sizes), Mul: joined(st.builds(Mul, align=UNPADDED), sizes)}
"""One op with any attributes, on inputs of any size."""


def emitted(nets: SimpleNamespace, graph: Graph):
    """The emitted model; another graph where the op refuses this one."""
    try:
        return nets.emitted(graph)
    except SegcompileError:
        assume(False)


@pytest.mark.parametrize("kind", ALL_OPS, ids=lambda kind: kind.__name__)
def test_shape_parameters_and_window_of_an_op_are_those_of_the_emitted_code(nets: SimpleNamespace, kind) -> None:
    @SETTINGS
    @given(graph=GRAPHS[kind])
    def holds(graph: Graph) -> None:
        net = emitted(nets, graph)
        (value,) = net.outputs().values()
        shape = net.shapes["layer"]
        assert tuple(value.shape[1:]) == (shape.channels, *shape.extents), net.source
        named = {name: tuple(value.shape) for name, value in net.model.named_parameters()}
        found = {name.removeprefix("layer."): shape for name, shape in named.items() if name.startswith("layer.")}
        assert found == {parameter.name: parameter.shape for parameter in net.facts["layer"].parameters}
        net.made_linear()
        for index, name in enumerate(graph.by_name["layer"].inputs):
            if kind.whole_image:
                check_whole(net)
            elif name == f"in{index}" and not shape.tokens:
                check_sets(net, index)

    holds()


def indices(op: Op, axis: int, extents: list[Size], index: int, p: int) -> set[int]:
    """The indices of one input that output p reads: those in its window, and where its border takes their values."""
    read = (i for chain in op.chains(axis, extents, index) for i in reads(chain, p))
    return {inside for i in read if (inside := at(op, i, extents[index])) is not None}


def at(op: Op, i: int, size: Size) -> int | None:
    """Where the value of index i comes from; None for a zero beside the image."""
    mode = "edge" if isinstance(op, Resize) else getattr(op, "mode", "zero")
    if mode == "edge":
        return min(max(i, 0), size - 1)
    if mode == "reflect":
        return size - 1 - abs(size - 1 - abs(i))
    if mode == "circular":
        return i % size
    return i if 0 <= i < size else None


def check_sets(net, index: int = 0) -> None:
    """Each output of the layer reads, along each axis, what the window says, at the border too."""
    node = net.graph.by_name["layer"]
    extents = [net.shapes[name].size for name in node.inputs]
    inputs = [value.requires_grad_() for value in net.inputs()]
    (result,) = net.outputs(*inputs).values()
    anything = bool(reached(result.sum(), inputs[index], 0))  # else all lies in the padding of the other axis
    for axis in range(2):
        rows = result.sum((0, 1, 3 - axis))
        for p in range(len(rows)):
            said = indices(node.op, axis, [extent[axis] for extent in extents], index, p)
            found = reached(rows[p], inputs[index], axis)
            assert found == (said if anything else set()), f"{node.op}, axis {axis}: {p} reads {found}, not {said}"


def reached(value, source, axis: int) -> set[int]:
    """The indices of `source` along an axis on which `value` depends."""
    import torch

    (gradient,) = torch.autograd.grad(value, source, retain_graph=True, allow_unused=True)
    along = gradient.abs().sum((0, 1, 3 - axis)).tolist() if gradient is not None else []
    return {i for i, weight in enumerate(along) if weight > 1e-12}


def check_whole(net) -> None:
    """Each output reads every pixel of the last input, of an attention those of its keys. Means go out before they are
    taken: the channels are weighed at random."""
    import torch

    inputs = [value.requires_grad_() for value in net.inputs()]
    (result,) = net.outputs(*inputs).values()
    pixels = (result * torch.rand_like(result[:1, :, :1, :1] if result.dim() == 4 else result)).sum(1).flatten()
    for pixel in pixels[[0, len(pixels) // 2, -1]]:
        (gradient,) = torch.autograd.grad(pixel, inputs[-1], retain_graph=True)
        assert bool((gradient.abs().sum((0, 1)) > 1e-9).all()), net.source


@SETTINGS
@given(op=strategies.unpools(), size=st.tuples(st.integers(4, 7), st.integers(4, 7)))
def test_an_unpool_reads_over_many_images_all_that_its_windows_say_and_no_more(nets, op: Unpool, size) -> None:
    """Values decide, so no single image shows it. Of the map by gradient, of what was pooled by changing a pixel."""
    import torch

    net = nets.emitted(strategies.unpooled(op, size))
    cells, image = (shape.size for shape in net.graph.inputs.values())
    said = [[pooled(op, axis, cells[axis], image[axis], p) for p in range(image[axis])] for axis in range(2)]
    values, before = (torch.rand(60, *part.shape[1:], dtype=part.dtype) + 0.5 for part in net.inputs())
    (result,) = net.outputs(values.requires_grad_(), before).values()
    for y, x in itertools.product(range(image[0]), range(image[1])):
        (gradient,) = torch.autograd.grad(result[:, :, y, x].sum(), values, retain_graph=True)
        read = {tuple(cell) for cell in gradient.sum((0, 1)).nonzero().tolist()}
        assert read == set(itertools.product(said[0][y][0], said[1][x][0])), f"{op} at {y}, {x}"
        other = before.clone()
        other[:, :, y, x] += 1  # the largest anywhere
        changed = (net.outputs(values, other)["output"] != result).any(0).any(0)
        compared = set(itertools.product(said[0][y][1], said[1][x][1]))
        assert {tuple(p) for p in changed.nonzero().tolist()} == (compared if len(compared) > 1 else set()), f"{op}"


def pooled(op: Unpool, axis: int, cells: int, size: int, p: int) -> tuple[set[int], set[int]]:
    """Along one axis, the cells that output p may receive from, and the pixels that were compared for these."""
    from_map, from_pool = (indices(op, axis, [cells, cells, size], index, p) for index in (0, 1))
    assert from_map == from_pool and not indices(op, axis, [cells, cells, size], 2, p)
    return from_map, {i for cell in from_pool for i in indices(op.pool, axis, [size], 0, cell)}


@SETTINGS
@given(graph=joined(st.builds(Concat, align=ALIGN), sizes))
def test_a_join_of_two_sizes_is_refused_unless_it_says_how_they_become_one(nets, graph: Graph) -> None:
    first, second = (shape.size for shape in graph.inputs.values())
    try:
        nets.emitted(graph)
        assert first == second or graph.nodes[0].op.align != "none"
    except SegcompileError as error:
        assert graph.nodes[0].op.align == "none" and first != second
        assert [found.code.code for found in error.diagnostics] == ["SC302"]


@SETTINGS
@given(op=st.one_of(strategies.convs(), strategies.deconvs()), size=sizes)
def test_macs_are_the_products_that_are_summed(nets, op: Op, size) -> None:
    """By hand: a convolution multiplies for each output all taps of its group; a transposed one for each input."""
    try:
        net = nets.emitted(strategies.graph_of(op, size))
    except SegcompileError:
        assume(False)
    (weight, *_) = net.model.layer.parameters()
    source, result = net.shapes["in0"], net.shapes["layer"]
    places = result.size if op.spelling == "conv" else source.size
    assert net.facts["layer"].macs == places[0] * places[1] * weight.numel()


def test_a_fully_connected_layer_multiplies_once_a_weight(nets) -> None:
    net = nets.emitted(strategies.graph_of(Linear(features=7), (5, 6)))
    assert net.facts["layer"].macs == 7 * 4 * 30 == net.model.layer.weight.numel()
    assert net.outputs()["output"].shape == (1, 7)


def test_every_op_has_a_torch_rule_a_sweep_a_summary_and_readers() -> None:
    from segcompile_torch.rules import RULES

    assert set(RULES) == set(GRAPHS) == set(ALL_OPS)
    for op in ALL_OPS:
        assert op.summary and op.spelling
        for name in op.model_fields:
            assert op.reads(name)


# --- symbolic sizes --------------------------------------------------------------------------------------------------

steps = st.lists(st.tuples(st.sampled_from(["+", "-", "*", "//"]), st.integers(1, 6)), min_size=1, max_size=8)


def walk(start: Size, chain: list[tuple[str, int]]) -> Size:
    value = start
    for sign, number in chain:
        if sign == "+":
            value = value + number
        elif sign == "-":
            value = value - number
        elif sign == "*":
            value = value * number
        else:
            value = value // number
    return value


@settings(max_examples=300)
@given(chain=steps, size=st.integers(0, 400))
def test_a_symbolic_size_is_at_every_number_what_the_integers_give(chain, size: int) -> None:
    try:
        found = walk(AnySize("H"), chain)
    except Undecidable:
        return
    assert isinstance(found, AnySize)
    assert found.at(size) == walk(size, chain)


@settings(max_examples=200)
@given(first=steps, second=st.integers(-5, 5))
def test_a_difference_that_is_stated_holds_for_every_image(first, second: int) -> None:
    try:
        a = walk(AnySize("H"), first)
        gap = difference(a, a + second)
    except Undecidable:
        return
    assert gap == -second
    for size in (7, 64, 100):
        assert a.at(size) - (a + second).at(size) == gap


SHUFFLES = strategies.pixel_shuffles() | strategies.space_to_depths()
SIZED = st.one_of(strategies.convs(), strategies.deconvs(), strategies.pools(), SHUFFLES)


@settings(SETTINGS, max_examples=80)
@given(ops=st.lists(SIZED, min_size=1, max_size=5), size=st.integers(20, 60))
def test_shapes_of_any_size_are_those_of_each_size(ops: list[Op], size: int) -> None:
    from segcompile.ops import Refusal, Shape

    open_shape, fixed = Shape(4, (AnySize("H"), AnySize("W"))), Shape(4, (size, size + 3))
    for op in ops:
        try:
            open_shape = op.output([open_shape])
            fixed = op.output([fixed])
        except (Undecidable, Refusal):
            return
        assert tuple(part.at(n) for part, n in zip(open_shape.size, (size, size + 3), strict=True)) == fixed.size
