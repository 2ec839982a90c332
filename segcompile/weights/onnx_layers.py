"""The layers of an ONNX graph that weights belong to, each with its tensors in PyTorch's layout.

Only what stands at a weight's place is a weight: the kernel and bias of a convolution or matrix product, the scale,
shift and statistics of a normalisation, the slopes of a PRelu. A bias, scale or shift may be written out, as steps by
one value a channel directly behind its layer: x + v and x - v are a shift, x * v and x / v a scale, and several in a
row are reckoned together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_shapes import BROADCAST, KEEP, Known
from segcompile.weights.onnx_values import Constant, Step
from segcompile.weights.onnx_windows import SAME_VALUE, window_of
from segcompile.weights.sites import KERNELS, FileLayer, Kind

Parts = tuple[tuple[str, Constant], ...]  # role, tensor

_CONVS: dict[str, Kind] = {"Conv": "conv", "FusedConv": "conv", "ConvTranspose": "deconv"}
_DENSE = ("Gemm", "MatMul", "FusedGemm", "FusedMatMul")
_QUANTISED: dict[str, tuple[Kind, int, int]] = {  # kind, input that is the kernel, input that is the bias
    "QLinearConv": ("conv", 3, 8), "ConvInteger": ("conv", 1, 99), "QGemm": ("linear", 3, 6),
    "QLinearMatMul": ("linear", 3, 99), "MatMulInteger": ("linear", 1, 99),
}  # fmt: skip
_NORMS: dict[str, Kind] = {
    "BatchNormalization": "batch", "InstanceNormalization": "instance", "GroupNormalization": "group",
    "LayerNormalization": "layer",
}  # fmt: skip
_CHANNELS_LAST = (0, 2, 3, 1)  # what makes (batch, height, width, channel) of a map
_FLATTENS = ("Reshape", "Flatten", "Squeeze")
_SHIFTS, _SCALES = ("Add", "Sub"), ("Mul", "Div")
_FOLLOWERS = (*_NORMS, "PRelu", *_SCALES)
_MOST_NAMES = 8  # steps in a row that change no value
_MOST_STEPS = 8  # scales and shifts in a row
_EPS = 1e-5  # ONNX's own, where none is said


@dataclass(frozen=True, slots=True)
class Found:
    """A layer, its tensors, the value that comes out of it, and the steps that it is made of."""

    layer: FileLayer
    parts: Parts
    result: str
    steps: tuple[Step, ...]


def layers_of(graph: OnnxGraph, known: Known) -> Iterator[Found]:
    """The layers in the order of their steps, but what reads nothing than a layer's result comes directly behind it:
    the program may have run two convolutions first and their two norms then."""
    reader = _Reader(graph, known)
    taken: set[Step] = set()
    for step in graph.steps:
        found = reader.layer(step) if step not in taken else None
        while found is not None:
            taken.update(found.steps)
            yield found
            found = reader.next(found, taken)


@dataclass(frozen=True, slots=True)
class _Reader:
    graph: OnnxGraph
    known: Known

    def layer(self, step: Step, behind: str = "") -> Found | None:
        """The layer that starts at a step; `behind`: the convolution or matrix whose result it reads."""
        if not step.outputs:
            return None
        if step.op in _CONVS:
            return self._conv(step)
        if step.op in _DENSE:
            return self._dense(step)
        if step.op in _QUANTISED:
            return self._quantised(step)
        if step.op in _NORMS:
            return self._norm(step, behind)
        if step.op == "PRelu":
            return self._slopes(step)
        return self._scale(step, behind) if step.op in _SCALES else None

    def next(self, found: Found, taken: set[Step]) -> Found | None:
        """The norm or slopes that read a layer's result, with nothing between."""
        value = found.result
        for _ in range(_MOST_NAMES):
            step = self.graph.only_reader(value)
            if step is None or step.op not in SAME_VALUE or not step.outputs:
                break
            value = step.outputs[0]
        behind = found.layer.name if found.layer.kind in KERNELS else ""
        readers = [step for step in self.graph.readers.get(value, ()) if step not in taken and step.op in _FOLLOWERS]
        return next(filter(None, (self.layer(step, behind) for step in readers)), None)

    def _constant(self, name: str) -> Constant:
        """The tensor at a weight's place, which may be computed or come from outside: then it is not usable."""
        known = self.graph.constants.get(name)
        if known is not None:
            return known
        maker = self.graph.makers.get(name)
        why = f"{maker.op} computes it" if maker else "it comes from outside the model"
        shape = self.known.shape(name) or ()
        extents = tuple(extent for extent in shape if extent is not None)
        return Constant(name or "nothing", extents if len(extents) == len(shape) else (), list, unusable=why)

    def _conv(self, step: Step) -> Found:
        kernel = self._constant(step.input(1))
        window = window_of(step, self.graph, self.known, kernel.shape)
        kind, groups = _CONVS[step.op], step.integer("group", 1)
        layer = FileLayer(
            step.name, kind, step.op, groups, None, window.stride, window.dilation, window.pads, window.pad_mode
        )
        count = None
        if len(kernel.shape) > 1:
            count = kernel.shape[0] if kind == "conv" else kernel.shape[1] * groups
        return self._with_bias(step, layer, kernel, step.input(2), count)

    def _dense(self, step: Step) -> Found | None:
        """A matrix (in, out) that stands right; the product of two results is none, and no linear layer."""
        matrix = self.graph.constants.get(step.input(1))
        if matrix is None or len(matrix.shape) != 2:
            return None
        turn = _turn_before(step.input(0), self.graph, self.known)
        why = matrix.unusable
        if step.integer("transA", 0):
            why = "its step transposes what it reads"
        elif not why and turn not in ((), _CHANNELS_LAST):
            why = f"the map that it reads is transposed by {list(turn)}" if len(turn) > 1 else "its map is rearranged"
        stands = bool(step.integer("transB", 0))
        kernel = replace(matrix if stands or why else _turned(matrix), unusable=why, channels_last=bool(turn))
        layer = FileLayer(step.name, "linear", step.op)
        kernel = kernel.times(step.number("alpha", 1.0))
        return self._with_bias(step, layer, kernel, step.input(2), matrix.shape[0 if stands else 1])

    def _quantised(self, step: Step) -> Found:
        kind, kernel, bias = _QUANTISED[step.op]
        names = (("weight", step.input(kernel)), ("bias", step.input(bias)))
        parts = [
            (role, replace(self._constant(name), floats=True, unusable="it is quantised"))
            for role, name in names
            if name
        ]
        return Found(FileLayer(step.name, kind, step.op), tuple(parts), step.outputs[0], (step,))

    def _with_bias(self, step: Step, layer: FileLayer, kernel: Constant, name: str, count: int | None) -> Found:
        """A layer with its own bias, and the shifts behind it; `count`: of its output channels."""
        last = layer.kind == "linear"
        maker = self.graph.makers.get(name)
        bias = None
        if name and not (maker is not None and maker.op == "Expand" and self._constant(name).is_all(0)):
            bias = _vector(self._constant(name), count, 1 if last else 0, last).times(step.number("beta", 1.0))
        steps: tuple[Step, ...] = (step,)
        result = step.outputs[0]
        if bias is None or bias.shape == (count,):
            shifts, shift = self._shift(result, count, last)
            steps, result = (*steps, *shifts), shifts[-1].outputs[0] if shifts else result
            bias = bias.with_each(shift, np.add) if bias and shift else bias or shift
        parts: Parts = (("weight", kernel),) if bias is None else (("weight", kernel), ("bias", bias))
        return Found(layer, parts, result, steps)

    def _shift(self, name: str, count: int | None, last: bool = False) -> tuple[tuple[Step, ...], Constant | None]:
        """The steps behind a value that only shift it, and by how much together."""
        steps: tuple[Step, ...] = ()
        total = None
        while len(steps) < _MOST_STEPS and (found := self._by_channel(name, _SHIFTS, count, last)):
            total = found[1] if total is None else total.with_each(found[1], np.add)
            steps, name, count = (*steps, found[0]), found[0].outputs[0], total.count
        return steps, total

    def _norm(self, step: Step, behind: str) -> Found:
        """A normalisation. Written out, a group norm is an instance norm of the groups, between two Reshapes."""
        kind, source, found = _NORMS[step.op], step.input(0), [step]
        groups = step.integer("num_groups", 0)
        before, after = self.graph.makers.get(source), self.graph.only_reader(step.outputs[0])
        if kind == "instance" and before and after and after.outputs and before.op == after.op == "Reshape":
            kind, groups, source = "group", self._constant(step.input(1)).count, before.input(0)
            found.append(after)
        channels = self._channels(source) if kind != "layer" else None  # whose channels may be the last axis
        scale, shift, steps = self._affine(step, channels, tuple(found))
        parts = [("weight", _vector(scale, channels, groups))]
        if step.input(2):
            parts.append(("bias", _vector(shift, channels, groups)))
        if kind == "batch":
            statistics = zip(("running_mean", "running_var"), step.inputs[3:5], strict=False)
            parts += [(role, _vector(self._constant(name), channels)) for role, name in statistics]
        eps = step.number("epsilon", _EPS)
        layer = FileLayer(step.name, kind, step.op, groups or None, eps, behind=behind)
        return Found(layer, tuple(parts), steps[-1].outputs[0], steps)

    def _affine(
        self, step: Step, channels: int | None, steps: tuple[Step, ...]
    ) -> tuple[Constant, Constant, tuple[Step, ...]]:
        """The scale and shift of a norm, and its steps: a Mul and an Add behind it, if it has ones and zeros itself."""
        scale, shift = self._constant(step.input(1)), self._constant(step.input(2))
        if not (scale.is_all(1) and shift.is_all(0)):
            return scale, shift, steps
        scaled = self._by_channel(steps[-1].outputs[0], _SCALES, channels)
        steps = (*steps, scaled[0]) if scaled else steps
        shifts, shifted = self._shift(steps[-1].outputs[0], channels)
        return scaled[1] if scaled else scale, shifted or shift, (*steps, *shifts)

    def _slopes(self, step: Step) -> Found:
        vector = len(self.known.shape(step.input(0)) or ()) == 2
        slopes = _vector(self._constant(step.input(1)), self._channels(step.input(0)), 1, vector)
        return Found(FileLayer(step.name, "prelu", step.op), (("weight", slopes),), step.outputs[0], (step,))

    def _scale(self, step: Step, behind: str) -> Found | None:
        """Scales and shifts a channel, the first a scale: a batch norm in evaluation, written out."""
        names = [name for name in step.inputs if name not in self.graph.constants]
        found = self._by_channel(names[0], _SCALES, self._channels(names[0]), step=step) if len(names) == 1 else None
        if found is None:
            return None
        steps: tuple[Step, ...] = (step,)
        scale, shift = found[1], None
        while len(steps) < _MOST_STEPS:
            found = self._by_channel(steps[-1].outputs[0], (*_SCALES, *_SHIFTS), scale.count)
            if found is None:
                break
            if found[0].op in _SHIFTS:
                shift = found[1] if shift is None else shift.with_each(found[1], np.add)
            else:
                scale = scale.with_each(found[1], np.multiply)
                shift = shift.with_each(found[1], np.multiply) if shift else None
            steps = (*steps, found[0])
        if shift is None and (not behind or scale.count == 1):  # a factor
            return None
        layer = FileLayer(step.name, "scale", step.op, behind=behind)
        parts: Parts = (("weight", scale),) if shift is None else (("weight", scale), ("bias", shift))
        return Found(layer, parts, steps[-1].outputs[0], steps)

    def _channels(self, name: str) -> int | None:
        shape = self.known.shape(name) or ()
        return shape[1] if len(shape) > 1 else None

    def _by_channel(
        self, name: str, ops: Sequence[str], count: int | None, last: bool = False, step: Step | None = None
    ) -> tuple[Step, Constant] | None:
        """The step by one value a channel that alone reads a value, and by what it scales or shifts: x - v shifts by
        -v. Channels are the second axis of a value, or the `last` one; of a single channel the value may be a
        number."""
        step = step or self.graph.only_reader(name)
        if step is None or step.op not in ops or len(step.inputs) != 2 or not step.outputs:
            return None
        turned = step.op in ("Sub", "Div")
        if turned and step.input(0) != name:
            return None
        found = self.graph.constants.get(step.inputs[0 if step.inputs[1] == name else 1])
        if found is None or not found.floats or count not in (None, found.count):
            return None
        rank = len(self.known.shape(name) or ()) or 4
        axis = len(found.shape) - (1 if last else rank - 1)  # of the channels, in the constant
        if not count == found.count == 1 and (not 0 <= axis < len(found.shape) or found.shape[axis] != found.count):
            return None
        vector = found.shaped((found.count,))
        return step, vector.inverse(step.op) if turned else vector


