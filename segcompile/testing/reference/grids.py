"""Ops that bring maps together, or move and resample them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

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
    Slice,
    SpaceToDepth,
)
from segcompile.testing.reference.arrays import Array, Formula, Tensors, padded


def _aligned(op: Join, inputs: Sequence[Array]) -> list[Array]:
    """The inputs, cut or padded around their centres to one size; an odd pixel is cut off or put behind."""
    found = list(inputs)
    if op.align == "none":
        return found
    for axis in range(2, found[0].ndim):
        sizes = [x.shape[axis] for x in found]
        for index, x in enumerate(found):
            if op.align == "center_crop":
                first = (sizes[index] - min(sizes)) // 2
                found[index] = x.take(range(first, first + min(sizes)), axis)
            else:
                missing = max(sizes) - sizes[index]
                sides = [(0, 0)] * x.ndim
                sides[axis] = (missing // 2, missing - missing // 2)
                found[index] = np.pad(x, sides)
    return found


def add(op: Add, inputs: Sequence[Array], tensors: Tensors) -> Array:
    weights = op.weights or [1.0] * len(inputs)
    total: Array = sum(weight * x for weight, x in zip(weights, _aligned(op, inputs), strict=True))  # type: ignore[assignment]
    return total


def mul(op: Mul, inputs: Sequence[Array], tensors: Tensors) -> Array:
    first, *others = _aligned(op, inputs)
    for x in others:
        first = first * x
    return first


def concat(op: Concat, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return np.concatenate(_aligned(op, inputs), 1)


def crop(op: Crop, inputs: Sequence[Array], tensors: Tensors) -> Array:
    x, reference = inputs
    size = reference.shape[2:]
    offset = op.offset or [0] * len(size)
    return x[:, :, *(slice(first, first + extent) for first, extent in zip(offset, size, strict=True))]


def pad(op: Pad, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return padded(inputs[0], op)


def resize(op: Resize, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Between the two nearest pixels along each axis (cubic: the four), whose centres lie at half integers, by the
    ratio that is stated or that of the sizes; or corners on corners."""
    x = inputs[0]
    for axis in range(x.ndim - 2):
        have = x.shape[2 + axis]
        if len(inputs) == 2 or op.size is not None:
            want = inputs[1].shape[2 + axis] if len(inputs) == 2 else (op.size or ())[axis]
            ratio = Fraction(want, have)
        else:
            ratio = (op.factor or ())[axis]
            want = floor(have * ratio)
        p, (above, below) = np.arange(want), ratio.as_integer_ratio()
        if op.mode in ("nearest", "nearest_exact"):
            x = x.take((2 * p + (op.mode == "nearest_exact")) * below // (2 * above), 2 + axis)
            continue
        place = p * (have - 1) / max(want - 1, 1) if op.align_corners else (p + 0.5) * below / above - 0.5
        if op.mode == "cubic":
            x = _cubic(x, 2 + axis, place)
            continue
        place = np.clip(place, 0, have - 1)
        low = np.floor(place).astype(int)
        share = (place - low).astype(x.real.dtype).reshape(-1, *[1] * (x.ndim - 3 - axis))
        high = np.minimum(low + 1, have - 1)
        x = (1 - share) * x.take(low, 2 + axis) + share * x.take(high, 2 + axis)
    return x


def _cubic(x: Array, axis: int, place: Array) -> Array:
    """Between the four nearest pixels along an axis, of which the ends go on: Keys (1981), equation 4, with -3/4 for
    its a, as PyTorch and OpenCV have it."""
    low = np.floor(place).astype(int)
    total: Array = 0  # type: ignore[assignment]
    for tap in range(-1, 3):
        d = np.abs(place - low - tap)
        weight = np.where(d <= 1, 1.25 * d**3 - 2.25 * d**2 + 1, -0.75 * d**3 + 3.75 * d**2 - 6 * d + 3)
        shaped = weight.astype(x.real.dtype).reshape(-1, *[1] * (x.ndim - 1 - axis))
        total = total + shaped * x.take(np.clip(low + tap, 0, x.shape[axis] - 1), axis)
    return total


def pixel_shuffle(op: PixelShuffle, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Shi et al. (2016), equation 4: channel c r² + r y + x goes to row y and column x of each patch of channel c; of a
    volume c r³ + r² z + r y + x, of a signal c r + x."""
    batch, channels, *size = inputs[0].shape
    rank, left = len(size), channels // op.factor ** len(size)
    x = inputs[0].reshape(batch, left, *[op.factor] * rank, *size)
    x = x.transpose(0, 1, *(2 + axis + part for axis in range(rank) for part in (rank, 0)))
    return x.reshape(batch, left, *(extent * op.factor for extent in size))


def space_to_depth(op: SpaceToDepth, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Row y and column x of each patch of channel c go to channel c r² + r y + x: pixel_shuffle undone."""
    batch, channels, *size = inputs[0].shape
    rank, fewer = len(size), [extent // op.factor for extent in size]
    x = inputs[0].reshape(batch, channels, *(part for extent in fewer for part in (extent, op.factor)))
    x = x.transpose(0, 1, *range(3, 3 + 2 * rank, 2), *range(2, 2 + 2 * rank, 2))
    return x.reshape(batch, channels * op.factor**rank, *fewer)


def reinterpret(op: Reinterpret, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Channel c of pixel q is entry c n + q of the n pixels' values, one pixel after another."""
    return np.moveaxis(inputs[0], 1, -1).reshape(inputs[0].shape)


def channels_from_to(op: Slice, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return inputs[0].take(range(*op.part), 1)


def channel_shuffle(op: ChannelShuffle, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Zhang et al. (2018), section 3.1: place i groups + g takes channel i of the n in group g."""
    width = inputs[0].shape[1] // op.groups
    return inputs[0].take([g * width + i for i in range(width) for g in range(op.groups)], 1)


def pad_channels(op: PadChannels, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return np.pad(inputs[0], ((0, 0), (0, op.more), *[(0, 0)] * (inputs[0].ndim - 2)))


FORMULAS: dict[type[Op], Formula] = {
    Add: add,
    Mul: mul,
    Concat: concat,
    Crop: crop,
    Pad: pad,
    Resize: resize,
    PixelShuffle: pixel_shuffle,
    SpaceToDepth: space_to_depth,
    Reinterpret: reinterpret,
    Slice: channels_from_to,
    ChannelShuffle: channel_shuffle,
    PadChannels: pad_channels,
}
