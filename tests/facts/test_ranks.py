"""Signals and volumes: what is said of random networks is what the NumPy reference computes, of any rank."""

from __future__ import annotations

from dataclasses import replace
from itertools import product as every
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from segcompile.compiler import analyse_graph
from segcompile.facts.coverage.path_counts import count_paths
from segcompile.facts.coverage.reach import reach
from segcompile.facts.coverage.region import Region, unite
from segcompile.facts.facts import shapes_in
from segcompile.facts.index_set import IndexSet, union
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import (
    AdaptivePool,
    Add,
    AnySize,
    Conv,
    Crop,
    Deconv,
    GlobalPool,
    Linear,
    Op,
    Pad,
    Pool,
    Resize,
    Scale,
    Shape,
)  # fmt: skip
from segcompile.testing.fields import probes
from segcompile.testing.networks import has_lists, linear
from segcompile.testing.reference import STEP, trace
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings

SETTINGS = settings(phases=(Phase.explicit, Phase.generate))
SIDES = {1: (16, 40), 3: (5, 9)}  # of an image, by its rank: the least and the most pixels
MOST = 400  # input pixels along which a network is differentiated, an image each


def gradients(graph: Graph, ones: bool = False) -> dict[str, np.ndarray]:
    """Node -> the derivatives of the sum over its channels, [input pixel, ...]: by a complex step along each pixel."""
    facts = analyse_graph(graph, Findings()).facts
    random = np.random.default_rng(0)
    weight = np.ones if ones else lambda shape: random.uniform(0.5, 1, shape)
    parameters = {
        name: {tensor.name: weight(tensor.shape) for tensor in fact.parameters} for name, fact in facts.items()
    }
    ((source, shape),) = graph.inputs.items()
    cells = list(np.ndindex(*shape.size))
    image = random.uniform(0.5, 1, (1, shape.channels, *shape.size)).astype(complex)
    images = image.repeat(len(cells), 0)
    for index, cell in enumerate(cells):
        images[index, :, *cell] += 1j * STEP
    values = trace(graph, parameters, {source: images})
    return {node.name: values[node.name].imag.sum(1) / STEP for node in graph.nodes}


def fitting(graph: Graph) -> bool:
    """Whether a network can be measured so: a small image, maps alone, and no values that choose."""
    small = int(np.prod(graph.inputs["input"].size)) <= MOST
    return small and not has_lists(graph) and not any(node.op.data_dependent for node in graph.nodes)


def check_fields(graph: Graph) -> int:
    """The pixels that reach clean cells of every node of a skeleton (of more channels those that no op mixes may keep
    pixels apart), one for each of a few phases, are those with a derivative; how many cells there were."""
    graph = linear(graph)
    facts = analyse_graph(graph, Findings()).facts
    shapes, moved, count = shapes_in(graph, facts), gradients(graph), 0
    size = graph.inputs["input"].size
    for node in graph.nodes:
        fields = facts[node.name].fields
        if not all(field.sets and not field.whole for field in fields):
            continue
        for cell in probes(graph, shapes, facts, node.name, 3):
            found = (moved[node.name][:, *cell] != 0).reshape(size)
            region = reach(graph, shapes, node.name, cell).regions.get("input")
            said = {pixel for pixel in np.ndindex(*size) if region is not None and pixel in region}
            assert {tuple(map(int, pixel)) for pixel in np.argwhere(found)} == said, (node, cell)
            assert region is None or region.count == len(said)
            for axis, field in enumerate(fields):
                seen = field.at(cell[axis])
                assert all(seen is not None and pixel[axis] in seen for pixel in said)
            count += 1
    return count


@pytest.mark.parametrize("rank", [1, 3])
@settings(SETTINGS, max_examples=100)
@given(data=st.data())
def test_a_field_is_what_a_derivative_reaches(nets: SimpleNamespace, data: st.DataObject, rank: int) -> None:
    check_fields(nets.skeleton(data.draw(graphs(8, *SIDES[rank], rank).filter(fitting))))


@pytest.mark.long
@pytest.mark.parametrize("rank", [1, 3])
@settings(SETTINGS, max_examples=1000, derandomize=False)
@given(data=st.data())
def test_a_thousand_fields_are_what_a_derivative_reaches(nets: SimpleNamespace, data: st.DataObject, rank: int) -> None:
    check_fields(nets.skeleton(data.draw(graphs(9, *SIDES[rank], rank).filter(fitting))))


def summed(op: Op) -> Op:
    """The op with weights of one and no bias; a pooling as the sum over its window."""
    if isinstance(op, Pool):
        return Conv(channels=1, kernel=op.kernel, stride=op.steps, dilation=op.dilation, pad=op.pad, bias=False)
    if isinstance(op, Conv | Deconv):
        return op.model_copy(update={"bias": False})
    return op if isinstance(op, Add | Pad | Crop) else Scale(factor=1.0)


