"""`set: {"conv*": {pad: 0}}`: attributes of layers changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from segcompile.network.graph import Graph, Node
from segcompile.network.selector import Selector
from segcompile.network.splice import revised
from segcompile.ops.base import STARTS
from segcompile.passes.edited import Change, Edited, Layer
from segcompile.passes.edits.selection import layers_of
from segcompile.text.errors import CODES, Diagnostic, Label, Span, fail

Changes = tuple[tuple[Selector, Change, tuple[str, ...], Span], ...]  # whose, how, what is said anew, and where


def change(changes: Changes, graph: Graph, base: Graph) -> Edited:
    """Each pattern's layers take those of its attributes that they have. What is not said stays as it is, also where it
    was computed from what is: a kernel that was `2*stride` does not follow the stride.

    Raises SegcompileError: SC502, SC003 for an attribute that none of the layers has, SC004 for a wrong value, SC011
    for one of weights that are another layer's. Says where nothing changes (SC506), and where a value stays that
    followed from the old stride (SC509).
    """
    findings: list[Diagnostic] = []
    for selector, changed, words, span in changes:
        before = layers_of(selector, graph)
        after = _starting(changed(before), words, span, graph)
        if words and after == before:
            named = " and ".join(f"`{word}`" for word in words)
            message = f"this changes nothing: {named} of `{selector.text}` has this value already"
            findings.append(Diagnostic(CODES["SC506"], message, span, hint="remove it"))
        findings += _left(before, words, span) if after != before else ()
        graph = revised(graph, {layer[0].layer: layer for layer in after})
    return Edited(graph, tuple(findings))


def _starting(layers: list[Layer], words: tuple[str, ...], span: Span, graph: Graph) -> list[Layer]:
    """Layers of which those with the weights of another one say nothing of how these start and are trained. Raises
    SegcompileError (SC011) where they are given something else than that one."""
    now = {node.name: node for layer in layers for node in layer}

    def start(node: Node) -> Node:
        if node.weights is None:
            return node
        owner = now.get(node.owner) or graph.by_name[node.owner]
        for word in (word for word in STARTS if word in words and hasattr(node.op, word)):
            if getattr(node.op, word) != getattr(owner.op, word, None):
                message = f"`{word}` of `{node.layer}` belongs to `{owner.layer}`, whose weights these are"
                raise fail("SC011", message, span, help=f"set it of `{owner.layer}`")
        return replace(node, op=node.op.starting_as(None))

    return [tuple(map(start, layer)) for layer in layers]


def _left(before: list[Layer], words: tuple[str, ...], span: Span) -> Iterator[Diagnostic]:
    """SC509 for the first of some layers that get another stride and keep what was reckoned from the old one."""
    for node, *_ in before if "stride" in words else ():
        for name, at in node.origin.attributes.items():
            if name not in (*words, "stride") and re.search(r"\bstride\b", at.text):
                message = f"`{name}` of `{node.layer}` stays as it is: its `{at.text}` was reckoned from the old stride"
                help = f"say it anew beside the stride: `{name}: {at.text}`"
                yield Diagnostic(CODES["SC509"], message, span, (Label(at, "read once, here"),), help)
                return
