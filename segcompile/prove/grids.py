"""Ops that bring maps together, or move and resample them, over any arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
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
from segcompile.prove.arithmetic import Arithmetic, Array
from segcompile.prove.windows import Formula, Tensors, padded


def _aligned(op: Join, inputs: Sequence[Array]) -> list[Array]:
    """The inputs, cut or padded around their centres to one size; an odd pixel is cut off or put behind."""
    found = list(inputs)
    for axis in range(2, found[0].ndim) if op.align != "none" else ():
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


def add(op: Add, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    parts = _aligned(op, inputs)
    if op.weights:
        parts = [a.scaled(x, weight) for x, weight in zip(parts, op.weights, strict=True)]
    total = parts[0]
    for x in parts[1:]:
        total = total + x
    return a.settled(total)


def mul(op: Mul, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    first, *others = _aligned(op, inputs)
    for x in others:
        first = a.product(first, x)
    return first


def concat(op: Concat, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return np.concatenate(_aligned(op, inputs), 1)


def crop(op: Crop, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    x, reference = inputs
    size = reference.shape[2:]
    offset = op.offset or [0] * len(size)
    return x[:, :, *(slice(first, first + extent) for first, extent in zip(offset, size, strict=True))]


def pad(op: Pad, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return padded(op, inputs[0], a)


def resize(op: Resize, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """By rows and by columns; the ratio is stated, or that of the sizes."""
    x = inputs[0]
    for axis in range(x.ndim - 2):
        have = x.shape[2 + axis]
        if len(inputs) == 2 or op.size is not None:
            want = inputs[1].shape[2 + axis] if len(inputs) == 2 else (op.size or ())[axis]
            ratio = Fraction(want, have)
        else:
            ratio = (op.factor or ())[axis]
            want = floor(have * ratio)
        x = resampled(x, axis, want, ratio, op.mode, op.align_corners, a)
    return x


def resampled(x: Array, axis: int, want: int, ratio: Fraction, mode: str, corners: bool, a: Arithmetic) -> Array:
    """x with `want` pixels along an axis."""
    have = x.shape[2 + axis]
    if mode in ("nearest", "nearest_exact"):
        up, down = ratio.numerator, ratio.denominator
        return x.take((2 * np.arange(want) + (mode == "nearest_exact")) * down // (2 * up), 2 + axis)
    rows, shares = _shares(have, want, ratio, mode, corners)
    moved = np.moveaxis(x, 2 + axis, 2)
    weights = a.numbers(shares)  # (parts, want, taps)
    total: Array = np.zeros((*moved.shape[:2], want, *moved.shape[3:]), x.dtype)
    for tap in range(rows.shape[1]):
        weight = weights[:, None, :, tap].reshape(a.parts, 1, want, *[1] * (moved.ndim - 3))
        total = total + a.product(weight, moved.take(rows[:, tap], 2))
    return np.moveaxis(a.settled(total), 2, 2 + axis)


@lru_cache(256)
def _shares(have: int, want: int, ratio: Fraction, mode: str, corners: bool) -> tuple[Array, Array]:
    """The pixels that each output is a mean of, (want, taps), and their shares, exact. Centres lie at half integers, or
    corners on corners; cubic is Keys (1981), equation 4, with -3/4 for its a."""
    rows, shares = [], []
    for p in range(want):
        place = Fraction(p * (have - 1), max(want - 1, 1)) if corners else (p + Fraction(1, 2)) / ratio - Fraction(1, 2)
        if mode == "cubic":
            low = floor(place)
            rows.append([min(max(low + tap, 0), have - 1) for tap in range(-1, 3)])
            shares.append([_keys(abs(place - low - tap)) for tap in range(-1, 3)])
        else:
            place = min(max(place, Fraction(0)), Fraction(have - 1))
            low = floor(place)
            rows.append([low, min(low + 1, have - 1)])
            shares.append([1 - (place - low), place - low])
    return np.array(rows, int), np.array(shares, dtype=object)


def _keys(d: Fraction) -> Fraction:
    if d <= 1:
        return Fraction(5, 4) * d**3 - Fraction(9, 4) * d**2 + 1
    return -Fraction(3, 4) * d**3 + Fraction(15, 4) * d**2 - 6 * d + 3


def pixel_shuffle(op: PixelShuffle, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    parts, channels, *size = inputs[0].shape
    rank, left = len(size), channels // op.factor ** len(size)
    x = inputs[0].reshape(parts, left, *[op.factor] * rank, *size)
    x = x.transpose(0, 1, *(2 + axis + part for axis in range(rank) for part in (rank, 0)))
    return x.reshape(parts, left, *(extent * op.factor for extent in size))


def space_to_depth(op: SpaceToDepth, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    parts, channels, *size = inputs[0].shape
    rank, fewer = len(size), [extent // op.factor for extent in size]
    x = inputs[0].reshape(parts, channels, *(part for extent in fewer for part in (extent, op.factor)))
    x = x.transpose(0, 1, *range(3, 3 + 2 * rank, 2), *range(2, 2 + 2 * rank, 2))
    return x.reshape(parts, channels * op.factor**rank, *fewer)


def reinterpret(op: Reinterpret, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return np.moveaxis(inputs[0], 1, -1).reshape(inputs[0].shape)


def channels_from_to(op: Slice, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return inputs[0][:, slice(*op.part)]


def channel_shuffle(op: ChannelShuffle, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    width = inputs[0].shape[1] // op.groups
    return inputs[0].take([g * width + i for i in range(width) for g in range(op.groups)], 1)


def pad_channels(op: PadChannels, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
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
