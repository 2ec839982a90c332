"""Exact sets of cells of a map, as unions of products of index sets, one an axis.

Windows treat the axes apart, so one path gives a product, of an image rows x columns; where branches meet, products are
united and the result is no product any more: ASPP's branches touch 25 of the 7 x 7 cells of its projections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product as every
from math import prod
from typing import TYPE_CHECKING

from segcompile.facts.index_set import IndexSet, read_by_all, union
from segcompile.ops import Chain

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Mask = NDArray[numpy.bool_]

Product = tuple[IndexSet, ...]  # one factor an axis

MOST = 64  # products that are kept as they come; more are split into bands of rows, of which there are not many


@dataclass(frozen=True)
class Region:
    """The union of its products; never empty. Raises TooWide for fields beyond any network's."""

    products: tuple[Product, ...]

    @staticmethod
    def cell(indices: Sequence[int]) -> Region:
        """One cell."""
        return Region((tuple(IndexSet(index, index) for index in indices),))

    @cached_property
    def along(self) -> Product:
        """The projection on each axis: of an image the rows that hold a cell, and the columns."""
        found = tuple(union(factors) for factors in zip(*self.products, strict=True))
        return tuple(factor for factor in found if factor is not None)

    @cached_property
    def bands(self) -> tuple[Product, ...]:
        """The same cells in products of which no two share one; of an image every row once, in the band of the columns
        it holds."""
        return tuple(_apart(self.products))

    @cached_property
    def count(self) -> int:
        """Cells."""
        return sum(prod(factor.count for factor in band) for band in self.bands)

    def __contains__(self, cell: Sequence[int]) -> bool:
        return any(all(map(IndexSet.__contains__, product, cell)) for product in self.products)

    def runs(self) -> Iterator[tuple[int, ...]]:
        """Every stretch of cells along the last axis: (row, first column, last column) of an image."""
        for *outer, last in self.bands:
            stretches = list(last.runs())
            for indices in every(*map(_indices, outer)):
                yield from ((*indices, *ends) for ends in stretches)

    def mask(self) -> Mask:
        """The smallest box around the cells, true where there is one; its first cell has the low ends of `along`."""
        import numpy

        found = numpy.zeros([factor.width for factor in self.along], dtype=bool)
        lows = [factor.low for factor in self.along]
        for *outer, first, last in self.runs():
            row = [slice(index - low, index - low + 1) for index, low in zip(outer, lows, strict=False)]
            found[(*row, slice(first - lows[-1], last - lows[-1] + 1))] = True
        return found

    def read_by(self, chains: Sequence[Chain]) -> Region | None:
        """The cells of a tensor that these cells of another one read, by windows, a chain an axis."""
        return unite(whole(map(read_by_all, chains, product)) for product in self.products)

    def within(self, sizes: Sequence[int]) -> Region | None:
        """The part on a map of these sizes."""
        ends = [size - 1 for size in sizes]
        return unite(
            whole(factor.within(0, end) for factor, end in zip(product, ends, strict=True)) for product in self.products
        )


def whole(factors: Iterable[IndexSet | None]) -> Product | None:
    """The product; None for the empty one, of which a factor is empty."""
    found: Product = ()
    for factor in factors:
        if factor is None:
            return None
        found = (*found, factor)
    return found


def unite(products: Iterable[Product | None]) -> Region | None:
    """The union, in as few products as are easily found; None for the empty set."""
    found = list(dict.fromkeys(product for product in products if product is not None))
    if len(found) < 2:
        return Region(tuple(found)) if found else None
    for axis in reversed(range(len(found[0]))):
        found = _merged(found, axis)
    kept: list[Product] = []
    for product in sorted(found, key=lambda item: -prod(factor.width for factor in item)):
        if not any(all(map(IndexSet.issuperset, other, product)) for other in kept):
            kept.append(product)
    if len(kept) > MOST:
        kept = _apart(kept)
    return Region(tuple(kept))


def _merged(products: list[Product], axis: int) -> list[Product]:
    """One product for all that differ along `axis` alone."""
    groups: dict[Product, list[IndexSet]] = {}
    for product in products:
        groups.setdefault(product[:axis] + product[axis + 1 :], []).append(product[axis])
    joined = ((same, union(others)) for same, others in groups.items())
    return [(*same[:axis], other, *same[axis:]) for same, other in joined if other is not None]


def _apart(products: Iterable[Product]) -> list[Product]:
    """Products of which no two share a cell: disjoint along the first axis, or alike there and disjoint behind it."""
    bands: list[tuple[IndexSet, tuple[Product, ...]]] = []
    for first, *others in products:
        behind: Product = tuple(others)
        split: list[tuple[IndexSet, tuple[Product, ...]]] = []
        rest: IndexSet | None = first
        for had, inside in bands:
            both = had.intersection(first)
            split += [(both, _with(inside, behind))] if both is not None else []
            outside = had.difference(first)
            split += [(outside, inside)] if outside is not None else []
            rest = rest and rest.difference(had)
        split += [(rest, (behind,))] if rest is not None else []
        groups: dict[tuple[Product, ...], list[IndexSet]] = {}
        for had, inside in split:
            groups.setdefault(inside, []).append(had)
        bands = [(both, inside) for inside, alike in groups.items() if (both := union(alike)) is not None]
    return [(first, *product) for first, inside in bands for product in inside]


def _with(products: tuple[Product, ...], product: Product) -> tuple[Product, ...]:
    """Products apart, and one more that may share cells with them."""
    if not product or product in products:
        return products
    if len(product) == 1:
        return ((union((*(factor for (factor,) in products), *product)) or product[0],),)
    return tuple(_apart((*products, product)))


def _indices(factor: IndexSet) -> Iterator[int]:
    return (index for first, last in factor.runs() for index in range(first, last + 1))
