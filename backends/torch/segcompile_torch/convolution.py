"""Convolution, convolution undone, and linear layers, one rule an op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from segcompile.emit import Argument, Call, Code, Needs, Rule
from segcompile.emit.arguments import same_sides, symmetric
from segcompile.emit.rules import apply_member, flat_features
from segcompile.ops import Conv, Deconv, Linear, Op, Shape
from segcompile.ops.base import UNPADDED
from segcompile_torch.arguments import befores, padded, pads

_USUAL: dict[str, Argument] = {
    "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "output_padding": 0, "padding_mode": '"zeros"',
}  # fmt: skip
_CONV_MODE = {"zero": "zeros", "reflect": "reflect", "edge": "replicate", "circular": "circular"}  # in nn.Conv2d


def _convolution(function: str, op: Conv | Deconv, channels_in: int, extra: dict[str, Argument]) -> Call:
    padding = same_sides(befores(op)) if symmetric(op) else 0
    keywords: dict[str, Argument] = {"stride": same_sides(op.stride), "padding": padding}
    keywords |= {"dilation": same_sides(op.dilation), "groups": op.groups, "bias": op.bias, **extra}
    positional = (channels_in, op.channels, same_sides(op.kernel))
    return Call(function, positional, tuple(keywords.items()), ("in_channels", "channels", "kernel_size"), usual=_USUAL)


def _conv(op: Conv, shapes: Sequence[Shape]) -> Call:
    op = op.along(shapes[0])
    wrapped = op.mode != "zero" and symmetric(op) and any(pads(op))
    extra: dict[str, Argument] = {"padding_mode": f'"{_CONV_MODE[op.mode if wrapped else "zero"]}"'}
    return _convolution(f"nn.Conv{len(op.kernel)}d", op, shapes[0].channels, extra)


def _pointwise(op: Conv, shapes: Sequence[Shape]) -> Call | None:
    """Of maps with channels last a convolution of one pixel is a product of matrices: that of maps would copy them."""
    if {*op.kernel, *op.stride, op.groups} != {1} or any(pads(op)) or shapes[0].tokens:
        return None
    positional, told = (shapes[0].channels, op.channels), (("bias", op.bias),)
    return Call("Pointwise", positional, told, ("in_channels", "channels"), {"Pointwise"}, _USUAL)


def _apply_conv(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if symmetric(op):
        return apply_member(op, member, inputs, shapes, output)
    source, needs = padded(inputs[0], pads(op), op.mode)
    return Code(f"{member}({source})", needs)


def _deconv(op: Deconv, shapes: Sequence[Shape]) -> Call:
    function = f"nn.ConvTranspose{len(op.kernel)}d"
    return _convolution(function, op, shapes[0].channels, {"output_padding": same_sides(op.output_pad)})


def _apply_deconv(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if symmetric(op):
        return apply_member(op, member, inputs, shapes, output)
    return Code(f"F.pad({member}({inputs[0]}), {tuple(-pad for pad in pads(op))})", {"F"})


def _conv_by_weights(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, how = _slid(op, inputs[0], shapes)
    return Code(f"F.conv{len(op.kernel)}d({', '.join([source, *_tensors(member), *how])})", {"F"})


def _conv_in_rows(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, how = _slid(op, inputs[0], shapes)
    return Code(f"conv({', '.join([source, member, *how])})", {"conv", "F"})


def _slid(op: Conv, source: str, shapes: Sequence[Shape]) -> tuple[str, tuple[str, ...]]:
    """What a convolution reads, padded where F.conv does not pad so, and how it slides over it."""
    op = op.along(shapes[0])
    before = not symmetric(op) or (op.mode != "zero" and any(pads(op)))
    source = padded(source, pads(op), op.mode).text if before else source
    return source, _how(_conv(op.model_copy(update={"pad": UNPADDED * len(op.kernel)}) if before else op, shapes))


def _deconv_by_weights(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    told = [inputs[0], *_tensors(member), *_how(_deconv(op, shapes))]
    return _cut(op, f"F.conv_transpose{len(op.kernel)}d({', '.join(told)})", {"F"})


def _deconv_in_rows(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    told = [inputs[0], member, *_how(_deconv(op, shapes))]
    return _cut(op, f"deconv({', '.join(told)})", {"deconv", "F"})


def _cut(op: Deconv, code: str, needs: Needs) -> Code:
    """Without what the padding cuts off, where that is unlike on both sides."""
    return Code(code if symmetric(op) else f"F.pad({code}, {tuple(-pad for pad in pads(op))})", needs)


def _bias_after_rows(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if not op.bias:
        return Code(inputs[0])
    return Code(f"biased({inputs[0]}, {member})", {"biased"})


def _tensors(member: str) -> tuple[str, str]:
    return f"{member}.weight", f"{member}.bias"


def _how(call: Call) -> tuple[str, ...]:
    """The arguments behind its tensors of a function that does what the module of a call does."""
    told = Call("", (), tuple((key, value) for key, value in call.keywords if key not in ("bias", "padding_mode")))
    return replace(told, usual=_USUAL).arguments()


def _linear(op: Linear, shapes: Sequence[Shape]) -> Call:
    positional = (flat_features(shapes[0]), op.features)
    return Call("nn.Linear", positional, (("bias", op.bias),), ("in_features", "features"), usual=_USUAL)


def _apply_linear(op: Linear, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if not shapes[0].axes:
        return apply_member(op, member, inputs, shapes, output)
    return Code(f"{member}(torch.flatten({inputs[0]}, 1))", {"torch"})


RULES: dict[type[Op], Rule] = {
    Conv: Rule(_apply_conv, _conv, by_weights=_conv_by_weights, turned=_pointwise, in_rows=_conv_in_rows),
    Deconv: Rule(
        _apply_deconv, _deconv, by_weights=_deconv_by_weights, in_rows=_deconv_in_rows, after_rows=_bias_after_rows
    ),
    Linear: Rule(_apply_linear, _linear),
}
