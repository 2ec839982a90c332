"""The operations by which a network becomes another one: layers put in, taken out and replaced.

Each gives a graph of which all is true again: who reads what, the outputs, what enters and leaves each scope, which
names there are, and which there were. An edit never repairs any of that itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from segcompile.network.graph import Gone, GoneEnd, Graph, Node, Role, Scope, enclosing, layer_of
from segcompile.text.errors import SegcompileError, Span, fail


@dataclass(frozen=True, slots=True)
class Fragment:
    """Layers that go into a graph together. They read names of the graph, and each other.

    `result`: the node whose result they end with, one of their own or of the graph. `gone`: the names of what the
    edits of a used spec took away, and where.
    """

    nodes: tuple[Node, ...]
    scopes: tuple[Scope, ...]
    result: str
    gone: Mapping[str, Span | None] = field(default_factory=dict)


def position(graph: Graph, layer: str) -> int:
    """Where the first node of a layer stands."""
    return graph.nodes.index(graph.layers[layer][0])


def insert(graph: Graph, fragment: Fragment, at: int) -> Graph:
    """The graph with a fragment before its node number `at`; nobody reads it yet.

    Raises SegcompileError (SC205) if one of the new layers reads what comes later, or has its weights.
    """
    later = {node.name: node.layer for node in graph.nodes[at:]}
    for node in fragment.nodes:
        early = next((later[name] for name in node.inputs if name in later), None)
        if early is not None:
            message = f"`{node.layer}` reads `{early}`, which is made later"
            raise fail("SC205", message, node.origin.span, help=f"insert it after `{early}`")
        if node.weights in later:
            message = f"`{node.layer}` shares the weights of `{later[node.weights]}`, which is made later"
            raise fail("SC205", message, node.origin.at("share"), help="a layer shares the weights of one before it")
    nodes = (*graph.nodes[:at], *fragment.nodes, *graph.nodes[at:])
    scopes = (*graph.scopes, *fragment.scopes)
    new = {node.layer for node in fragment.nodes} | {scope.name for scope in fragment.scopes}
    whole = replace(graph, nodes=nodes, scopes=scopes)
    names = {name: span for name, span in {**graph.gone.names, **fragment.gone}.items() if name not in new}
    back = {head: whole.names[name] for head, name in graph.gone.heads.items() if name in new}
    heads = {head: name for head, name in graph.gone.heads.items() if head not in back}
    return replace(whole, outputs={**graph.outputs, **back}, gone=replace(graph.gone, names=names, heads=heads))


def append(graph: Graph, fragment: Fragment) -> Graph:
    """The graph with a fragment behind all that there is; it ends, and the outputs that gave its end, with that.

    Raises SegcompileError (SC503) for a fragment that reads a join which is gone.
    """
    gone = graph.gone.end
    if gone is not None:
        reader = next((node.layer for node in fragment.nodes if graph.end in node.inputs), None)
        if reader is not None:
            raise without(gone.join, gone.span, f"`{reader}` reads it", f"`from: {layer_of(gone.join.inputs[0])}`")
    whole = insert(graph, fragment, len(graph.nodes))
    if not fragment.result:
        return whole
    back = {head for head, name in graph.gone.heads.items() if gone is not None and name == gone.layer}
    ends = back | {head for head, name in graph.outputs.items() if name == graph.end}
    outputs = {head: fragment.result if head in ends else name for head, name in whole.outputs.items()}
    heads = {head: name for head, name in whole.gone.heads.items() if head not in back}
    return replace(whole, outputs=outputs, end=fragment.result, gone=replace(whole.gone, heads=heads, end=None))


def redirect(graph: Graph, old: str, new: str, start: int) -> Graph:
    """Whoever reads `old`, from node number `start` on, reads `new`: layers, what enters their scopes, the outputs and
    the network's end. The names of what gives `old` still mean that, and the pool that an unpool undoes stays."""
    read = [_behind(node, old, new) for node in graph.nodes[start:]]
    inside = {name for node in read for name in enclosing(node.layer)}
    scopes = tuple(
        replace(scope, entry=new) if scope.entry == old and scope.name in inside else scope for scope in graph.scopes
    )
    outputs = {head: new if name == old else name for head, name in graph.outputs.items()}
    end = new if graph.end == old else graph.end
    return replace(graph, nodes=(*graph.nodes[:start], *read), scopes=scopes, outputs=outputs, end=end)


def _behind(node: Node, old: str, new: str) -> Node:
    inputs = tuple(new if name == old and index != node.op.switches else name for index, name in enumerate(node.inputs))
    return node if inputs == node.inputs else replace(node, inputs=inputs)


