"""A network without scopes: every layer has one plain name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segcompile.network.graph import Gone, Graph, Role

_CALLS = ("block", "use")  # a spec that names a layer so calls something
_LONGEST = 190  # characters of a name, before its number


def flat_names(graph: Graph) -> Mapping[str, str]:
    """Layer or input -> its name without scopes: `_` for each dot, and a number where that is taken."""
    names = {name: name for name in graph.inputs}
    taken = {*graph.inputs, *_CALLS}
    for layer in graph.layers:
        names[layer] = _free(layer.replace(".", "_"), taken)
        taken.add(names[layer])
    return names


def flattened(graph: Graph) -> Graph:
    """The same network with flat names and no scopes.

    A norm that stands behind an activation's own layer, where only an edit can put it, is a layer of its own: one
    that says both would have its norm first.
    """
    names = flat_names(graph)
    taken = {*names.values(), *_CALLS}
    new, layers, roles = {name: name for name in graph.inputs}, dict[str, str](), dict[str, Role]()
    for layer, nodes in graph.layers.items():
        own = names[layer]
        for node in nodes:
            layers[node.name], roles[node.name] = own, node.role
            new[node.name] = own + node.name.removeprefix(layer)
        if nodes[0].op.spelling == Role.ACT and len(nodes) > 1 and nodes[1].role is Role.NORM:
            before = _free(f"{own}_act", taken)
            taken.add(before)
            layers[nodes[0].name] = new[nodes[0].name] = before
            new[nodes[1].name], roles[nodes[1].name] = own, Role.MAIN
    found = tuple(
        replace(
            node,
            name=new[node.name],
            layer=layers[node.name],
            inputs=tuple(new[name] for name in node.inputs),
            role=roles[node.name],
        )
        for node in graph.nodes
    )
    outputs = {head: new[name] for head, name in graph.outputs.items()}
    return replace(graph, nodes=found, outputs=outputs, scopes=(), end=new.get(graph.end, ""), gone=Gone())


def _free(plain: str, taken: set[str]) -> str:
    """The name, with the first number behind it that makes it one that is not `taken`."""
    name, count = plain, 1
    while name in taken:
        count += 1
        name = f"{plain[:_LONGEST]}_{count}"
    return name
