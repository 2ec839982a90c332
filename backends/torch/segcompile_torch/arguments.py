"""What several rules have in common: the arguments of PyTorch's functions."""

from __future__ import annotations

from segcompile.ops import AXES, Conv, Deconv, Pad, Pool


def pads(op: Conv | Deconv | Pool | Pad) -> tuple[int, int, int, int]:
    """(left, right, top, bottom), the order of F.pad."""
    (top, bottom), (left, right) = op.pads(0), op.pads(1)
    return left, right, top, bottom


def symmetric(op: Conv | Deconv | Pool) -> bool:
    return all(op.pads(axis)[0] == op.pads(axis)[1] for axis in AXES)


def same_sides(pair: tuple[int, int]) -> int | tuple[int, int]:
    return pair[0] if pair[0] == pair[1] else pair


def number(value: float) -> str:
    """The shortest text that means exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
