"""aten's layers as ONNX's: convolutions, norms, pools, activations, attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from segcompile.importers.aten_writer import Cannot, Writer, axis_of
from segcompile.importers.torch_program import Extent, Ref

Rule = Callable[[Writer, Mapping[str, Any]], None]


def _ints(value: Any, rank: int) -> tuple[int, ...]:
    """One whole number an axis; one alone holds along all. Raises Cannot."""
    found = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(each, int) for each in found):
        raise Cannot(f"a setting of {' x '.join(map(str, found))}, which is another at another size")
    return found * rank if len(found) == 1 else found


def _spatial(w: Writer, name: str) -> int:
    return len(w.dims(name)) - 2


# --- convolutions ----------------------------------------------------------------------------------------------------


def _conv(w: Writer, a: Mapping[str, Any]) -> None:
    kernel = w.dims(a["weight"].name)[2:]
    rank = len(kernel)
    if len(w.dims(a["x"].name)) != rank + 2:
        raise Cannot("it reads a map without a batch")
    dilation, padding = _ints(a["dilation"], rank), a["padding"]
    if padding == "same":
        totals = [apart * (int(str(taps)) - 1) for apart, taps in zip(dilation, kernel, strict=True)]
        pads = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    else:
        pads = [*_ints(0 if padding == "valid" else padding, rank)] * 2
    names = [a["x"].name, a["weight"].name, *([a["bias"].name] if a["bias"] else [])]
    stride = _ints(a["stride"], rank)
    w.step("Conv", names, strides=stride, dilations=dilation, pads=tuple(pads), group=a["groups"])


def _deconv(w: Writer, a: Mapping[str, Any]) -> None:
    rank = len(w.dims(a["weight"].name)) - 2
    names = [a["x"].name, a["weight"].name, *([a["bias"].name] if a["bias"] else [])]
    w.step(
        "ConvTranspose",
        names,
        strides=_ints(a["stride"], rank),
        dilations=_ints(a["dilation"], rank),
        pads=_ints(a["padding"], rank) * 2,
        output_padding=_ints(a["output_padding"], rank),
        group=a["groups"],
    )


def _linear(w: Writer, a: Mapping[str, Any]) -> None:
    names = [a["x"].name, a["weight"].name, *([a["bias"].name] if a["bias"] else [])]
    if len(w.dims(a["x"].name)) == 2:
        w.step("Gemm", names, transB=1)
        return
    product = [names[0], w.inner("Transpose", [names[1]], perm=(1, 0))]
    if len(names) == 2:
        w.step("MatMul", product)
    else:
        w.step("Add", [w.inner("MatMul", product), names[2]])


def _addmm(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Gemm", [a["mat1"].name, a["mat2"].name, a["x"].name], alpha=float(a["alpha"]), beta=float(a["beta"]))


def _matmul(w: Writer, a: Mapping[str, Any]) -> None:
    other = a.get("other", a.get("mat2"))
    assert isinstance(other, Ref)
    w.step("MatMul", [a["x"].name, other.name])


# --- norms -----------------------------------------------------------------------------------------------------------


def _or_all(w: Writer, ref: Ref | None, count: Extent, value: float) -> str:
    """A norm's scale or shift; where it has none, one number for all."""
    return ref.name if ref is not None else w.number([value] * int(str(count)))


def _batch_norm(w: Writer, a: Mapping[str, Any]) -> None:
    if a["training"] or a["running_mean"] is None:
        raise Cannot("a batch norm by the statistics of the batch; track_running_stats=True keeps its own")
    _stored_norm(w, a)


def _stored_norm(w: Writer, a: Mapping[str, Any]) -> None:
    channels = w.dims(a["x"].name)[1]
    affine = [_or_all(w, a[role], channels, value) for role, value in (("weight", 1.0), ("bias", 0.0))]
    names = [a["x"].name, *affine, a["running_mean"].name, a["running_var"].name]
    w.step("BatchNormalization", names, epsilon=a["eps"])


