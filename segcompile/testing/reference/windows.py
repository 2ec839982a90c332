"""Ops that read through windows: convolution, pooling, and both undone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcompile.ops import AXES, Conv, Deconv, GlobalPool, Linear, Pool, Unpool
from segcompile.testing.reference.arrays import Array, Tensors, channelwise, every, padded


def _mixed(x: Array, weight: Array) -> Array:
    """Channels to channels: (B, groups, in, H, W) by (groups, out, in) to (B, groups * out, H, W)."""
    found: Array = np.einsum("bgihw,goi->bgohw", x, weight, optimize=True)
    return found.reshape(len(found), -1, *found.shape[3:])


def _biased(x: Array, tensors: Tensors) -> Array:
    return x + channelwise(tensors["bias"], x) if "bias" in tensors else x


def conv(op: Conv, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Cross-correlation: y[p] = sum over taps t of weight[t] x[stride p + dilation t - pad]."""
    x, weight = padded(inputs[0], op), tensors["weight"]
    size = [(x.shape[2 + axis] - op.dilation[axis] * (op.kernel[axis] - 1) - 1) // op.stride[axis] + 1 for axis in AXES]
    x = x.reshape(len(x), op.groups, -1, *x.shape[2:])
    weight = weight.reshape(op.groups, -1, *weight.shape[1:])
    total: Array = 0  # type: ignore[assignment]
    for top, left in np.ndindex(*op.kernel):
        rows = every(top * op.dilation[0], size[0], op.stride[0])
        columns = every(left * op.dilation[1], size[1], op.stride[1])
        total = total + _mixed(x[:, :, :, rows, columns], weight[..., top, left])
    return _biased(total, tensors)


def deconv(op: Deconv, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Each input value, times the kernel, is added to the output around it: x[i] weight[t] to y[stride i + dilation t],
    of which the padding is cut off and output_pad rows and columns more are kept behind."""
    x, weight = inputs[0], tensors["weight"]
    size = x.shape[2:]
    full = [
        (size[axis] - 1) * op.stride[axis] + op.dilation[axis] * (op.kernel[axis] - 1) + 1 + op.output_pad[axis]
        for axis in AXES
    ]
    x = x.reshape(len(x), op.groups, -1, *size)
    weight = weight.reshape(op.groups, x.shape[2], *weight.shape[1:]).swapaxes(1, 2)
    total = np.zeros((len(x), op.channels, *full), np.result_type(x, weight))
    for top, left in np.ndindex(*op.kernel):
        rows = every(top * op.dilation[0], size[0], op.stride[0])
        columns = every(left * op.dilation[1], size[1], op.stride[1])
        total[:, :, rows, columns] += _mixed(x, weight[..., top, left])
    rows, columns = (slice(op.pads(axis)[0], full[axis] - op.pads(axis)[1]) for axis in AXES)
    return _biased(total[:, :, rows, columns], tensors)


def linear(op: Linear, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _biased(inputs[0].reshape(len(inputs[0]), -1) @ tensors["weight"].T, tensors)


def _windows(op: Pool, x: Array, border: float, beyond: float) -> Array:
    """(taps, B, C, height, width): what each window holds, row by row: `border` in the padding, `beyond` behind it,
    where a last window overhangs."""
    counts, missing = [], []
    for axis in AXES:
        (before, after), step = op.pads(axis), op.steps[axis]
        room = before + x.shape[2 + axis] + after - op.spans[axis]
        count = room // step + 1
        if op.round == "ceil":
            count = -(-room // step) + 1
            count -= (count - 1) * step >= before + x.shape[2 + axis]  # no window starts behind the image
        counts.append(count)
        missing.append((0, max(0, (count - 1) * step - room)))
    x = np.pad(x, ((0, 0), (0, 0), op.pads(0), op.pads(1)), constant_values=border)
    x = np.pad(x, ((0, 0), (0, 0), *missing), constant_values=beyond)
    steps, (down, right) = op.steps, op.dilation
    return np.stack(
        [
            x[:, :, every(down * y, counts[0], steps[0]), every(right * z, counts[1], steps[1])]
            for y, z in np.ndindex(*op.kernel)
        ]
    )


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
    """The maximum over a window's pixels; the mean over them and the zeros of the padding, but nothing behind it."""
    x = inputs[0]
    if op.kind == "max":
        return _largest(op, x)[0]
    found: Array = _windows(op, x, 0, 0).sum(0) / _windows(op, np.ones_like(x.real), 1, 0).sum(0)
    return found


def global_pool(op: GlobalPool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """The maximum or the mean over the whole map."""
    x = inputs[0].reshape(*inputs[0].shape[:2], -1)
    if op.kind == "global_avg":
        mean: Array = x.mean(2)[:, :, None, None]
        return mean
    return np.take_along_axis(x, x.real.argmax(2, keepdims=True), 2)[..., None]


def unpool(op: Unpool, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Each value goes to where its window of the pool had its maximum; zero elsewhere."""
    x, _, before = inputs
    pooled = op.pool
    _, taps = _largest(pooled, before)
    (top, left), steps = (pooled.pads(0)[0], pooled.pads(1)[0]), pooled.steps
    extent = [before.shape[2 + axis] + pooled.kernel[axis] + pooled.steps[axis] for axis in AXES]
    total = np.zeros((*x.shape[:2], *extent), x.dtype)
    for tap, (y, z) in enumerate(np.ndindex(*op.kernel)):
        rows, columns = every(y, x.shape[2], steps[0]), every(z, x.shape[3], steps[1])
        total[:, :, rows, columns] += np.where(taps == tap, x, 0)
    return total[:, :, top : top + before.shape[2], left : left + before.shape[3]]
