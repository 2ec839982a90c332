"""Ops that bring maps together, or move and resample them, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

import numpy as np

from segcompile.ops import (
    Add,
    ChannelShuffle,
    Concat,
    Crop,
    Join,
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
from segcompile_onnx.program import Extent, Steps
from segcompile_onnx.values import Rule


def _aligned(at: Steps, op: Join, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> list[str]:
    """The inputs, cut or padded around their centres to one size; an odd pixel is cut off or put behind."""
    if op.align == "none" or all(shape.size == output.size for shape in shapes):
        return [*inputs]
    crops = op.align == "center_crop"
    each = [at.sizes(x, shape) for x, shape in zip(inputs, shapes, strict=True)]
    common = [reduce(at.least if crops else at.most, sizes) for sizes in zip(*each, strict=True)]
    fit = _cropped if crops else _filled
    return [
        x if shape.size == output.size else fit(at, x, have, common)
        for x, shape, have in zip(inputs, shapes, each, strict=True)
    ]


def _cropped(at: Steps, x: str, have: Sequence[Extent], want: Sequence[Extent]) -> str:
    first = [at.over(at.minus(a, b), 2) for a, b in zip(have, want, strict=True)]
    return at.part(x, first, [*map(at.plus, first, want)], range(2, 2 + len(first)))


def _filled(at: Steps, x: str, have: Sequence[Extent], want: Sequence[Extent]) -> str:
    missing = [at.minus(b, a) for a, b in zip(have, want, strict=True)]
    before = [at.over(extent, 2) for extent in missing]
    return at.padded(x, [*zip(before, map(at.minus, missing, before), strict=True)])


def _add(at: Steps, op: Add, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    parts = _aligned(at, op, inputs, shapes, output)
    if op.weights:
        pairs = zip(parts, op.weights, strict=True)
        parts = [at.op("Mul", x, at.number(weight)) if weight != 1 else x for x, weight in pairs]
    return at.op("Add" if len(parts) == 2 else "Sum", *parts)


def _mul(at: Steps, op: Mul, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return reduce(lambda a, b: at.op("Mul", a, b), _aligned(at, op, inputs, shapes, output))


def _concat(at: Steps, op: Concat, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Concat", *_aligned(at, op, inputs, shapes, output), axis=1)


def _crop(at: Steps, op: Crop, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    first = op.offset or (0,) * len(output.size)
    end = map(at.plus, first, at.sizes(inputs[1], shapes[1]))
    return at.part(inputs[0], first, [*end], range(2, 2 + len(first)))


def _pad(at: Steps, op: Pad, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.padded(inputs[0], [*map(op.pads, range(len(op.amount)))], op.mode, op.value)


def _resize(at: Steps, op: Resize, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    x, source = inputs[0], shapes[0]
    if not op.blends and not _exact_in_floats(op, shapes):
        return _nearest(at, op, inputs, shapes)
    place = "align_corners" if op.align_corners else "asymmetric" if op.mode == "nearest" else "half_pixel"
    if len(inputs) == 1 and op.factor is not None and not op.align_corners:
        return interpolate(at, x, source, op.mode, place, ratios=[*map(_in_float32, op.factor)])
    return interpolate(at, x, source, op.mode, place, sizes=_wanted(at, op, inputs, shapes))


def _wanted(at: Steps, op: Resize, inputs: Sequence[str], shapes: Sequence[Shape]) -> list[Extent]:
    """How large the map becomes along each axis."""
    if len(inputs) == 2:
        return at.sizes(inputs[1], shapes[1])
    if op.size is not None:
        return [*op.size]
    pairs = zip(at.sizes(inputs[0], shapes[0]), op.factor or (), strict=True)
    return [at.over(at.times(extent, ratio.numerator), ratio.denominator) for extent, ratio in pairs]


def _exact_in_floats(op: Resize, shapes: Sequence[Shape]) -> bool:
    """Whether a runtime's nearest neighbour, output p divided by a ratio in float32, is the one in whole numbers at
    every size: by whole ratios and by powers of two it is; 14 pixels on 46 may be laid one off."""
    try:
        windows = [op.window_on(axis, [shape.size[axis] for shape in shapes], 0) for axis in range(len(shapes[0].size))]
    except Undecidable:
        return False
    powers = {2**power for power in range(31)} if op.factor is not None else set()
    return all(found.stride == 1 or {found.stride, found.upsample} <= powers for found in windows if found is not None)


def _in_float32(ratio: Fraction) -> float:
    """A ratio by which float32 multiplies every size to floor(size * ratio): not one that was rounded down."""
    found = np.float32(float(ratio))
    return float(np.nextafter(found, np.float32(np.inf)) if Fraction(float(found)) < ratio else found)


def _nearest(at: Steps, op: Resize, inputs: Sequence[str], shapes: Sequence[Shape]) -> str:
    """Along each axis pixel floor((2 p + half) have / (2 want)), in whole numbers."""
    x, half = inputs[0], int(op.mode == "nearest_exact")
    wanted = _wanted(at, op, inputs, shapes)
    for axis, (have, want) in enumerate(zip(at.sizes(x, shapes[0]), wanted, strict=True)):
        below, above = (have, want) if len(inputs) == 2 or op.factor is None else _ratio(op, axis)
        if all(isinstance(extent, int) for extent in (below, above, want)):
            places = at.whole((2 * np.arange(want) + half) * below // (2 * above))
        else:
            doubled = at.op("Add", at.op("Mul", at.up_to(want), at.whole(2)), at.whole(half))
            places = at.op("Div", at.op("Mul", doubled, at.extent(below)), at.extent(at.times(above, 2)))
        x = at.op("Gather", x, places, axis=2 + axis)
    return x


def _ratio(op: Resize, axis: int) -> tuple[int, int]:
    ratio = (op.factor or ())[axis]
    return ratio.denominator, ratio.numerator


def interpolate(
    at: Steps,
    x: str,
    source: Shape,
    mode: str,
    place: str,
    ratios: Sequence[float] | None = None,
    sizes: Sequence[Extent] | None = None,
) -> str:
    """A map on another grid, by ratios or to sizes. Runtimes know cubic interpolation of images alone: a signal is an
    image of one row, and a volume is interpolated along its last two axes, then along the first."""
    rank = len(source.size)

    def on_axes(x: str, axes: Sequence[int], first: int) -> str:
        """Along some axes of the map, the first of which is this one of the tensor."""
        how = _HOW[mode] | {"coordinate_transformation_mode": place, "axes": range(first, first + len(axes))}
        if ratios is not None:
            return at.op("Resize", x, "", at.numbers(ratios[axis] for axis in axes), **how)
        assert sizes is not None
        return at.op("Resize", x, "", "", at.vector([sizes[axis] for axis in axes]), **how)

    if mode != "cubic" or rank == 2:
        return on_axes(x, range(rank), 2)
    if rank == 1:
        row = at.op("Unsqueeze", x, at.whole([2]))
        return at.op("Squeeze", on_axes(row, [0], 3), at.whole([2]))
    channels, (depth, *others) = source.channels, at.sizes(x, source)
    x = on_axes(at.reshape(x, at.times(depth, channels), *others), [1, 2], 2)
    ends = [at.op("Shape", x, start=axis, end=axis + 1) for axis in (2, 3)]
    x = on_axes(at.reshape(x, channels, depth, -1), [0], 2)
    return at.op("Reshape", x, at.vector([0, channels, -1, *ends]))


_HOW: dict[str, dict[str, object]] = {
    "bilinear": {"mode": "linear"},
    "cubic": {"mode": "cubic", "cubic_coeff_a": -0.75},
    "nearest": {"mode": "nearest", "nearest_mode": "floor"},
    "nearest_exact": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
}


def _pixel_shuffle(at: Steps, op: PixelShuffle, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if len(output.size) == 2:
        return at.op("DepthToSpace", inputs[0], blocksize=op.factor, mode="CRD")
    rank, sizes = len(output.size), at.sizes(inputs[0], shapes[0])
    x = at.reshape(inputs[0], output.channels, *[op.factor] * rank, *sizes)
    x = at.transpose(x, 0, 1, *(2 + axis + part for axis in range(rank) for part in (rank, 0)))
    return at.reshape(x, output.channels, *(at.times(extent, op.factor) for extent in sizes))


def _space_to_depth(at: Steps, op: SpaceToDepth, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """Not ONNX's own, which puts the channels of one place of the patch side by side."""
    rank, fewer = len(output.size), [at.over(extent, op.factor) for extent in at.sizes(inputs[0], shapes[0])]
    x = at.reshape(inputs[0], shapes[0].channels, *(part for extent in fewer for part in (extent, op.factor)))
    x = at.transpose(x, 0, 1, *range(3, 3 + 2 * rank, 2), *range(2, 2 + 2 * rank, 2))
    return at.reshape(x, output.channels, *fewer)


