"""What several rules have in common: the arguments of PyTorch's functions."""

from __future__ import annotations

from segcompile.ops import Conv, Deconv, Pad, Pool


def pads(op: Conv | Deconv | Pool | Pad) -> tuple[int, int, int, int]:
    """(left, right, top, bottom), the order of F.pad."""
    (top, bottom), (left, right) = op.pads(0), op.pads(1)
    return left, right, top, bottom
