"""Why a number that nobody would choose stands in the code: an offset that was derived, a padding beyond the usual."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from segcompile.emit.arguments import same_sides, sides
from segcompile.facts.alignment import START
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph, Node
from segcompile.ops import CELL, Conv, Crop, Shape
from segcompile.ops.size import times


def offset_reason(node: Node, graph: Graph, facts: Facts) -> str:
    """Of a crop whose offset lays its source over its reference: `31 lies over 0`; nothing of any other node."""
    if not isinstance(node.op, Crop) or not any(node.op.offset or ()):
        return ""
    reference = node.inputs[1]
    start = (START.every[0],) * graph.rank if reference in graph.inputs else facts[reference].place
    if facts[node.name].place != start or None in start:
        return ""
    offset = same_sides(node.op.offset or ())
    return f"{offset} lies over {0 if isinstance(offset, int) else (0,) * graph.rank}"


def padding_reason(node: Node, graph: Graph, facts: Facts) -> str:
    """Of a convolution that pads the network's input by more than its kernel needs: `pad 100 so that 500 x 500 pixels
    leave 16 x 16`, the smallest map behind it; nothing of any other node, nor where sizes are not known."""
    if not isinstance(node.op, Conv) or node.inputs[0] not in graph.inputs:
        return ""
    around, op = sides(node.op), node.op
    if all(sum(pair) <= op.dilation[axis] * (op.kernel[axis] - 1) for axis, pair in enumerate(around)):
        return ""
    entering = _numbers(graph.inputs[node.inputs[0]])
    left = min(filter(None, _left(node, graph, facts)), key=prod, default=())
    amount = same_sides(tuple(before for before, _ in around))
    fits = 0 < prod(left) < prod(entering) if entering and left else False
    return f"pad {amount} so that {times(*entering)} {CELL[graph.rank]}s leave {times(*left)}" if fits else ""


def _numbers(shape: Shape) -> tuple[int, ...]:
    """The size of a map; () where that is not known."""
    found = tuple(size for size in shape.size if isinstance(size, int))
    return found if len(found) == len(shape.size) else ()


def _left(node: Node, graph: Graph, facts: Facts) -> Iterator[tuple[int, ...]]:
    """The sizes of the maps behind a node, but for those that mix the whole image."""
    reached = {node.name}
    for other in graph.nodes:
        if reached.intersection(other.read):
            reached.add(other.name)
            if not any(field.whole for field in facts[other.name].fields):
                yield _numbers(facts[other.name].shape)
