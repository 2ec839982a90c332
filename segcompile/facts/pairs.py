"""Numbers that come in two, along height and width."""

from __future__ import annotations

from fractions import Fraction

from segcompile.ops import AnySize, Size
from segcompile.ops.size import times

Value = Size | Fraction | None
Pair = tuple[Value, Value]


def show(pair: Pair) -> str:
    """`67`, or `67x65` where height and width differ; `(H-4) x (W-4)` where they depend on the image's."""
    height, width = pair
    if isinstance(height, AnySize) or isinstance(width, AnySize):
        return times(*(value for value in pair if isinstance(value, int | AnySize)))
    return str(height) if height == width else f"{height}x{width}"


def pixels(count: Fraction | int) -> str:
    """`1/2 input pixel`, `3 input pixels`."""
    return f"{count} input pixel{'' if count <= 1 else 's'}"
