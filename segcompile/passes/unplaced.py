"""Why a tensor has no position over the input: what, on the way to it, took that away."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.facts.alignment import sizes_along
from segcompile.facts.witness import Atlas
from segcompile.network.graph import Node
from segcompile.ops import CELL, MEDIUM, Shape, Undecidable

_OFFSET = "give the crop an `offset`"
_SIZE = "give the input a size, or the crop an `offset`"


def why_unplaced(atlas: Atlas, shapes: Mapping[str, Shape], name: str, axis: int) -> tuple[str, str]:
    """The reason, and what helps, for a tensor without a map along an axis: that of its first path."""
    while name in atlas.graph.by_name:
        node = atlas.graph.by_name[name]
        if any(atlas.places[source][axis].every for source in node.read):
            return _lost(node, shapes, axis, atlas.graph.rank)
        name = node.inputs[0]
    return f"`{name}` is not of the first input's size", _OFFSET


def _lost(node: Node, shapes: Mapping[str, Shape], axis: int, rank: int) -> tuple[str, str]:
    """What this node does to the positions of its inputs."""
    if node.op.whole_image or not shapes[node.name].size:
        return f"`{node.layer}` mixes the whole {MEDIUM[rank]}", _OFFSET
    try:
        window = node.op.window_on(axis, sizes_along(node, axis, shapes), 0)
    except Undecidable:
        return f"the scale of `{node.layer}` depends on the {MEDIUM[rank]}'s size", _SIZE
    if window is not None and window.stride == 0:
        return f"`{node.layer}` stretches one {CELL[rank]} over a map", _OFFSET
    return f"numbers become too large at `{node.layer}`", _OFFSET
