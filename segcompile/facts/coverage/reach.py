"""Backwards through a graph: which cells of every tensor reach one output cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from segcompile.facts.coverage.region import Product, Region, unite
from segcompile.network.graph import Graph, Node
from segcompile.ops import Chain, Shape, Size


@dataclass(frozen=True, slots=True)
class Reach:
    """What reaches one output cell.

    regions: tensor -> its cells that do so, none if absent; they run on into the padding.
    whole: tensors of which every cell does so, by way of an op that mixes the whole image.
    """

    regions: Mapping[str, Region]
    whole: frozenset[str]


def reach(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, ...]) -> Reach:
    """What reaches `cell`, one index an axis, of the map that `node` gives. Raises Undecidable where that depends on a
    size that is symbolic, TooWide where it is beyond any network's field."""
    regions: dict[str, Region] = {}
    whole: set[str] = set()
    for step in Ways(graph, shapes, node).back_from(cell):
        if step.whole:
            whole.add(step.name)
        if step.region is not None:
            regions[step.name] = step.region
    return Reach(regions, frozenset(whole))


@dataclass(frozen=True, slots=True)
class Step:
    """A tensor on the way back from a cell: the cells of it that reach that one through windows, whether every one
    does, and whether all that comes before it does so by way of it."""

    name: str
    region: Region | None
    whole: bool
    alone: bool


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways back from the map that `node` gives: the same from each of its cells."""

    graph: Graph
    shapes: Mapping[str, Shape]
    node: str
    _windows: dict[str, tuple[tuple[str, tuple[Chain, ...]], ...]] = field(default_factory=dict, init=False)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """`node` and all that it depends on: readers before what they read, inputs last."""
        return tuple(backwards(self.graph, self.node))

    def windows(self, name: str) -> tuple[tuple[str, tuple[Chain, ...]], ...]:
        """What a tensor's cells read through windows, as `windows_of` tells; () of an input. Raises Undecidable."""
        if name not in self._windows:
            node = self.graph.by_name.get(name)
            self._windows[name] = tuple(windows_of(node, self.shapes)) if node is not None else ()
        return self._windows[name]

    def back_from(self, cell: tuple[int, ...]) -> Iterator[Step]:
        """Every tensor that reaches `cell`, in order. Raises Undecidable and TooWide as `reach` does."""
        found: dict[str, list[Product]] = {self.node: list(Region.cell(cell).products)}
        everything: set[str] = set()
        for name in self.order:
            alone, region = len(found) < 2 and not everything, unite(found.pop(name, ()))
            if region is None and name not in everything:
                continue
            yield Step(name, region, name in everything, alone)
            current = self.graph.by_name.get(name)
            if current is not None:
                every, each = name in everything, enumerate(current.read)
                everything.update(source for index, source in each if every or mixes(current, index, self.shapes))
            if region is not None:
                for source, windows in self.windows(name):
                    read = region.read_by(windows)
                    if read is not None:
                        found.setdefault(source, []).extend(read.products)


def backwards(graph: Graph, node: str) -> Iterator[str]:
    """`node` and all that it depends on: readers before what they read, inputs last."""
    needed = graph.ancestors([node])
    yield from (item.name for item in reversed(graph.nodes) if item.name in needed)
    yield from (name for name in graph.inputs if name in needed)


def mixes(node: Node, index: int, shapes: Mapping[str, Shape]) -> bool:
    """Whether an output depends on every cell of input `index`."""
    if not shapes[node.name].size or not shapes[node.inputs[index]].size:
        return True
    return node.op.whole_image and node.op.reads_whole(0, index, len(node.inputs))


def sizes_of(node: Node, shapes: Mapping[str, Shape]) -> list[tuple[Size, ...]]:
    """Those of a node's inputs; ones of a vector, and of tokens without a map."""
    rank = max(len(shapes[name].size) for name in node.inputs)
    return [shapes[name].size or (1,) * rank for name in node.inputs]


def windows_of(node: Node, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, tuple[Chain, ...]]]:
    """Each input whose values the node's outputs read through windows, with these, a chain an axis; several times where
    they are read in several ways. None of those that it mixes. Raises Undecidable."""
    sizes = sizes_of(node, shapes)
    for index, name in enumerate(node.inputs):
        if not mixes(node, index, shapes):
            for chains in node.op.parts(sizes, index):
                yield name, chains
