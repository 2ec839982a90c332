"""Exact tiles: which part of an image reproduces which outputs, run through the very same network.

A tile is a part [a, a + n) of the image along each axis. The network runs on it as on an image of its own, with its own
padding; outputs that see none of that padding are the whole image's. It is so if

- a is a multiple of `step`, so that every tensor of the tile is a piece of the whole image's, moved by whole indices;
- n and the image's size are of one residue modulo `step`, so that every window, crop and ratio is the same in both, and
  a tile that ends where the image ends is padded and rounded there as the image is;
- n is at least `least`: the network takes it, and what a padding mirrors at one end is not yet unclean from the other.

Of a tile's outputs the first `before` and the last `after` are then thrown away, but for the side on which the tile
ends where the image ends (see `border`). In one residue all sizes of all tensors are affine functions of the tile's:
they are written in k, of n = step * k + rest, and what holds for every k is proved, not tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, lcm

from segcompile.facts.alignment import chains_of, place_nodes
from segcompile.facts.border import ragged, trace_borders
from segcompile.facts.fit import fit
from segcompile.facts.memory import macs_at, peak_bytes
from segcompile.facts.placement import Placement
from segcompile.facts.shapes import infer_shapes, of_any_size
from segcompile.facts.size_set import SizeSet
from segcompile.facts.sizes import AxisSizes, Sizes, find_sizes
from segcompile.facts.unknown import undecided
from segcompile.network.graph import Graph, Node
from segcompile.ops import MEDIUM, SYMBOLS, AnySize, Shape
from segcompile.text.errors import Findings, SegcompileError

MOST_LOOKED = 20_000  # nodes x residues: what is looked at for one network
_LARGE = 2**14  # pixels of an image in which no two borders meet


@dataclass(frozen=True, slots=True)
class HeadTiles:
    """What a tile gives of one head along one axis. `stride`: input pixels per output, those of output 0 start at
    `offset`. The first `before` outputs of a tile and the last `after` are not the whole image's; `tight`: nor is any
    that stands next to the good ones (False: it may be; these are bounds)."""

    stride: Fraction
    offset: Fraction
    before: int
    after: int
    extent: AnySize  # outputs of a tile, as a function of k
    tight: bool = True

    def halo(self, tile: int, turns: int) -> tuple[int, int]:
        """Input pixels from the ends of a tile of `tile` pixels to those of its good outputs."""
        end = (self.extent.at(turns) - self.after) * self.stride + self.offset
        return ceil(self.before * self.stride + self.offset), ceil(tile - end)


@dataclass(frozen=True, slots=True)
class AxisTiling:
    """Exact tiles along one axis, of images and tiles whose sizes are `rest` modulo `step`; `least` is the smallest."""

    step: int
    rest: int
    least: int
    heads: Mapping[str, HeadTiles]

    def turns(self, tile: int) -> int:
        """k, of a tile of step * k + rest pixels."""
        return (tile - self.rest) // self.step

    @property
    def halo(self) -> tuple[int, int]:
        """(before, after): the most of all heads, in input pixels; the same for every size."""
        halos = [head.halo(self.least, self.turns(self.least)) for head in self.heads.values()]
        return max(before for before, _ in halos), max(after for _, after in halos)

    @property
    def tight(self) -> bool:
        """Whether no smaller halo will do on either side."""
        return all(head.tight for head in self.heads.values())

    def fitting(self, size: int) -> int:
        """The largest size of a tile that is at most `size`, or the least that moves on at all."""
        return max(self.useful, size - (size - self.rest) % self.step)

    @property
    def useful(self) -> int:
        """The least size of a tile between whose halos one step lies."""
        need = max(self.least, sum(self.halo) + self.step)
        return need + (self.rest - need) % self.step

    def advance(self, tile: int) -> int:
        """From the origin of one tile to that of the next, in input pixels: what both halos leave, in whole steps."""
        return (tile - sum(self.halo)) // self.step * self.step

    def origins(self, size: int, tile: int) -> list[int]:
        """The origins of the tiles of an image of `size` pixels, the last one ending where it ends; the image itself is
        one tile if it is no larger."""
        if size <= tile:
            return [0]
        last = size - tile
        return [*range(0, last, self.advance(tile)), last]

    def good(self, head: str, origin: int, tile: int, size: int) -> range:
        """The outputs of a head, counted in the tile, that are the whole image's, of `size` pixels."""
        found = self.heads[head]
        count = found.extent.at(self.turns(tile))
        return range(found.before if origin else 0, count - (found.after if origin + tile < size else 0))

    def moved(self, head: str, origin: int) -> int:
        """The whole image's output that a tile's output 0 is."""
        index = origin / self.heads[head].stride
        assert index.denominator == 1
        return int(index)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The layer that no tile gets past, and why: ends a sentence that it begins."""

    node: Node
    reason: str

    def __str__(self) -> str:
        return f"`{self.node.layer}` ({self.node.op.title}) {self.reason}"


@dataclass(frozen=True, slots=True)
class Along:
    """Along one axis: the tiles for each residue of sizes that has some; what forbids them, where none has. First come
    the residues at which outputs are of the image's size, of those the ones at which no stride rounds. Of `residues`
    modulo `step` that the network takes `looked` were looked at; `sizes` are all that it takes."""

    sizes: AxisSizes
    step: int
    tilings: tuple[AxisTiling, ...]
    forbidden: Forbidden | None
    looked: int
    residues: int

    @property
    def symbol(self) -> str:
        return self.sizes.legal.symbol

    @property
    def best(self) -> AxisTiling | None:
        """That of the first residue."""
        return self.tilings[0] if self.tilings else None

    @property
    def most(self) -> tuple[int, int]:
        """The largest halo (before, after) of any residue that was looked at."""
        halos = [each.halo for each in self.tilings]
        return max(before for before, _ in halos), max(after for _, after in halos)


def tile_axes(graph: Graph, placed: Placement | None = None) -> tuple[Along, ...]:
    """The exact tiles of a network, whose crops are resolved, along each axis; for any of its sizes, whatever size the
    spec gives, or for those that are whole multiples from the one at which its outputs are `placed`. () where its sizes
    are not known or its inputs differ in size (see `why_untiled`)."""
    free, fitted = of_any_size(graph), _fitted(graph)
    if fitted is None:
        return ()
    step, sizes = fitted
    residues = [_residues(found, step) for found in sizes if found is not None]
    if placed is not None:
        wanted = [
            {n % step for n in range(size, size + step * by, by)}
            for size, by in zip(placed.size, placed.multiple, strict=True)
        ]
        residues = [[rest for rest in each if rest in these] for each, these in zip(residues, wanted, strict=True)]
    most = max(1, MOST_LOOKED // max(1, len(graph.nodes)))
    count = min(most, max(map(len, residues)))
    seen = [_Residue(free, step, tuple(each[turn % len(each)] for each in residues)) for turn in range(count)]
    axes = enumerate(zip(sizes, residues, strict=True))
    return tuple(_along(axis, found, step, seen, rests) for axis, (found, rests) in axes if found is not None)


def tiles_at(graph: Graph, size: tuple[int, ...]) -> tuple[AxisTiling | Forbidden, ...]:
    """The same along each axis for images of this size, and of whole steps more, or what forbids them there. () where
    `tile_axes` is."""
    fitted = _fitted(graph)
    if fitted is None:
        return ()
    step, _ = fitted
    residue = _Residue(of_any_size(graph), step, tuple(extent % step for extent in size))
    return tuple(residue.along(axis) for axis in range(graph.rank))


@dataclass(frozen=True, slots=True)
class Plan:
    """Tiles of one size: from one to the next, and what they cost. All one number an axis but `macs`: multiply-
    accumulates of all tiles over those of the image, of one of ten tiles along each axis; and `memory`: the most bytes
    of tensors at once in one tile (see `facts/memory.py`)."""

    tile: tuple[int, ...]
    advance: tuple[int, ...]
    macs: Fraction
    memory: int


def plan_tiles(graph: Graph, tilings: Sequence[AxisTiling], size: int, tiles: int = 10) -> Plan:
    """The tiles of at most `size` pixels along each axis, or of the least size that moves on."""
    tile = tuple(found.fitting(size) for found in tilings)
    advance = tuple(found.advance(extent) for found, extent in zip(tilings, tile, strict=True))
    image = tuple(extent + (tiles - 1) * by for extent, by in zip(tile, advance, strict=True))
    whole = macs_at(graph, image)
    times = Fraction(tiles ** len(tile) * macs_at(graph, tile), whole) if whole else Fraction(1)
    return Plan(tile, advance, times, peak_bytes(graph, tile))


def why_untiled(graph: Graph) -> str:
    """Why `tile_axes` gives nothing: ends a sentence."""
    if len({shape.size for shape in graph.inputs.values()}) > 1:
        return "its inputs differ in size"
    try:
        fit(of_any_size(graph), Findings())
    except SegcompileError as error:
        return error.diagnostics[0].message
    return f"it reads no {MEDIUM.get(graph.rank, 'map')}"


def _fitted(graph: Graph) -> tuple[int, Sizes] | None:
    """The step of a network of any size, and the sizes that it takes; None where they are not known along each axis."""
    try:
        shapes, sizes = fit(of_any_size(graph), Findings())
    except SegcompileError:
        return None
    return None if not graph.rank or None in sizes else (_step(shapes, sizes), sizes)


def _step(shapes: Mapping[str, Shape], sizes: Sizes) -> int:
    """After how many pixels of the image every tensor has grown by whole pixels, and the network takes it again."""
    extents = (size.period for shape in shapes.values() for size in shape.size if isinstance(size, AnySize))
    return lcm(*extents, *(found.legal.modulus for found in sizes if found is not None))


def _residues(sizes: AxisSizes, step: int) -> list[int]:
    """The residues of sizes that the network takes, modulo the step; those at which no stride rounds come first."""

    def of(found: SizeSet | None) -> list[int]:
        return [rest for rest in range(step) if found is not None and found.least[rest % found.modulus] is not None]

    return list(dict.fromkeys([*of(sizes.exact), *of(sizes.legal)]))


def _along(axis: int, sizes: AxisSizes, step: int, seen: Sequence[_Residue], residues: Sequence[int]) -> Along:
    found = {residue.rests[axis]: residue.along(axis) for residue in seen}
    tilings = sorted((each for each in found.values() if isinstance(each, AxisTiling)), key=_resized)
    forbidden = next((each for each in found.values() if isinstance(each, Forbidden)), None)
    return Along(sizes, step, tuple(tilings), None if tilings else forbidden, len(found), len(residues))


def _resized(tiling: AxisTiling) -> int:
    """How many heads are not of the image's size."""
    turns = tiling.turns(tiling.least)
    return sum(head.extent.at(turns) != tiling.least for head in tiling.heads.values())


