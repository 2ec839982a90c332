"""Why a receptive field is not known: the first layer that makes it so."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.facts.alignment import sizes_along
from segcompile.facts.receptive_field import Fields
from segcompile.network.graph import Graph, Node
from segcompile.ops import MEDIUM, Shape, Undecidable

TOO_WIDE = "is too wide, or has too many phases, to be listed"


def why_unknown(graph: Graph, shapes: Mapping[str, Shape], fields: Mapping[str, Fields], node: str) -> str:
    """How the sentence `the field of node ...` ends, for a node whose field is not known along some axis."""
    before = graph.ancestors([node])
    for item in graph.nodes:
        if item.name in before and any(not field.sets and not field.whole for field in fields[item.name]):
            why = _by_size(item, shapes, fields)
            size = f"the {MEDIUM[graph.rank]}'s size"
            return f"depends on {size}, from `{item.layer}` on: {why}" if why is not None else TOO_WIDE
    return TOO_WIDE


def undecided(node: Node, axis: int, shapes: Mapping[str, Shape]) -> str | None:
    """Why the windows of a node on its maps are not the same for every image; None if they are."""
    sizes = sizes_along(node, axis, shapes)
    try:
        for index in range(len(sizes)):
            node.op.window_on(axis, sizes, index)
    except Undecidable as why:
        return str(why)
    return None


def _by_size(node: Node, shapes: Mapping[str, Shape], fields: Mapping[str, Fields]) -> str | None:
    """What a node does that goes by a symbolic size; None if nothing."""
    for axis in range(len(shapes[node.name].size)):
        why = undecided(node, axis, shapes)
        if why is not None:
            return why
        steps = {fields[name][axis].stride if name in fields else 1 for name in node.inputs}
        if len(steps) > 1 and not isinstance(shapes[node.name].size[axis], int):
            return "branches of unequal stride meet"
    return None
