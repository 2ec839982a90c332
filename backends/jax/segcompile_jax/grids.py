"""Ops that bring maps together, or move and resample them, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Code, Rule
from segcompile.emit.arguments import sides
from segcompile.emit.joins import aligned
from segcompile.emit.rules import add, bounds, crop, fractions, is_whole, mul, operand, reinterpret, size_of
from segcompile.ops import (
    Add,
    ChannelShuffle,
    Concat,
    Crop,
    Mul,
    Op,
    Pad,
    PadChannels,
    PixelShuffle,
    Reinterpret,
    Resize,
    Shape,
    Slice,
    SpaceToDepth,
)
from segcompile_jax.arguments import padded


def _pad(op: Pad, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return padded(inputs[0], sides(op), op.mode, op.value)


_FUNCTIONS = {"bilinear": "interpolate", "cubic": "cubic", "nearest": "nearest", "nearest_exact": "nearest_exact"}


def _resize(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    function = _FUNCTIONS[op.mode]
    if not is_whole(op):
        half = ", half=1" if op.mode == "nearest_exact" else ""
        by = "nearest_by" if op.mode == "nearest_exact" else f"{function}_by"
        return Code(f"{by}({inputs[0]}, {fractions(op)}{half})", {by})
    function += "_corners" if op.align_corners else ""
    size = size_of(op, inputs, slice(1, len(output.size) + 1))
    return Code(f"{function}({inputs[0]}, {size})", {function})


def _space_to_depth(
    op: SpaceToDepth, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"space_to_depth({inputs[0]}, {op.factor})", {"space_to_depth"})


def _pixel_shuffle(
    op: PixelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"pixel_shuffle({inputs[0]}, {op.factor})", {"pixel_shuffle"})


def _slice(op: Slice, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"{operand(inputs[0])}[..., {bounds(op, shapes[0])}]")


def _channel_shuffle(
    op: ChannelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"channel_shuffle({inputs[0]}, {op.groups})", {"channel_shuffle"})


def _pad_channels(op: PadChannels, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    around = ((0, 0), *[(0, 0)] * output.axes, (0, op.more))
    return Code(f"jnp.pad({inputs[0]}, {around})", {"jnp"})


def _concat(op: Concat, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    parts, needs = aligned(op, inputs, shapes, output)
    return Code(f"jnp.concatenate([{', '.join(parts)}], -1)", {"jnp", *needs})


RULES: dict[type[Op], Rule] = {
    Add: Rule(add),
    Mul: Rule(mul),
    Concat: Rule(_concat),
    Crop: Rule(crop),
    Pad: Rule(_pad),
    Resize: Rule(_resize),
    PixelShuffle: Rule(_pixel_shuffle),
    SpaceToDepth: Rule(_space_to_depth),
    Reinterpret: Rule(reinterpret),
    Slice: Rule(_slice),
    ChannelShuffle: Rule(_channel_shuffle),
    PadChannels: Rule(_pad_channels),
}
