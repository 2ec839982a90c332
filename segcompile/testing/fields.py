"""Which output cells a measured receptive field is compared at, and what the analysis says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from segcompile.facts.coverage.reach import reach
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph
from segcompile.ops import Shape


def extent(shape: Shape) -> tuple[int, ...]:
    """The size: what is measured has one in numbers."""
    found = tuple(size for size in shape.size if isinstance(size, int))
    assert len(found) == len(shape.size)
    return found


def _extent(shape: Shape, axis: int) -> int:
    return extent(shape)[axis]


def is_interior(graph: Graph, shapes: Mapping[str, Shape], node: str, axis: int, index: int) -> bool:
    """Whether output `index` of a node reads no padding anywhere on the way."""
    needed: dict[str, tuple[int, int]] = {node: (index, index)}
    for step in reversed(graph.nodes):
        if step.name not in needed:
            continue
        low, high = needed[step.name]
        sizes = [shapes[name].size[axis] for name in step.inputs]
        if low < 0 or high >= _extent(shapes[step.name], axis):
            return False
        for position, name in enumerate(step.inputs):
            for chain in step.op.chains(axis, sizes, position):
                first, last = low, high
                for window in reversed(chain):
                    first = -(-(window.stride * first - window.offset) // window.upsample)
                    last = (window.stride * last - window.offset + window.reach) // window.upsample
                had = needed.get(name, (first, last))
                needed[name] = min(had[0], first), max(had[1], last)
    return all(
        needed[name][0] >= 0 and needed[name][1] < _extent(shape, axis)
        for name, shape in graph.inputs.items()
        if name in needed
    )


def central(graph: Graph, shapes: Mapping[str, Shape], node: str, axis: int, phase: int, period: int) -> int | None:
    """The interior output index of a phase that is nearest to the middle."""
    size = _extent(shapes[node], axis)
    candidates = sorted(range(phase % period, size, period), key=lambda index: abs(2 * index - size))
    return next((index for index in candidates if is_interior(graph, shapes, node, axis, index)), None)


def probes(
    graph: Graph, shapes: Mapping[str, Shape], facts: Facts, node: str, most: int | None = None
) -> Iterator[tuple[int, ...]]:
    """Output cells that see no padding, one for every phase of any axis, or for `most` phases spread out; those of the
    axes in different orders, so that unequal phases meet."""
    periods = [field.period for field in facts[node].fields]
    period = max(periods)
    step = 1 if most is None else max(1, -(-period // most)) | 1  # odd: even and odd phases take turns
    for phase in range(0, period, step):
        turns = (phase, 3 * phase + phase // 2, 5 * phase + phase // 3)
        found = [central(graph, shapes, node, axis, turns[axis], own) for axis, own in enumerate(periods)]
        cell = tuple(index for index in found if index is not None)
        if len(cell) == len(periods):
            yield cell


def mask(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where on the inputs, which are of one size, the analysis says that an interior output cell looks."""
    regions = reach(graph, shapes, node, cell).regions
    image = next(iter(graph.inputs.values()))
    found = np.zeros(extent(image), dtype=np.bool_)
    for name in graph.inputs:
        for *outer, first, last in regions[name].runs() if name in regions else ():
            assert min([*outer, first]) >= 0, "the cell is no interior one"
            row = [slice(index, index + 1) for index in outer]
            found[(*row, slice(first, last + 1))] = True
    return found