def revised(graph: Graph, layers: Mapping[str, tuple[Node, ...]]) -> Graph:
    """The graph with other nodes for some layers: their ops, what they carry or what they read is another one. Whoever
    read a layer's result reads that of its new nodes."""
    instead = {graph.layers[layer][-1].name: nodes[-1].name for layer, nodes in layers.items()}
    instead = {old: new for old, new in instead.items() if old != new}
    nodes = [node for layer, nodes in graph.layers.items() for node in layers.get(layer, nodes)]
    read = tuple(node if node.role is not Role.MAIN else _reading(node, instead) for node in nodes)
    return _following(replace(graph, nodes=read), instead)


def remove(graph: Graph, layers: Set[str], span: Span | None) -> Graph:
    """The graph without some layers, as is written at `span`; whoever read one of them reads what it read.

    Raises SegcompileError (SC503) where that is a join of different things: which of them should be read? And where it
    is the pool of an unpool that stays.
    """
    stands_for: dict[str, str] = {}  # a node that goes -> what those who read it read now
    joins: dict[str, Node] = {}  # a node that goes -> the join before it, of which nothing can stand for all
    kept: list[Node] = []
    for node in graph.nodes:
        read = _reading(node, stands_for)
        if node.layer not in layers:
            _check_reader(graph, node, joins, layers, span)
            kept.append(read)
            continue
        stands_for[node.name] = read.inputs[0]
        if node.op.joins and len(set(read.inputs)) > 1:
            joins[node.name] = node
        elif node.inputs[0] in joins:
            joins[node.name] = joins[node.inputs[0]]
    after = _following(replace(graph, nodes=tuple(kept)), stands_for)
    given = {head: name for head, name in graph.outputs.items() if name != graph.end or name in joins}
    lost = {head: graph.layer_of(name) for head, name in given.items() if graph.layer_of(name) in layers}
    gone = replace(graph.gone, heads={**graph.gone.heads, **lost})
    if graph.end in joins:
        gone = replace(gone, end=GoneEnd(graph.layer_of(graph.end), joins[graph.end], span))
        after = replace(after, end="")
    return _without(replace(after, gone=gone), layers, span)


def take_out(graph: Graph, name: str, layers: Set[str], result: str, span: Span) -> Graph:
    """The graph without some layers, all that `name` means, in whose place `put` will put others.

    It is no whole graph until then: `result` is still read. Raises SegcompileError (SC503) if a layer that stays reads
    another one of those that go.
    """
    gone = {node.name for node in graph.nodes if node.layer in layers and node.name != result}
    kept = tuple(node for node in graph.nodes if node.layer not in layers)
    for node in kept:
        inner = next((read for read in node.inputs if read in gone), None)
        if inner is not None:
            message = f"`{node.layer}` reads `{graph.layer_of(inner)}`, which would go"
            raise fail("SC503", message, span, help=f"`replace` or remove `{node.layer}` first")
    scopes = tuple(scope for scope in graph.scopes if name not in enclosing(scope.name))
    names = {*layers, *graph.by_scope} - {scope.name for scope in scopes}
    return replace(graph, nodes=kept, scopes=scopes, gone=_also_gone(graph, names, span))


def put(graph: Graph, fragment: Fragment, at: int, old: str) -> Graph:
    """The graph with a fragment in the place of what was taken out at node number `at`, whose result was `old`."""
    whole, behind = insert(graph, fragment, at), at + len(fragment.nodes)
    instead = {old: fragment.result}
    read = tuple(_reading(node, instead) for node in whole.nodes[behind:])  # the new ones may have the name of the old
    return _following(replace(whole, nodes=(*whole.nodes[:behind], *read)), instead)


def leading_to(graph: Graph, outputs: Mapping[str, str]) -> Graph:
    """The part of the graph that leads to some nodes, with these for outputs; its inputs are those of the whole."""
    needed = graph.ancestors(outputs.values())
    there = {*needed, *graph.inputs}
    nodes = tuple(node for node in graph.nodes if node.name in needed)
    inhabited = {scope for node in nodes for scope in enclosing(node.layer)}
    scopes = tuple(
        replace(
            scope,
            entry=scope.entry if scope.entry in there else None,
            result=scope.result if scope.result in there else None,
        )
        for scope in graph.scopes
        if scope.name in inhabited
    )
    end = graph.end if graph.end in there else ""
    nodes = inherited(nodes, graph)
    return replace(graph, nodes=nodes, outputs=outputs, scopes=scopes, end=end)


