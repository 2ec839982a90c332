"""Who attains it: the path of layers that leads to an end of a receptive field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segcompile.analysis.receptive_field import Fields, indices_read
from segcompile.graph import Graph
from segcompile.ops import Shape

Side = Literal["low", "high"]  # top or left; bottom or right


@dataclass(frozen=True, slots=True)
class Step:
    """One tensor on the path: what `node` (or an input) gives at `index`."""

    node: str
    index: int


def attaining_path(
    graph: Graph,
    shapes: Mapping[str, Shape],
    fields: Mapping[str, Fields],
    node: str,
    axis: int,
    index: int,
    side: Side,
) -> tuple[Step, ...]:
    """From the input pixel at that end of the field of output `index` to the output, one step a tensor.

    Of several such paths, the one that takes the first input and the outermost tap. () where the field has no ends:
    nothing is seen, or the table is not known. Raises Undecidable.
    """
    steps = [Step(node, index)]
    while steps[-1].node not in graph.inputs:
        found = _before(graph, shapes, fields, steps[-1], axis, side)
        if found is None:
            return ()
        steps.append(found)
    return tuple(reversed(steps))


def _before(
    graph: Graph, shapes: Mapping[str, Shape], fields: Mapping[str, Fields], step: Step, axis: int, side: Side
) -> Step | None:
    """The step before: an index that reads the same end of the field."""
    node = graph.by_name[step.node]
    end = _end(fields[step.node], axis, step.index, side)
    if end is None:
        return None
    sizes = [shapes[name].size[axis] for name in node.inputs]
    for position, name in enumerate(node.inputs):
        window = node.op.window(axis, sizes, position)
        indices = indices_read(window, step.index) if window is not None else range(0)
        for index in indices if side == "low" else reversed(indices):
            if _end(fields[name], axis, index, side) == end:
                return Step(name, index)
    return None


def _end(fields: Fields, axis: int, index: int, side: Side) -> int | None:
    seen = fields[axis].at(index) if fields[axis].sets else None
    return None if seen is None else seen.low if side == "low" else seen.high