def _vector(found: Constant, channels: int | None, shared: int = 0, last: bool = False) -> Constant:
    """A slope, scale or bias as one value a channel: (C, 1, 1) is (C,), and so is (1, C) where channels are the `last`
    axis. `shared`: how many values are allowed that each stand for several channels."""
    axis = len(found.shape) - (1 if last or len(found.shape) == 1 else 3)
    if found.unusable or (found.count != 1 and (axis < 0 or found.shape[axis] != found.count)):
        return found
    if channels and 0 < shared == found.count and channels % shared == 0:
        return found.spread(channels)
    return found.shaped((found.count,))


def _turned(matrix: Constant) -> Constant:
    return replace(matrix, shape=matrix.shape[::-1], read=lambda: matrix.read().T)


def _turn_before(name: str, graph: OnnxGraph, known: Known, flat: bool = False, most: int = 64) -> tuple[int, ...]:
    """How a map was transposed before it was flattened to a value; () if it was not, or if the value is the map, with
    its channels last. What only computes with each number, a norm or an activation, leaves them where they are, and so
    does putting maps together that were transposed alike."""
    seen: set[str] = set()
    while name in graph.makers and name not in seen:
        seen.add(name)
        step = graph.makers[name]
        if step.op == "Transpose":
            before = graph.makers.get(step.input(0))
            plain = before is None or before.op not in ("Reshape", "Transpose")
            turn = step.integers("perm") or (3, 2, 1, 0)
            return () if not flat and turn[-1] == 1 else turn if plain else (0,)
        if step.op == "Concat":
            if most < len(step.inputs):
                return (0,)
            each = {_turn_before(part, graph, known, flat, most // 2 - len(step.inputs)) for part in step.inputs}
            return each.pop() if len(each) == 1 else (0,)
        flat |= step.op in _FLATTENS
        name = _kept(step, graph, known)
    return ()


def _kept(step: Step, graph: OnnxGraph, known: Known) -> str:
    """The value whose numbers stand in the same order as in what a step makes; "" if there is none."""
    if step.op in KEEP or step.op in (*_FLATTENS, "Pad", "Slice"):
        return step.input(0)
    if step.op not in BROADCAST:
        return ""
    names = [name for name in step.inputs if name not in graph.constants]
    whole = [name for name in names if known.shape(name) == known.shape(step.outputs[0])]
    return next(iter(whole or names), "")
