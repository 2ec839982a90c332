"""Ops that keep the grid, over any arithmetic: norms, and functions of each value.

Each function that is a sum or product of simpler ones is written so: what two networks write differently is then one
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

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
from segcompile.prove.arithmetic import Arithmetic, Array, Number, exact
from segcompile.prove.windows import Formula, Tensors, channelwise

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017), equation 14


def _scaled(x: Array, tensors: Tensors, a: Arithmetic) -> Array:
    found = a.product(x, channelwise(tensors["weight"], x))
    return a.settled(found + channelwise(tensors["bias"], x)) if "bias" in tensors else found


def _root_inverted(variance: Array, eps: float, a: Arithmetic) -> Array:
    return a.function("rsqrt", a.settled(variance + a.like(eps, variance)))


def batch_scale(tensors: Tensors, eps: float, a: Arithmetic) -> Array:
    """What a batch norm multiplies each channel by: γ / √(σ² + ε), (parts, channels)."""
    return a.product(tensors["weight"], _root_inverted(tensors["running_var"], eps, a))


def batch_norm(op: BatchNorm, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """By the running mean and variance."""
    x = a.settled(inputs[0] - channelwise(tensors["running_mean"], inputs[0]))
    return _scaled(x, {"weight": batch_scale(tensors, op.eps, a), "bias": tensors["bias"]}, a)


def _normalised(x: Array, axis: int, eps: float, a: Arithmetic) -> Array:
    """By mean and (biased) variance along an axis."""
    share = Fraction(1, x.shape[axis])
    centred = a.settled(x - a.scaled(a.settled(x.sum(axis, keepdims=True)), share))
    variance = a.scaled(a.settled(a.product(centred, centred).sum(axis, keepdims=True)), share)
    return a.product(centred, _root_inverted(variance, eps, a))


def _of_groups(x: Array, groups: int, eps: float, a: Arithmetic) -> Array:
    return _normalised(x.reshape(a.parts, groups, -1), 2, eps, a).reshape(x.shape)


def instance_norm(op: InstanceNorm, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return _scaled(_of_groups(inputs[0], inputs[0].shape[1], op.eps, a), tensors, a)


def group_norm(op: GroupNorm, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return _scaled(_of_groups(inputs[0], op.groups, op.eps, a), tensors, a)


def layer_norm(op: LayerNorm, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return _scaled(_normalised(inputs[0], 1, op.eps, a), tensors, a)


def affine(op: Affine, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return _scaled(inputs[0], tensors, a)


def response_norm(op: ResponseNorm, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """x / (k + alpha / size * sum of squares of the `size` channels around it) ** beta; one more before if even."""
    x = inputs[0]
    sides = ((0, 0), (op.size // 2, (op.size - 1) // 2), *[(0, 0)] * (x.ndim - 2))
    squares = np.pad(a.product(x, x), sides)
    around: Array = sum(squares[:, shift : shift + x.shape[1]] for shift in range(op.size))  # type: ignore[assignment]
    total = a.settled(a.scaled(a.settled(around), exact(op.alpha) / op.size) + a.like(op.k, x))
    return a.product(x, a.function("power", total, exact(op.beta)))


def _clipped(x: Array, low: Number, high: Number, a: Arithmetic) -> Array:
    """low + relu(x - low) - relu(x - high)."""
    first, second = (a.positive(a.settled(x - a.like(bound, x))) for bound in (low, high))
    return a.settled(first - second + a.like(low, x))


def _hard_sigmoid(x: Array, a: Arithmetic) -> Array:
    return a.scaled(_clipped(x, -3, 3, a) + a.like(3, x), Fraction(1, 6))


def _half_more(x: Array, odd: Array, a: Arithmetic) -> Array:
    """x (1 + odd) / 2."""
    return a.scaled(a.product(x, a.settled(odd + a.like(1, x))), Fraction(1, 2))


def _sigmoid(x: Array, a: Arithmetic) -> Array:
    """(1 + tanh(x / 2)) / 2."""
    return a.scaled(a.settled(a.function("tanh", a.scaled(x, Fraction(1, 2))) + a.like(1, x)), Fraction(1, 2))


def _elu(x: Array, alpha: Number, a: Arithmetic) -> Array:
    return a.settled(a.positive(x) + a.scaled(a.function("exponential_below_zero", x), alpha))


def activation(op: Activation, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    (x,) = inputs
    match op.kind:
        case "relu":
            return a.positive(x, term)
        case "relu6":
            return _clipped(x, 0, 6, a)
        case "sigmoid":
            return _sigmoid(x, a)
        case "tanh":
            return a.function("tanh", x)
        case "gelu":
            return _half_more(x, a.function("erf_of_root_half", x), a)
        case "tanh_gelu":
            return _half_more(x, a.function("tanh_of_gelu", x), a)
        case "silu":
            return a.product(x, _sigmoid(x, a))
        case "hard_sigmoid":
            return _hard_sigmoid(x, a)
        case "hard_swish":
            return a.product(x, _hard_sigmoid(x, a))
        case "mish":
            return a.product(x, a.function("tanh_of_softplus", x))
        case "selu":
            return a.scaled(_elu(x, _SELU_ALPHA, a), _SELU_SCALE)
        case "softplus":
            return a.settled(a.scaled(x, Fraction(1, 2)) + a.function("even_part_of_softplus", x))


def elu(op: Elu, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return _elu(inputs[0], op.alpha, a)


def clip(op: Clip, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return _clipped(inputs[0], op.min, op.max, a)


def leaky_relu(op: LeakyRelu, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """s x + (1 - s) relu(x)."""
    (x,) = inputs
    return a.settled(a.scaled(x, op.slope) + a.scaled(a.positive(x), 1 - exact(op.slope)))


def prelu(op: PRelu, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """relu(x) + s (x - relu(x))."""
    (x,) = inputs
    above = a.positive(x)
    return a.settled(above + a.product(channelwise(tensors["weight"], x), a.settled(x - above)))


def same(op: Op, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    """At evaluation nothing is dropped."""
    return inputs[0]


def scale(op: Scale, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return a.scaled(inputs[0], op.factor)


def softmax(op: Softmax, inputs: Sequence[Array], tensors: Tensors, a: Arithmetic, term: int) -> Array:
    return a.shares(inputs[0], 1)


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
    Dropout: same,
    SpatialDropout: same,
    DropPath: same,
    Scale: scale,
    Softmax: softmax,
}
