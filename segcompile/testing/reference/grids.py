"""Ops that bring maps together, or move and resample them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcompile.ops import AXES, Add, Concat, Crop, Join, Mul, Pad, PixelShuffle, Resize, SpaceToDepth
from segcompile.testing.reference.arrays import Array, Tensors, padded


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
    top, left = op.offset or (0, 0)
    return x[:, :, top : top + reference.shape[2], left : left + reference.shape[3]]


def pad(op: Pad, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return padded(inputs[0], op)


def resize(op: Resize, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Between the two nearest pixels along each axis, whose centres lie at half integers; or corners on corners."""
    x = inputs[0]
    for axis in AXES:
        have = x.shape[2 + axis]
        want = inputs[1].shape[2 + axis] if len(inputs) == 2 else have * (op.factor or (1, 1))[axis]
        p = np.arange(want)
        if op.mode == "nearest":
            x = x.take(p * have // want, 2 + axis)
            continue
        if op.align_corners:
            place = p * (have - 1) / max(want - 1, 1)
        else:
            place = np.clip((p + 0.5) * have / want - 0.5, 0, have - 1)
        low = np.floor(place).astype(int)
        share = (place - low).astype(x.real.dtype).reshape(-1, *[1] * (1 - axis))
        high = np.minimum(low + 1, have - 1)
        x = (1 - share) * x.take(low, 2 + axis) + share * x.take(high, 2 + axis)
    return x


def pixel_shuffle(op: PixelShuffle, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Shi et al. (2016), equation 4: channel c r² + r y + x goes to row y and column x of each patch of channel c."""
    batch, channels, height, width = inputs[0].shape
    r = op.factor
    x = inputs[0].reshape(batch, channels // r**2, r, r, height, width).transpose(0, 1, 4, 2, 5, 3)
    return x.reshape(batch, channels // r**2, height * r, width * r)


def space_to_depth(op: SpaceToDepth, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Row y and column x of each patch of channel c go to channel c r² + r y + x."""
    batch, channels, height, width = inputs[0].shape
    r = op.factor
    x = inputs[0].reshape(batch, channels, height // r, r, width // r, r).transpose(0, 1, 3, 5, 2, 4)
    return x.reshape(batch, channels * r**2, height // r, width // r)
