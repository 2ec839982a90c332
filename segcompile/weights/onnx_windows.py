"""Stride, dilation and padding of an ONNX convolution: SAME resolved at the file's size, a Pad before it counted in.

A circular padding may be written out: the map between its own last and first rows, then columns.

`pads` is before and behind along each axis, of an image (top, bottom, left, right). Of a transposed convolution it is
what is cut of the whole output, less the output padding: so much decides which input an output reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_shapes import Known, padding
from segcompile.weights.onnx_values import Step
from segcompile.weights.sites import Pads

_MODES = {"constant": "zero", "reflect": "reflect", "edge": "edge", "wrap": "circular"}
_MOST = 2**20  # pixels of a stride or padding that is believed
SAME_VALUE = ("Identity", "Cast", "Dropout")

PerAxis = tuple[int, ...]
_RANKS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Window:
    """None for what the file does not say, or what depends on the image."""

    stride: PerAxis | None = None
    dilation: PerAxis | None = None
    pads: Pads | None = None
    pad_mode: str = "zero"


def window_of(step: Step, graph: OnnxGraph, known: Known, kernel: tuple[int, ...]) -> Window:
    """The window of a Conv or ConvTranspose with a kernel (_, _, height, width), or of one axis or three."""
    rank = len(kernel) - 2
    stride, dilation = _per_axis(step, "strides", rank), _per_axis(step, "dilations", rank)
    if rank not in _RANKS or stride is None or dilation is None:
        return Window()
    spans = tuple(apart * (taps - 1) + 1 for apart, taps in zip(dilation, kernel[2:], strict=True))
    if step.op == "ConvTranspose":
        return Window(stride, dilation, _cut(step, known, stride, spans))
    own = _own(step, known, stride, spans)
    before = _before(step, graph, known, rank)
    if own is None or before is None:
        return Window(stride, dilation)
    added, mode = before
    if any(own) and any(added) and mode != "zero":
        return Window(stride, dilation)  # zeros around something else: no padding that one convolution can have
    return Window(stride, dilation, _sum(own, added), mode if any(added) else "zero")


def _per_axis(step: Step, name: str, rank: int) -> PerAxis | None:
    found = step.integers(name)
    if name not in step.settings:
        return (1,) * rank
    return tuple(found) if found and len(found) == rank and 1 <= min(found) <= max(found) <= _MOST else None


def _own(step: Step, known: Known, stride: PerAxis, spans: PerAxis) -> Pads | None:
    """The padding of a convolution itself."""
    auto = step.word("auto_pad", "NOTSET")
    if auto == "NOTSET":
        return _stated(step, len(stride))
    if auto == "VALID":
        return (0, 0) * len(stride)
    sizes = (known.shape(step.input(0)) or ())[2:]
    sides: list[int] = []
    for axis in range(len(stride)):
        size = sizes[axis] if len(sizes) == len(stride) else None
        if size is None and stride[axis] > 1:
            return None
        outputs = -(-(size or 1) // stride[axis])
        total = max((outputs - 1) * stride[axis] + spans[axis] - (size or 1), 0)
        sides += _halves(total, more_behind=auto == "SAME_UPPER")
    return _pads(sides)


def _stated(step: Step, rank: int) -> Pads | None:
    """ONNX lists (top, left, bottom, right)."""
    if "pads" not in step.settings:
        return (0, 0) * rank
    found = step.integers("pads")
    if found is None or len(found) != 2 * rank:
        return None
    return _pads([side for axis in range(rank) for side in (found[axis], found[axis + rank])])


def _cut(step: Step, known: Known, stride: PerAxis, spans: PerAxis) -> Pads | None:
    """What a transposed convolution cuts. With an `output_shape` that decides, and the first half is the larger one."""
    rank = len(stride)
    more = step.integers("output_padding") or (0,) * rank
    asked = step.integers("output_shape")
    auto = step.word("auto_pad", "NOTSET")
    if len(more) != rank or (asked is not None and len(asked) < rank):
        return None
    if asked is None and auto in ("NOTSET", "VALID"):
        stated = _stated(step, rank) if auto == "NOTSET" else (0, 0) * rank
        return _pads([s - more[n // 2] if n % 2 else s for n, s in enumerate(stated)]) if stated else None
    sizes = (known.shape(step.input(0)) or ())[2:]
    sides: list[int] = []
    for axis in range(rank):
        size = sizes[axis] if len(sizes) == rank else None
        if asked is not None and size is None:
            return None
        whole = stride[axis] * ((size or 1) - 1) + spans[axis] + more[axis]
        wanted = asked[axis - rank] if asked is not None else (size or 1) * stride[axis]
        before, behind = _halves(max(whole - wanted, 0), more_behind=auto == "SAME_UPPER")
        sides += (before, behind - more[axis])
    return _pads(sides)


def _halves(total: int, more_behind: bool) -> tuple[int, int]:
    return (total // 2, total - total // 2) if more_behind else (total - total // 2, total // 2)


def _before(step: Step, graph: OnnxGraph, known: Known, rank: int) -> tuple[Pads, str] | None:
    """What stands before a convolution and adds around the image, and of what; None where that is not known."""
    maker = _maker(step, graph)
    if maker is not None and maker.op == "Concat":
        return _wrapped(maker, graph, known, rank)
    if maker is not None and maker.op == "Gather" and maker.integer("axis", 0) % (rank + 2) > 1:
        return None
    if maker is None or maker.op != "Pad":
        return (0, 0) * rank, "zero"
    pads = padding(maker, known, rank + 2)
    mode = maker.word("mode", "constant")
    if pads is None or any(pads[axis] for axis in (0, 1, rank + 2, rank + 3)):  # batch or channels
        return None
    value = known.numbers(maker.input(2)) if maker.input(2) else (maker.number("value", 0.0),)
    filled = mode == "constant" and value != (0.0,)
    around = _pads([side for axis in range(2, rank + 2) for side in (pads[axis], pads[axis + rank + 2])])
    if around is None or (filled and value is None):
        return None
    return around, f"{value[0]:g}" if filled and value else _MODES.get(mode, mode)


def _maker(step: Step, graph: OnnxGraph) -> Step | None:
    """What makes the value that a step reads, but for steps that only name it."""
    maker = graph.makers.get(step.input(0))
    for _ in range(8):
        if maker is None or maker.op not in SAME_VALUE:
            break
        maker = graph.makers.get(maker.input(0))
    return maker


def _wrapped(step: Step, graph: OnnxGraph, known: Known, rank: int) -> tuple[Pads, str] | None:
    """The padding that Concat steps put around a map, if it is made of the map's opposite sides."""
    sides, maker = [0, 0] * rank, step
    for _ in range(rank):
        axis = maker.integer("axis", 0) % (rank + 2)
        if axis < 2:  # of channels: no padding
            break
        core = next((name for name in maker.inputs if getattr(graph.makers.get(name), "op", "") != "Slice"), None)
        at = maker.inputs.index(core) if core else -1
        parts = [_side(name, core or "", axis, graph, known, rank) for name in maker.inputs if name != core]
        if not 0 <= at <= 1 or not 0 < len(parts) == len(maker.inputs) - 1 < 3 or None in parts:
            return None
        counts = [part or 0 for part in parts]
        if any(count > 0 for count in counts[:at]) or any(count < 0 for count in counts[at:]):
            return None
        sides[2 * axis - 4] += -sum(counts[:at])
        sides[2 * axis - 3] += sum(counts[at:])
        inner = graph.makers.get(core or "")
        if inner is None or inner.op != "Concat":
            return ((_pads(sides) or (0, 0) * rank), "circular") if inner is None or inner.op != "Pad" else None
        maker = inner
    return ((_pads(sides) or (0, 0) * rank), "circular") if any(sides) else ((0, 0) * rank, "zero")


def _side(name: str, core: str, axis: int, graph: OnnxGraph, known: Known, rank: int) -> int | None:
    """How many rows a Slice takes of a map: so many of the first, or less than 0, of the last; None for any other."""
    step = graph.makers.get(name)
    if step is None or step.input(0) != core:
        return None
    starts, ends, axes = (known.integers(step, word, at) for at, word in enumerate(("starts", "ends", "axes"), 1))
    strides = known.numbers(step.input(4)) if step.input(4) else (1.0,)
    if not starts or not ends or not axes or len(axes) != 1 or axes[0] % (rank + 2) != axis or strides != (1.0,):
        return None
    if starts[0] == 0 < ends[0] <= _MOST:
        return ends[0]
    return starts[0] if -_MOST <= starts[0] < 0 and ends[0] > _MOST else None


def _sum(first: Pads, second: Pads) -> Pads | None:
    return _pads([a + b for a, b in zip(first, second, strict=True)])


def _pads(sides: list[int]) -> Pads | None:
    return tuple(sides) if max(map(abs, sides)) <= _MOST else None
