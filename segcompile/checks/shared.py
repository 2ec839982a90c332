"""Layers that share weights: do these have one shape?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segcompile.checks.subject import Subject
from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape
from segcompile.ops.base import STARTS
from segcompile.text.errors import Diagnostic, finding, label_at


def check_shared(subject: Subject) -> Iterator[Diagnostic]:
    """SC206 for each layer that says another kernel, say, than the one whose weights it shares, or reads other
    channels."""
    yield from misshapen(subject.graph, subject.shapes)


def misshapen(graph: Graph, shapes: Mapping[str, Shape]) -> Iterator[Diagnostic]:
    """What `check_shared` says of a graph of these shapes."""
    for node in graph.nodes:
        if node.weights is not None:
            yield from _compared(node, graph.by_name[node.weights], shapes)


def _compared(node: Node, owner: Node, shapes: Mapping[str, Shape]) -> Iterator[Diagnostic]:
    free = (*node.op.per_use, *STARTS)
    name = next((n for n in type(node.op).model_fields if n not in free and _said(node, n) != _said(owner, n)), None)
    if name is not None:
        other = f"`{owner.layer}`, whose weights it shares, has {_said(owner, name)}"
        message = f"`{node.layer}` has `{name}` {_said(node, name)}, and {other}"
        labels, help = label_at(owner.origin.at(name), "made here"), f"the same `{name}` in both"
        yield finding("SC206", message, node.origin.at(name), labels=labels, help=help)
        return
    own, theirs = ([p.shape for p in n.op.parameters([shapes[name] for name in n.inputs])] for n in (node, owner))
    mine, shared = next(((a, b) for a, b in zip(own, theirs, strict=True) if a != b), ((), ()))
    if mine != shared:
        weights = f"weights of {_extents(mine)}, and shares those of `{owner.layer}`, of {_extents(shared)}"
        labels, help = label_at(owner.origin.span, "made here"), "the channels that enter both are the same"
        yield finding("SC206", f"`{node.layer}` needs {weights}", node.origin.at("share"), labels=labels, help=help)


def _said(node: Node, name: str) -> str:
    value = getattr(node.op, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _extents(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
