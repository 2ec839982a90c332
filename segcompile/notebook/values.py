"""What one output pixel sees, and sets of cells, as frozen values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from segcompile.facts.coverage.path_counts import MOST_CELLS
from segcompile.facts.coverage.region import Region
from segcompile.facts.index_set import IndexSet
from segcompile.text.errors import fail

if TYPE_CHECKING:
    from segcompile.facts.coverage.region import Mask

Phase = tuple[int, int]


@dataclass(frozen=True, slots=True, repr=False)
class PhaseField:
    """What output pixels (y, x) = phase + n * period see, at n = 0: index sets along both axes, None for nothing."""

    phase: Phase
    rows: IndexSet | None
    columns: IndexSet | None

    @property
    def size(self) -> tuple[int, int]:
        """From the first to the last input pixel; (0, 0) where nothing is seen."""
        return (self.rows.width, self.columns.width) if self.rows and self.columns else (0, 0)

    @property
    def start(self) -> tuple[int, int] | None:
        """The first row and column; None where nothing is seen."""
        return (self.rows.low, self.columns.low) if self.rows and self.columns else None

    @property
    def stop(self) -> tuple[int, int] | None:
        """One behind the last row and column; None where nothing is seen."""
        return (self.rows.high + 1, self.columns.high + 1) if self.rows and self.columns else None

    @property
    def touched(self) -> tuple[int, int]:
        """Rows and columns of which some pixel is seen: fewer than `size` where there are holes."""
        return (self.rows.count, self.columns.count) if self.rows and self.columns else (0, 0)

    @property
    def holes(self) -> tuple[int, int]:
        """Rows and columns between the first and the last of which no pixel is seen."""
        return self.size[0] - self.touched[0], self.size[1] - self.touched[1]

    def __repr__(self) -> str:
        return f"PhaseField(phase={self.phase}, rows={indices(self.rows)}, columns={indices(self.columns)})"


def indices(found: IndexSet | None) -> str:
    """`-6 to 6`, `-6 to 6 (7 of 13)` where there are holes, `none`."""
    return "none" if found is None else str(found)


@dataclass(frozen=True, slots=True, repr=False)
class Cells:
    """An exact set of (row, column) cells of a map."""

    region: Region | None  # None: there are none

    @property
    def count(self) -> int:
        """Cells."""
        return self.region.count if self.region else 0

    @property
    def size(self) -> tuple[int, int]:
        """The smallest rectangle around them; (0, 0) where there are none."""
        rows, columns = self._sides
        return (rows.width, columns.width) if rows and columns else (0, 0)

    @property
    def start(self) -> tuple[int, int] | None:
        """The first row and column of that rectangle."""
        rows, columns = self._sides
        return (rows.low, columns.low) if rows and columns else None

    @property
    def touched(self) -> tuple[int, int]:
        """Rows and columns that hold a cell: the projections."""
        rows, columns = self._sides
        return (rows.count, columns.count) if rows and columns else (0, 0)

    @property
    def _sides(self) -> tuple[IndexSet | None, ...]:
        return self.region.along if self.region else (None, None)

    @property
    def fill(self) -> Fraction:
        """Cells, of the rectangle."""
        return Fraction(self.count, self.size[0] * self.size[1] or 1)

    @property
    def fill_of_projections(self) -> Fraction:
        """Cells, of rows x columns that hold one: below 1 where branches differ."""
        return Fraction(self.count, self.touched[0] * self.touched[1] or 1)

    def runs(self) -> Iterator[tuple[int, ...]]:
        """(row, first column, last column) of every stretch of cells without a hole."""
        if self.region:
            yield from self.region.runs()

    def array(self) -> Mask:
        """The rectangle, true where a cell is; [0, 0] is the cell `start`. Needs numpy.

        Raises SegcompileError (SC410) for a rectangle of more than 2**24 cells, and where there is none.
        """
        height, width = self.size
        if self.region is None:
            raise fail("SC410", self._nothing)
        if height * width > MOST_CELLS:
            message = f"a field of {height:,} x {width:,} pixels is too large to draw out"
            raise fail("SC410", message, help=f"`runs` lists it; an array has at most {MOST_CELLS:,} pixels")
        return self.region.mask()

    @property
    def _nothing(self) -> str:
        """Why there is no rectangle, if there is none."""
        return "no output is touched through windows alone: there is no rectangle to draw out"


@dataclass(frozen=True, slots=True, repr=False)
class Coverage(Cells):
    """The exact set of input pixels that one output pixel sees, by the paths that do not mix the whole image."""

    phase: Phase
    whole_image: bool  # every other pixel is seen as well, through an op that mixes the whole image

    @property
    def _nothing(self) -> str:
        return "the whole image is seen: there is no rectangle to draw out"

    def __repr__(self) -> str:
        whole = ", and the whole image" if self.whole_image else ""
        return f"<phase {self.phase} sees {self.count} of {self.size[0]} x {self.size[1]} pixels{whole}>"
