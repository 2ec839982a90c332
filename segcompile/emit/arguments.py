"""Arguments of an op as frameworks write them."""

from __future__ import annotations

from segcompile.ops import Conv, Deconv, Pool


def symmetric(op: Conv | Deconv | Pool) -> bool:
    """Whether both sides of each axis are padded alike."""
    return all(op.pads(axis)[0] == op.pads(axis)[1] for axis in range(len(op.kernel)))


def same_sides(each: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number for equal ones."""
    return each[0] if len(set(each)) == 1 else each


def number(value: float) -> str:
    """The shortest text that means exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
