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
    Join,
    LeakyRelu,
    Linear,
    Mul,
    Op,
    Pad,
    Pool,
    PRelu,
    Resize,
    Scale,
    Shape,
    Softmax,
)
from segcompile_torch.reserved import ATTRIBUTES, CLASSES, NAMES

Apply = Callable[[Any, str, Sequence[str], Sequence[Shape], Shape], str]
MakeMember = Callable[[Any, Sequence[Shape]], Call]


class Rule(NamedTuple):
    apply: Apply
    member: MakeMember | None = None


_PAD_MODE = {"zero": "constant", "reflect": "reflect", "edge": "replicate"}  # in F.pad
_CONV_MODE = {"zero": "zeros", "reflect": "reflect", "edge": "replicate"}  # in nn.Conv2d
_ACTIVATION = {
    "relu": "F.relu({})", "relu6": "F.relu6({})", "elu": "F.elu({})", "sigmoid": "torch.sigmoid({})",
    "tanh": "torch.tanh({})", "gelu": "F.gelu({})", "silu": "F.silu({})",
}  # fmt: skip


# --- convolution -----------------------------------------------------------------------------------------------------


def _pads(op: Conv | Deconv | Pool | Pad) -> tuple[int, int, int, int]:
    """(left, right, top, bottom), the order of F.pad."""
    (top, bottom), (left, right) = op.pads(0), op.pads(1)
    return left, right, top, bottom


def _symmetric(op: Conv | Deconv | Pool) -> bool:
    return all(op.pads(axis)[0] == op.pads(axis)[1] for axis in AXES)


def _same_sides(pair: tuple[int, int]) -> int | tuple[int, int]:
    return pair[0] if pair[0] == pair[1] else pair


def _convolution(function: str, op: Conv | Deconv, channels_in: int, extra: dict[str, Argument]) -> Call:
    keywords: dict[str, Argument] = {"stride": _same_sides(op.stride)}
    if _symmetric(op):
        keywords["padding"] = _same_sides((op.pads(0)[0], op.pads(1)[0]))
    keywords |= {"dilation": _same_sides(op.dilation), "groups": op.groups, "bias": op.bias, **extra}
    usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "output_padding": 0}
    told = tuple((key, value) for key, value in keywords.items() if usual.get(key) != value)
    positional = (channels_in, op.channels, _same_sides(op.kernel))
    return Call(function, positional, told, ("in_channels", "channels", "kernel_size"))


def _conv(op: Conv, shapes: Sequence[Shape]) -> Call:
    wrapped = op.mode != "zero" and _symmetric(op) and any(_pads(op))
    extra: dict[str, Argument] = {"padding_mode": f'"{_CONV_MODE[op.mode]}"'} if wrapped else {}
    return _convolution("nn.Conv2d", op, shapes[0].channels, extra)


