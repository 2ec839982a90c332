"""Layers that share weights: do these have one shape?"""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape
from segcompile.ops.base import STARTS
from segcompile.text.errors import Findings, Label, Span


def check_shared(graph: Graph, shapes: Mapping[str, Shape], findings: Findings) -> None:
    """SC206 for each layer that says another kernel, say, than the one whose weights it shares, or reads other
    channels."""
    for node in graph.nodes:
        if node.weights is not None:
            _check(node, graph.by_name[node.weights], shapes, findings)


def _check(node: Node, owner: Node, shapes: Mapping[str, Shape], findings: Findings) -> None:
    free = (*node.op.per_use, *STARTS)
    name = next((n for n in type(node.op).model_fields if n not in free and _said(node, n) != _said(owner, n)), None)
    if name is not None:
        other = f"`{owner.layer}`, whose weights it shares, has {_said(owner, name)}"
        message = f"`{node.layer}` has `{name}` {_said(node, name)}, and {other}"
        labels, help = _labels(owner.origin.at(name)), f"the same `{name}` in both"
        findings.add("SC206", message, node.origin.at(name), labels=labels, help=help)
        return
    own, theirs = ([p.shape for p in n.op.parameters([shapes[name] for name in n.inputs])] for n in (node, owner))
    for mine, shared in zip(own, theirs, strict=True):
        if mine != shared:
            weights = f"weights of {_extents(mine)}, and shares those of `{owner.layer}`, of {_extents(shared)}"
            labels, help = _labels(owner.origin.span), "the channels that enter both are the same"
            findings.add("SC206", f"`{node.layer}` needs {weights}", node.origin.at("share"), labels=labels, help=help)
            return


def _said(node: Node, name: str) -> str:
    value = getattr(node.op, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _extents(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _labels(span: Span | None) -> list[Label]:
    return [Label(span, "made here")] if span is not None else []
