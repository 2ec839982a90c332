"""op -> Flax NNX: a table with one rule an op: how its module is constructed and applied, and what that code needs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from segcompile.emit import Argument, Call, Code, Needs, Rule, Rules
from segcompile.emit.arguments import number, same_sides
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
    Unpool,
)
from segcompile_jax.arguments import is_padded_before, padded, padding, sides
from segcompile_jax.initialisation import kernel_init
from segcompile_jax.pooling import global_pool, pool, unpool
from segcompile_jax.reserved import CLASSES, NAMES

_RNGS: tuple[tuple[str, Argument], ...] = (("rngs", "rngs"),)
_ACTIVATION = {
    "relu": "nnx.relu({})", "relu6": "nnx.relu6({})", "elu": "nnx.elu({})", "sigmoid": "nnx.sigmoid({})",
    "tanh": "nnx.tanh({})", "gelu": "nnx.gelu({}, approximate=False)", "silu": "nnx.silu({})",
}  # fmt: skip


# --- convolution -----------------------------------------------------------------------------------------------------


_USUAL: dict[str, Argument] = {
    "strides": 1, "kernel_dilation": 1, "dilation": 1, "feature_group_count": 1, "groups": 1, "use_bias": True,
}  # fmt: skip


def _kernel(
    function: str,
    op: Conv | Deconv | Linear,
    positional: tuple[Argument, ...],
    keywords: dict[str, Argument],
    needs: Needs = frozenset(),
) -> Call:
    init = kernel_init(op)
    keywords = {**keywords, "use_bias": op.bias, "kernel_init": init.text}
    told = tuple((key, value) for key, value in keywords.items() if _USUAL.get(key) != value)
    names = ("in_features", "features", "kernel_size")[: len(positional)]
    return Call(function, positional, (*told, *_RNGS), names, needs | init.needs)


def _conv(op: Conv, shapes: Sequence[Shape]) -> Call:
    keywords: dict[str, Argument] = {"strides": same_sides(op.stride)}
    keywords["padding"] = 0 if is_padded_before(op) else padding(op)
    keywords |= {"kernel_dilation": same_sides(op.dilation), "feature_group_count": op.groups}
    return _kernel("nnx.Conv", op, (shapes[0].channels, op.channels, op.kernel), keywords)


def _apply_conv(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    source, needs = padded(inputs[0], sides(op), op.mode) if is_padded_before(op) else Code(inputs[0])
    return Code(f"{member}({source})", needs)


def _conv_by_weights(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
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
    if not shapes[0].size:
        return apply_member(op, member, inputs, shapes, output)
    return Code(f"{member}(flatten({inputs[0]}))", {"flatten"})


# --- resampling ------------------------------------------------------------------------------------------------------


def _pad(op: Pad, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return padded(inputs[0], sides(op), op.mode)


def _resize(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    function = "nearest" if op.mode == "nearest" else "interpolate_corners" if op.align_corners else "interpolate"
    size = size_of(op, inputs, slice(1, len(output.size) + 1))
    return Code(f"{function}({inputs[0]}, {size})", {function})


def _space_to_depth(
    op: SpaceToDepth, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"space_to_depth({inputs[0]}, {op.factor})", {"space_to_depth"})


def _pixel_shuffle(
    op: PixelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"pixel_shuffle({inputs[0]}, {op.factor})", {"pixel_shuffle"})


# --- joins -----------------------------------------------------------------------------------------------------------


def _concat(op: Concat, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    parts, needs = aligned(op, inputs, shapes, output)
    return Code(f"jnp.concatenate([{', '.join(parts)}], -1)", {"jnp", *needs})


# --- pointwise -------------------------------------------------------------------------------------------------------


def _activation(op: Activation, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(_ACTIVATION[op.kind].format(inputs[0]))


def _epsilon(op: BatchNorm | InstanceNorm | GroupNorm, usual: float) -> tuple[tuple[str, Argument], ...]:
    return (("epsilon", op.eps),) if op.eps != usual else ()


def _batch_norm(op: BatchNorm, shapes: Sequence[Shape]) -> Call:
    kept = float(1 - Decimal(repr(op.momentum)))  # the share of the old statistics: 0.9, and not 0.899...
    told = (("momentum", kept), *_epsilon(op, 1e-5), *_RNGS)
    return Call("BatchNorm", (shapes[0].channels,), told, ("features",), {"BatchNorm"})


def _instance_norm(op: InstanceNorm, shapes: Sequence[Shape]) -> Call:
    return Call("nnx.InstanceNorm", (shapes[0].channels,), (*_epsilon(op, 1e-6), *_RNGS), ("features",))


def _group_norm(op: GroupNorm, shapes: Sequence[Shape]) -> Call:
    told = (*_epsilon(op, 1e-6), *_RNGS)
    return Call("nnx.GroupNorm", (shapes[0].channels, op.groups), told, ("features", "groups"))


def _response_norm(
    op: ResponseNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    return Code(f"local_response_norm({inputs[0]}, {response_norm_arguments(op)})", {"local_response_norm"})


def _prelu(op: PRelu, shapes: Sequence[Shape]) -> Call:
    return Call("PReLU", (shapes[0].channels,), (), ("features",), {"PReLU"})


def _leaky_relu(op: LeakyRelu, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"nnx.leaky_relu({inputs[0]}, {number(op.slope)})")


def _softmax(op: Softmax, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    return Code(f"nnx.softmax({inputs[0]})")


def _dropout(op: Dropout, shapes: Sequence[Shape]) -> Call:
    return Call("nnx.Dropout", (op.rate,), _RNGS, ("rate",))


RULES: dict[type[Op], Rule] = {
    Conv: Rule(_apply_conv, _conv, by_weights=_conv_by_weights),
    Deconv: Rule(apply_member, _deconv, by_weights=_deconv_by_weights),
    Linear: Rule(_apply_linear, _linear),
    Pool: Rule(pool),
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
    BatchNorm: Rule(apply_member, _batch_norm),
    InstanceNorm: Rule(apply_member, _instance_norm),
    GroupNorm: Rule(apply_member, _group_norm),
    ResponseNorm: Rule(_response_norm),
    Activation: Rule(_activation),
    LeakyRelu: Rule(_leaky_relu),
    PRelu: Rule(apply_member, _prelu),
    Dropout: Rule(apply_member, _dropout),
    Scale: Rule(scale),
    Softmax: Rule(_softmax),
}

JAX = Rules(
    RULES,
    NAMES,
    CLASSES,
    tensor="jax.Array",
    axes="B*C",
    forward="__call__",
    handed_on=(("rngs", "nnx.Rngs"),),
)
