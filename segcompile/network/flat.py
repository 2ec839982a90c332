"""A network without scopes: every layer has one plain name."""

from __future__ import annotations

from dataclasses import replace

from segcompile.network.graph import Gone, Graph


def flattened(graph: Graph) -> Graph:
    """The same network with `_` for the dots in its layers' names (and a number where that is taken), and no scopes."""
    names = {name: name for name in graph.inputs}
    taken = {*graph.inputs}
    for layer in graph.layers:
        plain = layer.replace(".", "_")
        name, count = plain, 1
        while name in taken:
            count += 1
            name = f"{plain}_{count}"
        taken.add(name)
        names[layer] = name
    new = {name: name for name in graph.inputs}
    new |= {node.name: names[node.layer] + node.name.removeprefix(node.layer) for node in graph.nodes}
    nodes = tuple(
        replace(node, name=new[node.name], layer=names[node.layer], inputs=tuple(new[name] for name in node.inputs))
        for node in graph.nodes
    )
    outputs = {head: new[name] for head, name in graph.outputs.items()}
    return replace(graph, nodes=nodes, outputs=outputs, scopes=(), end=new.get(graph.end, ""), gone=Gone())