# --- the sizes of one residue ----------------------------------------------------------------------------------------


class _Residue:
    """A network on images of step * k + rest pixels along each axis: its sizes as functions of k, and its borders."""

    def __init__(self, free: Graph, step: int, rests: tuple[int, ...]) -> None:
        self.step, self.rests = step, rests
        symbols = SYMBOLS[free.rank]
        of_k = tuple(AnySize(symbol, step, (0,), rest) for symbol, rest in zip(symbols, rests, strict=True))
        self.graph = replace(free, inputs={name: Shape(each.channels, of_k) for name, each in free.inputs.items()})
        self.findings = Findings()
        self.shapes = infer_shapes(self.graph, self.findings)
        if self.findings.has_errors:
            return
        self.sizes = find_sizes(self.graph, self.shapes, Findings())
        self.needed = self.graph.ancestors(self.graph.outputs.values())
        turns = max(1, _LARGE // step)
        self.large = {name: _at(shape, turns) for name, shape in self.shapes.items()}
        self.borders = trace_borders(self.graph, self.large)
        self.loose = ragged(self.graph, self.large)
        self.places = place_nodes(self.graph, self.large)

    def along(self, axis: int) -> AxisTiling | Forbidden:
        """The tiles along one axis, or what forbids them."""
        if self.findings.has_errors:
            found = self.findings.diagnostics[0]
            return Forbidden(self.graph.nodes[-1], found.message)
        forbidden = next((each for node in self.graph.nodes if (each := self._forbids(node, axis))), None)
        if forbidden is not None:
            return forbidden
        heads = {head: self._head(name, axis) for head, name in self.graph.outputs.items()}
        return AxisTiling(self.step, self.rests[axis], self._least(axis), heads)

    def _forbids(self, node: Node, axis: int) -> Forbidden | None:
        if node.name not in self.needed:
            return None
        medium = MEDIUM[self.graph.rank]
        if node.op.whole_image or any(node.op.reads_whole(axis, i, len(node.inputs)) for i in range(len(node.inputs))):
            return Forbidden(node, f"mixes the whole {medium}")
        if node.op.positional:
            return Forbidden(node, f"treats each position of the {medium} otherwise")
        if node.op.surroundings == "circular" and any(node.op.pads(axis)):
            return Forbidden(node, f"pads each end of the {medium} by the other")
        if not self.shapes[node.name].size:
            return Forbidden(node, "makes a vector of the map")
        why = undecided(node, axis, self.shapes)
        if why is not None:
            return Forbidden(node, f"reads by a ratio that changes with the {medium}'s size: {why}")
        extent = self.shapes[node.name].size[axis]
        if self.borders[node.name][axis] is None or not isinstance(extent, AnySize):
            return Forbidden(node, f"gives a map whose size does not follow the {medium}'s")
        if {item.scale for item in self.places[node.name][axis].every} != {Fraction(self.step, extent.step)}:
            return Forbidden(node, f"gives a map that does not lie evenly over the {medium}")
        return None

    def _head(self, name: str, axis: int) -> HeadTiles:
        border, extent, image = self.borders[name][axis], self.shapes[name].size[axis], self._image(axis)
        assert border is not None and isinstance(extent, AnySize)
        stride, place = Fraction(self.step, extent.step), self.places[name][axis].first
        start = Fraction(0) if extent == image or place is None else place.shift - (stride - 1) / 2
        return HeadTiles(stride, start, border.before, border.after, extent, name not in self.loose)

    def _image(self, axis: int) -> AnySize:
        return AnySize(SYMBOLS[self.graph.rank][axis], self.step, (0,), self.rests[axis])

    def _least(self, axis: int) -> int:
        """The smallest size that the network takes and at which nothing that a padding repeats of the map is unclean
        from the map's other end."""
        known = self.sizes[axis]
        least = known.legal.least if known is not None else ()
        turns = max(
            [*(each or 1 for each in least), *(turn for node in self.graph.nodes for turn in self._mirrors(node, axis))]
        )
        return self.step * turns + self.rests[axis]

    def _mirrors(self, node: Node, axis: int) -> Iterator[int]:
        """From which k on the pixels that are repeated around each input of a node are clean."""
        mode = node.op.surroundings
        pads = node.op.pads(axis) if mode in ("edge", "reflect") else (0, 0)
        for index, name in enumerate(node.inputs):
            extent, border = self.shapes[name].size[axis], self.borders[name][axis]
            if not isinstance(extent, AnySize) or border is None or not chains_of(node, axis, self.large, index):
                continue
            deep = max(pads) + 1 if mode == "reflect" else 1  # of what lies at the end itself
            need = deep + max(border.before, border.after) - extent.plus
            yield max(0, -(-need // extent.step))


def _at(shape: Shape, turns: int) -> Shape:
    return replace(shape, size=tuple(each.at(turns) if isinstance(each, AnySize) else each for each in shape.size))