def _instance_norm(w: Writer, a: Mapping[str, Any]) -> None:
    if not a["use_input_stats"]:
        _stored_norm(w, a)
        return
    channels = w.dims(a["x"].name)[1]
    affine = [_or_all(w, a[role], channels, value) for role, value in (("weight", 1.0), ("bias", 0.0))]
    w.step("InstanceNormalization", [a["x"].name, *affine], epsilon=a["eps"])


def _group_norm(w: Writer, a: Mapping[str, Any]) -> None:
    channels = w.dims(a["x"].name)[1]
    affine = [_or_all(w, a[role], channels, value) for role, value in (("weight", 1.0), ("bias", 0.0))]
    w.step("GroupNormalization", [a["x"].name, *affine], epsilon=a["eps"], num_groups=a["num_groups"])


def _layer_norm(w: Writer, a: Mapping[str, Any]) -> None:
    extents = a["normalized_shape"]
    scale = a["weight"].name if a["weight"] else _full(w, extents, 1.0)
    shift = [a["bias"].name] if a["bias"] else []
    w.step("LayerNormalization", [a["x"].name, scale, *shift], axis=-len(extents), epsilon=a["eps"])


def _full(w: Writer, extents: Sequence[Extent], value: float) -> str:
    shape = _ints(tuple(extents), len(extents))
    return w.inner("Reshape", [w.number([value] * prod(shape)), w.integers(shape)])


# --- pools -----------------------------------------------------------------------------------------------------------


def _pool(op: str) -> Rule:
    def rule(w: Writer, a: Mapping[str, Any]) -> None:
        rank = _spatial(w, a["x"].name)
        kernel = _ints(a["kernel_size"], rank)
        more: dict[str, Any] = {}
        if op == "AveragePool":
            if a.get("divisor_override") is not None:
                raise Cannot("a divisor of its own")
            more["count_include_pad"] = int(a["count_include_pad"])
        else:
            more["dilations"] = _ints(a["dilation"], rank)
        w.step(
            op,
            [a["x"].name],
            kernel_shape=kernel,
            strides=_ints(a["stride"], rank) if a["stride"] else kernel,
            pads=_ints(a["padding"], rank) * 2,
            ceil_mode=int(a["ceil_mode"]),
            **more,
        )

    return rule


def _adaptive_pool(kind: str) -> Rule:
    """ONNX has no bins: `torch.AdaptivePool` has the settings `kind` (max, avg) and `bins`."""

    def rule(w: Writer, a: Mapping[str, Any]) -> None:
        sizes = w.dims(a["x"].name)[2:]
        wanted = a["output_size"] if isinstance(a["output_size"], tuple) else (a["output_size"],)
        wanted = wanted * len(sizes) if len(wanted) == 1 else wanted
        if wanted == sizes:
            w.step("Identity", [a["x"].name])
        elif all(each == 1 for each in wanted):
            w.step("GlobalAveragePool" if kind == "avg" else "GlobalMaxPool", [a["x"].name])
        else:
            w.step("torch.AdaptivePool", [a["x"].name], kind=kind, bins=_ints(wanted, len(sizes)))

    return rule


# --- activations -----------------------------------------------------------------------------------------------------


def _each(op: str, **settings: Any) -> Rule:
    return lambda w, a: _write(w, op, [a["x"].name], settings)


def _write(w: Writer, op: str, inputs: Sequence[str], settings: Mapping[str, Any]) -> None:
    w.step(op, inputs, **settings)


def _clip(w: Writer, a: Mapping[str, Any]) -> None:
    low, high = a.get("min", a.get("min_val")), a.get("max", a.get("max_val"))
    limits = ["" if limit is None else w.operand(limit) for limit in (low, high)]
    w.step("Clip", [a["x"].name, *(limits if limits[1] else limits[:1])])


