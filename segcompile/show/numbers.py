"""How numbers are written in every answer, in text and in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from segcompile.facts.index_set import IndexSet
from segcompile.ops import AnySize

WIDTH = 110  # characters of a line


def area(size: Sequence[float]) -> str:
    """`13 x 15`."""
    return " x ".join(f"{extent:g}" for extent in size)


def many(count: int, noun: str) -> str:
    """`1 output`, `2 outputs`."""
    return f"{count} {noun}s" if count != 1 else noun


def number(value: Fraction | int | AnySize | None) -> int | float | str | None:
    """A number as JSON has it; a ratio that a float cannot hold is text."""
    if isinstance(value, AnySize):
        return str(value)
    if not isinstance(value, Fraction):
        return value
    if value.denominator == 1:
        return int(value)
    return float(value) if Fraction(float(value)) == value else str(value)


def runs(indices: IndexSet | None) -> list[tuple[int, int]]:
    """The runs of a set, [first, last]."""
    return list(indices.runs()) if indices is not None else []
