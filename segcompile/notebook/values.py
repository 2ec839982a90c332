"""What one output sees, and sets of cells, as frozen values. Numbers and index sets come one an axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

from segcompile.facts.coverage.path_counts import MOST_CELLS
from segcompile.facts.coverage.region import Product, Region
from segcompile.facts.index_set import IndexSet
from segcompile.ops import AXIS_NAMES, CELL, LINES
from segcompile.text.errors import fail
from segcompile.text.listing import counted, listed

if TYPE_CHECKING:
    from segcompile.facts.coverage.region import Mask

Phase = tuple[int, ...]


@dataclass(frozen=True, slots=True, repr=False)
class PhaseField:
    """What the outputs at `phase` + n * period see, at n = 0: of an image, `along` is its rows and its columns."""

    phase: Phase
    along: Product | None  # None for nothing

    @property
    def size(self) -> tuple[int, ...]:
        """From the first to the last cell of the input; 0 where nothing is seen."""
        return widths(self.along, len(self.phase))

    @property
    def start(self) -> tuple[int, ...] | None:
        """The first cell; None where nothing is seen."""
        return lows(self.along)

    @property
    def stop(self) -> tuple[int, ...] | None:
        """One behind the last cell; None where nothing is seen."""
        return tuple(factor.high + 1 for factor in self.along) if self.along else None

    @property
    def touched(self) -> tuple[int, ...]:
        """Indices of which some cell is seen: fewer than `size` where there are holes."""
        return counts(self.along, len(self.phase))

    @property
    def holes(self) -> tuple[int, ...]:
        """Indices between the first and the last of which no cell is seen."""
        return tuple(size - seen for size, seen in zip(self.size, self.touched, strict=True))

    def __repr__(self) -> str:
        named = zip(LINES[len(self.phase)], self.along or (None,) * len(self.phase), strict=True)
        return f"PhaseField(phase={self.phase}, {', '.join(f'{line}={indices(found)}' for line, found in named)})"


def shown(phase: Phase) -> str:
    """`3,5`."""
    return ",".join(map(str, phase))


def check_numbers(what: str, given: int, rank: int) -> None:
    """SC410 if `what` has not one number an axis."""
    if given != rank:
        axes = f"{counted(rank, 'axis', 'axes')}, {listed(AXIS_NAMES[rank])}"
        raise fail("SC410", f"{what} has {counted(given, 'number')}; the network has {axes}", help="one number an axis")


def widths(along: Product | None, rank: int) -> tuple[int, ...]:
    """From the first to the last index, along each axis; 0 of nothing."""
    return tuple(factor.width for factor in along) if along else (0,) * rank


def counts(along: Product | None, rank: int) -> tuple[int, ...]:
    """The indices along each axis; 0 of nothing."""
    return tuple(factor.count for factor in along) if along else (0,) * rank


def lows(along: Product | None) -> tuple[int, ...] | None:
    """The first index along each axis; None of nothing."""
    return tuple(factor.low for factor in along) if along else None


def indices(found: IndexSet | None) -> str:
    """`-6 to 6`, `-6 to 6 (7 of 13)` where there are holes, `none`."""
    return "none" if found is None else str(found)


def spans(along: Sequence[IndexSet | None]) -> str:
    """`rows 0 to 3, columns -6 to 6 (7 of 13)`."""
    return ", ".join(f"{line} {indices(found)}" for line, found in zip(LINES[len(along)], along, strict=True))


@dataclass(frozen=True, slots=True, repr=False)
class Cells:
    """An exact set of cells of a map of `rank` axes."""

    region: Region | None  # None: there are none
    rank: int

    @property
    def count(self) -> int:
        """Cells."""
        return self.region.count if self.region else 0

    @property
    def size(self) -> tuple[int, ...]:
        """The smallest box around them; 0 where there are none."""
        return widths(self._along, self.rank)

    @property
    def start(self) -> tuple[int, ...] | None:
        """The first index of that box, along each axis."""
        return lows(self._along)

    @property
    def touched(self) -> tuple[int, ...]:
        """Indices along each axis that hold a cell: the projections."""
        return counts(self._along, self.rank)

    @property
    def _along(self) -> Product | None:
        return self.region.along if self.region else None

    @property
    def fill(self) -> Fraction:
        """Cells, of the box."""
        return Fraction(self.count, prod(self.size) or 1)

    @property
    def fill_of_projections(self) -> Fraction:
        """Cells, of the product of the projections: below 1 where branches differ."""
        return Fraction(self.count, prod(self.touched) or 1)

    def runs(self) -> Iterator[tuple[int, ...]]:
        """Every stretch of cells along the last axis without a hole: of an image, (row, first column, last column)."""
        if self.region:
            yield from self.region.runs()

    def array(self) -> Mask:
        """The box, true where a cell is; its first cell is `start`. Needs numpy.

        Raises SegcompileError (SC410) for a box of more than 2**24 cells, and where there is none.
        """
        if self.region is None:
            raise fail("SC410", self._nothing)
        if prod(self.size) > MOST_CELLS:
            size, cells = " x ".join(f"{extent:,}" for extent in self.size), f"{CELL[self.rank]}s"
            message = f"a field of {size} {cells} is too large to draw out"
            raise fail("SC410", message, help=f"`runs` lists it; an array has at most {MOST_CELLS:,} {cells}")
        return self.region.mask()

    @property
    def _nothing(self) -> str:
        """Why there is no box, if there is none."""
        return "no output is touched through windows alone: there is no box to draw out"


@dataclass(frozen=True, slots=True, repr=False)
class Coverage(Cells):
    """The exact set of input cells that one output sees, by the paths that do not mix the whole input."""

    phase: Phase
    whole_image: bool  # every other cell is seen as well, through an op that mixes the whole input

    @property
    def _nothing(self) -> str:
        return "everything is seen: there is no box to draw out"

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.size))
        whole = ", and everything else" if self.whole_image else ""
        return f"<phase {self.phase} sees {self.count} of {size} {CELL[self.rank]}s{whole}>"
