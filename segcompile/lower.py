"""Flat layers -> the graph: each layer's op, then its norm, act and drop, as nodes of their own."""

from __future__ import annotations

from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.language.expand import Expansion


def lower(expansion: Expansion, findings: Findings) -> Graph:
    """The verified graph. Layers that no output needs are left out, each with a warning (SC202)."""
    result: dict[str, str] = {name: name for name in expansion.inputs}
    nodes: list[Node] = []
    for layer in expansion.layers:
        nodes.append(Node(layer.name, layer.op, tuple(result[name] for name in layer.inputs), layer.name, layer.origin))
        for (part, op), origin in zip(layer.carried, layer.carried_origins, strict=True):
            nodes.append(Node(f"{layer.name}:{part}", op, (nodes[-1].name,), layer.name, origin))
        result[layer.name] = nodes[-1].name
    outputs = {head: result[layer] for head, layer in expansion.outputs.items()}
    whole = Graph(expansion.document.model, expansion.inputs, tuple(nodes), outputs, expansion.scopes)
    needed = whole.ancestors(outputs.values())
    for layer in expansion.layers:
        if layer.name not in needed:
            findings.add(
                "SC202", f"no output depends on `{layer.name}`; it is left out", layer.origin.span,
                labels=layer.origin.calls, help="remove it, or name it under `outputs`",
            )  # fmt: skip
    kept = tuple(node for node in nodes if node.name in needed)
    scopes = tuple(scope for scope in expansion.scopes if any(_inside(node, scope.name) for node in kept))
    return Graph(whole.model, whole.inputs, kept, outputs, scopes).verify()


def _inside(node: Node, scope: str) -> bool:
    return node.layer == scope or node.layer.startswith(f"{scope}.")
