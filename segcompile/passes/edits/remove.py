"""`remove: [fc8]`: layers go, and whoever read them reads what they read."""

from __future__ import annotations

from dataclasses import dataclass

from segcompile.network.graph import Graph
from segcompile.network.splice import remove
from segcompile.passes.edits.edited import Edited
from segcompile.passes.edits.selection import Selector, all_of
from segcompile.text.errors import Span


@dataclass(frozen=True, slots=True)
class Remove:
    """All that are named go at once."""

    layers: tuple[Selector, ...]
    span: Span

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """Raises SegcompileError: SC502, SC503 for a join that something still reads."""
        return Edited(remove(graph, all_of(self.layers, graph), self.span))
