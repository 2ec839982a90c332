"""Ops with windows: convolutions, pools, and padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal

import numpy as np

from segcompile.importers.bench import Bench, Rule, Value, float32, is_pooled
from segcompile.importers.views import Unheld, View, regrown, viewed
from segcompile.ops import AdaptivePool, Conv, Deconv, GlobalPool, Pad, PadChannels, Pool
from segcompile.ops.base import Surroundings
from segcompile.ops.size import AnySize, Size
from segcompile.weights.onnx_values import Step

Pairs = tuple[tuple[int, int], ...]
_MOST = 2**20  # of a kernel, stride, dilation or padding
_MODES: Mapping[str, Surroundings] = {"constant": "zero", "reflect": "reflect", "edge": "edge", "wrap": "circular"}


def _setting(step: Step, name: str, rank: int, default: int) -> tuple[int, ...]:
    found = step.integers(name)
    if found is None:
        return (default,) * rank
    if len(found) != rank or not all(0 < each <= _MOST for each in found):
        raise Unheld(f"its `{name}` are {list(found)[:8]}")
    return found


def _pads(step: Step, sizes: Sequence[Size], spans: Sequence[int], strides: Sequence[int]) -> Pairs:
    """What is put around a map, by `pads` or `auto_pad`."""
    auto, rank = step.word("auto_pad", "NOTSET"), len(spans)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        each = zip(sizes, spans, strides, strict=True)
        return tuple(_halves(_same(*axis), auto == "SAME_UPPER") for axis in each)
    said = step.integers("pads") or (0,) * 2 * rank
    if auto == "VALID":
        said = (0,) * 2 * rank
    if len(said) != 2 * rank or not all(-_MOST <= pad <= _MOST for pad in said):
        raise Unheld(f"its `pads` are {list(said)[:8]}")
    if min(said, default=0) < 0:
        raise Unheld(f"its `pads` {list(said)} cut the map", "slice it before")
    return tuple(zip(said[:rank], said[rank:], strict=True))


def _same(size: Size, span: int, stride: int) -> int:
    """By how much a map grows so that one output comes of each `stride` pixels, Abadi et al.'s SAME."""
    if stride == 1:
        return span - 1
    if isinstance(size, AnySize):
        raise Unheld(
            f"`auto_pad` of a stride of {stride} pads by the size of the image, here {size}", "give the input a size"
        )
    return max((-(-size // stride) - 1) * stride + span - size, 0)


def _halves(total: int, more_behind: bool) -> tuple[int, int]:
    return (total // 2, total - total // 2) if more_behind else (total - total // 2, total // 2)


def _spans(kernel: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    return tuple(by * (taps - 1) + 1 for taps, by in zip(kernel, dilation, strict=True))


# --- convolutions ----------------------------------------------------------------------------------------------------


def _kernel(step: Step, bench: Bench, source: View) -> np.ndarray:
    weight, rank = bench.tensor(step, 1), len(source.sizes) - 2
    if weight.ndim != rank + 2 or not rank or 0 in weight.shape:
        raise Unheld(f"its weight has the shape {list(weight.shape)}, and it reads {bench.shape(source.node)}")
    said = step.integers("kernel_shape")
    if said is not None and said != weight.shape[2:]:
        raise Unheld(f"its `kernel_shape` is {list(said)[:8]}, and its weight {list(weight.shape)}")
    return float32(weight)


def _bias(step: Step, bench: Bench, channels: int) -> np.ndarray | None:
    bias = bench.array(step, 2)
    if bias is not None and bias.shape != (channels,):
        raise Unheld(f"its bias has the shape {list(bias.shape)}, of {channels} channels")
    return None if bias is None else float32(bias)


def _conv(step: Step, bench: Bench) -> Value:
    source = bench.plain(step)
    weight, rank = _kernel(step, bench, source), len(source.sizes) - 2
    stride, dilation = _setting(step, "strides", rank, 1), _setting(step, "dilations", rank, 1)
    kernel, groups = weight.shape[2:], step.integer("group", 1)
    if groups < 1 or weight.shape[1] * groups != bench.shape(source.node).channels:
        shape = bench.shape(source.node)
        raise Unheld(f"its weight has the shape {list(weight.shape)}, in {groups} groups, and it reads {shape}")
    pads = _pads(step, bench.shape(source.node).size, _spans(kernel, dilation), stride)
    node, pads, mode = _with_pad(step, bench, source.node, pads)
    bias = _bias(step, bench, weight.shape[0])
    op = Conv(
        channels=weight.shape[0], kernel=kernel, stride=stride, dilation=dilation, pad=pads, mode=mode, groups=groups,
        bias=bias is not None,
    )  # fmt: skip
    made = bench.add(op, [node], step, {"weight": weight} | ({"bias": bias} if bias is not None else {}))
    return viewed(made, bench.shape(made))


def _with_pad(step: Step, bench: Bench, node: str, pads: Pairs) -> tuple[str, Pairs, Surroundings]:
    """What a convolution reads and pads by, with a Pad that stands before it and that nothing else reads taken in.

    Zeros add up. Other paddings are taken in where the convolution has none of its own.
    """
    before = bench.made.get(node)
    if before is None or not isinstance(before.node.op, Pad) or before.node.op.value:
        return node, pads, "zero"
    own, reader = any(map(any, pads)), bench.foreign.only_reader(step.input(0))
    if reader is not step or (own and before.node.op.mode != "zero"):
        return node, pads, "zero"
    around = [before.node.op.pads(axis) for axis in range(len(pads))]
    summed = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, around, strict=True))
    return before.node.inputs[0], summed, before.node.op.mode


def _deconv(step: Step, bench: Bench) -> Value:
    source = bench.plain(step)
    weight, rank = _kernel(step, bench, source), len(source.sizes) - 2
    shape, groups = bench.shape(source.node), step.integer("group", 1)
    if groups < 1 or weight.shape[0] != shape.channels:
        raise Unheld(f"its weight has the shape {list(weight.shape)}, in {groups} groups, and it reads {shape}")
    stride, dilation = _setting(step, "strides", rank, 1), _setting(step, "dilations", rank, 1)
    spans = _spans(weight.shape[2:], dilation)
    more = step.integers("output_padding") or (0,) * rank
    if len(more) != rank or not all(0 <= each <= _MOST for each in more):
        raise Unheld(f"its `output_padding` is {list(more)[:8]}")
    pads, more = _cut(step, shape.size, spans, stride, more)
    bias = _bias(step, bench, weight.shape[1] * groups)
    op = Deconv(
        channels=weight.shape[1] * groups, kernel=weight.shape[2:], stride=stride, dilation=dilation, pad=pads,
        output_pad=more, groups=groups, bias=bias is not None,
    )  # fmt: skip
    made = bench.add(op, [source.node], step, {"weight": weight} | ({"bias": bias} if bias is not None else {}))
    return viewed(made, bench.shape(made))


def _cut(
    step: Step, sizes: Sequence[Size], spans: Sequence[int], stride: Sequence[int], more: tuple[int, ...]
) -> tuple[Pairs, tuple[int, ...]]:
    """What is cut off a transposed convolution's output, and what is put behind it: by `pads` and `output_padding`, by
    `output_shape`, or by `auto_pad`."""
    rank, auto = len(spans), step.word("auto_pad", "NOTSET")
    asked = step.integers("output_shape")
    if asked is None and not auto.startswith("SAME"):
        return _pads(step, sizes, spans, stride), more
    cut: list[tuple[int, int]] = []
    for axis in range(rank):
        size = sizes[axis]
        if asked is None:
            total = spans[axis] + more[axis] - stride[axis]
        elif isinstance(size, AnySize):
            raise Unheld(f"its `output_shape` {list(asked)[:8]} is one size", "give the input a size")
        else:
            total = stride[axis] * (size - 1) + spans[axis] + more[axis] - asked[axis - rank]
        cut.append(_halves(max(total, 0), more_behind=auto == "SAME_UPPER"))
        if total < 0:
            raise Unheld(f"its output is {-total} larger than its windows reach")
    # The padding of the output is at its end, where less is cut for it.
    pads = tuple((before, behind - plus) for (before, behind), plus in zip(cut, more, strict=True))
    return (pads, (0,) * rank) if min(map(min, pads)) >= 0 else (tuple(cut), more)


# --- pools -----------------------------------------------------------------------------------------------------------


def _pool(step: Step, bench: Bench) -> Value:
    kind: Literal["max", "avg"] = "max" if step.op == "MaxPool" else "avg"
    source = bench.plain(step)
    rank, shape = len(source.sizes) - 2, bench.shape(source.node)
    if len([name for name in step.outputs if name]) > 1 and _is_read(step.outputs[1], bench):
        raise Unheld("the places of its maxima are read")
    kernel = _setting(step, "kernel_shape", rank, 0)
    if min(kernel, default=0) < 1:
        raise Unheld("it says no `kernel_shape`")
    stride, dilation = _setting(step, "strides", rank, 1), _setting(step, "dilations", rank, 1)
    pads = _pads(step, shape.size, _spans(kernel, dilation), stride)
    counts = kind == "max" or bool(step.integer("count_include_pad", 0)) or not any(map(any, pads))
    node, pads, counts = _with_fill(step, bench, source.node, pads, kind, counts)
    rounding: Literal["ceil", "floor"] = "ceil" if step.integer("ceil_mode", 0) else "floor"
    op = Pool(
        kind=kind, kernel=kernel, stride=None if stride == kernel else stride, dilation=dilation, pad=pads,
        count_pad=counts, round=rounding,
    )  # fmt: skip
    made = bench.add(op, [node], step)
    return viewed(made, bench.shape(made))


def _bins(step: Step, bench: Bench) -> Value:
    """An adaptive pool, for which ONNX has no op: PyTorch's `kind` and `bins`."""
    source = bench.plain(step)
    bins, kind = step.integers("bins"), step.word("kind", "")
    if bins is None or kind not in ("max", "avg") or min(bins, default=0) < 1:
        raise Unheld(f"its bins are {bins}, of kind `{kind}`")
    return bench.on_grid(source, AdaptivePool(kind="max" if kind == "max" else "avg", bins=bins), step)


def _is_read(name: str, bench: Bench) -> bool:
    return name in bench.foreign.readers or name in bench.foreign.results


def _with_fill(step: Step, bench: Bench, node: str, pads: Pairs, kind: str, counts: bool) -> tuple[str, Pairs, bool]:
    """What a pool reads and pads by, with a Pad before it taken in: of zeros that a mean counts, or of values below all
    that a maximum compares."""
    before = bench.made.get(node)
    if before is None or not isinstance(before.node.op, Pad) or bench.foreign.only_reader(step.input(0)) is not step:
        return node, pads, counts
    op = before.node.op
    fits = op.value == 0 and counts if kind == "avg" else op.value <= float(np.finfo(np.float32).min)
    if op.mode != "zero" or not fits or any(map(any, pads)):
        return node, pads, counts
    return before.node.inputs[0], tuple(op.pads(axis) for axis in range(len(pads))), True


def _global_pool(step: Step, bench: Bench) -> Value:
    source = bench.plain(step)
    if len(source.sizes) < 3:
        raise Unheld(f"it reads {bench.shape(source.node)}")
    if is_pooled(bench, source.node):
        return source
    made = bench.add(GlobalPool(kind="global_max" if "Max" in step.op else "global_avg"), [source.node], step)
    return viewed(made, bench.shape(made))


def _reduced(step: Step, bench: Bench) -> Value:
    """A mean or maximum over all sizes is a global pool, whatever the order of the axes."""
    view = bench.view(step)
    rank = len(view.axes)
    said = bench.integers(step, "axes", 1)
    axes = [axis % rank for axis in said] if said is not None else list(range(rank))
    gone = {part for axis in axes for part in view.axes[axis]}
    if not gone:
        made = view.node
    elif gone != {part for axis in range(2, len(view.sizes)) for part in view.whole(axis)}:
        raise Unheld("it is taken over other axes than all sizes")
    else:
        made = bench.add(GlobalPool(kind="global_max" if "Max" in step.op else "global_avg"), [view.node], step)
    one = viewed(made, bench.shape(made))
    keep = bool(step.integer("keepdims", 1))
    kept = [() if index in axes else each for index, each in enumerate(view.axes) if keep or index not in axes]
    if any(part[0] > 1 or part[1] for each in kept for part in each):
        return View(view.node, view.sizes, view.parts, tuple(kept)) if not gone else _unlike()
    return View(made, one.sizes, one.parts, tuple(kept))


def _unlike() -> View:
    raise Unheld("its channels are cut in parts")


# --- padding ---------------------------------------------------------------------------------------------------------


def _pad(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    rank = len(view.axes)
    said = bench.integers(step, "pads" if step.integers("paddings") is None else "paddings", 1)
    if said is None:
        raise Unheld("it says no `pads`")
    axes = bench.integers(step, "", 3) if step.input(3) else None
    axes = list(range(rank)) if axes is None else [axis % rank for axis in axes]
    if len(said) != 2 * len(axes) or not all(abs(pad) <= _MOST for pad in said):
        raise Unheld(f"its `pads` are {said[:8]}")
    around = {axis: (said[at], said[at + len(axes)]) for at, axis in enumerate(axes)}
    if not any(map(any, around.values())):
        return view
    mode = _MODES.get(step.word("mode", "constant"))
    value = bench.scalar(step, 2) if step.input(2) else step.number("value", 0.0)
    if mode is None or value is None:
        raise Unheld(f"its mode is `{step.word('mode', '')}`" if mode is None else "it pads by more than one value")
    if min(min(pair) for pair in around.values()) < 0:
        raise Unheld(f"its `pads` {said} cut the map")
    channels = view.axis_of(1)
    if channels is not None and [axis for axis, pair in around.items() if any(pair)] == [channels]:
        return _more_channels(view, around[channels], mode == "zero" and value == 0, step, bench)
    amount = _amounts(view, around)
    value = 0.0 if mode != "zero" else float(np.float32(value))
    if value == -inf:  # below all that a maximum compares
        value = float(np.finfo(np.float32).min)
    if not np.isfinite(value):
        raise Unheld(f"it pads by {value}")
    made = bench.add(Pad(amount=amount, mode=mode, value=value), [view.node], step)
    return regrown(view, made, bench.shape(made))


def _more_channels(view: View, pair: tuple[int, int], zeros: bool, step: Step, bench: Bench) -> View:
    if pair[0] or not zeros:
        raise Unheld("it pads the channels by more than zeros behind the last one")
    return bench.result(view, PadChannels(more=pair[1]), step)


def _amounts(view: View, around: Mapping[int, tuple[int, int]]) -> Pairs:
    """The padding along each axis of ours."""
    rank = len(view.sizes) - 2
    found = dict.fromkeys(range(2, rank + 2), (0, 0))
    for axis, pair in around.items():
        if any(pair):
            mine = view.axes[axis]
            if len(mine) != 1 or mine[0][0] < 2 or mine != view.whole(mine[0][0]):
                raise Unheld("it pads another axis than a size")
            found[mine[0][0]] = pair
    return tuple(found.values())


RULES: Mapping[str, Rule] = {
    "Conv": _conv, "ConvTranspose": _deconv, "MaxPool": _pool, "AveragePool": _pool,
    "GlobalAveragePool": _global_pool, "GlobalMaxPool": _global_pool, "ReduceMean": _reduced, "ReduceMax": _reduced,
    "torch.AdaptivePool": _bins,
    "Pad": _pad,
}  # fmt: skip
