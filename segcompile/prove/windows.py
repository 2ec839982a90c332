"""Ops that read through windows, over any arithmetic: convolution, pooling, and both undone.

Maps are (parts, channels, ...), weights (parts, ...) in PyTorch's layouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from operator import mul
from typing import Any

import numpy as np

from segcompile.ops import AdaptivePool, Conv, Deconv, GlobalPool, Linear, Op, Pad, Pool, Unpool
from segcompile.prove.arithmetic import Arithmetic, Array

Tensors = Mapping[str, Array]
Formula = Callable[[Any, Sequence[Array], Tensors, Arithmetic, int], Array]  # its term last
MOST_GATHERED = 2**23  # numbers that a convolution reads at once
_NUMPY_MODE = {"reflect": "reflect", "edge": "edge", "circular": "wrap"}


def padded(op: Conv | Pad, x: Array, a: Arithmetic) -> Array:
    """The map within its padding."""
    around = [(0, 0), (0, 0), *map(op.pads, range(x.ndim - 2))]
    if op.mode != "zero":
        return np.pad(x, around, mode=_NUMPY_MODE[op.mode])  # type: ignore[call-overload,no-any-return]
    found = np.pad(x, around)
    if op.value_around:
        inside = np.pad(np.ones((1, 1, *x.shape[2:]), bool), around)
        found = np.where(inside, found, a.like(op.value_around, x))
    return found


def channelwise(values: Array, x: Array) -> Array:
    """(parts, channels), to go with x."""
    return values.reshape(*values.shape, *[1] * (x.ndim - 2))


def every(start: int, count: int, step: int) -> slice:
    """start, start + step, ..., `count` of them."""
    return slice(start, start + (count - 1) * step + 1, step)


def mixed(x: Array, weight: Array, a: Arithmetic) -> Array:
    """Channels to channels: (parts, groups, in, ...) by (parts, groups, out, in) to (parts, groups * out, ...)."""
    parts, groups, entering, *size = x.shape
    flat = x.reshape(parts, groups, entering, -1)
    found = a.product(weight, flat) if entering == 1 else a.contracted(weight, flat)
    return found.reshape(parts, -1, *size)


def biased(x: Array, tensors: Tensors, a: Arithmetic) -> Array:
    return a.settled(x + channelwise(tensors["bias"], x)) if "bias" in tensors else x


def conv(op: Conv, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """y[p] = sum over taps t of weight[t] x[stride p + dilation t - pad]."""
    x = inputs[0]
    if len(op.kernel) != x.ndim - 2:  # of a list, along its one axis: each position alone
        op = Conv(channels=op.channels, kernel=(1,), groups=op.groups)
    pads = [op.pads(axis) for axis in range(len(op.kernel))]
    if op.mode != "zero":
        x, pads = padded(op, x, a), [(0, 0)] * len(pads)
    extents = [before + extent + after for extent, (before, after) in zip(x.shape[2:], pads, strict=True)]
    sliding = zip(extents, op.kernel, op.stride, op.dilation, strict=True)
    size = tuple((extent - dilation * (taps - 1) - 1) // stride + 1 for extent, taps, stride, dilation in sliding)
    x = x.reshape(a.parts, op.groups, -1, *x.shape[2:])
    weight = tensors["weight"].reshape(a.parts, op.groups, -1, x.shape[2], prod(op.kernel))
    total = np.zeros((a.parts, op.groups, weight.shape[2], prod(size)), x.dtype)
    taps = list(_tap_ranges(op, x.shape[3:], [before for before, _ in pads], size))
    most = max(1, MOST_GATHERED // max(1, a.parts * op.groups * x.shape[2] * prod(size)))
    for first in range(0, len(taps), most):
        some = taps[first : first + most]
        read = np.zeros((a.parts, op.groups, x.shape[2], len(some), *size), x.dtype)
        for gathered, (_, here, there) in zip(np.moveaxis(read, 3, 0), some, strict=True):
            gathered[:, :, :, *here] = x[:, :, :, *there]
        chosen = weight if len(some) == weight.shape[4] else weight[..., [tap for tap, _, _ in some]]
        terms = x.shape[2] * len(some)
        total += a.contracted(
            chosen.reshape(*weight.shape[:3], terms), read.reshape(a.parts, op.groups, terms, prod(size))
        )
    return biased(a.settled(total).reshape(a.parts, op.channels, *size), tensors, a)


_Range = tuple[slice, ...]


def _tap_ranges(
    op: Conv, extents: Sequence[int], before: Sequence[int], size: Sequence[int]
) -> Iterator[tuple[int, _Range, _Range]]:
    """Of each tap that reads more than padding: its number, the outputs that read the map by it, and what they read."""
    for number, tap in enumerate(np.ndindex(*op.kernel)):
        here, there = [], []
        for axis, place in enumerate(tap):
            stride, shift = op.stride[axis], op.dilation[axis] * place - before[axis]
            first = max(0, -(shift // stride))  # stride p + shift >= 0
            last = min(size[axis] - 1, (extents[axis] - 1 - shift) // stride)
            if first > last:
                break
            here.append(slice(first, last + 1))
            there.append(every(stride * first + shift, last + 1 - first, stride))
        else:
            yield number, tuple(here), tuple(there)


def deconv(op: Deconv, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """x[i] weight[t] is added to y[stride i + dilation t - pad]."""
    x, weight = inputs[0], tensors["weight"]
    size = x.shape[2:]
    sliding = zip(size, op.kernel, op.stride, op.dilation, op.output_pad, strict=True)
    full = [
        (extent - 1) * stride + dilation * (taps - 1) + 1 + more for extent, taps, stride, dilation, more in sliding
    ]
    x = x.reshape(a.parts, op.groups, -1, *size)
    weight = weight.reshape(a.parts, op.groups, x.shape[2], -1, *op.kernel).swapaxes(2, 3)
    total = np.zeros((a.parts, op.channels, *full), x.dtype)
    for tap in np.ndindex(*op.kernel):
        written = tuple(map(every, map(mul, tap, op.dilation), size, op.stride))
        total[:, :, *written] += mixed(x, weight[..., *tap], a)
    sides = map(op.pads, range(len(size)))
    kept = (slice(before, extent - after) for extent, (before, after) in zip(full, sides, strict=True))
    return biased(a.settled(total[:, :, *kept]), tensors, a)


def linear(op: Linear, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    flat = inputs[0].reshape(a.parts, -1, 1)
    weight = tensors["weight"].reshape(a.parts, -1, flat.shape[1])
    return biased(a.contracted(weight, flat)[..., 0], tensors, a)


def _taps(op: Pool, x: Array, border: bool) -> tuple[Array, Array]:
    """What each window holds, (taps, parts, C, ...), and where that is the map, (taps, 1, 1, ...); of a `border` also
    its padding, but nothing behind it."""
    counts, around, missing = [], [], []
    for axis, (extent, step, span) in enumerate(zip(x.shape[2:], op.steps, op.spans, strict=True)):
        before, after = op.pads(axis)
        room = before + extent + after - span
        count = room // step + 1
        if op.round == "ceil":
            count = -(-room // step) + 1
            count -= (count - 1) * step >= before + extent  # no window starts behind the image
        counts.append(count)
        around.append((before, after))
        missing.append((0, max(0, (count - 1) * step - room)))
    there = np.pad(np.ones((1, 1, *x.shape[2:]), bool), [(0, 0), (0, 0), *around], constant_values=border)
    there = np.pad(there, [(0, 0), (0, 0), *missing])
    x = np.pad(x, [(0, 0), (0, 0), *((p + r, q + s) for (p, q), (r, s) in zip(around, missing, strict=True))])
    taps = [tuple(map(every, map(mul, tap, op.dilation), counts, op.steps)) for tap in np.ndindex(*op.kernel)]
    return np.stack([x[:, :, *tap] for tap in taps]), np.stack([there[:, :, *tap] for tap in taps])


def pool(op: Pool, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """The maximum over a window's pixels; the mean over them and, if these count, the zeros of the padding."""
    windows, there = _taps(op, inputs[0], op.kind == "avg" and op.count_pad)
    if op.kind == "max":
        return a.largest(windows, there, term)
    return a.product(a.settled(windows.sum(0)), _inverses(there.sum(0), a))


