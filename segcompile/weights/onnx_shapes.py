"""The shapes of an ONNX graph's values, and short lists of numbers, as far as they follow from those of its inputs.

Two things need them: a padding that is said as SAME or is reckoned from the size, and a scale or slope said once for
several channels. None stands for an open extent; a value that nothing is known of is not in the tables. What the
file claims of values in between (value_info) is believed only where nothing is known.

onnx.shape_inference is not asked, for three reasons (onnx 1.23). It aborts the process on files that are made for it: a
Slice of an input whose extent is negative takes 113 bytes, and functions that call each other twice take twice as long
for each 60 bytes. One step without an input ends it for the whole graph. And it does not propagate Cast, Div, Ceil and
Max, with which exporters reckon SAME. onnx.reference fills and spreads to any size that a file says, and knows no list
of which one number is open, as that of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_numbers import Numbers, computed, held
from segcompile.weights.onnx_values import Step, resolved

Shape = tuple[int | None, ...]

KEEP = frozenset({
    "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh",
    "Softplus", "Softsign", "Mish", "Gelu", "Swish", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Abs", "Neg", "Floor",
    "Ceil", "Round", "Sign", "Clip", "Cast", "Identity", "Dropout", "Softmax", "LogSoftmax", "LRN",
    "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "LpNormalization",
    "MeanVarianceNormalization",
    "QuantizeLinear", "DequantizeLinear", "QuickGelu", "BiasGelu", "Shrink", "Not",
})  # fmt: skip
BROADCAST = frozenset({
    "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "PRelu", "Where", "Mod",
    "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a graph's values."""

    shapes: dict[str, Shape]
    lists: dict[str, Numbers]

    def shape(self, name: str) -> Shape | None:
        return self.shapes.get(name)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """A list of numbers, if all of them are known."""
        found = self.lists.get(name)
        return found.listed() if found else None

    def integers(self, step: Step, name: str, index: int) -> tuple[int, ...] | None:
        """A list that older opsets have as a setting `name` and newer ones as input number `index`."""
        found = self.numbers(step.input(index))
        if found is not None and all(number.is_integer() for number in found):
            return tuple(map(int, found))
        return None if step.input(index) else step.integers(name)


def known_of(graph: OnnxGraph, claimed: Mapping[str, Shape]) -> Known:
    """All that follows. `claimed`: the shapes that the file says of values in between."""
    known = Known({name: shape for name, shape in graph.inputs.items() if shape}, {})
    for name, constant in graph.constants.items():
        known.shapes[name] = constant.shape
        if (numbers := held(constant)) is not None:
            known.lists[name] = numbers
    for step in graph.steps:
        numbers = computed(step, known.shape(step.input(0)), known.lists)
        for index, name in enumerate(step.outputs):
            shape = _shape(step, known) if index == 0 else None
            shape = claimed.get(name) if shape is None else shape
            if shape is not None:
                known.shapes.setdefault(name, shape)
            if numbers is not None and index == 0:
                known.lists.setdefault(name, numbers)
                known.shapes.setdefault(name, numbers.values.shape)
    return known


def _shape(step: Step, known: Known) -> Shape | None:
    """The shape of a step's first output."""
    first = known.shape(step.input(0))
    if step.op in BROADCAST:
        return broadcast([known.shape(name) for name in step.inputs])
    if first is None:
        return None
    if step.op in KEEP:
        return first
    rule = _RULES.get(step.op)
    try:
        return rule(step, first, known) if rule else None
    except (ArithmeticError, ValueError, IndexError):  # axes of a scalar, an extent without end
        return None


