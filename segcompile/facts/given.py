"""Which values, given by `--set` or by another spec than the one that reads them, a shape may come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Flag, auto

from segcompile.network.graph import Graph, Origin, Role
from segcompile.ops import Op
from segcompile.text.errors import Label


class Of(Flag):
    """Parts of a shape."""

    CHANNELS = auto()
    SIZE = auto()


def given_values(graph: Graph, nodes: Sequence[str], part: Of) -> list[Label]:
    """Where the values are written that decide this part of the shapes of `nodes`, those of the nearest layers first.

    A layer that sets its channels ends the way back of these; sizes come from all layers before, and from the image.
    """
    found: dict[object, Label] = {}
    for one in part:
        for label in _values(graph, list(nodes), one):
            found.setdefault(label.span, label)
    return list(found.values())


def _values(graph: Graph, todo: list[str], part: Of) -> Iterator[Label]:
    seen = set(todo)
    for name in todo:  # which grows: the nearest first
        if name in graph.inputs:
            yield from _written(
                graph.input_origins.get(name, Origin()), ("channels" if part is Of.CHANNELS else "size",)
            )
            continue
        node = graph.by_name[name]
        yield from _written(node.origin, _deciding(node.op, node.origin, part))
        before = [] if part is Of.CHANNELS and _own_channels(node.op) else node.inputs
        todo += [source for source in dict.fromkeys(before) if source not in seen]
        seen.update(before)


def _own_channels(op: Op) -> str | None:
    """The attribute that says how many channels there are, whatever is read."""
    return op.main if op.main in ("channels", "features", "part") else None


def _deciding(op: Op, origin: Origin, part: Of) -> Iterable[str]:
    """The attributes that decide a part of the shape."""
    own = _own_channels(op)
    if part is Of.CHANNELS:
        return (own or "more",)  # of an op that adds channels
    rest = () if op.pointwise else origin.attributes
    return (name for name in rest if name not in (own, "groups", *Role))


def _written(origin: Origin, attributes: Iterable[str]) -> Iterator[Label]:
    for name in attributes:
        if name in origin.attributes:
            yield from origin.attributes[name].values
