"""op -> PyTorch: a table with one rule an op: how its module is constructed and applied, and what that code needs."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit import Argument, Call, Code, Rule, Rules
from segcompile.emit.arguments import number, same_sides, symmetric
from segcompile.emit.joins import aligned
from segcompile.emit.rules import add, apply_member, crop, flat_features, mul, response_norm_arguments, scale, size_of
from segcompile.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Crop,
    Deconv,
    Dropout,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    LeakyRelu,
    Linear,
    Mul,
    Op,
    Pad,
    PixelShuffle,
    Pool,
    PRelu,
    Resize,
    ResponseNorm,
    Scale,
    Shape,
    Softmax,
    SpaceToDepth,
    Undecidable,
    Unpool,
)
from segcompile.ops.base import UNPADDED
from segcompile_torch.arguments import befores, pads
from segcompile_torch.pooling import global_pool, pool, switched_pool, unpool
from segcompile_torch.reserved import CLASSES, NAMES

_PAD_MODE = {"zero": "constant", "reflect": "reflect", "edge": "replicate"}  # in F.pad
_CONV_MODE = {"zero": "zeros", "reflect": "reflect", "edge": "replicate"}  # in nn.Conv2d
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}  # interpolation along each axis, by their number
_AXES = slice(2, None)  # of the image, in a tensor
_OF_TORCH = {"sigmoid", "tanh"}  # the other activations are functions of F


# --- convolution -----------------------------------------------------------------------------------------------------


def _convolution(function: str, op: Conv | Deconv, channels_in: int, extra: dict[str, Argument]) -> Call:
    keywords: dict[str, Argument] = {"stride": same_sides(op.stride)}
    if symmetric(op):
        keywords["padding"] = same_sides(befores(op))
    keywords |= {"dilation": same_sides(op.dilation), "groups": op.groups, "bias": op.bias, **extra}
    usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "output_padding": 0}
    told = tuple((key, value) for key, value in keywords.items() if usual.get(key) != value)
    positional = (channels_in, op.channels, same_sides(op.kernel))
    return Call(function, positional, told, ("in_channels", "channels", "kernel_size"))


def _conv(op: Conv, shapes: Sequence[Shape]) -> Call:
    wrapped = op.mode != "zero" and symmetric(op) and any(pads(op))
    extra: dict[str, Argument] = {"padding_mode": f'"{_CONV_MODE[op.mode]}"'} if wrapped else {}
    return _convolution(f"nn.Conv{len(op.kernel)}d", op, shapes[0].channels, extra)


def _apply_conv(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if symmetric(op):
        return apply_member(op, member, inputs, shapes, output)
    mode = "" if op.mode == "zero" else f', mode="{_PAD_MODE[op.mode]}"'
    return Code(f"{member}(F.pad({inputs[0]}, {pads(op)}{mode}))", {"F"})


def _deconv(op: Deconv, shapes: Sequence[Shape]) -> Call:
    function = f"nn.ConvTranspose{len(op.kernel)}d"
    return _convolution(function, op, shapes[0].channels, {"output_padding": same_sides(op.output_pad)})


def _apply_deconv(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if symmetric(op):
        return apply_member(op, member, inputs, shapes, output)
    return Code(f"F.pad({member}({inputs[0]}), {tuple(-pad for pad in pads(op))})", {"F"})


def _conv_by_weights(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source = inputs[0]
    if op.mode != "zero" and any(pads(op)):
        source = f'F.pad({source}, {pads(op)}, mode="{_PAD_MODE[op.mode]}")'
    elif not symmetric(op):
        source = f"F.pad({source}, {pads(op)})"
    told = _conv(op.model_copy(update={"pad": UNPADDED * len(op.kernel)}) if source != inputs[0] else op, shapes)
    return Code(f"F.conv{len(op.kernel)}d({_by_weights(source, member, told)})", {"F"})


def _deconv_by_weights(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    code = f"F.conv_transpose{len(op.kernel)}d({_by_weights(inputs[0], member, _deconv(op, shapes))})"
    return Code(code if symmetric(op) else f"F.pad({code}, {tuple(-pad for pad in pads(op))})", {"F"})


def _by_weights(source: str, member: str, call: Call) -> str:
    """The arguments of a function that does what the module of a call does, with the weights of another one."""
    told = [f"{key}={value}" for key, value in call.keywords if key != "bias"]
    return ", ".join([source, f"{member}.weight", f"{member}.bias", *told])


def _linear(op: Linear, shapes: Sequence[Shape]) -> Call:
    told = () if op.bias else (("bias", False),)
    return Call("nn.Linear", (flat_features(shapes[0]), op.features), told, ("in_features", "features"))


def _apply_linear(op: Linear, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if not shapes[0].size:
        return apply_member(op, member, inputs, shapes, output)
    return Code(f"{member}(torch.flatten({inputs[0]}, 1))", {"torch"})


# --- resampling ------------------------------------------------------------------------------------------------------


def _pad(op: Pad, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    mode = "" if op.mode == "zero" else f', mode="{_PAD_MODE[op.mode]}"'
    return Code(f"F.pad({inputs[0]}, {pads(op)}{mode})", {"F"})


def _exact_in_floats(op: Resize, shapes: Sequence[Shape]) -> bool:
    """Whether PyTorch's nearest neighbour, floor(p * scale) in float32, is the one in whole numbers at every size: by
    powers of two it is; 14 pixels on 46 it lays one off."""
    try:
        windows = [op.window(axis, [shape.size[axis] for shape in shapes], 0) for axis in range(len(shapes[0].size))]
    except Undecidable:
        return False
    return all(found is not None and found.stride == 1 and found.upsample.bit_count() == 1 for found in windows)


def _resize(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if op.mode == "nearest" and not _exact_in_floats(op, shapes):
        return Code(f"nearest({inputs[0]}, {size_of(op, inputs, _AXES)})", {"nearest"})
    to = size_of(op, inputs, _AXES) if len(inputs) == 2 else f"scale_factor={same_sides(op.factor or (1,))}"
    corners = "" if op.mode == "nearest" else f", align_corners={op.align_corners}"
    mode = "nearest" if op.mode == "nearest" else _LINEAR[len(output.size)]
    return Code(f'F.interpolate({inputs[0]}, {to}, mode="{mode}"{corners})', {"F"})


def _space_to_depth(
    op: SpaceToDepth, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    if len(output.size) == 2:
        return Code(f"F.pixel_unshuffle({inputs[0]}, {op.factor})", {"F"})
    return Code(f"from_patches({inputs[0]}, {op.factor})", {"from_patches"})


def _pixel_shuffle(
    op: PixelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    if len(output.size) == 2:
        return Code(f"F.pixel_shuffle({inputs[0]}, {op.factor})", {"F"})
    return Code(f"to_patches({inputs[0]}, {op.factor})", {"to_patches"})


# --- joins -----------------------------------------------------------------------------------------------------------


def _concat(op: Concat, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    parts, needs = aligned(op, inputs, shapes, output)
    return Code(f"torch.cat([{', '.join(parts)}], 1)", {"torch", *needs})


# --- pointwise -------------------------------------------------------------------------------------------------------


def _activation(op: Activation, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if op.kind in _OF_TORCH:
        return Code(f"torch.{op.kind}({inputs[0]})", {"torch"})
    return Code(f"F.{op.kind}({inputs[0]})", {"F"})


def _batch_norm(op: BatchNorm, shapes: Sequence[Shape]) -> Call:
    momentum = (("momentum", op.momentum),) if op.momentum != 0.1 else ()
    told = (*_eps(op), *momentum)
    return Call(f"nn.BatchNorm{len(shapes[0].size) or 1}d", (shapes[0].channels,), told, ("channels",))


def _batch_norm_by_weights(
    op: BatchNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    """Of vectors by the module of maps, or the other way."""
    names = ("running_mean", "running_var", "weight", "bias", "training")
    told = [f"{member}.{name}" for name in names] + [str(op.momentum), str(op.eps)]
    return Code(f"F.batch_norm({', '.join([inputs[0], *told])})", {"F"})


def _eps(op: BatchNorm | InstanceNorm | GroupNorm) -> tuple[tuple[str, Argument], ...]:
    return (("eps", op.eps),) if op.eps != 1e-5 else ()


def _instance_norm(op: InstanceNorm, shapes: Sequence[Shape]) -> Call:
    return Call(
        f"nn.InstanceNorm{len(shapes[0].size)}d", (shapes[0].channels,), (*_eps(op), ("affine", True)), ("channels",)
    )


def _group_norm(op: GroupNorm, shapes: Sequence[Shape]) -> Call:
    return Call("nn.GroupNorm", (op.groups, shapes[0].channels), _eps(op), ("groups", "channels"))


def _response_norm(
    op: ResponseNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"F.local_response_norm({inputs[0]}, {response_norm_arguments(op)})", {"F"})


def _prelu(op: PRelu, shapes: Sequence[Shape]) -> Call:
    return Call("nn.PReLU", (shapes[0].channels,), (), ("channels",))


def _leaky_relu(op: LeakyRelu, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.leaky_relu({inputs[0]}, {number(op.slope)})", {"F"})


def _softmax(op: Softmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.softmax({inputs[0]}, 1)", {"F"})


def _dropout(op: Dropout, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"F.dropout({inputs[0]}, {number(op.rate)}, self.training)", {"F"})


RULES: dict[type[Op], Rule] = {
    Conv: Rule(_apply_conv, _conv, by_weights=_conv_by_weights),
    Deconv: Rule(_apply_deconv, _deconv, by_weights=_deconv_by_weights),
    Linear: Rule(_apply_linear, _linear),
    Pool: Rule(pool, switched=switched_pool),
    GlobalPool: Rule(global_pool),
    Unpool: Rule(unpool),
    Add: Rule(add),
    Mul: Rule(mul),
    Concat: Rule(_concat),
    Crop: Rule(crop),
    Pad: Rule(_pad),
    Resize: Rule(_resize),
    PixelShuffle: Rule(_pixel_shuffle),
    SpaceToDepth: Rule(_space_to_depth),
    BatchNorm: Rule(apply_member, _batch_norm, by_weights=_batch_norm_by_weights),
    InstanceNorm: Rule(apply_member, _instance_norm),
    GroupNorm: Rule(apply_member, _group_norm),
    ResponseNorm: Rule(_response_norm),
    Activation: Rule(_activation),
    LeakyRelu: Rule(_leaky_relu),
    PRelu: Rule(apply_member, _prelu),
    Dropout: Rule(_dropout),
    Scale: Rule(scale),
    Softmax: Rule(_softmax),
}


def _dropout_module(op: Dropout, shapes: Sequence[Shape]) -> Call:
    return Call("nn.Dropout", (op.rate,), (), ("rate",))


TORCH = Rules(RULES, NAMES, CLASSES)
TORCH_IN_STAGES = Rules({**RULES, Dropout: Rule(apply_member, _dropout_module)}, NAMES, CLASSES)
