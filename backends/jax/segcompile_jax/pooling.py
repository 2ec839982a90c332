"""Pooling, and pooling undone, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Code, Rule
from segcompile.ops import GlobalPool, Op, Pool, Shape, Unpool
from segcompile_jax.arguments import Sides, sides


def pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """The mean counts the spec's padding, as in PyTorch and Caffe, but not what a last window overhangs."""
    around = _reached(op)
    overhang = tuple((0, reached - after) for (_, reached), (_, after) in zip(around, sides(op), strict=True))
    if max(op.dilation) > 1:
        text = f"dilated_max_pool({inputs[0]}, {op.kernel}, {op.steps}, {op.dilation}, {around})"
        return Code(text, {"dilated_max_pool"})
    if op.kind == "max" or not any(map(any, overhang)):
        return Code(f"nnx.{op.kind}_pool({inputs[0]}, {_window(op, around)})")
    return Code(f"avg_pool({inputs[0]}, {op.kernel}, {op.steps}, {sides(op)}, {overhang})", {"avg_pool"})


def global_pool(op: GlobalPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    function = "mean" if op.kind == "global_avg" else "max"
    axes = tuple(range(1, len(output.size) + 1))
    return Code(f"jnp.{function}({inputs[0]}, {axes}, keepdims=True)", {"jnp"})


def unpool(op: Unpool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, before = inputs
    return Code(f"unpool({source}, {before}, {_window(op.pool, _reached(op.pool))})", {"unpool"})


def _window(op: Pool, around: Sides) -> str:
    return f"{op.kernel}, {op.steps}" + (f", {around}" if any(map(any, around)) else "")


def _reached(op: Pool) -> Sides:
    """The padding, and behind the image as much more as rounding up may need at any size: a stride less one pixel, but
    not so much that a window would start there."""
    if op.round == "floor":
        return sides(op)
    each = zip(sides(op), op.steps, op.spans, strict=True)
    return tuple((before, min(after + step, span) - 1) for (before, after), step, span in each)


RULES: dict[type[Op], Rule] = {
    Pool: Rule(pool),
    GlobalPool: Rule(global_pool),
    Unpool: Rule(unpool),
}
