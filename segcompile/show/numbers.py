"""How numbers are written in every answer, in text and in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from segcompile.facts.index_set import IndexSet
from segcompile.ops import LINES, AnySize

if TYPE_CHECKING:
    from segcompile.notebook.values import Cells

WIDTH = 110  # characters of a line


def area(size: Sequence[float]) -> str:
    """`13 x 15`."""
    return " x ".join(f"{extent:g}" for extent in size)


def short(count: int | None) -> str:
    """`27.9 G`; nothing where there is nothing to count, or where a size is symbolic."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count is not None and count >= size:
            return f"{count / size:,.1f} {unit}"
    return str(count or "")


def number(value: Fraction | int | AnySize | None) -> int | float | str | None:
    """A number as JSON has it; a ratio that a float cannot hold is text."""
    if isinstance(value, AnySize):
        return str(value)
    if not isinstance(value, Fraction):
        return value
    if value.denominator == 1:
        return int(value)
    return float(value) if Fraction(float(value)) == value else str(value)


def bands(found: Cells) -> list[dict[str, list[tuple[int, int]]]]:
    """The cells as products of which no two share one: of each, the runs [first, last] along every axis."""
    products = found.region.bands if found.region else ()
    return [{line: runs(factor) for line, factor in zip(LINES[found.rank], band, strict=True)} for band in products]


def runs(indices: IndexSet | None) -> list[tuple[int, int]]:
    """The runs of a set, [first, last]."""
    return list(indices.runs()) if indices is not None else []
