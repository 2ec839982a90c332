"""Numbers that come in two, along height and width."""

from __future__ import annotations

from fractions import Fraction

from segcompile.ops import Size

Value = Size | Fraction | None
Pair = tuple[Value, Value]


def show(pair: Pair) -> str:
    """`67`, or `67x65` where height and width differ."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"
