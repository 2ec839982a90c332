"""Ops that keep the grid: normalisation and functions of each value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import erf

import numpy as np

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
    Softmax,
    SpatialDropout,
)
from segcompile.testing.reference.arrays import Array, Formula, Tensors, channelwise


def _scaled(x: Array, tensors: Tensors) -> Array:
    return x * channelwise(tensors["weight"], x) + channelwise(tensors["bias"], x)


def batch_norm(op: BatchNorm, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """By the running mean and variance."""
    mean, variance = (channelwise(tensors[name], inputs[0]) for name in ("running_mean", "running_var"))
    return _scaled((inputs[0] - mean) / np.sqrt(variance + op.eps), tensors)


def instance_norm(op: InstanceNorm, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _scaled(_group_normalised(inputs[0], inputs[0].shape[1], op.eps), tensors)


def group_norm(op: GroupNorm, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _scaled(_group_normalised(inputs[0], op.groups, op.eps), tensors)


def layer_norm(op: LayerNorm, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """The channels of each pixel, by their mean and (biased) variance."""
    centred = inputs[0] - inputs[0].mean(1, keepdims=True)
    return _scaled(centred / np.sqrt((centred**2).mean(1, keepdims=True) + op.eps), tensors)


def affine(op: Affine, inputs: Sequence[Array], tensors: Tensors) -> Array:
    scaled: Array = inputs[0] * channelwise(tensors["weight"], inputs[0])
    return scaled + channelwise(tensors["bias"], scaled) if op.bias else scaled


def _group_normalised(x: Array, groups: int, eps: float) -> Array:
    """Neighbouring channels of each image together, by their mean and (biased) variance."""
    grouped = x.reshape(len(x), groups, -1)
    centred = grouped - grouped.mean(2, keepdims=True)
    found: Array = centred / np.sqrt((centred**2).mean(2, keepdims=True) + eps)
    return found.reshape(x.shape)


def response_norm(op: ResponseNorm, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """x / (k + alpha / size * sum of squares of the `size` channels around it) ** beta; one more before if even."""
    x = inputs[0]
    squares = np.pad(x**2, ((0, 0), (op.size // 2, (op.size - 1) // 2), *[(0, 0)] * (x.ndim - 2)))
    around = sum(squares[:, shift : shift + x.shape[1]] for shift in range(op.size))
    found: Array = x / (op.k + op.alpha / op.size * around) ** op.beta
    return found


def _erf(x: Array) -> Array:
    """The error function; of x + ih, with the slope 2 / sqrt(pi) exp(-x²)."""
    found: Array = np.vectorize(erf, otypes=[float])(x.real).astype(x.real.dtype)
    return found + 2j / np.sqrt(np.pi) * np.exp(-(x.real**2)) * x.imag if np.iscomplexobj(x) else found


def _sigmoid(x: Array) -> Array:
    return (1 + np.tanh(x / 2)) / 2


_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017), equation 14


def _clipped(x: Array, low: float, high: float) -> Array:
    return np.where(x.real > low, np.where(x.real < high, x, high), low)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x.real > 0, x, alpha * np.expm1(np.where(x.real > 0, 0, x)))


def _softplus(x: Array) -> Array:
    """log(1 + exp(x)), of no exponent above zero."""
    above = np.where(x.real > 0, x, 0)
    found: Array = above + np.log1p(np.exp(x - 2 * above))
    return found


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.where(x.real > 0, x, 0),
    "relu6": lambda x: _clipped(x, 0, 6),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "gelu": lambda x: x * (1 + _erf(x / np.sqrt(np.asarray(2, x.real.dtype)))) / 2,
    "tanh_gelu": lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi).astype(x.real.dtype) * (x + 0.044715 * x**3))) / 2,
    "silu": lambda x: x * _sigmoid(x),
    "hard_sigmoid": lambda x: _clipped(x + 3, 0, 6) / 6,
    "hard_swish": lambda x: x * _clipped(x + 3, 0, 6) / 6,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "selu": lambda x: _SCALE * _elu(x, _ALPHA),
    "softplus": lambda x: _softplus(x),
}


def activation(op: Activation, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return ACTIVATIONS[op.kind](inputs[0])


def elu(op: Elu, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _elu(inputs[0], op.alpha)


def clip(op: Clip, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _clipped(inputs[0], op.min, op.max)


def leaky_relu(op: LeakyRelu, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return np.where(inputs[0].real > 0, inputs[0], op.slope * inputs[0])


def prelu(op: PRelu, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return np.where(inputs[0].real > 0, inputs[0], channelwise(tensors["weight"], inputs[0]) * inputs[0])


def dropout(op: Dropout | SpatialDropout | DropPath, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return inputs[0]


def scale(op: Scale, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return op.factor * inputs[0]


def softmax(op: Softmax, inputs: Sequence[Array], tensors: Tensors) -> Array:
    powers = np.exp(inputs[0] - inputs[0].real.max(1, keepdims=True))
    found: Array = powers / powers.sum(1, keepdims=True)
    return found


FORMULAS: dict[type[Op], Formula] = {
    BatchNorm: batch_norm,
    InstanceNorm: instance_norm,
    GroupNorm: group_norm,
    LayerNorm: layer_norm,
    Affine: affine,
    ResponseNorm: response_norm,
    Activation: activation,
    Elu: elu,
    Clip: clip,
    LeakyRelu: leaky_relu,
    PRelu: prelu,
    Dropout: dropout,
    SpatialDropout: dropout,
    DropPath: dropout,
    Scale: scale,
    Softmax: softmax,
}