def embedded(graph: Graph, scope: Scope) -> Fragment:
    """A whole network of one input and one output as a scope of another one; `scope` says its name and what enters."""
    assert scope.entry is not None
    (image,), (output,) = graph.inputs, graph.outputs.values()
    names = {image: scope.entry} | {node.name: f"{scope.name}.{node.name}" for node in graph.nodes}
    nodes = tuple(
        replace(
            node,
            name=names[node.name],
            inputs=tuple(names[name] for name in node.inputs),
            layer=f"{scope.name}.{node.layer}",
            weights=names[node.weights] if node.weights is not None else None,
        )
        for node in graph.nodes
    )
    inner = [
        replace(
            own,
            name=f"{scope.name}.{own.name}",
            entry=names[own.entry] if own.entry is not None else None,
            result=names[own.result] if own.result is not None else None,
            layers={argument: f"{scope.name}.{layer}" for argument, layer in own.layers.items()},
        )
        for own in graph.scopes
    ]
    gone = {f"{scope.name}.{name}": span for name, span in graph.gone.names.items()}
    whole = replace(scope, result=names[output], input=image if image != "input" else "")
    return Fragment(nodes, (whole, *inner), names[output], gone)


def inherited(nodes: Iterable[Node], before: Graph) -> tuple[Node, ...]:
    """Some nodes of which others of the graph `before` may have owned the weights: the first that shared them owns them
    now, and they start as they did."""
    owners, found = {node.name: node.owner for node in nodes}, list[Node]()
    for node in nodes:
        owner = node.owner
        while owner != owners.get(owner, owner):  # one that shares the weights of another now
            owner = owners[owner]
        if owner not in owners:
            owners[owner] = owners[node.name] = node.name
            old = before.by_name.get(owner)
            alike = old is not None and type(old.op) is type(node.op)
            node = replace(node, weights=None, op=node.op.starting_as(old.op) if old is not None and alike else node.op)
        elif owner != node.owner:
            node = replace(node, weights=owner)
        found.append(node)
    return tuple(found)


# --- what all of them keep true --------------------------------------------------------------------------------------


def _reading(node: Node, instead: Mapping[str, str]) -> Node:
    """The node with other names for what it reads."""
    if not any(name in instead for name in node.inputs):
        return node
    return replace(node, inputs=tuple(instead.get(name, name) for name in node.inputs))


def _following(graph: Graph, instead: Mapping[str, str]) -> Graph:
    """The graph whose outputs, end, entries and results mean others. A scope whose end is no longer inside it has no
    result."""

    def follow(scope: Scope) -> Scope:
        entry = instead.get(scope.entry or "", scope.entry)
        result = instead.get(scope.result or "", scope.result)
        if result != scope.result and not f"{result}".startswith(f"{scope.name}."):
            result = None
        return replace(scope, entry=entry, result=result)

    outputs = {head: instead.get(name, name) for head, name in graph.outputs.items()}
    scopes = tuple(map(follow, graph.scopes))
    return replace(graph, outputs=outputs, scopes=scopes, end=instead.get(graph.end, graph.end))


def _without(graph: Graph, layers: Set[str], span: Span | None) -> Graph:
    """The graph without the names of layers that went, and of the scopes of which nothing is left."""
    inhabited = {scope for node in graph.nodes for scope in enclosing(node.layer)}
    gone = {name for layer in layers for name in enclosing(layer)} - inhabited
    scopes = tuple(scope for scope in graph.scopes if scope.name not in gone)
    return replace(graph, scopes=scopes, gone=_also_gone(graph, gone, span))


def _also_gone(graph: Graph, names: Set[str], span: Span | None) -> Gone:
    return replace(graph.gone, names={**graph.gone.names, **dict.fromkeys(sorted(names), span)})


def _check_reader(graph: Graph, reader: Node, joins: Mapping[str, Node], layers: Set[str], span: Span | None) -> None:
    """Refuse that a node that stays reads the values of a join that goes, or undoes a pool that does."""
    gone = next((joins[name] for name in reader.read if name in joins), None)
    if gone is not None:
        help = f"`replace` it, or remove `{reader.layer}` with it"
        raise without(gone, span, f"`{reader.layer}` reads it", help)
    if reader.op.switches is not None:
        pool = graph.layer_of(reader.inputs[reader.op.switches])
        if pool in layers:
            message = f"`{reader.layer}` undoes `{pool}`, which would go"
            raise fail("SC503", message, span, help=f"remove `{reader.layer}` with it, or `replace` it first")


def without(join: Node, span: Span | None, reads: str, help: str) -> SegcompileError:
    """SC503 for a join that goes: which of its inputs should stand for it, where `reads` says what reads it?"""
    inputs = " and ".join(layer_of(name) for name in join.inputs)
    return fail("SC503", f"`{join.layer}` joins {inputs}, and {reads}", span, help=help)
