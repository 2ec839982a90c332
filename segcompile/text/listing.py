"""Names and numbers in sentences."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 3  # names that stand for many


def first_few(names: Sequence[str]) -> str:
    """`a, b`, `a, b, c, ...`."""
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def listed(names: Sequence[str]) -> str:
    """`height`, `rows and columns`, `slices, rows and columns`."""
    *others, last = names or ("",)
    return f"{', '.join(others)} and {last}" if others else last


def many(count: int, noun: str) -> str:
    """`output`, `2 outputs`: how many an `every` speaks of."""
    return f"{count} {noun}s" if count != 1 else noun


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 output`, `2,000 outputs`; `1 axis`, `2 axes`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
