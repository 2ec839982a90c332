"""A network without scopes: every layer has one plain name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from segcompile.network.graph import Gone, Graph, Node, Role

_CALLS = ("block", "use")  # a spec that names a layer so calls something
_LONGEST = 190  # characters of a name, before its number


Part = tuple[Node, ...]  # what a layer of the flat network has of one of the network


def flat_names(graph: Graph) -> Mapping[str, str]:
    """Layer or input -> its name without scopes: `_` for each dot, and a number where that is taken."""
    names = {name: name for name in graph.inputs}
    taken = {*graph.inputs, *_CALLS}
    for layer in graph.layers:
        names[layer] = _free(layer.replace(".", "_"), taken)
        taken.add(names[layer])
    return names


def flattened(graph: Graph) -> Graph:
    """The same network with flat names and no scopes, each part of a layer of its own."""
    new, layers, roles = {name: name for name in graph.inputs}, dict[str, str](), dict[str, Role]()
    for parts in flat_parts(graph).values():
        for own, nodes in parts.items():
            for node in nodes:
                role = node.role if node is not nodes[0] else Role.MAIN
                layers[node.name], roles[node.name] = own, role
                new[node.name] = own if role is Role.MAIN else f"{own}:{role}"
    found = tuple(
        replace(
            node,
            name=new[node.name],
            layer=layers[node.name],
            weights=new[node.weights] if node.weights is not None else None,
            inputs=tuple(new[name] for name in node.inputs),
            role=roles[node.name],
        )
        for node in graph.nodes
    )
    outputs = {head: new[name] for head, name in graph.outputs.items()}
    return replace(graph, nodes=found, outputs=outputs, scopes=(), end=new.get(graph.end, ""), gone=Gone())


def flat_parts(graph: Graph) -> Mapping[str, Mapping[str, Part]]:
    """Layer -> the layers of the flat network that it becomes, in their order; the last one has its name.

    A norm that stands behind an activation's own layer, where only an edit can put it, is a layer of its own: one
    that says both would have its norm first. So is what a layer carries with shared weights: `share` speaks of the
    weights of a layer's own op.
    """
    names, shared = flat_names(graph), {node.weights for node in graph.nodes}
    taken, found = {*names.values(), *_CALLS}, dict[str, Mapping[str, Part]]()
    for layer, nodes in graph.layers.items():
        *before, last = _parts(nodes, shared)
        parts: dict[str, Part] = {}
        for part in before:
            own = _free(f"{names[layer]}_{part[0].op.spelling}", taken)
            taken.add(own)
            parts[own] = part
        found[layer] = {**parts, names[layer]: last}
    return found


def _parts(nodes: Part, shared: Collection[str | None]) -> list[Part]:
    starts = [0]
    for index, node in enumerate(nodes[1:], 1):
        behind_act = node.role is Role.NORM and nodes[index - 1].op.spelling == Role.ACT
        if behind_act or node.weights is not None or node.name in shared:
            starts.append(index)
    return [nodes[start:end] for start, end in zip(starts, [*starts[1:], len(nodes)], strict=True)]


def _free(plain: str, taken: set[str]) -> str:
    """The name, with the first number behind it that makes it one that is not `taken`."""
    name, count = plain, 1
    while name in taken:
        count += 1
        name = f"{plain[:_LONGEST]}_{count}"
    return name
