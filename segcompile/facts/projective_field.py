"""Projective fields, exactly: which outputs of a tensor some input pixels touch.

The relation of receptive fields read the other way (Lehky & Sejnowski, Nature 1988, call what a neuron drives its
projective field): an output is touched by a pixel if it sees the pixel. A window treats the axes apart, so it takes a
product of indices, of an image rows x columns, to a product; where branches meet, products are united (see
`coverage.region`).

Along an axis whose sizes are numbers every map ends at its borders, and what is found is exact: a path through an
index that the map on the way has not is none, and padding by the map itself (mirrored, its edge, its other end)
carries pixels into other windows. Along an axis of any size there are no borders: indices run on, below zero too, and
what is found repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm

from segcompile.facts.coverage.reach import mixes, sizes_of
from segcompile.facts.coverage.region import Product, Region, unite, whole
from segcompile.facts.index_set import IndexSet, read_by, union
from segcompile.facts.strides import Strides
from segcompile.network.graph import Graph, Node
from segcompile.ops import Chain, Shape, Size, Undecidable


@dataclass(frozen=True, slots=True)
class Touched:
    """The cells of one tensor that some input pixels touch.

    local: through windows alone; mixed: through an op that mixes the whole image. None: no cell. `whole`: `mixed` is
    not known, as sizes are symbolic or a vector has no cells: then every cell may be touched, and of these no list is.
    """

    local: Region | None = None
    mixed: Region | None = None
    whole: bool = False

    def __bool__(self) -> bool:
        return self.local is not None or self.mixed is not None or self.whole


NOTHING = Touched()


def project(graph: Graph, shapes: Mapping[str, Shape], node: str, pixels: Mapping[str, Region]) -> Touched:
    """The cells of `node` that the pixels (input -> region of its map) touch. Raises Undecidable where that depends on
    a size that is symbolic, TooWide for sets with holes that are wider than any network's field."""
    needed = _sources(graph, node)
    found = {name: Touched(region) for name, region in pixels.items()}
    for item in graph.nodes:
        if item.name in needed:
            found[item.name] = _behind(item, shapes, found)
    return found.get(node, NOTHING)


def _sources(graph: Graph, node: str) -> frozenset[str]:
    """Every node and input whose values `node` depends on, itself included: how another one's size came about is not
    asked, as it may be for no window to tell."""
    found = {node}
    for item in reversed(graph.nodes):
        if item.name in found:
            found.update(item.read)
    return frozenset(found)


def _behind(node: Node, shapes: Mapping[str, Shape], found: Mapping[str, Touched]) -> Touched:
    """What a node makes of the touched cells of its inputs."""
    read = [(index, have) for index, name in enumerate(node.read) if (have := found.get(name, NOTHING))]
    if not read:
        return NOTHING
    local: list[Product] = []
    mixed_in: list[Product] = []
    every = False
    for index, have in read:
        if mixes(node, index, shapes):
            mixed = _every_cell(shapes[node.name])
            every |= mixed is None
            mixed_in += mixed.products if mixed is not None else ()
            continue
        try:
            parts = _parts(node, index, shapes)
        except Undecidable:
            if have.local is not None:
                raise
            every = True  # wherever its windows lie, what they read may be touched
            continue
        for cells, into in ((have.local, local), (have.mixed, mixed_in)):
            if cells is not None:
                into += [product for steps in parts for product in _outputs(cells, steps)]
        every |= have.whole and bool(parts)
    return Touched(unite(local), unite(mixed_in), every)


def _every_cell(shape: Shape) -> Region | None:
    """The whole map; None if it has no size that is a number."""
    sides = tuple(IndexSet(0, size - 1) for size in shape.size if isinstance(size, int))
    return Region((sides,)) if sides and len(sides) == len(shape.size) else None


@dataclass(frozen=True, slots=True)
class _Step:
    """How a node reads one input along one axis, with the sizes of both maps and what is put around the input."""

    chain: Chain
    size: Size
    extent: Size
    fills: tuple[str, int, int]

    def outputs(self, cells: IndexSet) -> IndexSet | None:
        """The outputs, of those there are, that read one of the cells or a copy of it."""
        extent, found = self.extent, self._with_copies(cells)
        for window in self.chain:
            if not window.stride:  # the one pixel that all outputs read
                return IndexSet(0, extent - 1) if isinstance(extent, int) else None
            behind = read_by(window.transposed, found)
            if behind is None:
                return None
            found = behind
        return found.within(0, extent - 1) if isinstance(extent, int) else found

    def _with_copies(self, cells: IndexSet) -> IndexSet:
        """The cells, and where padding by the map's own pixels repeats them."""
        mode, before, after = self.fills
        if mode == "zero" or not isinstance(self.size, int):
            return cells
        last = self.size - 1
        copies: list[IndexSet | None] = [cells]
        if mode == "edge":
            copies += [IndexSet(-before, -1)] if before and 0 in cells else []
            copies += [IndexSet(last + 1, last + after)] if after and last in cells else []
        elif mode == "circular":
            front, back = cells.within(0, after - 1), cells.within(self.size - before, last)
            copies += [front and front.shifted(self.size), back and back.shifted(-self.size)]
        else:
            front, back = cells.within(1, before), cells.within(last - after, last - 1)
            copies += [front and front.mirrored(0), back and back.mirrored(2 * last)]
        return union(copies) or cells


def _parts(node: Node, index: int, shapes: Mapping[str, Shape]) -> list[tuple[_Step, ...]]:
    """How the node reads input `index`: in each of some ways, along each axis; []: not its values."""
    size, extents = shapes[node.inputs[index]].size, shapes[node.name].size
    fills = [(node.op.surroundings or "zero", *node.op.pads(axis)) for axis in range(len(extents))]
    parts = node.op.parts(sizes_of(node, shapes), index)
    return [tuple(map(_Step, chains, size, extents, fills)) for chains in parts]


def _outputs(cells: Region, steps: tuple[_Step, ...]) -> list[Product]:
    found = (whole(map(_Step.outputs, steps, product)) for product in cells.products)
    return [product for product in found if product is not None]


Repeat = tuple[int, int]  # so many input pixels on, everything has moved by so many outputs


def repeats(
    graph: Graph, shapes: Mapping[str, Shape], strides: Mapping[str, Strides], node: str, source: str
) -> tuple[Repeat, ...] | None:
    """After how many pixels of input `source`, along each axis, the touched cells of `node` are the same moved
    on, borders aside. None where nothing repeats, or no path of windows leads there."""
    needed = _sources(graph, node)
    reached = {source}
    for item in graph.nodes:
        read = (name for index, name in enumerate(item.read) if not mixes(item, index, shapes))
        if item.name in needed and not reached.isdisjoint(read):
            reached.add(item.name)
    if node not in reached:
        return None
    found = []
    for axis, last in enumerate(strides[node]):
        steps = [strides[name][axis] for name in reached if name in strides]
        if last is None or not last or None in steps:
            return None
        pixels = lcm(*(step.numerator for step in steps if step is not None))
        found.append((pixels, int(pixels / last)))
    return tuple(found)
