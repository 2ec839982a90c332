"""Ops that bring maps together, or move and resample them, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import inf, nextafter

from segcompile.emit import Code, Rule
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
    Undecidable,
)
from segcompile_torch.arguments import padded, pads

_MODES = {
    "bilinear": {1: "linear", 2: "bilinear", 3: "trilinear"},  # by the number of axes
    "nearest_exact": dict.fromkeys((1, 2, 3), "nearest-exact"),
}
_AXES = slice(2, None)  # of the image, in a tensor


def _pad(op: Pad, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return padded(inputs[0], pads(op), op.mode, op.value)


def _exact_in_floats(op: Resize, shapes: Sequence[Shape]) -> bool:
    """Whether PyTorch's nearest neighbour, floor(p * scale) in float32, is the one in whole numbers at every size: by
    powers of two it is; 14 pixels on 46 it lays one off."""
    try:
        windows = [op.window_on(axis, [shape.size[axis] for shape in shapes], 0) for axis in range(len(shapes[0].size))]
    except Undecidable:
        return False
    strides = [found.stride == 1 or op.factor is not None for found in windows if found is not None]
    powers = [found.stride.bit_count() == found.upsample.bit_count() == 1 for found in windows if found is not None]
    return all((*strides, *powers))


def _resize(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return _resized(op, inputs, shapes, output, size_of(op, inputs, _AXES))


def _resize_in_rows(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """Along the other axes: the rows are as many as they should be."""
    if len(output.size) == 1:
        return Code(inputs[0])
    size = op.size and f"({', '.join([f'{inputs[0]}.shape[2]', *map(str, op.size[1:])])})"
    return _resized(op, inputs, shapes, output, size or size_of(op, inputs, _AXES))


def _resized(op: Resize, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape, size: str) -> Code:
    if not op.blends and not _exact_in_floats(op, shapes):
        if not is_whole(op):
            half = ", half=1" if op.mode == "nearest_exact" else ""
            return Code(f"nearest_by({inputs[0]}, {fractions(op)}{half})", {"nearest_by"})
        return Code(f"{op.mode}({inputs[0]}, {size})", {op.mode})
    scaled = len(inputs) == 1 and op.size is None
    to = f"scale_factor={_scale_factor(op)}" if scaled else size
    if op.mode == "cubic" and len(output.size) != 2:
        each = ", ".join(map(_in_floats, op.factor or ()))
        to = f"scale_factor=({each}{',' if len(output.size) == 1 else ''})" if scaled else to
        return Code(f"cubic({inputs[0]}, {to}{', align_corners=True' if op.align_corners else ''})", {"cubic"})
    corners = ", align_corners=True" if op.align_corners else ""
    mode = "bicubic" if op.mode == "cubic" else _MODES.get(op.mode, {}).get(len(output.size), op.mode)
    return Code(f'F.interpolate({inputs[0]}, {to}, mode="{mode}"{corners})', {"F"})


def _scale_factor(op: Resize) -> str:
    """The ratios as F.interpolate takes them: `2`, `0.5`, `(1, 2 / 3)`."""
    each = [_in_floats(ratio) for ratio in op.factor or ()]
    return each[0] if len({*each}) == 1 else f"({', '.join(each)})"


def _in_floats(ratio: Fraction) -> str:
    """A ratio by which a float multiplies every size to floor(size * ratio): the quotient itself, unless it was rounded
    down by more than a size times it is rounded; then the next float above."""
    value = float(ratio)
    if ratio.denominator == 1:
        return str(ratio)
    if Fraction(value) == ratio:
        return repr(value)
    if Fraction(value) < ratio * (1 - Fraction(1, 2**54)):
        return repr(nextafter(value, inf))
    return f"{ratio.numerator} / {ratio.denominator}"


def _space_to_depth(
    op: SpaceToDepth, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    if len(output.size) == 2:
        return Code(f"F.pixel_unshuffle({inputs[0]}, {op.factor})", {"F"})
    return Code(f"from_patches({inputs[0]}, {op.factor})", {"from_patches"})


def _pixel_shuffle(
    op: PixelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    if len(output.size) == 2:
        return Code(f"F.pixel_shuffle({inputs[0]}, {op.factor})", {"F"})
    return Code(f"to_patches({inputs[0]}, {op.factor})", {"to_patches"})


def _slice(op: Slice, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"{operand(inputs[0])}[:, {bounds(op, shapes[0])}]")


def _channel_shuffle(
    op: ChannelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    if not output.axes:  # F.channel_shuffle takes no vectors
        return Code(f"{operand(inputs[0])}.unflatten(1, ({op.groups}, -1)).mT.flatten(1)")
    return Code(f"F.channel_shuffle({inputs[0]}, {op.groups})", {"F"})


def _pad_channels(op: PadChannels, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.pad({inputs[0]}, {(0, 0) * output.axes + (0, op.more)})", {"F"})


def _concat(op: Concat, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    parts, needs = aligned(op, inputs, shapes, output)
    return Code(f"torch.cat([{', '.join(parts)}], 1)", {"torch", *needs})


RULES: dict[type[Op], Rule] = {
    Add: Rule(add),
    Mul: Rule(mul),
    Concat: Rule(_concat),
    Crop: Rule(crop),
    Pad: Rule(_pad),
    Resize: Rule(_resize, in_rows=_resize_in_rows),
    PixelShuffle: Rule(_pixel_shuffle),
    SpaceToDepth: Rule(_space_to_depth),
    Reinterpret: Rule(reinterpret),
    Slice: Rule(_slice),
    ChannelShuffle: Rule(_channel_shuffle),
    PadChannels: Rule(_pad_channels),
}
