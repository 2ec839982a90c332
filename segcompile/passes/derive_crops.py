"""Crops without an offset get the one that lays the two tensors over each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from segcompile.analysis.alignment import START, Coordinates, Place, place_node
from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.ops import Crop, Refusal, Shape


def derive_crops(graph: Graph, shapes: Mapping[str, Shape], findings: Findings) -> Graph:
    """The graph with every crop's offset filled in: one sweep from first to last, so that each sees those before it.

    Adds SC305 (no common scale), SC306 (negative) or SC307 (not a whole number) where no offset can do it.
    """
    if not any(isinstance(node.op, Crop) and node.op.offset is None for node in graph.nodes):
        return graph
    places: dict[str, Place] = dict.fromkeys(graph.inputs, START)
    nodes = []
    for node in graph.nodes:
        if isinstance(node.op, Crop) and node.op.offset is None:
            node = replace(node, op=node.op.model_copy(update={"offset": _offset(node, places, findings)}))
        places[node.name] = place_node(node, shapes, places, Findings())
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes)).verify()


def _offset(node: Node, places: Mapping[str, Place], findings: Findings) -> tuple[int, int]:
    """(height, width); what goes wrong in the same way along both is said once."""
    (source, reference), said = (places[name] for name in node.inputs), set[tuple[str, str]]()
    offset = []
    for ours, theirs in zip(source, reference, strict=True):
        found = _axis_offset(ours, theirs)
        if isinstance(found, Refusal) and (found.code, found.message) not in said:
            said.add((found.code, found.message))
            message, origin = f"{node.layer} {found.message}", node.origin
            findings.add(found.code, message, origin.span, labels=origin.calls, help=found.help)
        offset.append(found if isinstance(found, int) else 0)
    return offset[0], offset[1]


def _axis_offset(source: Coordinates | None, reference: Coordinates | None) -> int | Refusal:
    """n such that source pixel p + n lies where reference pixel p does; or why there is none."""
    if source is None or reference is None or not source.scale or not reference.scale:
        return Refusal(
            "SC305", "cannot be aligned: a whole-image op has no position", None, "give the crop an `offset`"
        )
    if source.scale != reference.scale:
        message = f"has {source.scale} input pixels a step, its reference has {reference.scale}"
        return Refusal("SC305", message, None, "upsample or downsample one of them first")
    offset: Fraction = (reference.shift - source.shift) / source.scale
    message = f"would have to be cropped by {offset}"
    if offset.denominator != 1:
        help = "change a padding by one, or give the crop an `offset`"
        return Refusal("SC307", f"{message}, which is not a whole pixel", None, help)
    if offset < 0:
        return Refusal("SC306", message, None, f"pad the input by at least {-offset * source.scale} more")
    return int(offset)
