"""Flat layers -> the graph: each layer's op, then its norm, act and drop, as nodes of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segcompile.errors import Findings, Label
from segcompile.graph import Graph, Node, enclosing
from segcompile.language.expand import Expansion, Layer
from segcompile.ops import Pool, Unpool


def lower(expansion: Expansion, findings: Findings) -> Graph:
    """The verified graph. Layers and inputs that no output needs are left out or idle: each is warned about (SC202)."""
    result: dict[str, str] = {name: name for name in expansion.inputs}
    nodes: list[Node] = []
    mains: dict[str, Node] = {}
    for layer in expansion.layers:
        nodes += _nodes(layer, result, mains, findings)
        result[layer.name] = nodes[-1].name
    findings.stop_on_errors()
    outputs = {head: result[layer] for head, layer in expansion.outputs.items()}
    whole = Graph(expansion.document.model, expansion.inputs, tuple(nodes), outputs, expansion.scopes)
    needed = whole.ancestors(outputs.values())
    _warn_unneeded(expansion, needed, findings)
    kept = tuple(node for node in nodes if node.name in needed)
    inhabited = {scope for layer in dict.fromkeys(node.layer for node in kept) for scope in enclosing(layer)}
    scopes = tuple(scope for scope in expansion.scopes if scope.name in inhabited)
    return Graph(whole.model, whole.inputs, kept, outputs, scopes).verify()


def _nodes(layer: Layer, result: Mapping[str, str], mains: dict[str, Node], findings: Findings) -> list[Node]:
    """The layer's own op, which is put among the `mains`, and what it carries, each reading the one before."""
    main = Node(layer.name, layer.op, tuple(result[name] for name in layer.inputs), layer.name, layer.origin)
    if isinstance(main.op, Unpool):
        main = _unpool(main, main.op, layer.inputs[1], mains, findings)
    mains[layer.name] = main
    nodes = [main]
    for (part, op), origin in zip(layer.carried, layer.carried_origins, strict=True):
        nodes.append(Node(f"{layer.name}:{part}", op, (nodes[-1].name,), layer.name, origin))
    return nodes


def _unpool(node: Node, op: Unpool, name: str, mains: Mapping[str, Node], findings: Findings) -> Node:
    """The unpooling of the layer `name`, whatever that carries. SC315 if it is no max pool."""
    pool = mains.get(name)
    if pool is not None and isinstance(pool.op, Pool) and pool.op.kind == "max":
        inputs = (node.inputs[0], pool.name, pool.inputs[0])
        return replace(node, op=op.model_copy(update={"pool_layer": pool.op}), inputs=inputs)
    title = pool.op.title if pool is not None else "input"
    message = f"{node.layer}: unpool undoes a max pool, and `{name}` is {'an' if title[0] in 'aeiou' else 'a'} {title}"
    labels = [Label(pool.origin.span, name)] if pool is not None and pool.origin.span is not None else []
    help = "name a layer that is `pool: max`"
    span = node.origin.at("pool_layer")
    findings.add("SC315", message, span, labels=[*labels, *node.origin.calls], help=help)
    return node


def _warn_unneeded(expansion: Expansion, needed: frozenset[str], findings: Findings) -> None:
    """A used spec of which another layer is read is not blamed for its end: half a network can be used."""
    help = "remove it, or name it under `outputs`"
    tapped = tuple(f"{use.name}." for use in expansion.uses if any(name.startswith(f"{use.name}.") for name in needed))
    for layer in expansion.layers:
        if layer.name not in needed and not layer.name.startswith(tapped):
            message = f"no output depends on `{layer.name}`; it is left out"
            findings.add("SC202", message, layer.origin.span, labels=layer.origin.calls, help=help)
    section = expansion.document.section("input")
    for name in expansion.inputs:
        if name not in needed:
            span = section.key(name).span if section is not None and name in section.entries else None
            findings.add("SC202", f"no output depends on input `{name}`", span, help="remove it, or read it")
