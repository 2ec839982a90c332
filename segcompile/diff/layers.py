"""Two networks' layers side by side: which is which, and what each does otherwise, attribute by attribute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from segcompile.diff.pairing import counterparts
from segcompile.language.write import padding
from segcompile.network.graph import Graph, Node
from segcompile.ops import Init, Op, Reads


@dataclass(frozen=True, slots=True)
class Change:
    """An attribute, and its value in each of the two as a spec would say it."""

    what: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class LayerPair:
    """A layer of each network, and what differs between them. None for a layer that the other does not have: `title`
    says what it is."""

    a: str | None
    b: str | None
    title: str
    changes: tuple[Change, ...] = ()


def match_layers(a: Graph, b: Graph) -> dict[str, str]:
    """Layer of `a` -> layer of `b`: those of one name, then of the others the first conv and the first conv, ..."""
    found = {name: name for name in a.layers if name in b.layers}
    left: dict[str, list[str]] = {}
    for name, nodes in b.layers.items():
        if name not in found:
            left.setdefault(nodes[0].op.spelling, []).append(name)
    for name, nodes in a.layers.items():
        if name not in found and left.get(nodes[0].op.spelling):
            found[name] = left[nodes[0].op.spelling].pop(0)
    return found


def changed_layers(a: Graph, b: Graph) -> tuple[LayerPair, ...]:
    """The layers that differ in more than their names, in the order of `a`; one of `b` alone stands behind the layer
    that it follows in `b`."""
    matched = match_layers(a, b)
    twins, names = {twin: name for name, twin in matched.items()}, counterparts(a.inputs, b.inputs) | matched
    behind: dict[str | None, list[LayerPair]] = {None: []}
    for name in a.layers:
        behind[name] = [_pair(a, b, name, matched.get(name), names)]
    last = None
    for name, nodes in b.layers.items():
        last = twins.get(name, last)
        if name not in twins:
            behind[last].append(LayerPair(None, name, _title(nodes)))
    rows = (row for some in behind.values() for row in some)
    return tuple(row for row in rows if row.changes or row.a is None or row.b is None)


def _pair(a: Graph, b: Graph, name: str, twin: str | None, names: Mapping[str, str]) -> LayerPair:
    title = _title(a.layers[name])
    if twin is None:
        return LayerPair(name, None, title)
    mine, theirs = _parts(a.layers[name]), _parts(b.layers[twin])
    changes = [change for role in mine | theirs for change in _changes(role, mine.get(role), theirs.get(role))]
    for role in mine.keys() & theirs.keys():
        owners = tuple(_owner(graph, layer, role) for graph, layer in ((a, name), (b, twin)))
        if names.get(owners[0], owners[0]) != owners[1]:
            changes.append(
                Change("share" if role == "main" else f"{role} share", *(owner or "none" for owner in owners))
            )
    sources, others = _sources(a, name), _sources(b, twin)
    if [names.get(source) for source in sources] != others:
        changes.append(Change("from", ", ".join(sources), ", ".join(others)))
    return LayerPair(name, twin, title, tuple(changes))


def _parts(nodes: tuple[Node, ...]) -> dict[str, Op]:
    """Role -> op: of the layer itself, and of the norm, act and drop that it carries."""
    return {node.role: node.op.canonical() for node in nodes}


def _changes(role: str, one: Op | None, other: Op | None) -> Iterator[Change]:
    """`channels 21 -> 42`; of what is carried `act relu -> none`, `norm eps 1e-05 -> 0.001`. Of two unlike ops, what
    they are, and the attributes that both have."""
    unlike = type(one) is not type(other)
    if unlike:
        yield Change("op" if role == "main" else role, _named(role, one), _named(role, other))
    if one is None or other is None:
        return
    for name in type(one).model_fields:
        if name not in type(other).model_fields or one.reads(name) is Reads.LAYER or (unlike and name == one.main):
            continue
        a, b = _written(one, name), _written(other, name)
        if a != b:
            told = next((word for word, attribute in one.by_word.items() if attribute == name), name)
            yield Change(told if role == "main" else role if name == one.main else f"{role} {name}", a, b)


def _named(role: str, op: Op | None) -> str:
    """`conv`; of what is carried the word that stands in the spec: `batch`, `relu`, `0.5`."""
    if op is None:
        return "none"
    return op.title if role == "main" or op.main is None else _written(op, op.main)


def _title(nodes: tuple[Node, ...]) -> str:
    """`conv + relu`."""
    return " + ".join(node.op.title for node in nodes)


def _owner(graph: Graph, layer: str, role: str) -> str:
    """The layer whose weights the op of this role shares; "" for none."""
    node = next(node for node in graph.layers[layer] if node.role == role)
    return graph.layer_of(node.weights) if node.weights is not None else ""


def _sources(graph: Graph, layer: str) -> list[str]:
    return [graph.layer_of(name) for name in graph.layers[layer][0].inputs]


def _written(op: Op, name: str) -> str:
    """An attribute's value: `3x3`, `1`, `[1, 1, 2, 2]`, `yes`, `{identity: {groups: 21}}`."""
    value = getattr(op, name)
    if isinstance(value, Init):
        options = value.model_dump(exclude={"scheme"}, exclude_none=True)
        inner = ", ".join(f"{key}: {number}" for key, number in options.items())
        return f"{{{value.scheme}: {{{inner}}}}}" if options else value.scheme
    if isinstance(value, bool):
        return "yes" if value else "no"
    if op.reads(name) is Reads.PADDING:
        return padding(value)
    if isinstance(value, tuple):
        if name == "kernel":
            return "x".join(map(str, value))
        alike = len(set(value)) == 1 and op.reads(name) not in (Reads.NUMBERS, Reads.PART)
        return str(value[0]) if alike else f"[{', '.join(map(str, value))}]" if value else "none"
    return str(value) if value is not None else "none"
