"""What several rules have in common: padding as JAX writes it, height first."""

from __future__ import annotations

from segcompile.emit import Argument, Code
from segcompile.emit.arguments import Sides, same_sides, sides, symmetric
from segcompile.ops import Conv

RNGS: tuple[tuple[str, Argument], ...] = (("rngs", "rngs"),)


def padding(op: Conv) -> int | tuple[int, ...] | str:
    """The argument of nnx.Conv: numbers where the sides are alike."""
    return same_sides(tuple(before for before, _ in sides(op))) if symmetric(op) else str(sides(op))


def is_padded_before(op: Conv) -> bool:
    """Whether the image is padded before a convolution, not by it: with edges and reflections; and with more zeros
    before it than the kernel reaches but fewer behind, of which XLA gets the gradient wrong in float32 on a CPU
    (openxla/xla#48713)."""
    reaches = (op.window(axis, (), 0).reach for axis in range(len(op.kernel)))
    wrong = any(before > reach > behind for (before, behind), reach in zip(sides(op), reaches, strict=True))
    return wrong or (op.mode != "zero" and any(map(any, sides(op))))


def padded(source: str, around: Sides, mode: str) -> Code:
    """Code that pads a map; `mode` is the spec's."""
    told = "" if mode == "zero" else f', mode="{mode}"'
    return Code(f"jnp.pad({source}, {((0, 0), *around, (0, 0))}{told})", {"jnp"})
