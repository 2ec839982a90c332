"""Every unpool gets the max pool that it undoes: a spec says the name of its layer."""

from __future__ import annotations

from dataclasses import replace

from segcompile.network.graph import Graph, Node
from segcompile.ops import Pool, Unpool
from segcompile.text.errors import Findings, Label


def pair_unpools(graph: Graph, findings: Findings) -> Graph:
    """The graph whose unpools read the map, the pool whatever its layer carries, and what the pool read.

    SC315 for the name of a layer that is no max pool.
    """
    if not any(isinstance(node.op, Unpool) for node in graph.nodes):
        return graph
    nodes = tuple(_paired(node, graph, findings) if isinstance(node.op, Unpool) else node for node in graph.nodes)
    return replace(graph, nodes=nodes)


def _paired(node: Node, graph: Graph, findings: Findings) -> Node:
    source, name = node.inputs[:2]
    pool = graph.layers[graph.layer_of(name)][0] if name in graph.by_name else None
    if pool is not None and isinstance(pool.op, Pool) and pool.op.kind == "max":
        inputs = (source, pool.name, pool.inputs[0])
        return replace(node, op=node.op.model_copy(update={"pool_layer": pool.op}), inputs=inputs)
    title, layer = (pool.op.title, pool.layer) if pool is not None else ("input", name)
    message = f"{node.layer}: unpool undoes a max pool, and `{layer}` is {'an' if title[0] in 'aeiou' else 'a'} {title}"
    labels = [Label(pool.origin.span, layer)] if pool is not None and pool.origin.span is not None else []
    span = node.origin.at("pool_layer")
    findings.add("SC315", message, span, labels=labels, help="name a layer that is `pool: max`")
    return node
