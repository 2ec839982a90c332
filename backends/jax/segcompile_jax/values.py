"""Ops that keep the grid: normalisation and functions of each value, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from segcompile.emit import Call, Code, Rule
from segcompile.emit.arguments import number
from segcompile.emit.rules import apply_member, response_norm_arguments, scale
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
from segcompile_jax.arguments import RNGS

_ACTIVATION = {
    "relu": "nnx.relu({})", "relu6": "nnx.relu6({})", "sigmoid": "nnx.sigmoid({})", "tanh": "nnx.tanh({})",
    "gelu": "nnx.gelu({}, approximate=False)", "tanh_gelu": "nnx.gelu({})", "silu": "nnx.silu({})",
    "hard_sigmoid": "nnx.hard_sigmoid({})", "hard_swish": "nnx.hard_swish({})", "mish": "jax.nn.mish({})",
    "selu": "nnx.selu({})", "softplus": "nnx.softplus({})",
}  # fmt: skip


def _activation(op: Activation, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(_ACTIVATION[op.kind].format(inputs[0]))


def _batch_norm(op: BatchNorm, shapes: Sequence[Shape]) -> Call:
    kept = float(1 - Decimal(repr(op.momentum)))  # the share of the old statistics: 0.9, and not 0.899...
    told = (("momentum", kept), ("epsilon", op.eps), *RNGS)
    return Call("BatchNorm", (shapes[0].channels,), told, ("features",), {"BatchNorm"}, {"epsilon": 1e-5})


def _instance_norm(op: InstanceNorm, shapes: Sequence[Shape]) -> Call:
    told = (("epsilon", op.eps), *RNGS)
    return Call("nnx.InstanceNorm", (shapes[0].channels,), told, ("features",), usual={"epsilon": 1e-6})


def _group_norm(op: GroupNorm, shapes: Sequence[Shape]) -> Call:
    told = (("epsilon", op.eps), *RNGS)
    names = ("features", "groups")
    return Call("nnx.GroupNorm", (shapes[0].channels, op.groups), told, names, usual={"epsilon": 1e-6})


def _layer_norm(op: LayerNorm, shapes: Sequence[Shape]) -> Call:
    told = (("epsilon", op.eps), *RNGS)
    return Call("nnx.LayerNorm", (shapes[0].channels,), told, ("features",), usual={"epsilon": 1e-6})


def _affine(op: Affine, shapes: Sequence[Shape]) -> Call:
    told = (("init", op.start), ("use_bias", op.bias))
    return Call(
        "Affine", (op.scales(shapes[0].channels),), told, ("features",), {"Affine"}, {"init": 1.0, "use_bias": True}
    )


def _response_norm(
    op: ResponseNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"local_response_norm({inputs[0]}, {response_norm_arguments(op)})", {"local_response_norm"})


def _prelu(op: PRelu, shapes: Sequence[Shape]) -> Call:
    return Call("PReLU", (1 if op.shared else shapes[0].channels,), (), ("features",), {"PReLU"})


def _elu(op: Elu, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"nnx.elu({inputs[0]}{f', {number(op.alpha)}' if op.alpha != 1 else ''})")


def _clip(op: Clip, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"jnp.clip({inputs[0]}, {number(op.min)}, {number(op.max)})", {"jnp"})


def _leaky_relu(op: LeakyRelu, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"nnx.leaky_relu({inputs[0]}, {number(op.slope)})")


def _softmax(op: Softmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"nnx.softmax({inputs[0]})")


def _dropout(op: Dropout, shapes: Sequence[Shape]) -> Call:
    return Call("nnx.Dropout", (op.rate,), RNGS, ("rate",))


def _spatial_dropout(op: SpatialDropout, shapes: Sequence[Shape]) -> Call:
    return _broadcast(op.rate, len(shapes[0].size))


def _drop_path(op: DropPath, shapes: Sequence[Shape]) -> Call:
    return _broadcast(op.rate, shapes[0].axes + 1)


def _broadcast(rate: float, axes: int) -> Call:
    """Dropout that treats all along so many axes behind the batch alike."""
    return Call("nnx.Dropout", (rate,), (("broadcast_dims", tuple(range(1, axes + 1))), *RNGS), ("rate",))


RULES: dict[type[Op], Rule] = {
    BatchNorm: Rule(apply_member, _batch_norm),
    InstanceNorm: Rule(apply_member, _instance_norm),
    GroupNorm: Rule(apply_member, _group_norm),
    LayerNorm: Rule(apply_member, _layer_norm),
    Affine: Rule(apply_member, _affine),
    ResponseNorm: Rule(_response_norm),
    Activation: Rule(_activation),
    Elu: Rule(_elu),
    Clip: Rule(_clip),
    LeakyRelu: Rule(_leaky_relu),
    PRelu: Rule(apply_member, _prelu),
    Dropout: Rule(apply_member, _dropout),
    SpatialDropout: Rule(apply_member, _spatial_dropout),
    DropPath: Rule(apply_member, _drop_path),
    Scale: Rule(scale),
    Softmax: Rule(_softmax),
}
