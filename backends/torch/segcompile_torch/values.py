"""Ops that keep the grid: normalisation and functions of each value, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Argument, Call, Code, Rule
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

# F.hardsigmoid has a gradient of 1 / 6 in float32, also of float64.
_ACTIVATION = {
    "relu": "F.relu({})", "relu6": "F.relu6({})", "sigmoid": "torch.sigmoid({})", "tanh": "torch.tanh({})",
    "gelu": "F.gelu({})", "tanh_gelu": 'F.gelu({}, approximate="tanh")', "silu": "F.silu({})",
    "hard_sigmoid": "F.relu6({} + 3) / 6", "hard_swish": "F.hardswish({})", "mish": "F.mish({})", "selu": "F.selu({})",
    "softplus": "F.softplus({})",
}  # fmt: skip
_USUAL: dict[str, Argument] = {"eps": 1e-5}  # of what normalises


def _activation(op: Activation, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    text = _ACTIVATION[op.kind].format(inputs[0])
    return Code(text, {text.partition(".")[0]})


def _batch_norm(op: BatchNorm, shapes: Sequence[Shape]) -> Call:
    told = (("eps", op.eps), ("momentum", op.momentum))
    name = f"nn.BatchNorm{shapes[0].axes or 1}d"
    return Call(name, (shapes[0].channels,), told, ("channels",), usual={**_USUAL, "momentum": 0.1})


def _batch_norm_by_weights(
    op: BatchNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    """Of vectors by the module of maps, or the other way."""
    names = ("running_mean", "running_var", "weight", "bias", "training")
    told = [f"{member}.{name}" for name in names] + [str(op.momentum), str(op.eps)]
    return Code(f"F.batch_norm({', '.join([inputs[0], *told])})", {"F"})


def _instance_norm(op: InstanceNorm, shapes: Sequence[Shape]) -> Call:
    told = (("eps", op.eps), ("affine", True))
    return Call(f"nn.InstanceNorm{len(shapes[0].size)}d", (shapes[0].channels,), told, ("channels",), usual=_USUAL)


def _group_norm(op: GroupNorm, shapes: Sequence[Shape]) -> Call:
    told = (("eps", op.eps),)
    return Call("nn.GroupNorm", (op.groups, shapes[0].channels), told, ("groups", "channels"), usual=_USUAL)


def _norm_in_rows(
    op: GroupNorm | InstanceNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    """By the mean and the variance of the whole map, which were gathered before."""
    return Code(f"normed({', '.join([*inputs, member])})", {"normed", "F"})


def _layer_norm(op: LayerNorm, shapes: Sequence[Shape]) -> Call:
    """Of a map by a class of the template: PyTorch's own is over the last axes."""
    function, needs = ("LayerNorm", {"LayerNorm"}) if shapes[0].axes else ("nn.LayerNorm", set[str]())
    return Call(function, (shapes[0].channels,), (("eps", op.eps),), ("channels",), needs, _USUAL)


def _affine(op: Affine, shapes: Sequence[Shape]) -> Call:
    told = (("init", op.start), ("bias", op.bias))
    return Call(
        "Affine", (op.scales(shapes[0].channels),), told, ("channels",), {"Affine"}, {"init": 1.0, "bias": True}
    )


def _response_norm(
    op: ResponseNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"F.local_response_norm({inputs[0]}, {response_norm_arguments(op)})", {"F"})


def _prelu(op: PRelu, shapes: Sequence[Shape]) -> Call:
    return Call("nn.PReLU") if op.shared else Call("nn.PReLU", (shapes[0].channels,), (), ("channels",))


def _elu(op: Elu, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.elu({inputs[0]}{f', {number(op.alpha)}' if op.alpha != 1 else ''})", {"F"})


def _clip(op: Clip, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"torch.clamp({inputs[0]}, {number(op.min)}, {number(op.max)})", {"torch"})


def _leaky_relu(op: LeakyRelu, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.leaky_relu({inputs[0]}, {number(op.slope)})", {"F"})


def _softmax(op: Softmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.softmax({inputs[0]}, 1)", {"F"})


def _dropout(op: Dropout, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.dropout({inputs[0]}, {op.rate}, self.training)", {"F"})


def _dropout_module(op: Dropout, shapes: Sequence[Shape]) -> Call:
    return Call("nn.Dropout", (op.rate,), (), ("rate",))


def _spatial_dropout(
    op: SpatialDropout, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"F.dropout{len(output.size)}d({inputs[0]}, {op.rate}, self.training)", {"F"})


def _drop_path(op: DropPath, shapes: Sequence[Shape]) -> Call:
    return Call("DropPath", (op.rate,), (), ("rate",), {"DropPath"})


RULES: dict[type[Op], Rule] = {
    BatchNorm: Rule(apply_member, _batch_norm, by_weights=_batch_norm_by_weights),
    InstanceNorm: Rule(apply_member, _instance_norm, in_rows=_norm_in_rows),
    GroupNorm: Rule(apply_member, _group_norm, in_rows=_norm_in_rows),
    LayerNorm: Rule(apply_member, _layer_norm, turns=True),
    Affine: Rule(apply_member, _affine),
    ResponseNorm: Rule(_response_norm),
    Activation: Rule(_activation),
    Elu: Rule(_elu),
    Clip: Rule(_clip),
    LeakyRelu: Rule(_leaky_relu),
    PRelu: Rule(apply_member, _prelu),
    Dropout: Rule(_dropout),
    SpatialDropout: Rule(_spatial_dropout),
    DropPath: Rule(apply_member, _drop_path),
    Scale: Rule(scale),
    Softmax: Rule(_softmax),
}


def _spatial_dropout_module(op: SpatialDropout, shapes: Sequence[Shape]) -> Call:
    return Call(f"nn.Dropout{len(shapes[0].size)}d", (op.rate,), (), ("rate",))


IN_STAGES: dict[type[Op], Rule] = {
    Dropout: Rule(apply_member, _dropout_module),
    SpatialDropout: Rule(apply_member, _spatial_dropout_module),
}
"""Those that are modules where a stage keeps layers as they are: dropout is then told by the module that it rests."""
