"""Ops that read through windows: convolution, pooling, and both undone, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from segcompile.emit.arguments import Sides, beyond, counted, reached, sides
from segcompile.ops import AdaptivePool, Conv, Deconv, GlobalPool, Linear, Op, Pool, Shape, Unpool
from segcompile_onnx.program import Extent, Steps
from segcompile_onnx.values import Rule


def _in_order(each: Sides) -> list[int]:
    """All sides before, then all behind, as ONNX lists them."""
    return [before for before, _ in each] + [after for _, after in each]


def _tensors(at: Steps) -> list[str]:
    return [at.weights["weight"], *([at.weights["bias"]] if "bias" in at.weights else [])]


def conv(at: Steps, op: Conv, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    op, x = op.along(shapes[0]), inputs[0]
    around = sides(op)
    if op.mode != "zero":
        x, around = at.padded(x, around, op.mode), ((0, 0),) * len(around)
    told: dict[str, Any] = {"strides": op.stride, "dilations": op.dilation, "group": op.groups}
    return at.op("Conv", x, *_tensors(at), kernel_shape=op.kernel, pads=_in_order(around), **told)


def _deconv(at: Steps, op: Deconv, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    told: dict[str, Any] = {"strides": op.stride, "dilations": op.dilation, "group": op.groups}
    if all(more < step for more, step in zip(op.output_pad, op.stride, strict=True)):
        told |= {"pads": _in_order(sides(op)), "output_padding": op.output_pad}
        return at.op("ConvTranspose", inputs[0], *_tensors(at), kernel_shape=op.kernel, **told)
    # What a runtime may refuse: so much less is cut off, and zeros are put behind where nothing is left to be.
    each = [(before, after - more) for (before, after), more in zip(sides(op), op.output_pad, strict=True)]
    cut, put = tuple((before, max(after, 0)) for before, after in each), [(0, max(-after, 0)) for _, after in each]
    weight, *bias = _tensors(at)
    found = at.op("ConvTranspose", inputs[0], weight, kernel_shape=op.kernel, pads=_in_order(cut), **told)
    found = at.padded(found, put)
    return at.op("Add", found, at.channelwise(bias[0], output.axes)) if bias else found


def _linear(at: Steps, op: Linear, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    x = at.op("Flatten", inputs[0], axis=1) if shapes[0].axes else inputs[0]
    return at.op("Gemm", x, *_tensors(at), transB=1)


def _pool(at: Steps, op: Pool, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """Rounded down, where runtimes round up differently, with so much padding behind that this gives the same."""
    window: dict[str, Any] = {"kernel_shape": op.kernel, "strides": op.steps}
    if op.kind == "max":
        return _max_pool(at, op, inputs[0], window)
    inner, outer = counted(op), reached(op)
    if inner == outer:
        return at.op("AveragePool", inputs[0], pads=_in_order(inner), count_include_pad=1, **window)
    x = at.padded(inputs[0], inner)
    return at.op("AveragePool", x, pads=_in_order(beyond(inner, outer)), count_include_pad=0, **window)


def _rounds_itself(op: Pool) -> bool:
    """Whether ONNX's rounding up is that of the op at every size: where no window can start behind the map, all
    runtimes agree on it."""
    each = zip(sides(op), op.steps, op.spans, strict=True)
    return op.round == "ceil" and all(after + step <= span for (_, after), step, span in each)


def _around(op: Pool) -> Sides:
    """The padding of a maximum."""
    return sides(op) if _rounds_itself(op) else reached(op)


def _max_pool(at: Steps, op: Pool, x: str, window: dict[str, Any]) -> str:
    around = _around(op)
    if any(max(pair) >= taps for pair, taps in zip(around, op.kernel, strict=True)):  # ONNX takes less than the kernel
        x, around = at.padded(x, around, "zero", -inf), ((0, 0),) * len(around)
    window = {**window, "pads": _in_order(around), "dilations": op.dilation, "ceil_mode": int(_rounds_itself(op))}
    if not at.is_asked:
        return at.op("MaxPool", x, **window)
    found, at.places = at.ops("MaxPool", 2, x, **window)
    return found


def _unpool(at: Steps, op: Unpool, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """The places are those in the whole batch, which has the size of what was pooled. A runtime infers a size from the
    window, too, rounded up, which may not be larger: so as much is cut off as the pool may have rounded."""
    x, places, before = inputs
    window: dict[str, Any] = {"kernel_shape": op.kernel, "strides": op.pool.steps, "pads": _in_order(reached(op.pool))}
    return at.op("MaxUnpool", x, places, at.op("Shape", before), **window)


def _adaptive_pool(at: Steps, op: AdaptivePool, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """Along one axis after another, bin by bin; windows of one size where these divide the map."""
    x, size = inputs[0], shapes[0].size
    if set(op.bins) == {1}:
        return _over_all(at, op.kind, x)
    if all(isinstance(extent, int) and extent % bins == 0 for extent, bins in zip(size, op.bins, strict=True)):
        kernel = [int(str(extent)) // bins for extent, bins in zip(size, op.bins, strict=True)]
        return at.op({"avg": "AveragePool", "max": "MaxPool"}[op.kind], x, kernel_shape=kernel, strides=kernel)
    for axis, bins in enumerate(op.bins):
        extent = at.size(inputs[0], shapes[0], axis)
        parts = [_bin(at, op.kind, x, axis, extent, place, bins) for place in range(bins)]
        x = at.op("Concat", *parts, axis=2 + axis) if bins > 1 else parts[0]
    return x


def _bin(at: Steps, kind: str, x: str, axis: int, extent: Extent, place: int, bins: int) -> str:
    """Pixels floor(p S / n) to ceil((p + 1) S / n) along an axis, reduced to one."""
    first = at.over(at.times(extent, place), bins) if place else 0
    end = at.over(at.plus(at.times(extent, place + 1), bins - 1), bins)
    reduce = {"avg": "ReduceMean", "max": "ReduceMax"}[kind]
    return at.op(reduce, at.part(x, [first], [end], [2 + axis]), at.whole([2 + axis]), keepdims=1)


def _over_all(at: Steps, kind: str, x: str) -> str:
    return at.op({"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}[kind], x)


def _global_pool(at: Steps, op: GlobalPool, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return _over_all(at, op.kind.removeprefix("global_"), inputs[0])


RULES: dict[type[Op], Rule] = {
    Conv: conv,
    Deconv: _deconv,
    Linear: _linear,
    Pool: _pool,
    AdaptivePool: _adaptive_pool,
    GlobalPool: _global_pool,
    Unpool: _unpool,
}
