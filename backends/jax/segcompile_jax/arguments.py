"""What several rules have in common: padding as JAX writes it, height first."""

from __future__ import annotations

from segcompile.emit import Argument, Code
from segcompile.emit.arguments import Sides, number, same_sides, sides, symmetric
from segcompile.ops import Conv

RNGS: tuple[tuple[str, Argument], ...] = (("rngs", "rngs"),)


def padding(op: Conv) -> int | tuple[int, ...] | str:
    """The argument of nnx.Conv: numbers where the sides are alike."""
    return same_sides(tuple(before for before, _ in sides(op))) if symmetric(op) else str(sides(op))


def is_padded_before(op: Conv) -> bool:
    """Whether the image is padded before a convolution, not by it: with its own pixels; and with more zeros
    before it than the kernel reaches but fewer behind, of which XLA gets the gradient wrong in float32 on a CPU
    (openxla/xla#48713)."""
    reaches = (op.window_on(axis, (), 0).reach for axis in range(len(op.kernel)))
    wrong = any(before > reach > behind for (before, behind), reach in zip(sides(op), reaches, strict=True))
    return wrong or (op.mode != "zero" and any(map(any, sides(op))))


_PAD_MODE = {"reflect": "reflect", "edge": "edge", "circular": "wrap"}  # in jnp.pad


def padded(source: str, around: Sides, mode: str, value: float = 0.0) -> Code:
    """Code that pads a map; `mode` and `value` are the spec's."""
    filled = f", constant_values={number(value)}" if value else ""
    told = filled if mode == "zero" else f', mode="{_PAD_MODE[mode]}"'
    return Code(f"jnp.pad({source}, {((0, 0), *around, (0, 0))}{told})", {"jnp"})