def broadcast(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape that several have together; None if one of them is not known or they do not fit."""
    if not shapes or any(shape is None for shape in shapes):
        return None
    known = [shape for shape in shapes if shape is not None]
    rank = max(map(len, known))
    result: list[int | None] = []
    for axis in range(rank):
        extents = {shape[axis - rank] for shape in known if len(shape) >= rank - axis} - {1}
        if len(extents - {None}) > 1:
            return None
        fixed = extents - {None}
        result.append(fixed.pop() if fixed else None if extents else 1)
    return tuple(result)


def _convolved(step: Step, first: Shape, known: Known) -> Shape | None:
    kernel = known.shape(step.input(1))
    if kernel is None or len(kernel) != len(first) or len(kernel) < 3:
        return None
    return (first[0], kernel[0], *_windows(step, first[2:], kernel[2:]))


def _pooled(step: Step, first: Shape, known: Known) -> Shape | None:
    kernel = step.integers("kernel_shape")
    if kernel is None or len(kernel) + 2 != len(first):
        return None
    return (*first[:2], *_windows(step, first[2:], kernel))


def _windows(step: Step, sizes: Shape, kernel: Shape) -> Shape:
    strides = step.integers("strides") or (1,) * len(kernel)
    dilations = step.integers("dilations") or (1,) * len(kernel)
    pads = step.integers("pads") or (0,) * 2 * len(kernel)
    if len(strides) != len(kernel) or len(dilations) != len(kernel) or len(pads) != 2 * len(kernel) or min(strides) < 1:
        return (None,) * len(kernel)
    result: list[int | None] = []
    for axis, (size, taps) in enumerate(zip(sizes, kernel, strict=True)):
        if size is None or taps is None:
            result.append(None)
        elif step.word("auto_pad", "NOTSET").startswith("SAME"):
            result.append(-(-size // strides[axis]))
        else:
            padded = step.word("auto_pad", "NOTSET") != "VALID"
            rest = size + (pads[axis] + pads[axis + len(kernel)] if padded else 0) - dilations[axis] * (taps - 1) - 1
            up = step.integer("ceil_mode", 0) != 0
            result.append((-(-rest // strides[axis]) if up else rest // strides[axis]) + 1)
    return tuple(result)


def _deconvolved(step: Step, first: Shape, known: Known) -> Shape | None:
    kernel = known.shape(step.input(1))
    if kernel is None or len(kernel) != len(first) or len(kernel) < 3 or kernel[1] is None:
        return None
    count = len(kernel) - 2
    asked = step.integers("output_shape")
    strides, dilations = step.integers("strides") or (1,) * count, step.integers("dilations") or (1,) * count
    pads, more = step.integers("pads") or (0,) * 2 * count, step.integers("output_padding") or (0,) * count
    same = step.word("auto_pad", "NOTSET").startswith("SAME")
    sizes: list[int | None] = [None] * count
    if asked is not None:
        sizes = list(asked[-count:]) if len(asked) >= count else sizes
    elif len(strides) == len(dilations) == len(more) == count and len(pads) == 2 * count:
        for axis, (size, taps) in enumerate(zip(first[2:], kernel[2:], strict=True)):
            if size is not None and taps is not None:
                whole = strides[axis] * (size - 1) + more[axis] + dilations[axis] * (taps - 1) + 1
                sizes[axis] = size * strides[axis] if same else whole - pads[axis] - pads[axis + count]
    return (first[0], kernel[1] * step.integer("group", 1), *sizes)


def _global(step: Step, first: Shape, known: Known) -> Shape | None:
    return (*first[:2], *(1,) * (len(first) - 2))


def padding(step: Step, known: Known, rank: int) -> tuple[int, ...] | None:
    """What a Pad step adds, before each axis and then behind each; None where that is no constant."""
    pads = known.integers(step, "pads", 1)
    if pads is None:
        return None
    if not step.input(3):
        return pads if len(pads) == 2 * rank else None
    axes = known.numbers(step.input(3))
    if axes is None or len(pads) != 2 * len(axes) or not rank:
        return None
    whole = [0] * 2 * rank
    for index, axis in enumerate(map(int, axes)):
        whole[axis % rank], whole[axis % rank + rank] = pads[index], pads[index + len(axes)]
    return tuple(whole)


def _padded(step: Step, first: Shape, known: Known) -> Shape | None:
    pads = padding(step, known, len(first))
    if pads is None:
        return (*first[:2], *(None,) * (len(first) - 2))
    before, behind = pads[: len(first)], pads[len(first) :]
    return tuple(None if e is None else e + a + b for e, a, b in zip(first, before, behind, strict=True))


def _transposed(step: Step, first: Shape, known: Known) -> Shape | None:
    axes = step.integers("perm") or tuple(reversed(range(len(first))))
    return tuple(first[axis] for axis in axes) if sorted(axes) == list(range(len(first))) else None


def _reshaped(step: Step, first: Shape, known: Known) -> Shape | None:
    wanted = known.numbers(step.input(1))
    return None if wanted is None else resolved(first, wanted, bool(step.integer("allowzero", 0)))


def _flattened(step: Step, first: Shape, known: Known) -> Shape | None:
    axis = step.integer("axis", 1) % len(first)
    return (_product(first[:axis]), _product(first[axis:]))


def _product(shape: Shape) -> int | None:
    total = 1
    for extent in shape:
        if extent is None:
            return None
        total *= extent
    return total


def _squeezed(step: Step, first: Shape, known: Known) -> Shape | None:
    axes = known.integers(step, "axes", 1)
    if axes is None:
        return None
    gone = {axis % len(first) for axis in axes}
    return tuple(extent for axis, extent in enumerate(first) if axis not in gone)


def _unsqueezed(step: Step, first: Shape, known: Known) -> Shape | None:
    axes = known.integers(step, "axes", 1)
    if axes is None:
        return None
    rank = len(first) + len(axes)
    made, rest = {axis % rank for axis in axes}, iter(first)
    return tuple(1 if axis in made else next(rest, None) for axis in range(rank))


def _resized(step: Step, first: Shape, known: Known) -> Shape | None:
    sizes = known.numbers(step.input(3))
    if sizes is not None and len(sizes) == len(first):
        return tuple(map(int, sizes))
    older = known.numbers(step.input(1)) if len(step.inputs) == 2 else None  # Upsample, and Resize of opset 10
    said: Any = step.settings.get("scales")  # Upsample of opset 7
    scales = known.numbers(step.input(2)) or older or (said if isinstance(said, tuple) else None)
    if scales is None or len(scales) != len(first):
        return (*first[:2], *(None,) * (len(first) - 2))
    return tuple(None if e is None else floor(e * float(scale)) for e, scale in zip(first, scales, strict=True))


def _joined(step: Step, first: Shape, known: Known) -> Shape | None:
    shapes = [known.shape(name) for name in step.inputs]
    if any(shape is None or len(shape) != len(first) for shape in shapes):
        return None
    axis = step.integer("axis", 1) % len(first)
    extents = [shape[axis] for shape in shapes if shape is not None]
    return (*first[:axis], None if None in extents else sum(e or 0 for e in extents), *first[axis + 1 :])


def _dense(step: Step, first: Shape, known: Known) -> Shape | None:
    second = known.shape(step.input(1))
    if second is None or len(second) != 2:
        return None
    turned = bool(step.integer("transB", 0))
    return (*first[:-1], second[0 if turned else 1])


def _shuffled(step: Step, first: Shape, known: Known) -> Shape | None:
    factor = step.integer("blocksize", 0)
    if len(first) != 4 or factor < 1 or None in first:
        return None
    batch, channels, height, width = (extent or 0 for extent in first)
    if step.op == "DepthToSpace":
        return (batch, channels // factor**2, height * factor, width * factor)
    return (batch, channels * factor**2, height // factor, width // factor)


def _reduced(step: Step, first: Shape, known: Known) -> Shape | None:
    axes = known.integers(step, "axes", 1)
    if axes is None:
        return None
    gone = {axis % len(first) for axis in axes}
    if step.integer("keepdims", 1):
        return tuple(1 if axis in gone else extent for axis, extent in enumerate(first))
    return tuple(extent for axis, extent in enumerate(first) if axis not in gone)


_RULES: Mapping[str, Callable[[Step, Shape, Known], Shape | None]] = {
    "Conv": _convolved, "FusedConv": _convolved, "ConvTranspose": _deconvolved,
    "MaxPool": _pooled, "AveragePool": _pooled, "LpPool": _pooled,
    "GlobalAveragePool": _global, "GlobalMaxPool": _global, "GlobalLpPool": _global,
    "Pad": _padded, "Transpose": _transposed, "Reshape": _reshaped, "Flatten": _flattened,
    "Squeeze": _squeezed, "Unsqueeze": _unsqueezed, "Resize": _resized, "Upsample": _resized, "Concat": _joined,
    "Gemm": _dense, "MatMul": _dense, "FusedGemm": _dense, "FusedMatMul": _dense,
    "DepthToSpace": _shuffled, "SpaceToDepth": _shuffled,
    "ReduceMean": _reduced, "ReduceMax": _reduced, "ReduceSum": _reduced,
}  # fmt: skip
