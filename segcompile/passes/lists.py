"""What lays out a list gets the map whose positions it holds: a spec does not say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segcompile.network.graph import Graph, Node
from segcompile.ops import Token
from segcompile.text.errors import Findings


def remember_maps(graph: Graph, findings: Findings) -> Graph:
    """The graph in which each op that `remembers` reads, of a list, the map that this was made of, for its size."""
    if not any(node.op.remembers for node in graph.nodes):
        return graph
    maps: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        before = maps.get(node.inputs[0])
        if isinstance(node.op, Token):
            maps[node.name] = before or node.inputs[0]
        elif before is not None and node.op.keeps_lists:
            maps[node.name] = before
        nodes.append(_remembering(node, maps) if node.op.remembers else node)
    return replace(graph, nodes=tuple(nodes))


def _remembering(node: Node, maps: Mapping[str, str]) -> Node:
    source = node.inputs[0]
    inputs = (source, maps[source]) if source in maps else (source,)
    return node if inputs == node.inputs else replace(node, inputs=inputs)
