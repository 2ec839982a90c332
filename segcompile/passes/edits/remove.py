"""`remove: [fc8]`: layers go, and whoever read them reads what they read."""

from __future__ import annotations

from segcompile.network import splice
from segcompile.network.graph import Graph
from segcompile.network.selector import Selector
from segcompile.passes.edited import Edited
from segcompile.passes.edits.selection import all_of
from segcompile.text.errors import Span


def remove(layers: tuple[Selector, ...], span: Span, graph: Graph, base: Graph) -> Edited:
    """All that are named go at once. Raises SegcompileError: SC502, SC503 for a join that something still reads."""
    return Edited(splice.remove(graph, all_of(layers, graph), span))