def _inverses(counts: Array, a: Arithmetic) -> Array:
    """1 / n of each whole number, (1, ...) -> (parts, ...)."""
    each, where = np.unique(counts, return_inverse=True)
    found = a.numbers(np.array([Fraction(1, int(count)) for count in each], dtype=object))
    return found[:, where.reshape(counts.shape[1:])]


def adaptive_pool(op: AdaptivePool, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """The maximum or the mean over the pixels of each bin."""
    x = inputs[0]
    sides = [
        [slice(p * size // bins, -(-(p + 1) * size // bins)) for p in range(bins)]
        for size, bins in zip(x.shape[2:], op.bins, strict=True)
    ]
    cells = []
    for cell in np.ndindex(*op.bins):
        part = x[:, :, *(parts[index] for parts, index in zip(sides, cell, strict=True))].reshape(*x.shape[:2], -1)
        cells.append(part)
    if op.kind == "avg":
        found = np.stack([a.scaled(a.settled(part.sum(2)), Fraction(1, part.shape[2])) for part in cells], 2)
        return found.reshape(*x.shape[:2], *op.bins)
    most = max(part.shape[2] for part in cells)
    windows = np.stack([np.pad(part, [(0, 0), (0, 0), (0, most - part.shape[2])]) for part in cells], 2)
    there = np.stack([np.arange(most) < part.shape[2] for part in cells])
    found = a.largest(np.moveaxis(windows, 3, 0), there.T[:, None, None], term)
    return found.reshape(*x.shape[:2], *op.bins)


def global_pool(op: GlobalPool, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """The maximum or the mean over the whole map."""
    x = inputs[0].reshape(*inputs[0].shape[:2], -1)
    pixel = (*x.shape[:2], *[1] * (inputs[0].ndim - 2))
    if op.kind == "global_avg":
        return a.scaled(a.settled(x.sum(2)), Fraction(1, x.shape[2])).reshape(pixel)
    return a.largest(np.moveaxis(x, 2, 0), np.ones((x.shape[2], 1, 1), bool), term).reshape(pixel)


def unpool(op: Unpool, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """Each value goes to where its window of the pool had its maximum; zero elsewhere."""
    x, _, before = inputs
    pooled = op.pool
    switches = a.switches(*_taps(pooled, before, False))
    sides, size = list(map(pooled.pads, range(before.ndim - 2))), before.shape[2:]
    extent = [side + sum(pad) + step for side, pad, step in zip(size, sides, pooled.steps, strict=True)]
    total = np.zeros((*x.shape[:2], *extent))
    for tap, switch in zip(np.ndindex(*op.kernel), switches, strict=True):
        total[:, :, *map(every, tap, x.shape[2:], pooled.steps)] += a.product(switch, x)
    return a.settled(total[:, :, *(slice(first, first + side) for (first, _), side in zip(sides, size, strict=True))])


FORMULAS: dict[type[Op], Formula] = {
    Conv: conv,
    Deconv: deconv,
    Linear: linear,
    Pool: pool,
    AdaptivePool: adaptive_pool,
    GlobalPool: global_pool,
    Unpool: unpool,
}
