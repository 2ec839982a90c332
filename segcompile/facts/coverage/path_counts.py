"""How many paths lead from each input pixel to one output cell: the theoretical effective receptive field.

The count is the gradient of the network with one channel everywhere, all weights one and no activations (Luo, Li,
Urtasun & Zemel, 2016, section 2.1, with every layer's weights equal): every tap of every window is one way through,
a join adds up what its inputs bring, and ops that mix the whole image are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

from segcompile.facts.coverage.reach import backwards, windows_of
from segcompile.network.graph import Graph
from segcompile.ops import Shape, Window
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
    """counts[y, x] * 2**exponent paths lead from input pixel (top + y, left + x) to the output cell.

    Along a chain of layers, counts are a product: `factors` are those of the rows and those of the columns, and only
    `counts` itself needs room. Where branches meet, they are one array, of rows and columns.
    """

    top: int
    left: int
    factors: tuple[Array, ...]
    exponent: int = 0

    def __repr__(self) -> str:
        height, width = self.size
        return f"<paths from {height} x {width} pixels, the first ({self.top}, {self.left})>"

    @property
    def size(self) -> tuple[int, int]:
        """Of the smallest rectangle around the pixels that paths lead from."""
        height, width = (length for factor in self.factors for length in factor.shape)
        return height, width

    @cached_property
    def counts(self) -> Array:
        """The counts, (height, width). Raises SegcompileError (SC410) for more than 2**24 pixels."""
        try:
            return _dense(self)
        except TooLarge:
            height, width = self.size
            message = f"a field of {height:,} x {width:,} pixels is too large to draw out"
            raise fail(
                "SC410", message, help=f"an array has at most {MOST_CELLS:,} pixels; `radius` is known"
            ) from None

    @property
    def exact(self) -> bool:
        """Whether every count is the very integer."""
        return self.exponent == 0 and prod(float(factor.max()) for factor in self.factors) <= EXACT

    @property
    def centre(self) -> tuple[float, float]:
        """The input position, (row, column), of the centre of mass, to half a pixel."""
        import numpy

        y, x = (round(2 * float(part @ numpy.arange(len(part)) / part.sum())) / 2 for part in self._sums)
        return self.top + y, self.left + x

    def radius(self, share: float) -> float:
        """The least r such that the square of pixels not further than r, along either axis, from the centre of mass
        holds `share` (0 .. 1) of all paths."""
        import numpy

        rows, columns = self._farther
        if len(self.factors) == 1:
            farther = numpy.maximum(rows[:, None], columns[None, :])
            held = numpy.cumsum(numpy.bincount(farther.ravel(), self.counts.ravel()))
        else:
            most = max(rows.max(), columns.max()) + 1
            height, width = (
                numpy.cumsum(numpy.bincount(places, part / part.sum(), most))
                for places, part in zip((rows, columns), self._sums, strict=True)
            )
            held = height * width
        return float(numpy.searchsorted(held, share * held[-1] * (1 - 1e-12))) / 2

    def square(self, share: float) -> tuple[float, float]:
        """Height and width of the square of that radius, no larger than the rectangle that paths lead from."""
        side, (height, width) = 2 * self.radius(share) + 1, self.size
        return min(side, height), min(side, width)

    @property
    def _sums(self) -> tuple[Array, Array]:
        """In proportion to the paths from each row, and from each column."""
        first, *second = self.factors
        return (first, second[0]) if second else (first.sum(1), first.sum(0))

    @property
    def _farther(self) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
        """How far each row, and each column, is from the centre of mass, in half pixels."""
        import numpy

        starts, (y, x) = (self.top, self.left), self.centre
        rows, columns = (
            (2 * numpy.abs(start + numpy.arange(length) - middle)).astype(int)
            for start, length, middle in zip(starts, self.size, (y, x), strict=True)
        )
        return rows, columns


def _dense(counts: PathCounts) -> Array:
    import numpy

    if len(counts.factors) == 1:
        return counts.factors[0]
    if counts.size[0] * counts.size[1] > MOST_CELLS:
        raise TooLarge
    found = numpy.multiply.outer(*counts.factors)
    found.setflags(write=False)
    return found


def count_paths(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, int]) -> PathCounts | None:
    """The paths from every input pixel (of all inputs together) to `cell` (row, column) of the map that `node` gives;
    None where nothing reaches it. The counts run on into the padding.

    Raises Undecidable where a window depends on a symbolic size, TooLarge where branches meet in fields of more than
    MOST_CELLS pixels.
    """
    import numpy

    found: dict[str, list[PathCounts]] = {node: [PathCounts(*cell, (numpy.ones(1), numpy.ones(1)))]}
    for name in backwards(graph, node):
        if name in graph.inputs or name not in found:
            continue
        total = _sum(found.pop(name))
        for source, height, width in windows_of(graph.by_name[name], shapes):
            read = _read_by(total, height, width)
            if read is not None:
                found.setdefault(source, []).append(read)
    if not found:
        return None
    total = _sum([part for parts in found.values() for part in parts])
    for factor in total.factors:
        factor.setflags(write=False)
    return total


def _read_by(counts: PathCounts, height: Window, width: Window) -> PathCounts | None:
    if len(counts.factors) == 2:
        rows = _along(counts.factors[0][:, None], counts.top, height)
        columns = _along(counts.factors[1][:, None], counts.left, width)
        if rows is None or columns is None:
            return None
        return _scaled(PathCounts(rows[1], columns[1], (rows[0][:, 0], columns[0][:, 0]), counts.exponent))
    rows = _along(counts.factors[0], counts.top, height)
    columns = _along(rows[0].T, counts.left, width) if rows is not None else None
    if rows is None or columns is None:
        return None
    return _scaled(PathCounts(rows[1], columns[1], (columns[0].T,), counts.exponent))


def _along(array: Array, first: int, window: Window) -> tuple[Array, int] | None:
    """The counts of the inputs i with upsample * i = stride * p + dilation * t - offset, summed over p and t, along
    the first axis; and the index of the first of them."""
    import numpy

    if window == Window():
        return array, first
    extent = (len(array) - 1) * window.stride + window.reach + 1
    start = window.stride * first - window.offset
    skip = -start % window.upsample
    if skip >= extent:
        return None
    length = (extent - skip - 1) // window.upsample + 1
    if length * array.shape[1] > MOST_CELLS or extent * array.shape[1] > 4 * MOST_CELLS:
        raise TooLarge
    places = numpy.zeros((extent, array.shape[1]))
    if window.stride:
        places[: (len(array) - 1) * window.stride + 1 : window.stride] = array
    else:
        places[0] = array.sum(0)
    places = _repeated(places, window.taps, window.dilation)
    return places[skip :: window.upsample], (start + skip) // window.upsample


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
    top, left = min(part.top for part in parts), min(part.left for part in parts)
    height = max(part.top + part.size[0] for part in parts) - top
    width = max(part.left + part.size[1] for part in parts) - left
    if height * width > MOST_CELLS:
        raise TooLarge
    exponent = max(part.exponent for part in parts)
    total = numpy.zeros((height, width))
    for part in parts:
        y, x, scale = part.top - top, part.left - left, 2.0 ** (part.exponent - exponent)
        total[y : y + part.size[0], x : x + part.size[1]] += _dense(part) * scale
    return _scaled(PathCounts(top, left, (total,), exponent))
