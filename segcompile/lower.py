"""Flat layers -> the graph: each layer's op, then its norm, act and drop, as nodes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.language.expand import Expansion, Layer


def lower(expansion: Expansion, findings: Findings) -> Graph:
    """The verified graph. Layers and inputs that no output needs are left out or idle: each is warned about (SC202)."""
    result: dict[str, str] = {name: name for name in expansion.inputs}
    nodes: list[Node] = []
    for layer in expansion.layers:
        nodes += _nodes(layer, result)
        result[layer.name] = nodes[-1].name
    outputs = {head: result[layer] for head, layer in expansion.outputs.items()}
    whole = Graph(expansion.document.model, expansion.inputs, tuple(nodes), outputs, expansion.scopes)
    needed = whole.ancestors(outputs.values())
    _warn_unneeded(expansion, needed, findings)
    kept = tuple(node for node in nodes if node.name in needed)
    inhabited = {scope for layer in dict.fromkeys(node.layer for node in kept) for scope in _around(layer)}
    scopes = tuple(scope for scope in expansion.scopes if scope.name in inhabited)
    return Graph(whole.model, whole.inputs, kept, outputs, scopes).verify()


def _nodes(layer: Layer, result: Mapping[str, str]) -> list[Node]:
    """The layer's own op and what it carries, each reading the one before."""
    main = Node(layer.name, layer.op, tuple(result[name] for name in layer.inputs), layer.name, layer.origin)
    nodes = [main]
    for (part, op), origin in zip(layer.carried, layer.carried_origins, strict=True):
        nodes.append(Node(f"{layer.name}:{part}", op, (nodes[-1].name,), layer.name, origin))
    return nodes


def _warn_unneeded(expansion: Expansion, needed: frozenset[str], findings: Findings) -> None:
    help = "remove it, or name it under `outputs`"
    for layer in expansion.layers:
        if layer.name not in needed:
            message = f"no output depends on `{layer.name}`; it is left out"
            findings.add("SC202", message, layer.origin.span, labels=layer.origin.calls, help=help)
    section = expansion.document.section("input")
    for name in expansion.inputs:
        if name not in needed:
            span = section.key(name).span if section is not None and name in section.entries else None
            findings.add("SC202", f"no output depends on input `{name}`", span, help="remove it, or read it")


def _around(layer: str) -> Iterator[str]:
    """A layer's name (a join's branches stand in a scope of that name) and the scopes around it."""
    while layer:
        yield layer
        layer = layer.rpartition(".")[0]
