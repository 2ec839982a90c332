"""Numbers that come one an axis."""

from __future__ import annotations

from fractions import Fraction

from segcompile.ops import CELL, AnySize, Size
from segcompile.ops.size import times

Value = Size | Fraction | None
PerAxis = tuple[Value, ...]


def show(each: PerAxis) -> str:
    """`67`, or `67x65` where they differ; `(H-4) x (W-4)` where they depend on the image's."""
    if any(isinstance(value, AnySize) for value in each):
        return times(*(value for value in each if isinstance(value, int | AnySize)))
    return str(each[0]) if len(set(each)) == 1 else "x".join(map(str, each))


def input_cells(count: Fraction | int, rank: int) -> str:
    """`1/2 input pixel`, `3 input samples`."""
    return f"{count} input {CELL[rank]}{'' if count <= 1 else 's'}"
