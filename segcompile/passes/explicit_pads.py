"""What is left of `same`: every padding is a number of pixels from here on."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

from segcompile.network.graph import Graph, Node
from segcompile.ops import Refusal
from segcompile.text.errors import Findings


@runtime_checkable
class _Padded(Protocol):
    """An op that a spec may give the padding `same`."""

    pad: object

    def pads(self, axis: int) -> tuple[int, int]: ...


def explicit_pads(graph: Graph, findings: Findings) -> Graph:
    """The graph whose paddings are all [top, bottom, left, right]. A `same` that means none is left for its shape to
    refuse."""
    return replace(graph, nodes=tuple(map(_explicit, graph.nodes)))


def _explicit(node: Node) -> Node:
    op = node.op
    if not isinstance(op, _Padded) or op.pad != "same":
        return node
    try:
        pads = (*op.pads(0), *op.pads(1))
    except Refusal:
        return node
    return replace(node, op=node.op.model_copy(update={"pad": pads}))
