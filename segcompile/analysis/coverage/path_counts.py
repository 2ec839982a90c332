"""How many paths lead from each input pixel to one output cell: the theoretical effective receptive field.

The count is the gradient of the network with one channel everywhere, all weights one and no activations (Luo, Li,
Urtasun & Zemel, 2016, section 2.1, with every layer's weights equal): every tap of every window is one way through,
a join adds up what its inputs bring, and ops that mix the whole image are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcompile.analysis.coverage.reach import backwards, windows_of
from segcompile.graph import Graph
from segcompile.ops import Shape, Window

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Array = NDArray[numpy.float64]

MOST_CELLS = 2**24  # of one tensor: 128 MiB of counts
_LARGE = 2.0**512  # from here on counts are kept as multiples of 2**SHIFT
_SHIFT = 400
EXACT = 2.0**53  # a float64 is an exact integer up to here


class TooLarge(Exception):
    """More cells than MOST_CELLS."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PathCounts:
    """counts[y, x] * 2**exponent paths lead from input pixel (top + y, left + x) to the output cell."""

    top: int
    left: int
    counts: Array
    exponent: int = 0

    def __repr__(self) -> str:
        height, width = self.counts.shape
        return f"<paths from {height} x {width} pixels, the first ({self.top}, {self.left})>"

    @property
    def exact(self) -> bool:
        """Whether every count is the very integer."""
        return self.exponent == 0 and float(self.counts.max()) <= EXACT

    @property
    def centre(self) -> tuple[float, float]:
        """The input position, (row, column), of the centre of mass, to half a pixel."""
        import numpy

        rows, columns = self.counts.sum(1), self.counts.sum(0)
        y, x = (round(2 * float(part @ numpy.arange(len(part)) / part.sum())) / 2 for part in (rows, columns))
        return self.top + y, self.left + x

    def radius(self, share: float) -> float:
        """The least r such that the square of pixels not further than r, along either axis, from the centre of mass
        holds `share` (0 .. 1) of all paths."""
        import numpy

        y, x = self.centre
        rows = numpy.abs(self.top + numpy.arange(self.counts.shape[0]) - y)
        columns = numpy.abs(self.left + numpy.arange(self.counts.shape[1]) - x)
        farther = (2 * numpy.maximum(rows[:, None], columns[None, :])).astype(int)  # in half pixels
        held = numpy.cumsum(numpy.bincount(farther.ravel(), self.counts.ravel()))
        return float(numpy.searchsorted(held, share * held[-1] * (1 - 1e-12))) / 2


def count_paths(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, int]) -> PathCounts | None:
    """The paths from every input pixel (of all inputs together) to `cell` (row, column) of the map that `node` gives;
    None where nothing reaches it. The counts run on into the padding.

    Raises Undecidable where a window depends on a symbolic size, TooLarge for fields of more than MOST_CELLS pixels.
    """
    import numpy

    found: dict[str, list[PathCounts]] = {node: [PathCounts(cell[0], cell[1], numpy.ones((1, 1)))]}
    for name in backwards(graph, node):
        if name in graph.inputs or name not in found:
            continue
        total = _sum(found.pop(name))
        for source, height, width in windows_of(graph.by_name[name], shapes):
            read = _read_by(total, height, width)
            if read is not None:
                found.setdefault(source, []).append(read)
    return _sum([part for parts in found.values() for part in parts]) if found else None


def _read_by(counts: PathCounts, height: Window, width: Window) -> PathCounts | None:
    rows = _along(counts.counts, counts.top, height)
    columns = _along(rows[0].T, counts.left, width) if rows is not None else None
    if rows is None or columns is None:
        return None
    return _scaled(PathCounts(rows[1], columns[1], columns[0].T, counts.exponent))


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
    for tap in range(window.taps):
        at = tap * window.dilation
        if window.stride:
            places[at : at + (len(array) - 1) * window.stride + 1 : window.stride] += array
        else:
            places[at] += array.sum(0)
    return places[skip :: window.upsample], (start + skip) // window.upsample


def _scaled(counts: PathCounts) -> PathCounts:
    """The same counts, far from the largest float."""
    if counts.counts.max() < _LARGE:
        return counts
    return PathCounts(counts.top, counts.left, counts.counts * 2.0**-_SHIFT, counts.exponent + _SHIFT)


def _sum(parts: list[PathCounts]) -> PathCounts:
    """All of them, laid over one another."""
    import numpy

    if len(parts) == 1:
        return parts[0]
    top, left = min(part.top for part in parts), min(part.left for part in parts)
    height = max(part.top + part.counts.shape[0] for part in parts) - top
    width = max(part.left + part.counts.shape[1] for part in parts) - left
    if height * width > MOST_CELLS:
        raise TooLarge
    exponent = max(part.exponent for part in parts)
    total = numpy.zeros((height, width))
    for part in parts:
        y, x, scale = part.top - top, part.left - left, 2.0 ** (part.exponent - exponent)
        total[y : y + part.counts.shape[0], x : x + part.counts.shape[1]] += part.counts * scale
    return _scaled(PathCounts(top, left, total, exponent))
