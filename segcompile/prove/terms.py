"""Two networks as one graph of terms: equal ops on equal inputs, with equal weights, are one term.

A term is an op on terms. What a network calls its layers is forgotten here, and kept in `Side.terms`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from segcompile.network.graph import Graph
from segcompile.ops import Dropout, DropPath, Op, Shape, SpatialDropout
from segcompile.prove.weights import Weight, Weights


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """An op on the terms of these indices, with its weights; no op: an input of the networks. `shape` is that of the
    network that made it first, for any size of the image."""

    index: int
    op: Op | None
    inputs: tuple[int, ...]
    weights: tuple[tuple[str, Weight], ...]
    shape: Shape
    title: str


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two networks, its shapes and its weights: node that owns them -> by name."""

    graph: Graph
    shapes: Mapping[str, Shape]
    weights: Mapping[str, Weights]


_Key = tuple[object, ...]


@dataclass(eq=False)
class Terms:
    """All terms so far, each before those that read it."""

    terms: list[Term] = field(default_factory=list)
    _known: dict[_Key, int] = field(default_factory=dict)

    def __getitem__(self, index: int) -> Term:
        return self.terms[index]

    def input(self, place: int, shape: Shape, title: str) -> int:
        return self._term(("input", place), None, (), (), shape, title)

    def add(self, op: Op, inputs: tuple[int, ...], weights: Weights, shape: Shape, title: str) -> int:
        """The term of an op on terms: the one that is there already, if one is."""
        if isinstance(op, Dropout | SpatialDropout | DropPath):
            return inputs[0]
        plain = op.canonical().starting_as(None)
        held = tuple(weights.items())
        return self._term((plain, inputs, held), plain, inputs, held, shape, title)

    def _term(
        self,
        key: _Key,
        op: Op | None,
        inputs: tuple[int, ...],
        weights: tuple[tuple[str, Weight], ...],
        shape: Shape,
        title: str,
    ) -> int:
        if key not in self._known:
            self._known[key] = len(self.terms)
            self.terms.append(Term(len(self.terms), op, inputs, weights, shape, title))
        return self._known[key]

    def cone(self, roots: Iterable[int], stop: frozenset[int] = frozenset()) -> list[int]:
        """Every term that `roots` depend on, themselves included, ascending; what lies behind `stop` is left out."""
        found: set[int] = set()
        todo = list(roots)
        while todo:
            index = todo.pop()
            if index not in found:
                found.add(index)
                todo += () if index in stop else self.terms[index].inputs
        return sorted(found)


def add_side(terms: Terms, side: Side, inputs: Sequence[str]) -> dict[str, int]:
    """Node or input -> its term. `inputs`: the network's, in the order in which the other's stand."""
    found = {name: terms.input(place, side.shapes[name], name) for place, name in enumerate(inputs)}
    for node in side.graph.nodes:
        read = tuple(found[name] for name in node.inputs)
        weights = side.weights.get(node.owner, {})
        found[node.name] = terms.add(node.op, read, weights, side.shapes[node.name], node.layer)
    return found