def _reinterpret(at: Steps, op: Reinterpret, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    rows = at.transpose(at.columns(inputs[0], shapes[0]), 0, 2, 1)
    return at.op("Reshape", rows, at.op("Shape", inputs[0]))


def _slice(at: Steps, op: Slice, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.part(inputs[0], op.part[:1], op.part[1:], [1])


def _channel_shuffle(
    at: Steps, op: ChannelShuffle, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> str:
    width = output.channels // op.groups
    sizes = [-1] if output.tokens else at.sizes(inputs[0], output)
    x = at.reshape(inputs[0], op.groups, width, *([-1] if sizes else []))
    x = at.transpose(x, 0, 2, 1, *([3] if sizes else []))
    return at.reshape(x, output.channels, *sizes)


def _pad_channels(at: Steps, op: PadChannels, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Pad", inputs[0], at.whole([0, op.more]), at.number(0), at.whole([1]))


RULES: dict[type[Op], Rule] = {
    Add: _add,
    Mul: _mul,
    Concat: _concat,
    Crop: _crop,
    Pad: _pad,
    Resize: _resize,
    PixelShuffle: _pixel_shuffle,
    SpaceToDepth: _space_to_depth,
    Reinterpret: _reinterpret,
    Slice: _slice,
    ChannelShuffle: _channel_shuffle,
    PadChannels: _pad_channels,
}
