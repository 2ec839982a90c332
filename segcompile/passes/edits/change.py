"""`set: {"conv*": {pad: 0}}`: attributes of layers changed."""

from __future__ import annotations

from dataclasses import dataclass

from segcompile.network.graph import Graph
from segcompile.network.splice import revised
from segcompile.passes.edits.edited import Attributes, Edited
from segcompile.passes.edits.selection import Selector
from segcompile.text.errors import CODES, Diagnostic, Span


@dataclass(frozen=True, slots=True)
class Change:
    """What one pattern's layers become: `attributes`, written as `words` at `span`."""

    layers: Selector
    attributes: Attributes
    words: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Set:
    """Each pattern's layers take those of its attributes that they have. What is not said stays as it is, also where it
    was computed from what is: a kernel that was `2*stride` does not follow the stride."""

    changes: tuple[Change, ...]

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """Raises SegcompileError: SC502, SC003 for an attribute that none of the layers has, SC004 for a wrong value.
        Says where nothing changes (SC506)."""
        findings: list[Diagnostic] = []
        for change in self.changes:
            before = change.layers.layers(graph)
            change.attributes.among(before)
            after = {layer[0].layer: change.attributes(layer) for layer in before}
            if change.words and all(after[layer[0].layer] == layer for layer in before):
                findings.append(_no_change(change))
            graph = revised(graph, after)
        return Edited(graph, tuple(findings))


def _no_change(change: Change) -> Diagnostic:
    named = " and ".join(f"`{word}`" for word in change.words)
    message = f"this changes nothing: {named} of `{change.layers.name}` has this value already"
    return Diagnostic(CODES["SC506"], message, change.span, help="remove it")
