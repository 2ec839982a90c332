"""A network as plain text, one line a layer: name, op, shape, receptive field."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.backend import Backend, BuildRequest, BuildResult
from segcompile.network.graph import Node
from segcompile.ops import Activation, Conv, Op, Pool


def _refuses(op: Op) -> str | None:
    """Why this op cannot be written, or None."""
    if isinstance(op, Activation) and op.kind != "relu":
        return f"no rule for act {op.kind}"
    return None


def _row(nodes: Sequence[Node], request: BuildRequest) -> tuple[str, ...]:
    """One layer: its op with what it carries, and the shape and receptive field of its result."""
    facts = request.facts[nodes[-1].name]
    title = " + ".join(node.op.title for node in nodes)
    field = "x".join("whole image" if extent is None else str(extent) for extent in facts.receptive_field)
    return nodes[0].layer, title, str(facts.shape), f"rf {field}"


def _emit(request: BuildRequest) -> BuildResult:
    rows = [_row(nodes, request) for nodes in request.graph.layers.values()]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return BuildResult({"outline.txt": "\n".join(filter(None, [request.model, request.draft, *lines])) + "\n"})


BACKEND = Backend(
    name="outline",
    summary="plain text, one line a layer",
    api_version=2,
    ops=frozenset({Conv, Activation, Pool}),
    refuses=_refuses,
    emit=_emit,
)
