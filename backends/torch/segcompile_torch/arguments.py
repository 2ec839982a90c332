"""What several rules have in common: the arguments of PyTorch's functions."""

from __future__ import annotations

from segcompile.emit import Code
from segcompile.emit.arguments import Sides, number, sides
from segcompile.ops import Conv, Deconv, Pad, Pool

_PAD_MODE = {"reflect": "reflect", "edge": "replicate", "circular": "circular"}  # in F.pad


def pads(op: Conv | Deconv | Pool | Pad) -> tuple[int, ...]:
    """The padding, in the order of F.pad."""
    return in_order(sides(op))


def padded(source: str, around: tuple[int, ...], mode: str, value: float = 0.0) -> Code:
    """Code that pads a map; `around` is in the order of F.pad, `mode` and `value` are the spec's."""
    filled = f", value={number(value)}" if value else ""
    told = filled if mode == "zero" else f', mode="{_PAD_MODE[mode]}"'
    return Code(f"F.pad({source}, {around}{told})", {"F"})


def in_order(around: Sides) -> tuple[int, ...]:
    """(left, right, top, bottom), the order of F.pad: before and after, from the last axis on."""
    return tuple(side for pair in reversed(around) for side in pair)


def befores(op: Conv | Deconv | Pool) -> tuple[int, ...]:
    """The padding before each axis, which is that behind it where both are alike."""
    return tuple(op.pads(axis)[0] for axis in range(len(op.kernel)))
