"""Arguments of an op as frameworks write them."""

from __future__ import annotations

from segcompile.ops import AXES, Conv, Deconv, Pool


def symmetric(op: Conv | Deconv | Pool) -> bool:
    """Whether both sides of each axis are padded alike."""
    return all(op.pads(axis)[0] == op.pads(axis)[1] for axis in AXES)


def same_sides(pair: tuple[int, int]) -> int | tuple[int, int]:
    """One number for two equal ones."""
    return pair[0] if pair[0] == pair[1] else pair


def number(value: float) -> str:
    """The shortest text that means exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
