"""Pooling, and pooling undone, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Code, Rule
from segcompile.emit.arguments import Sides, beyond, counted, reached
from segcompile.ops import AdaptivePool, GlobalPool, Op, Pool, Shape, Unpool


def pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    around = reached(op)
    if max(op.dilation) > 1:
        text = f"dilated_max_pool({inputs[0]}, {op.kernel}, {op.steps}, {op.dilation}, {around})"
        return Code(text, {"dilated_max_pool"})
    if op.kind == "max" or counted(op) == around:
        return Code(f"nnx.{op.kind}_pool({inputs[0]}, {_window(op, around)})")
    parts = f"{counted(op)}, {beyond(counted(op), around)}"
    return Code(f"avg_pool({inputs[0]}, {op.kernel}, {op.steps}, {parts})", {"avg_pool"})


def adaptive_pool(op: AdaptivePool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    function = f"adaptive_{op.kind}_pool"
    return Code(f"{function}({inputs[0]}, {op.bins})", {function})


def global_pool(op: GlobalPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    function = "mean" if op.kind == "global_avg" else "max"
    axes = tuple(range(1, len(output.size) + 1))
    return Code(f"jnp.{function}({inputs[0]}, {axes}, keepdims=True)", {"jnp"})


def unpool(op: Unpool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, before = inputs
    return Code(f"unpool({source}, {before}, {_window(op.pool, reached(op.pool))})", {"unpool"})


def _window(op: Pool, around: Sides) -> str:
    return f"{op.kernel}, {op.steps}" + (f", {around}" if any(map(any, around)) else "")


RULES: dict[type[Op], Rule] = {
    Pool: Rule(pool),
    AdaptivePool: Rule(adaptive_pool),
    GlobalPool: Rule(global_pool),
    Unpool: Rule(unpool),
}
