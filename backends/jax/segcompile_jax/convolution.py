"""Convolution, convolution undone, and linear layers, one rule an op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segcompile.emit import Argument, Call, Code, Needs, Rule
from segcompile.emit.arguments import same_sides, sides
from segcompile.emit.rules import apply_member, flat_features
from segcompile.ops import Conv, Deconv, Linear, Op, Shape
from segcompile_jax.arguments import RNGS, is_padded_before, padded, padding
from segcompile_jax.initialisation import kernel_init

_USUAL: dict[str, Argument] = {
    "strides": 1, "kernel_dilation": 1, "dilation": 1, "feature_group_count": 1, "groups": 1, "use_bias": True,
}  # fmt: skip
_USUAL_OF_PIXELS = {**_USUAL, "padding": 0}  # a kernel of one pixel asks for none where "SAME" is the default


def _kernel(
    function: str,
    op: Conv | Deconv | Linear,
    positional: tuple[Argument, ...],
    keywords: dict[str, Argument],
    needs: Needs = frozenset(),
    usual: Mapping[str, Argument] = _USUAL,
) -> Call:
    init = kernel_init(op)
    keywords = {**keywords, "use_bias": op.bias, "kernel_init": init.text}
    names = ("in_features", "features", "kernel_size")[: len(positional)]
    return Call(function, positional, (*keywords.items(), *RNGS), names, needs | init.needs, usual)


def _conv(op: Conv, shapes: Sequence[Shape]) -> Call:
    op = op.along(shapes[0])
    keywords: dict[str, Argument] = {"strides": same_sides(op.stride)}
    keywords["padding"] = 0 if is_padded_before(op) else padding(op)
    keywords |= {"kernel_dilation": same_sides(op.dilation), "feature_group_count": op.groups}
    usual = _USUAL_OF_PIXELS if {*op.kernel} == {1} else _USUAL
    return _kernel("nnx.Conv", op, (shapes[0].channels, op.channels, op.kernel), keywords, usual=usual)


def _apply_conv(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, needs = padded(inputs[0], sides(op), op.mode) if is_padded_before(op) else Code(inputs[0])
    return Code(f"{member}({source})", needs)


def _conv_by_weights(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    op = op.along(shapes[0])
    source, needs = padded(inputs[0], sides(op), op.mode) if is_padded_before(op) else Code(inputs[0])
    settings = f"strides={same_sides(op.stride)}, padding={0 if is_padded_before(op) else padding(op)}"
    code = f"with_weights_of({member}, {source}, {settings}, kernel_dilation={same_sides(op.dilation)})"
    return Code(code, {"with_weights_of", *needs})


def _deconv_by_weights(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    settings = f"strides={op.stride}, padding={tuple(_cut(op))}, dilation={op.dilation}"
    return Code(f"with_weights_of({member}, {inputs[0]}, {settings})", {"with_weights_of", "ConvTranspose.dilation"})


def _cut(op: Deconv) -> list[tuple[int, int]]:
    """What output_pad adds is cut off less, even less than nothing."""
    return [(before, after - more) for (before, after), more in zip(sides(op), op.output_pad, strict=True)]


def _deconv(op: Deconv, shapes: Sequence[Shape]) -> Call:
    around = _cut(op)
    keywords: dict[str, Argument] = {"strides": same_sides(op.stride)}
    if any(map(any, around)):
        alike = len({side for pair in around for side in pair}) == 1
        keywords["padding"] = around[0][0] if alike else str(tuple(around))
    keywords |= {"dilation": same_sides(op.dilation), "groups": op.groups}
    needs = {"ConvTranspose"} if max(op.dilation) == 1 else {"ConvTranspose", "ConvTranspose.dilation"}
    return _kernel("ConvTranspose", op, (shapes[0].channels, op.channels, op.kernel), keywords, needs)


def _linear(op: Linear, shapes: Sequence[Shape]) -> Call:
    return _kernel("nnx.Linear", op, (flat_features(shapes[0]), op.features), {})


def _apply_linear(op: Linear, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    if not shapes[0].axes:
        return apply_member(op, member, inputs, shapes, output)
    return Code(f"{member}(flatten({inputs[0]}))", {"flatten"})


RULES: dict[type[Op], Rule] = {
    Conv: Rule(_apply_conv, _conv, by_weights=_conv_by_weights),
    Deconv: Rule(apply_member, _deconv, by_weights=_deconv_by_weights),
    Linear: Rule(_apply_linear, _linear),
}
