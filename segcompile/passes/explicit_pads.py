"""What is left of `same` and `causal`: every padding is a number of pixels from here on."""

from __future__ import annotations

from dataclasses import replace

from segcompile.network.graph import Graph, Node
from segcompile.ops import Refusal
from segcompile.text.errors import Findings


def explicit_pads(graph: Graph, findings: Findings) -> Graph:
    """The graph whose paddings are all (before, after). A `same` that means none is left for its shape to
    refuse."""
    pads = [getattr(node.op, "pad", ()) for node in graph.nodes]
    causal = {axis for pad in pads for axis, around in enumerate(pad) if around == "causal"}
    return replace(graph, nodes=tuple(map(_explicit, graph.nodes)), causal=graph.causal | causal)


def _explicit(node: Node) -> Node:
    try:
        op = node.op.in_pixels()
    except Refusal:
        return node
    return node if op is node.op else replace(node, op=op)
