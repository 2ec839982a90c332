"""`remove: [fc8]`: layers go, and what read them reads what they read."""

from __future__ import annotations

from segcompile.language.transform.draft import Draft
from segcompile.source import Node


def remove(draft: Draft, node: Node) -> None:
    """All that are named go at once. Raises SegcompileError: SC502, SC503 for a join that a layer still reads."""
    names = frozenset(layer.name for _, layers in draft.each(node, "remove") for layer in layers)
    draft.remove(names, node.span)
