"""op -> PyTorch: a table with one rule an op. A rule says how the module is constructed and how it is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from segcompile.emit import Argument, Call, Rules
from segcompile.ops import (
    AXES,
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
    Join,
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
    Unpool,
)
from segcompile_torch.arguments import number, pads, same_sides, symmetric
from segcompile_torch.pooling import global_pool, pool, switched_pool, unpool
from segcompile_torch.reserved import ATTRIBUTES, CLASSES, NAMES

Apply = Callable[[Any, str, Sequence[str], Sequence[Shape], Shape], str]
MakeMember = Callable[[Any, Sequence[Shape]], Call]


class Rule(NamedTuple):
    apply: Apply
    member: MakeMember | None = None
    switched: Apply | None = None


_PAD_MODE = {"zero": "constant", "reflect": "reflect", "edge": "replicate"}  # in F.pad
_CONV_MODE = {"zero": "zeros", "reflect": "reflect", "edge": "replicate"}  # in nn.Conv2d
_ACTIVATION = {
    "relu": "F.relu({})", "relu6": "F.relu6({})", "elu": "F.elu({})", "sigmoid": "torch.sigmoid({})",
    "tanh": "torch.tanh({})", "gelu": "F.gelu({})", "silu": "F.silu({})",
}  # fmt: skip


# --- convolution -----------------------------------------------------------------------------------------------------


def _convolution(function: str, op: Conv | Deconv, channels_in: int, extra: dict[str, Argument]) -> Call:
    keywords: dict[str, Argument] = {"stride": same_sides(op.stride)}
    if symmetric(op):
        keywords["padding"] = same_sides((op.pads(0)[0], op.pads(1)[0]))
    keywords |= {"dilation": same_sides(op.dilation), "groups": op.groups, "bias": op.bias, **extra}
    usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "output_padding": 0}
    told = tuple((key, value) for key, value in keywords.items() if usual.get(key) != value)
    positional = (channels_in, op.channels, same_sides(op.kernel))
    return Call(function, positional, told, ("in_channels", "channels", "kernel_size"))


def _conv(op: Conv, shapes: Sequence[Shape]) -> Call:
    wrapped = op.mode != "zero" and symmetric(op) and any(pads(op))
    extra: dict[str, Argument] = {"padding_mode": f'"{_CONV_MODE[op.mode]}"'} if wrapped else {}
    return _convolution("nn.Conv2d", op, shapes[0].channels, extra)


def _apply_conv(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if symmetric(op):
        return f"{member}({inputs[0]})"
    mode = "" if op.mode == "zero" else f', mode="{_PAD_MODE[op.mode]}"'
    return f"{member}(F.pad({inputs[0]}, {pads(op)}{mode}))"


def _deconv(op: Deconv, shapes: Sequence[Shape]) -> Call:
    return _convolution("nn.ConvTranspose2d", op, shapes[0].channels, {"output_padding": same_sides(op.output_pad)})


def _apply_deconv(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if symmetric(op):
        return f"{member}({inputs[0]})"
    return f"F.pad({member}({inputs[0]}), {tuple(-pad for pad in pads(op))})"


def _linear(op: Linear, shapes: Sequence[Shape]) -> Call:
    features = shapes[0].channels
    for size in shapes[0].size:
        assert isinstance(size, int)  # the op refuses anything else
        features *= size
    told = () if op.bias else (("bias", False),)
    return Call("nn.Linear", (features, op.features), told, ("in_features", "features"))


def _apply_linear(op: Linear, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"{member}(torch.flatten({inputs[0]}, 1))" if shapes[0].size else f"{member}({inputs[0]})"


# --- resampling ------------------------------------------------------------------------------------------------------


def _crop(op: Crop, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    source, reference = inputs
    top, left = op.offset or (0, 0)
    return f"crop({source}, {reference}, {top if top == left else (top, left)})"


def _pad(op: Pad, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    mode = "" if op.mode == "zero" else f', mode="{_PAD_MODE[op.mode]}"'
    return f"F.pad({inputs[0]}, {pads(op)}{mode})"


def _resize(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if len(inputs) == 2:
        to = f"{inputs[1]}.shape[2:]"
    else:
        factor = same_sides(op.factor or (1, 1))
        to = f"scale_factor={factor}"
    corners = "" if op.mode == "nearest" else f", align_corners={op.align_corners}"
    return f'F.interpolate({inputs[0]}, {to}, mode="{op.mode}"{corners})'


def _pixel_shuffle(op: PixelShuffle, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"F.pixel_shuffle({inputs[0]}, {op.factor})"


# --- joins -----------------------------------------------------------------------------------------------------------


def _aligned(op: Join, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> list[str]:
    """The inputs, those of another size brought to the common one."""
    if op.align == "none":
        return list(inputs)
    function = "center_crop" if op.align == "center_crop" else "center_pad"
    models = _models(inputs, shapes, output)
    return [
        code if shape.size == output.size else f"{function}({', '.join([code, *(m for m in models if m != code)])})"
        for code, shape in zip(inputs, shapes, strict=True)
    ]


def _models(inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> list[str]:
    """Inputs that together show the common size: one that has it at every size of the image; else one an axis; else,
    where it is now that of one and now that of another, all."""
    pairs = list(zip(inputs, shapes, strict=True))
    whole = [code for code, shape in pairs if shape.size == output.size]
    if whole:
        return whole[:1]
    along = [[code for code, shape in pairs if shape.size[axis] == output.size[axis]] for axis in AXES]
    return list(dict.fromkeys(codes[0] for codes in along)) if all(along) else list(dict.fromkeys(inputs))


def _concat(op: Concat, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"torch.cat([{', '.join(_aligned(op, inputs, shapes, output))}], 1)"


def _add(op: Add, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    terms = _aligned(op, inputs, shapes, output)
    if op.weights:
        terms = [f"{number(weight)} * {term}" for weight, term in zip(op.weights, terms, strict=True)]
    return " + ".join(terms)


def _mul(op: Mul, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return " * ".join(_aligned(op, inputs, shapes, output))


# --- pointwise -------------------------------------------------------------------------------------------------------


def _activation(op: Activation, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return _ACTIVATION[op.kind].format(inputs[0])


def _apply_member(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"{member}({inputs[0]})"


def _batch_norm(op: BatchNorm, shapes: Sequence[Shape]) -> Call:
    momentum = (("momentum", op.momentum),) if op.momentum != 0.1 else ()
    told = (*_eps(op), *momentum)
    return Call(f"nn.BatchNorm{2 if shapes[0].size else 1}d", (shapes[0].channels,), told, ("channels",))


def _eps(op: BatchNorm | InstanceNorm | GroupNorm) -> tuple[tuple[str, Argument], ...]:
    return (("eps", op.eps),) if op.eps != 1e-5 else ()


def _instance_norm(op: InstanceNorm, shapes: Sequence[Shape]) -> Call:
    return Call("nn.InstanceNorm2d", (shapes[0].channels,), (*_eps(op), ("affine", True)), ("channels",))


def _group_norm(op: GroupNorm, shapes: Sequence[Shape]) -> Call:
    return Call("nn.GroupNorm", (op.groups, shapes[0].channels), _eps(op), ("groups", "channels"))


def _response_norm(op: ResponseNorm, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    usual = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    told = [f", {name}={number(getattr(op, name))}" for name, value in usual.items() if getattr(op, name) != value]
    return f"F.local_response_norm({inputs[0]}, {op.size}{''.join(told)})"


def _prelu(op: PRelu, shapes: Sequence[Shape]) -> Call:
    return Call("nn.PReLU", (shapes[0].channels,), (), ("channels",))


def _dropout(op: Dropout, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"F.dropout({inputs[0]}, {number(op.rate)}, self.training)"


def _factor(text: str) -> str:
    """An expression that can be multiplied without changing its meaning."""
    return f"({text})" if " + " in text else text


RULES: dict[type[Op], Rule] = {
    Conv: Rule(_apply_conv, _conv),
    Deconv: Rule(_apply_deconv, _deconv),
    Linear: Rule(_apply_linear, _linear),
    Pool: Rule(pool, switched=switched_pool),
    GlobalPool: Rule(global_pool),
    Unpool: Rule(unpool),
    Add: Rule(_add),
    Mul: Rule(_mul),
    Concat: Rule(_concat),
    Crop: Rule(_crop),
    Pad: Rule(_pad),
    Resize: Rule(_resize),
    PixelShuffle: Rule(_pixel_shuffle),
    BatchNorm: Rule(_apply_member, _batch_norm),
    InstanceNorm: Rule(_apply_member, _instance_norm),
    GroupNorm: Rule(_apply_member, _group_norm),
    ResponseNorm: Rule(_response_norm),
    Activation: Rule(_activation),
    LeakyRelu: Rule(lambda op, member, inputs, shapes, output: f"F.leaky_relu({inputs[0]}, {number(op.slope)})"),
    PRelu: Rule(_apply_member, _prelu),
    Dropout: Rule(_dropout),
    Scale: Rule(lambda op, member, inputs, shapes, output: f"{number(op.factor)} * {_factor(inputs[0])}"),
    Softmax: Rule(lambda op, member, inputs, shapes, output: f"F.softmax({inputs[0]}, 1)"),
}


def _member_of(op: Op, shapes: Sequence[Shape]) -> Call | None:
    make = RULES[type(op)].member
    return make(op, shapes) if make is not None else None


def _apply_of(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return RULES[type(op)].apply(op, member, inputs, shapes, output)


def _switched_of(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    switched = RULES[type(op)].switched
    assert switched is not None  # a graph unpools nothing but max pools
    return switched(op, member, inputs, shapes, output)


TORCH = Rules(_member_of, _apply_of, ATTRIBUTES, NAMES, CLASSES, _switched_of)
