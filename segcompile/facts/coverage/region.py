"""Exact sets of (row, column) cells, as unions of products of index sets.

Windows treat the axes apart, so one path gives a product rows x columns; where branches meet, products are united
and the result is no product any more: ASPP's branches touch 25 of the 7 x 7 cells of its projections.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from segcompile.facts.index_set import IndexSet, read_by, union
from segcompile.ops import Window

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Mask = NDArray[numpy.bool_]

Product = tuple[IndexSet, IndexSet]  # rows, columns

MOST = 64  # products that are kept as they come; more are split into bands of rows, of which there are not many


@dataclass(frozen=True)
class Region:
    """The union of its products; never empty. Raises TooWide for fields beyond any network's."""

    products: tuple[Product, ...]

    @staticmethod
    def cell(row: int, column: int) -> Region:
        """One cell."""
        return Region(((IndexSet(row, row), IndexSet(column, column)),))

    @cached_property
    def rows(self) -> IndexSet:
        """The rows that hold a cell: the projection on the vertical axis."""
        found = union(rows for rows, _ in self.products)
        assert found is not None
        return found

    @cached_property
    def columns(self) -> IndexSet:
        """The columns that hold a cell."""
        found = union(columns for _, columns in self.products)
        assert found is not None
        return found

    @cached_property
    def bands(self) -> tuple[tuple[IndexSet, IndexSet], ...]:
        """The same cells with disjoint rows: every row once, in the band of the columns it holds."""
        return tuple(_bands(self.products))

    @cached_property
    def count(self) -> int:
        """Cells."""
        return sum(rows.count * columns.count for rows, columns in self.bands)

    def __contains__(self, cell: tuple[int, int]) -> bool:
        return any(cell[0] in rows and cell[1] in columns for rows, columns in self.products)

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """(row, first column, last column) of every stretch of cells."""
        for rows, columns in self.bands:
            stretches = list(columns.runs())
            for first, last in rows.runs():
                for row in range(first, last + 1):
                    yield from ((row, start, end) for start, end in stretches)

    def mask(self) -> Mask:
        """The smallest rectangle around the cells, true where there is one; [0, 0] is (rows.low, columns.low)."""
        import numpy

        found = numpy.zeros((self.rows.width, self.columns.width), dtype=bool)
        for row, first, last in self.runs():
            found[row - self.rows.low, first - self.columns.low : last - self.columns.low + 1] = True
        return found

    def read_by(self, height: Window, width: Window) -> Region | None:
        """The cells of a tensor that these cells of the next one read."""
        found = ((read_by(height, rows), read_by(width, columns)) for rows, columns in self.products)
        return unite((rows, columns) for rows, columns in found if rows is not None and columns is not None)

    def within(self, height: int, width: int) -> Region | None:
        """The part on a map of that size."""
        found = ((rows.within(0, height - 1), columns.within(0, width - 1)) for rows, columns in self.products)
        return unite((rows, columns) for rows, columns in found if rows is not None and columns is not None)


def unite(products: Iterable[Product]) -> Region | None:
    """The union, in as few products as are easily found; None for the empty set."""
    found = _merged(_merged(list(dict.fromkeys(products)), 0), 1)
    kept: list[Product] = []
    for product in sorted(found, key=lambda item: -item[0].width * item[1].width):
        if not any(rows.issuperset(product[0]) and columns.issuperset(product[1]) for rows, columns in kept):
            kept.append(product)
    if len(kept) > MOST:
        kept = _bands(kept)
    return Region(tuple(kept)) if kept else None


def _merged(products: list[Product], axis: int) -> list[Product]:
    """One product for all that are equal along `axis`."""
    if len(products) < 2:
        return products
    groups: dict[IndexSet, list[IndexSet]] = {}
    for product in products:
        groups.setdefault(product[axis], []).append(product[1 - axis])
    joined = ((same, union(others)) for same, others in groups.items())
    return [(same, other) if axis == 0 else (other, same) for same, other in joined if other is not None]


def _bands(products: Iterable[Product]) -> list[Product]:
    """Products with disjoint rows and pairwise different columns."""
    bands: list[Product] = []
    for rows, columns in products:
        split: list[Product] = []
        rest: IndexSet | None = rows
        for had, inside in bands:
            both = had.intersection(rows)
            split += [(both, union((inside, columns)) or columns)] if both is not None else []
            outside = had.difference(rows)
            split += [(outside, inside)] if outside is not None else []
            rest = rest and rest.difference(had)
        bands = _merged(split + ([(rest, columns)] if rest is not None else []), 1)
    return bands