@pytest.mark.parametrize("rank", [1, 3])
@settings(SETTINGS, max_examples=50)
@given(data=st.data())
def test_path_counts_are_the_derivative_of_the_network_of_ones(
    nets: SimpleNamespace, data: st.DataObject, rank: int
) -> None:
    drawn = nets.skeleton(data.draw(graphs(6, *SIDES[rank], rank).filter(fitting)))
    assume(not any(isinstance(node.op, Resize | GlobalPool | AdaptivePool) for node in drawn.nodes))  # a mean is no sum
    graph = replace(drawn, nodes=tuple(replace(node, op=summed(node.op)) for node in drawn.nodes))
    facts = analyse_graph(graph, Findings()).facts
    shapes, moved, size = shapes_in(graph, facts), gradients(graph, ones=True), graph.inputs["input"].size
    for node in graph.nodes:
        if all(field.sets and not field.whole for field in facts[node.name].fields):
            for cell in probes(graph, shapes, facts, node.name, 2):
                said, expected = count_paths(graph, shapes, node.name, cell), np.zeros(size)
                if said is not None:
                    box = [slice(first, first + side) for first, side in zip(said.start, said.size, strict=True)]
                    expected[*box] = said.counts
                assert np.allclose(moved[node.name][:, *cell].reshape(size), expected, rtol=1e-9), (node, cell)


# --- regions, shapes and sizes


def index_set(indices: set[int]) -> IndexSet | None:
    return union(IndexSet(index, index) for index in indices)


SETS = st.sets(st.integers(-4, 6), min_size=1, max_size=5)


@pytest.mark.parametrize("rank", [1, 3])
@settings(max_examples=200)
@given(data=st.data())
def test_a_region_is_a_set_of_cells(data: st.DataObject, rank: int) -> None:
    products = data.draw(st.lists(st.tuples(*[SETS] * rank), max_size=6))
    cells = {cell for factors in products for cell in every(*factors)}
    region = unite(tuple(index_set(factor) for factor in factors) for factors in products)  # type: ignore[misc]
    assert cells_of(region) == cells
    if region is not None:
        assert region.count == len(cells) == sum(len(cells_of(Region((band,)))) for band in region.bands)
        assert [cells_of(Region(((factor,),))) for factor in region.along] == [
            {(cell[axis],) for cell in cells} for axis in range(rank)
        ]
        assert cells_of(region.within([3, 5, 7][:rank])) == {
            cell for cell in cells if all(0 <= index < size for index, size in zip(cell, (3, 5, 7), strict=False))
        }
        assert region.mask().sum() == len(cells)


def cells_of(region: Region | None) -> set[tuple[int, ...]]:
    runs = region.runs() if region is not None else iter(())
    return {(*row, index) for *row, first, last in runs for index in range(first, last + 1)}


def chain(*ops: Op, size: tuple[int | AnySize, ...]) -> Graph:
    names = [f"n{index}" for index in range(len(ops))]
    nodes = tuple(
        Node(name, op, (source,), name) for name, op, source in zip(names, ops, ["input", *names], strict=False)
    )
    return Graph("net", {"input": Shape(4, size)}, nodes, {"output": names[-1]}).verify()


VOLUME = (
    Conv(channels=8, kernel=(3, 3, 3), pad=("same",)), Pool(kind="max", kernel=(2, 2, 2)),
    Conv(channels=8, kernel=(1, 3, 5)), Deconv(channels=4, kernel=(2, 2, 2), stride=(2, 2, 2)),
    GlobalPool(kind="global_avg"), Linear(features=3),
)  # fmt: skip


def test_the_shapes_cost_and_fields_of_a_volume() -> None:
    facts = analyse_graph(chain(*VOLUME, size=(16, 20, 24)), Findings()).facts
    assert [facts[name].shape for name in facts] == [
        Shape(8, (16, 20, 24)), Shape(8, (8, 10, 12)), Shape(8, (8, 8, 8)), Shape(4, (16, 16, 16)),
        Shape(4, (1, 1, 1)), Shape(3),
    ]  # fmt: skip
    assert [facts[name].receptive_field for name in facts][:4] == [(3, 3, 3), (4, 4, 4), (4, 8, 12), (4, 8, 12)]
    assert facts["n2"].macs == 8 * 8 * 8 * 8 * 8 * 15 and facts["n2"].parameter_count == 8 * 8 * 15 + 8
    assert facts["n2"].stride == (2, 2, 2) and facts["n3"].stride == (1, 1, 1)


def test_a_signal_of_any_size_has_legal_sizes_of_its_one_axis() -> None:
    (length,) = map(AnySize, "L")
    pool, up = Pool(kind="max", kernel=(4,)), Deconv(channels=4, kernel=(4,), stride=(4,))
    nodes = (Node("p", pool, ("input",), "p"), Node("u", up, ("p",), "u"), Node("s", Add(), ("input", "u"), "s"))
    subject = analyse_graph(Graph("net", {"input": Shape(4, (length,))}, nodes, {"output": "s"}).verify(), Findings())
    (axis,) = subject.sizes
    assert axis is not None and str(axis.legal) == "L ≡ 0 (mod 4)"


def test_an_op_on_a_map_of_another_rank_is_refused() -> None:
    findings = Findings()
    infer_shapes(chain(Conv(channels=4, kernel=(3, 3)), size=(8, 8, 8)), findings)
    (told,) = findings.diagnostics
    assert (told.code.code, told.message) == ("SC316", "n0: conv speaks of 2 axes, and input has 3")


def test_an_attribute_that_speaks_of_other_axes_than_the_next_is_a_bug() -> None:
    with pytest.raises(ValueError, match="stride of 2 axes beside an attribute of 3"):
        Conv(channels=4, kernel=(3, 3, 3), stride=(2, 2))