def _relu6(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Clip", [a["x"].name, w.number(0.0), w.number(6.0)])


def _silu(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Mul", [a["x"].name, w.inner("Sigmoid", [a["x"].name])])


def _gelu(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Gelu", [a["x"].name], approximate=a["approximate"])


def _elu(w: Writer, a: Mapping[str, Any]) -> None:
    if a["scale"] != 1 or a["input_scale"] != 1:
        raise Cannot("an elu with scales")
    w.step("Elu", [a["x"].name], alpha=float(a["alpha"]))


def _leaky(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("LeakyRelu", [a["x"].name], alpha=float(a["negative_slope"]))


def _rrelu(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("LeakyRelu", [a["x"].name], alpha=(float(a["lower"]) + float(a["upper"])) / 2)


def _prelu(w: Writer, a: Mapping[str, Any]) -> None:
    axes = len(w.dims(a["x"].name)) - 2
    slopes = a["weight"].name
    if axes > 0:
        slopes = w.inner("Reshape", [slopes, w.integers([-1, *[1] * axes])])
    w.step("PRelu", [a["x"].name, slopes])


def _softplus(w: Writer, a: Mapping[str, Any]) -> None:
    if a["beta"] == 1:
        w.step("Softplus", [a["x"].name])
        return
    scaled = w.inner("Softplus", [w.inner("Mul", [a["x"].name, w.number(float(a["beta"]))])])
    w.step("Div", [scaled, w.number(float(a["beta"]))])


def _softmax(op: str) -> Rule:
    return lambda w, a: _write(w, op, [a["x"].name], {"axis": axis_of(a["dim"], len(w.dims(a["x"].name)))})


def _glu(w: Writer, a: Mapping[str, Any]) -> None:
    dims = w.dims(a["x"].name)
    axis = axis_of(a["dim"], len(dims))
    half = _ints(dims[axis], 1)[0] // 2
    parts = [
        w.inner("Slice", [a["x"].name, *(w.integers([n]) for n in (start, start + half, axis))]) for start in (0, half)
    ]
    w.step("Mul", [parts[0], w.inner("Sigmoid", [parts[1]])])


def _attention(w: Writer, a: Mapping[str, Any]) -> None:
    if a["dropout_p"] or a["is_causal"] or a["enable_gqa"]:
        raise Cannot("attention that is causal, grouped or dropped out")
    if len(w.dims(a["x"].name)) != 4:
        raise Cannot("attention without (batch, heads, positions, channels)")
    mask = [w.operand(a["attn_mask"])] if a["attn_mask"] is not None else []
    scale = {} if a["scale"] is None else {"scale": float(a["scale"])}
    w.step("Attention", [a["x"].name, a["key"].name, a["value"].name, *mask], **scale)


LAYERS: Mapping[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _deconv),
    "linear": _linear,
    "addmm": _addmm,
    **dict.fromkeys(("matmul", "bmm", "mm"), _matmul),
    "batch_norm": _batch_norm,
    "instance_norm": _instance_norm,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _pool("MaxPool")),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _pool("AveragePool")),
    **{f"adaptive_{kind}_pool{rank}d": _adaptive_pool(kind) for kind in ("avg", "max") for rank in (1, 2, 3)},
    "relu": _each("Relu"),
    "sigmoid": _each("Sigmoid"),
    "tanh": _each("Tanh"),
    "hardswish": _each("HardSwish"),
    "hardsigmoid": _each("HardSigmoid", alpha=1 / 6, beta=0.5),
    "mish": _each("Mish"),
    "selu": _each("Selu"),
    "exp": _each("Exp"),
    "log": _each("Log"),
    "sqrt": _each("Sqrt"),
    "abs": _each("Abs"),
    "neg": _each("Neg"),
    "erf": _each("Erf"),
    "reciprocal": _each("Reciprocal"),
    "square": lambda w, a: _write(w, "Mul", [a["x"].name] * 2, {}),
    "rsqrt": lambda w, a: _write(w, "Reciprocal", [w.inner("Sqrt", [a["x"].name])], {}),
    "softsign": _each("Softsign"),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max", "hardtanh"), _clip),
    "relu6": _relu6,
    "silu": _silu,
    "gelu": _gelu,
    "elu": _elu,
    "leaky_relu": _leaky,
    "rrelu": _rrelu,
    "prelu": _prelu,
    "softplus": _softplus,
    "softmax": _softmax("Softmax"),
    "log_softmax": _softmax("LogSoftmax"),
    "glu": _glu,
    "scaled_dot_product_attention": _attention,
}
