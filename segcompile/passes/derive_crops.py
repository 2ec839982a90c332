"""Crops without an offset get the one that lays the two tensors over each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from segcompile.analysis.alignment import Coordinates, Place, place_nodes
from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.ops import AXES, Crop, Shape


def derive_crops(graph: Graph, shapes: Mapping[str, Shape], findings: Findings) -> Graph:
    """The graph with every crop's offset filled in, from first to last, so that each sees those before it.

    Adds SC305 (scales differ), SC306 (negative) or SC307 (not a whole number) where no offset can do it.
    """
    for name in [node.name for node in graph.nodes if isinstance(node.op, Crop) and node.op.offset is None]:
        places = place_nodes(graph, shapes, Findings())
        node = graph.by_name[name]
        crop = node.op.model_copy(update={"offset": _offset(node, places, findings)})
        nodes = tuple(replace(other, op=crop) if other.name == name else other for other in graph.nodes)
        graph = replace(graph, nodes=nodes)
    return graph.verify()


def _offset(node: Node, places: Mapping[str, Place], findings: Findings) -> tuple[int, int]:
    source, reference = (places[name] for name in node.inputs)
    first, second = (_axis_offset(node, source[axis], reference[axis], findings) for axis in AXES)
    return first, second


def _axis_offset(node: Node, source: Coordinates | None, reference: Coordinates | None, findings: Findings) -> int:
    """n such that source pixel p + n lies where reference pixel p does; 0 after a finding."""
    span, calls = node.origin.span, node.origin.calls
    if source is None or reference is None:
        message = f"{node.layer} cannot be aligned: a whole-image op has no position"
        findings.add("SC305", message, span, labels=calls, help="give the crop an `offset`")
        return 0
    if source.scale != reference.scale:
        message = f"{node.layer} has {source.scale} input pixels a step, its reference has {reference.scale}"
        findings.add("SC305", message, span, labels=calls, help="upsample or downsample one of them first")
        return 0
    offset: Fraction = (reference.shift - source.shift) / source.scale
    if offset.denominator != 1:
        message = f"{node.layer} would have to be cropped by {offset}, which is not a whole pixel"
        findings.add("SC307", message, span, labels=calls, help="change a padding by one, or give the crop an `offset`")
        return 0
    if offset < 0:
        message = f"{node.layer} would have to be cropped by {offset}"
        findings.add("SC306", message, span, labels=calls, help=f"pad the input by at least {-offset * source.scale} more")
        return 0
    return int(offset)
