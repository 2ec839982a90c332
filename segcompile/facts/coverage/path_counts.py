"""How many paths lead from each input pixel to one output cell: the theoretical effective receptive field.

The count is the gradient of the network with one channel everywhere, all weights one and no activations (Luo, Li,
Urtasun & Zemel, 2016, section 2.1, with every layer's weights equal): every tap of every window is one way through,
a join adds up what its inputs bring, and ops that mix the whole image are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import prod
from operator import add, sub
from typing import TYPE_CHECKING

from segcompile.facts.coverage.reach import backwards, windows_of
from segcompile.network.graph import Graph
from segcompile.ops import CELL, Chain, Shape, Window
from segcompile.text.errors import fail

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Array = NDArray[numpy.float64]

MOST_CELLS = 2**24  # of one tensor: 128 MiB of counts
_LARGE = 2.0**256  # from here on factors are kept as multiples of 2**SHIFT
_SHIFT = 200
EXACT = 2.0**53  # a float64 is an exact integer up to here


class TooLarge(Exception):
    """More cells than MOST_CELLS."""


@dataclass(frozen=True, eq=False, repr=False)
class PathCounts:
    """counts[i, ...] * 2**exponent paths lead from input pixel (start[0] + i, ...) to the output cell.

    Along a chain of layers, counts are a product: `factors` are one an axis, and only `counts` itself needs room. Where
    branches meet, they are one array of all axes.
    """

    start: tuple[int, ...]
    factors: tuple[Array, ...]
    exponent: int = 0

    def __repr__(self) -> str:
        size, start = " x ".join(map(str, self.size)), ", ".join(map(str, self.start))
        return f"<paths from {size} {CELL[len(self.size)]}s, the first ({start})>"

    @property
    def size(self) -> tuple[int, ...]:
        """Of the smallest box around the pixels that paths lead from."""
        return tuple(length for factor in self.factors for length in factor.shape)

    @cached_property
    def counts(self) -> Array:
        """The counts, an array of all axes. Raises SegcompileError (SC410) for more than 2**24 pixels."""
        try:
            return _dense(self)
        except TooLarge:
            size = " x ".join(f"{extent:,}" for extent in self.size)
            cells = f"{CELL[len(self.size)]}s"
            message = f"a field of {size} {cells} is too large to draw out"
            help = f"an array has at most {MOST_CELLS:,} {cells}; `radius` is known"
            raise fail("SC410", message, help=help) from None

    @property
    def exact(self) -> bool:
        """Whether every count is the very integer."""
        return self.exponent == 0 and prod(float(factor.max()) for factor in self.factors) <= EXACT

    @property
    def centre(self) -> tuple[float, ...]:
        """The input position of the centre of mass along each axis, to half a pixel."""
        import numpy

        middles = (round(2 * float(part @ numpy.arange(len(part)) / part.sum())) / 2 for part in self._sums)
        return tuple(start + middle for start, middle in zip(self.start, middles, strict=True))

    def radius(self, share: float) -> float:
        """The least r such that the pixels not further than r, along every axis, from the centre of mass hold `share`
        (0 .. 1) of all paths."""
        import numpy

        farther = self._farther
        if len(self.factors) == 1:
            farthest = reduce(numpy.maximum, numpy.ix_(*farther))
            held = numpy.cumsum(numpy.bincount(farthest.ravel(), self.counts.ravel()))
        else:
            most = max(int(places.max()) for places in farther) + 1
            along = zip(farther, self._sums, strict=True)
            each = (numpy.cumsum(numpy.bincount(places, part / part.sum(), most)) for places, part in along)
            held = reduce(numpy.multiply, each)
        return float(numpy.searchsorted(held, share * held[-1] * (1 - 1e-12))) / 2

    def square(self, share: float) -> tuple[float, ...]:
        """The sides of the square of that radius, no larger than the box that paths lead from."""
        side = 2 * self.radius(share) + 1
        return tuple(min(side, extent) for extent in self.size)

    @property
    def _sums(self) -> tuple[Array, ...]:
        """In proportion to the paths from each index of an axis, for every axis."""
        first, *others = self.factors
        axes = range(first.ndim)
        return self.factors if others else tuple(first.sum(tuple(a for a in axes if a != axis)) for axis in axes)

    @property
    def _farther(self) -> tuple[NDArray[numpy.int64], ...]:
        """How far each index of an axis is from the centre of mass, in half pixels, for every axis."""
        import numpy

        return tuple(
            (2 * numpy.abs(start + numpy.arange(length) - middle)).astype(int)
            for start, length, middle in zip(self.start, self.size, self.centre, strict=True)
        )


def _dense(counts: PathCounts) -> Array:
    import numpy

    if len(counts.factors) == 1:
        return counts.factors[0]
    if prod(counts.size) > MOST_CELLS:
        raise TooLarge
    found = reduce(numpy.multiply.outer, counts.factors)
    found.setflags(write=False)
    return found


def count_paths(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, ...]) -> PathCounts | None:
    """The paths from every input pixel (of all inputs together) to `cell`, one index an axis, of the map that `node`
    gives; None where nothing reaches it. The counts run on into the padding.

    Raises Undecidable where a window depends on a symbolic size, TooLarge where branches meet in fields of more than
    MOST_CELLS pixels.
    """
    import numpy

    found: dict[str, list[PathCounts]] = {node: [PathCounts(cell, (numpy.ones(1),) * len(cell))]}
    for name in backwards(graph, node):
        if name in graph.inputs or name not in found:
            continue
        total = _sum(found.pop(name))
        for source, chains in windows_of(graph.by_name[name], shapes):
            read = _read_by(total, chains)
            if read is not None:
                found.setdefault(source, []).append(read)
    if not found:
        return None
    total = _sum([part for parts in found.values() for part in parts])
    for factor in total.factors:
        factor.setflags(write=False)
    return total


def _read_by(counts: PathCounts, chains: tuple[Chain, ...]) -> PathCounts | None:
    """The paths a layer further back, through windows, a chain an axis."""
    factors, start = list(counts.factors), list(counts.start)
    apart = len(factors) == len(chains)
    for axis, chain in enumerate(chains):
        factor, turned = (axis, 0) if apart else (0, axis)
        for window in reversed(chain):
            found = _along(factors[factor], turned, start[axis], window)
            if found is None:
                return None
            factors[factor], start[axis] = found
    return _scaled(PathCounts(tuple(start), tuple(factors), counts.exponent))


def _along(counts: Array, axis: int, first: int, window: Window) -> tuple[Array, int] | None:
    """The counts of the inputs i with upsample * i = stride * p + dilation * t - offset, summed over p and t, along
    one axis of the array; and the index of the first of them."""
    import numpy

    if window == Window():
        return counts, first
    array = numpy.moveaxis(counts, axis, 0)
    beside = array[0].size
    extent = (len(array) - 1) * window.stride + window.reach + 1
    start = window.stride * first - window.offset
    skip = -start % window.upsample
    if skip >= extent:
        return None
    length = (extent - skip - 1) // window.upsample + 1
    if length * beside > MOST_CELLS or extent * beside > 4 * MOST_CELLS:
        raise TooLarge
    places = numpy.zeros((extent, *array.shape[1:]))
    if window.stride:
        places[: (len(array) - 1) * window.stride + 1 : window.stride] = array
    else:
        places[0] = array.sum(0)
    places = _repeated(places, window.taps, window.dilation)
    return numpy.moveaxis(places[skip :: window.upsample], 0, axis), (start + skip) // window.upsample


def _repeated(array: Array, times: int, step: int) -> Array:
    """The array plus its copies moved by step, 2 step, .. (times - 1) step along the first axis, by doubling."""
    import numpy

    total, done = numpy.zeros_like(array), 0
    several, count = array, 1  # the sum of so many of them
    while True:
        if times & count:
            total[done * step :] += several[: len(array) - done * step]
            done += count
        if 2 * count > times:
            return total
        doubled = several.copy()
        doubled[count * step :] += several[: -count * step]
        several, count = doubled, 2 * count


def _scaled(counts: PathCounts) -> PathCounts:
    """The same counts, far from the largest float."""
    exponent, factors = counts.exponent, list(counts.factors)
    for index, factor in enumerate(factors):
        if factor.max() >= _LARGE:
            factors[index], exponent = factor * 2.0**-_SHIFT, exponent + _SHIFT
    if exponent == counts.exponent:
        return counts
    return replace(counts, factors=tuple(factors), exponent=exponent)


def _sum(parts: list[PathCounts]) -> PathCounts:
    """All of them, laid over one another."""
    import numpy

    if len(parts) == 1:
        return parts[0]
    start = tuple(map(min, zip(*(part.start for part in parts), strict=True)))
    stops = (map(add, part.start, part.size) for part in parts)
    size = tuple(max(stop) - low for low, stop in zip(start, zip(*stops, strict=True), strict=True))
    if prod(size) > MOST_CELLS:
        raise TooLarge
    exponent = max(part.exponent for part in parts)
    total = numpy.zeros(size)
    for part in parts:
        firsts = map(sub, part.start, start)
        box = tuple(slice(first, first + length) for first, length in zip(firsts, part.size, strict=True))
        total[box] += _dense(part) * 2.0 ** (part.exponent - exponent)
    return _scaled(PathCounts(start, (total,), exponent))
