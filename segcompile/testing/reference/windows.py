"""Ops that read through windows: convolution, pooling, and both undone."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

import numpy as np

from segcompile.ops import AdaptivePool, Conv, Deconv, GlobalPool, Linear, Op, Pool, Unpool
from segcompile.testing.reference.arrays import Array, Formula, Tensors, around, channelwise, every, padded


def _mixed(x: Array, weight: Array) -> Array:
    """Channels to channels: (B, groups, in, ...) by (groups, out, in) to (B, groups * out, ...)."""
    found: Array = np.einsum("bgi...,goi->bgo...", x, weight, optimize=True)
    return found.reshape(len(found), -1, *found.shape[3:])


def _biased(x: Array, tensors: Tensors) -> Array:
    return x + channelwise(tensors["bias"], x) if "bias" in tensors else x


def conv(op: Conv, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Cross-correlation: y[p] = sum over taps t of weight[t] x[stride p + dilation t - pad]."""
    if len(op.kernel) != inputs[0].ndim - 2:  # of a list, along its one axis: each position alone
        op = Conv(channels=op.channels, kernel=(1,), groups=op.groups)
    x, weight = padded(inputs[0], op), tensors["weight"]
    sliding = zip(x.shape[2:], op.kernel, op.stride, op.dilation, strict=True)
    size = [(extent - dilation * (taps - 1) - 1) // stride + 1 for extent, taps, stride, dilation in sliding]
    x = x.reshape(len(x), op.groups, -1, *x.shape[2:])
    weight = weight.reshape(op.groups, -1, *weight.shape[1:])
    total: Array = 0  # type: ignore[assignment]
    for tap in np.ndindex(*op.kernel):
        read = tuple(map(every, map(mul, tap, op.dilation), size, op.stride))
        total = total + _mixed(x[:, :, :, *read], weight[..., *tap])
    return _biased(total, tensors)


def deconv(op: Deconv, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Each input value, times the kernel, is added to the output around it: x[i] weight[t] to y[stride i + dilation t],
    of which the padding is cut off and output_pad pixels more are kept behind."""
    x, weight = inputs[0], tensors["weight"]
    size = x.shape[2:]
    sliding = zip(size, op.kernel, op.stride, op.dilation, op.output_pad, strict=True)
    full = [
        (extent - 1) * stride + dilation * (taps - 1) + 1 + more for extent, taps, stride, dilation, more in sliding
    ]
    x = x.reshape(len(x), op.groups, -1, *size)
    weight = weight.reshape(op.groups, x.shape[2], *weight.shape[1:]).swapaxes(1, 2)
    total = np.zeros((len(x), op.channels, *full), np.result_type(x, weight))
    for tap in np.ndindex(*op.kernel):
        written = tuple(map(every, map(mul, tap, op.dilation), size, op.stride))
        total[:, :, *written] += _mixed(x, weight[..., *tap])
    kept = (
        slice(before, extent - after) for extent, (before, after) in zip(full, around(op, inputs[0])[2:], strict=True)
    )
    return _biased(total[:, :, *kept], tensors)


def linear(op: Linear, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _biased(inputs[0].reshape(len(inputs[0]), -1) @ tensors["weight"].T, tensors)


def _windows(op: Pool, x: Array, border: float, beyond: float) -> Array:
    """(taps, B, C, ...): what each window holds, row by row: `border` in the padding, `beyond` behind it, where a last
    window overhangs."""
    counts, missing = [], []
    for axis, (extent, step, span) in enumerate(zip(x.shape[2:], op.steps, op.spans, strict=True)):
        before, after = op.pads(axis)
        room = before + extent + after - span
        count = room // step + 1
        if op.round == "ceil":
            count = -(-room // step) + 1
            count -= (count - 1) * step >= before + extent  # no window starts behind the image
        counts.append(count)
        missing.append((0, max(0, (count - 1) * step - room)))
    x = np.pad(x, around(op, x), constant_values=border)
    x = np.pad(x, ((0, 0), (0, 0), *missing), constant_values=beyond)
    taps = (map(mul, tap, op.dilation) for tap in np.ndindex(*op.kernel))
    return np.stack([x[:, :, *map(every, tap, counts, op.steps)] for tap in taps])


def _largest(op: Pool, x: Array) -> tuple[Array, Array]:
    """The maximum over the pixels of each window, and the tap that has it."""
    windows = _windows(op, x, -np.inf, -np.inf)
    taps = windows.real.argmax(0)
    return np.take_along_axis(windows, taps[None], 0)[0], taps


def lead(op: Pool, x: Array) -> Array:
    """By how much each window's maximum is above its other pixels; infinite where there are none, or where maximum and
    runner-up are both zero: a ReLU's zeros are equal however a sum is rounded, and the first one counts."""
    ranked = np.sort(_windows(op, x, -np.inf, -np.inf), 0)
    first, second = ranked[-1], ranked[-2] if len(ranked) > 1 else np.full_like(ranked[-1], -np.inf)
    return np.where((first == 0) & (second == 0), np.inf, first - second)


def pool(op: Pool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """The maximum over a window's pixels; the mean over them and, if these count, the zeros of the padding, but nothing
    behind it."""
    x = inputs[0]
    if op.kind == "max":
        return _largest(op, x)[0]
    found: Array = _windows(op, x, 0, 0).sum(0) / _windows(op, np.ones_like(x.real), op.count_pad, 0).sum(0)
    return found


def adaptive_pool(op: AdaptivePool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """The maximum or the mean over the pixels of each bin."""
    x = inputs[0]
    sides = [
        [slice(p * size // bins, -(-(p + 1) * size // bins)) for p in range(bins)]
        for size, bins in zip(x.shape[2:], op.bins, strict=True)
    ]
    reduced = np.zeros((*x.shape[:2], *op.bins), x.dtype)
    for cell in np.ndindex(*op.bins):
        part = x[:, :, *(parts[index] for parts, index in zip(sides, cell, strict=True))].reshape(*x.shape[:2], -1)
        largest = np.take_along_axis(part, part.real.argmax(2, keepdims=True), 2)[..., 0]
        reduced[:, :, *cell] = part.mean(2) if op.kind == "avg" else largest
    return reduced


def global_pool(op: GlobalPool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """The maximum or the mean over the whole map."""
    x = inputs[0].reshape(*inputs[0].shape[:2], -1)
    pixel = (*x.shape[:2], *[1] * (inputs[0].ndim - 2))
    if op.kind == "global_avg":
        mean: Array = x.mean(2)
        return mean.reshape(pixel)
    return np.take_along_axis(x, x.real.argmax(2, keepdims=True), 2).reshape(pixel)


def unpool(op: Unpool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Each value goes to where its window of the pool had its maximum; zero elsewhere."""
    x, _, before = inputs
    pooled = op.pool
    _, taps = _largest(pooled, before)
    sides, size = around(pooled, before)[2:], before.shape[2:]
    extent = [side + taken + step for side, taken, step in zip(size, pooled.kernel, pooled.steps, strict=True)]
    total = np.zeros((*x.shape[:2], *extent), x.dtype)
    for index, tap in enumerate(np.ndindex(*op.kernel)):
        total[:, :, *map(every, tap, x.shape[2:], pooled.steps)] += np.where(taps == index, x, 0)
    return total[:, :, *(slice(first, first + side) for (first, _), side in zip(sides, size, strict=True))]


FORMULAS: dict[type[Op], Formula] = {
    Conv: conv,
    Deconv: deconv,
    Linear: linear,
    Pool: pool,
    AdaptivePool: adaptive_pool,
    GlobalPool: global_pool,
    Unpool: unpool,
}
