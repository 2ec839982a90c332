"""Ops that keep the grid: norms and functions of each value, one rule an op."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import pi, sqrt
from typing import Any

from segcompile.ops import (
    Activation,
    Affine,
    BatchNorm,
    Clip,
    Dropout,
    DropPath,
    Elu,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Op,
    PRelu,
    ResponseNorm,
    Scale,
    Shape,
    Softmax,
    SpatialDropout,
)
from segcompile_onnx.program import Steps

Rule = Callable[[Steps, Any, Sequence[str], Sequence[Shape], Shape], str]  # -> the value that the layer gives


def _gelu(at: Steps, x: str) -> str:
    """x (1 + erf(x / √2)) / 2."""
    shares = at.op("Add", at.op("Erf", at.op("Div", x, at.number(sqrt(2)))), at.number(1))
    return at.op("Mul", at.op("Mul", x, shares), at.number(0.5))


def _tanh_gelu(at: Steps, x: str) -> str:
    """x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    cubes = at.op("Mul", at.op("Mul", at.op("Mul", x, x), x), at.number(0.044715))
    inner = at.op("Mul", at.op("Add", x, cubes), at.number(sqrt(2 / pi)))
    shares = at.op("Add", at.op("Tanh", inner), at.number(1))
    return at.op("Mul", at.op("Mul", x, shares), at.number(0.5))


def _plain(kind: str, **attributes: float) -> Callable[[Steps, str], str]:
    return lambda at, x: at.op(kind, x, **attributes)


_ACTIVATIONS: Mapping[str, Callable[[Steps, str], str]] = {
    "relu": _plain("Relu"),
    "relu6": lambda at, x: at.op("Clip", x, at.number(0), at.number(6)),
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
    "gelu": _gelu,
    "tanh_gelu": _tanh_gelu,
    "silu": lambda at, x: at.op("Mul", x, at.op("Sigmoid", x)),
    "hard_sigmoid": _plain("HardSigmoid", alpha=1 / 6, beta=0.5),
    "hard_swish": _plain("HardSwish"),
    "mish": lambda at, x: at.op("Mul", x, at.op("Tanh", at.op("Softplus", x))),
    "selu": _plain("Selu"),
    "softplus": _plain("Softplus"),
}


def _activation(at: Steps, op: Activation, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return _ACTIVATIONS[op.kind](at, inputs[0])


def _elu(at: Steps, op: Elu, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Elu", inputs[0], alpha=op.alpha)


def _leaky_relu(at: Steps, op: LeakyRelu, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("LeakyRelu", inputs[0], alpha=op.slope)


def _prelu(at: Steps, op: PRelu, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    slopes = at.weights["weight"]
    return at.op("PRelu", inputs[0], slopes if op.shared else at.channelwise(slopes, output.axes))


def _clip(at: Steps, op: Clip, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Clip", inputs[0], at.number(op.min), at.number(op.max))


def _scale(at: Steps, op: Scale, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Mul", inputs[0], at.number(op.factor))


def _softmax(at: Steps, op: Softmax, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Softmax", inputs[0], axis=1)


def _dropout(at: Steps, op: Dropout, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("Dropout", inputs[0], at.number(op.rate))


def _identity(at: Steps, op: Op, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """ONNX's dropout zeroes single values: of whole channels and whole images nothing is left at inference."""
    return at.op("Identity", inputs[0])


def _batch_norm(at: Steps, op: BatchNorm, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    tensors = [at.weights[name] for name in ("weight", "bias", "running_mean", "running_var")]
    return at.op("BatchNormalization", inputs[0], *tensors, epsilon=op.eps)


def _instance_norm(at: Steps, op: InstanceNorm, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.op("InstanceNormalization", inputs[0], at.weights["weight"], at.weights["bias"], epsilon=op.eps)


def _group_norm(at: Steps, op: GroupNorm, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """ONNX has it from opset 21 on only: an instance norm of each group as one channel, then scale and shift."""
    grouped = at.reshape(inputs[0], op.groups, -1)
    ones, zeros = at.numbers([1] * op.groups), at.numbers([0] * op.groups)
    even = at.op("InstanceNormalization", grouped, ones, zeros, epsilon=op.eps)
    return _scaled(at, at.reshape(even, output.channels, *at.sizes(inputs[0], output)), output.axes)


def layer_norm(at: Steps, x: str, axes: int, eps: float, prefix: str = "") -> str:
    """Over the channels, which ONNX wants last, of a tensor of so many axes beside batch and channels."""
    weight, bias = at.weights[f"{prefix}weight"], at.weights[f"{prefix}bias"]
    last = at.transpose(x, 0, *range(2, 2 + axes), 1) if axes else x
    even = at.op("LayerNormalization", last, weight, bias, axis=-1, epsilon=eps)
    return at.transpose(even, 0, 1 + axes, *range(1, 1 + axes)) if axes else even


def _layer_norm(at: Steps, op: LayerNorm, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return layer_norm(at, inputs[0], output.axes, op.eps)


def _response_norm(at: Steps, op: ResponseNorm, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """ONNX's is of images alone, and its window of an even size has one channel more behind, where PyTorch's has it
    before."""
    if op.size % 2 and output.axes == 2:
        return at.op("LRN", inputs[0], size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)
    around = at.whole([op.size // 2, (op.size - 1) // 2])
    squares = at.op("Pad", at.op("Mul", inputs[0], inputs[0]), around, at.number(0), at.whole([1]))
    parts = [at.part(squares, [shift], [shift + output.channels], [1]) for shift in range(op.size)]
    sums = at.op("Mul", at.op("Sum", *parts), at.number(op.alpha / op.size))
    return at.op("Div", inputs[0], at.op("Pow", at.op("Add", sums, at.number(op.k)), at.number(op.beta)))


def _affine(at: Steps, op: Affine, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return _scaled(at, inputs[0], 0 if op.shared else output.axes)


def _scaled(at: Steps, x: str, axes: int) -> str:
    """Times the weight, plus the bias, of each channel of a tensor of so many axes beside batch and channels."""
    found = at.op("Mul", x, at.channelwise(at.weights["weight"], axes))
    return at.op("Add", found, at.channelwise(at.weights["bias"], axes)) if "bias" in at.weights else found


RULES: dict[type[Op], Rule] = {
    BatchNorm: _batch_norm,
    InstanceNorm: _instance_norm,
    GroupNorm: _group_norm,
    LayerNorm: _layer_norm,
    ResponseNorm: _response_norm,
    Affine: _affine,
    Activation: _activation,
    Elu: _elu,
    LeakyRelu: _leaky_relu,
    PRelu: _prelu,
    Clip: _clip,
    Dropout: _dropout,
    SpatialDropout: _identity,
    DropPath: _identity,
    Scale: _scale,
    Softmax: _softmax,
}