def _apply_conv(op: Conv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if _symmetric(op):
        return f"{member}({inputs[0]})"
    mode = "" if op.mode == "zero" else f', mode="{_PAD_MODE[op.mode]}"'
    return f"{member}(F.pad({inputs[0]}, {_pads(op)}{mode}))"


def _deconv(op: Deconv, shapes: Sequence[Shape]) -> Call:
    return _convolution("nn.ConvTranspose2d", op, shapes[0].channels, {"output_padding": _same_sides(op.output_pad)})


def _apply_deconv(op: Deconv, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if _symmetric(op):
        return f"{member}({inputs[0]})"
    return f"F.pad({member}({inputs[0]}), {tuple(-pad for pad in _pads(op))})"


def _linear(op: Linear, shapes: Sequence[Shape]) -> Call:
    features = shapes[0].channels
    for size in shapes[0].size:
        assert isinstance(size, int)  # the op refuses anything else
        features *= size
    told = () if op.bias else (("bias", False),)
    return Call("nn.Linear", (features, op.features), told, ("in_features", "features"))


def _apply_linear(op: Linear, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"{member}(torch.flatten({inputs[0]}, 1))" if shapes[0].size else f"{member}({inputs[0]})"


# --- pooling and resampling ------------------------------------------------------------------------------------------


def _pool(op: Pool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    source = inputs[0]
    arguments = [str(_same_sides(op.kernel))]
    if op.steps != op.kernel:
        arguments.append(str(_same_sides(op.steps)))
    if not _symmetric(op):
        outside = ', value=float("-inf")' if op.kind == "max" else ""
        source = f"F.pad({source}, {_pads(op)}{outside})"
    elif any(_pads(op)):
        arguments.append(f"padding={_same_sides((op.pads(0)[0], op.pads(1)[0]))}")
    if op.round == "ceil":
        arguments.append("ceil_mode=True")
    return f"F.{op.kind}_pool2d({source}, {', '.join(arguments)})"


def _global_pool(op: GlobalPool, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"F.adaptive_{op.kind.removeprefix('global_')}_pool2d({inputs[0]}, 1)"


def _crop(op: Crop, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    source, reference = inputs
    top, left = op.offset or (0, 0)
    return f"crop({source}, {reference}, {top if top == left else (top, left)})"


def _pad(op: Pad, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    mode = "" if op.mode == "zero" else f', mode="{_PAD_MODE[op.mode]}"'
    return f"F.pad({inputs[0]}, {_pads(op)}{mode})"


def _resize(op: Resize, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    if len(inputs) == 2:
        to = f"{inputs[1]}.shape[2:]"
    else:
        factor = _same_sides(op.factor or (1, 1))
        to = f"scale_factor={factor}"
    corners = "" if op.mode == "nearest" else f", align_corners={op.align_corners}"
    return f'F.interpolate({inputs[0]}, {to}, mode="{op.mode}"{corners})'


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
        terms = [f"{_number(weight)} * {term}" for weight, term in zip(op.weights, terms, strict=True)]
    return " + ".join(terms)


def _mul(op: Mul, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return " * ".join(_aligned(op, inputs, shapes, output))


# --- pointwise -------------------------------------------------------------------------------------------------------


def _activation(op: Activation, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return _ACTIVATION[op.kind].format(inputs[0])


def _apply_member(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"{member}({inputs[0]})"


def _batch_norm(op: BatchNorm, shapes: Sequence[Shape]) -> Call:
    told: list[tuple[str, Argument]] = []
    if op.eps != 1e-5:
        told.append(("eps", op.eps))
    if op.momentum != 0.1:
        told.append(("momentum", op.momentum))
    return Call(f"nn.BatchNorm{2 if shapes[0].size else 1}d", (shapes[0].channels,), tuple(told), ("channels",))


def _prelu(op: PRelu, shapes: Sequence[Shape]) -> Call:
    return Call("nn.PReLU", (shapes[0].channels,), (), ("channels",))


def _dropout(op: Dropout, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return f"F.dropout({inputs[0]}, {_number(op.rate)}, self.training)"


def _number(value: float) -> str:
    """The shortest text that means exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)


def _factor(text: str) -> str:
    """An expression that can be multiplied without changing its meaning."""
    return f"({text})" if " + " in text else text


RULES: dict[type[Op], Rule] = {
    Conv: Rule(_apply_conv, _conv),
    Deconv: Rule(_apply_deconv, _deconv),
    Linear: Rule(_apply_linear, _linear),
    Pool: Rule(_pool),
    GlobalPool: Rule(_global_pool),
    Add: Rule(_add),
    Mul: Rule(_mul),
    Concat: Rule(_concat),
    Crop: Rule(_crop),
    Pad: Rule(_pad),
    Resize: Rule(_resize),
    BatchNorm: Rule(_apply_member, _batch_norm),
    Activation: Rule(_activation),
    LeakyRelu: Rule(lambda op, member, inputs, shapes, output: f"F.leaky_relu({inputs[0]}, {_number(op.slope)})"),
    PRelu: Rule(_apply_member, _prelu),
    Dropout: Rule(_dropout),
    Scale: Rule(lambda op, member, inputs, shapes, output: f"{_number(op.factor)} * {_factor(inputs[0])}"),
    Softmax: Rule(lambda op, member, inputs, shapes, output: f"F.softmax({inputs[0]}, 1)"),
}


def _member_of(op: Op, shapes: Sequence[Shape]) -> Call | None:
    make = RULES[type(op)].member
    return make(op, shapes) if make is not None else None


def _apply_of(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return RULES[type(op)].apply(op, member, inputs, shapes, output)


TORCH = Rules(_member_of, _apply_of, ATTRIBUTES, NAMES, CLASSES)
