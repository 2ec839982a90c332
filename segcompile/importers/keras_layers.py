"""Keras' layers in ONNX's words: each call becomes the steps that compute the same, channels first.

A map (height, width, channel) of Keras is (channel, height, width) here; where a layer reads it in Keras' order
(Flatten, Reshape), a transposition says so. A layer that no rule knows becomes a step `keras.Class`, which the lifting
refuses with all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segcompile.importers.keras_activations import LAYERS, activation
from segcompile.importers.keras_bench import Rule, Steps, numbers, over_channels, read_by
from segcompile.importers.keras_model import Call, Model, NoModel
from segcompile.weights.onnx_values import Constant, Step

_LAST = 2**63 - 1  # a slice's end: all that is left


def steps_of(model: Model, weights: Mapping[str, Constant], keras: int) -> Steps:
    """The steps of a model's calls. Raises NoModel where its weights are missing, and where some layers have channels
    first and others last."""
    layouts = {str(each) for call in model.calls if (each := call.settings.get("data_format")) is not None}
    if len(layouts) > 1:
        raise NoModel("some of its layers have channels first, and others last")
    made = Steps(weights, layouts == {"channels_first"}, keras)
    made.axes.update({name: max(len(shape) - 1, 0) for name, shape in model.inputs.items()})
    for call in model.calls:
        _step(made, call)
    return made


def _step(made: Steps, call: Call) -> None:
    rule = RULES.get(call.kind)
    given = rule(made, call) if rule is not None else None
    if given is None:
        tensors = [each for each in call.inputs if isinstance(each, str)]
        made.steps.append(Step(f"keras.{call.kind}", call.name, tuple(tensors), (call.output,), {}, call.name))
        made.axes[call.output] = made.axes[tensors[0]] if tensors else 0
    elif given != call.output:
        made.add("Identity", call, [given], call.output)


def _activated(made: Steps, call: Call, value: str) -> str | None:
    """A value behind the activation that a layer carries."""
    return activation(made, call, value, call.settings.get("activation", "linear"), call.settings)


def _windows(call: Call, kernel: Sequence[int]) -> dict[str, Any]:
    """Kernel, stride, dilation and padding of a convolution. Padding `same` is more behind than before, as
    TensorFlow has it; `causal` is all before."""
    axes = len(kernel)
    stride, dilation = numbers(call, "strides", axes), numbers(call, "dilation_rate", axes)
    found: dict[str, Any] = {"kernel_shape": tuple(kernel), "strides": stride, "dilations": dilation}
    padding = call.settings.get("padding", "valid")
    if padding == "same":
        found["auto_pad"] = "SAME_UPPER"
    elif padding == "causal":
        before = [apart * (taps - 1) for taps, apart in zip(kernel, dilation, strict=True)]
        found["pads"] = (*before, *[0] * axes)
    elif padding != "valid":
        raise NoModel(f"`{call.name}` has padding: {padding}")
    return found


def _conv(made: Steps, call: Call) -> str | None:
    extents = made.extents(call, "weight")
    inputs = [read_by(call), made.weight(call, "weight"), *_bias(made, call)]
    groups = call.settings.get("groups", 1)
    value = made.add("Conv", call, inputs, f"{call.output}/conv", group=groups, **_windows(call, extents[2:]))
    return _activated(made, call, value)


def _depthwise(made: Steps, call: Call) -> str | None:
    extents, multiplier = made.extents(call, "weight"), call.settings.get("depth_multiplier", 1)
    inputs = [read_by(call), made.weight(call, "weight"), *_bias(made, call)]
    group = extents[0] // multiplier
    value = made.add("Conv", call, inputs, f"{call.output}/conv", group=group, **_windows(call, extents[2:]))
    return _activated(made, call, value)


def _separable(made: Steps, call: Call) -> str | None:
    extents, multiplier = made.extents(call, "depthwise.weight"), call.settings.get("depth_multiplier", 1)
    inputs = [read_by(call), made.weight(call, "depthwise.weight")]
    group = extents[0] // multiplier
    value = made.add("Conv", call, inputs, f"{call.output}/depthwise", group=group, **_windows(call, extents[2:]))
    bias = [made.weight(call, "pointwise.bias")] if call.settings.get("use_bias", True) else []
    inputs = [value, made.weight(call, "pointwise.weight"), *bias]
    return _activated(made, call, made.add("Conv", call, inputs, f"{call.output}/pointwise"))


def _deconv(made: Steps, call: Call) -> str | None:
    """Of stride s and padding `same` the output has s times the size: what the kernel has more is cut, half of it
    before; what it has less is zeros behind."""
    kernel = made.extents(call, "weight")[2:]
    found, axes = _windows(call, kernel), len(kernel)
    if call.settings.get("output_padding") is not None:
        return None
    same = found.pop("auto_pad", None) is not None
    spans = [(taps - 1) * apart + 1 for taps, apart in zip(kernel, found["dilations"], strict=True)]
    more = [span - stride for span, stride in zip(spans, found["strides"], strict=True)]
    cut = [max(each, 0) for each in more] if same else [0] * axes
    found["pads"] = (*[each // 2 for each in cut], *[each - each // 2 for each in cut])
    # Without `same`, TensorFlow's output has (n - 1) s + max(span, s) pixels.
    found["output_padding"] = tuple(max(-each, 0) for each in more)
    inputs = [read_by(call), made.weight(call, "weight"), *_bias(made, call)]
    value = made.add("ConvTranspose", call, inputs, f"{call.output}/conv", **found)
    return _activated(made, call, value)


def _bias(made: Steps, call: Call) -> list[str]:
    return [made.weight(call, "bias")] if call.settings.get("use_bias", True) else []


def _dense(made: Steps, call: Call) -> str | None:
    """A matrix over the channels: of a map a convolution of one pixel."""
    read = read_by(call)
    rows, columns = made.extents(call, "weight")
    axes = made.axes[read]
    if axes:
        inputs = [read, made.weight(call, "weight", rows, columns, *[1] * axes), *_bias(made, call)]
        value = made.add("Conv", call, inputs, f"{call.output}/conv")
    else:
        value = made.add(
            "Gemm", call, [read, made.weight(call, "weight"), *_bias(made, call)], f"{call.output}/dense", transB=1
        )
    return _activated(made, call, value)


def _batch_norm(made: Steps, call: Call) -> str | None:
    read = read_by(call)
    if not over_channels(made, call, read):
        return None
    mean, variance = made.weight(call, "running_mean"), made.weight(call, "running_var")
    channels = made.constants[mean].shape
    inputs = [read, *_scale_and_shift(made, call, channels), mean, variance]
    return made.add("BatchNormalization", call, inputs, f"{call.output}/norm", epsilon=_eps(call))


def _layer_norm(made: Steps, call: Call) -> str | None:
    """Over the channels of each position: ONNX has the axes that it is over last."""
    read = read_by(call)
    if not over_channels(made, call, read) or call.settings.get("rms_scaling"):
        return None
    axes = made.axes[read]
    there, back = (0, *range(2, axes + 2), 1), (0, axes + 1, *range(1, axes + 1))
    roles = [role for role, key in (("weight", "scale"), ("bias", "center")) if call.settings.get(key, True)]
    if roles != ["weight", "bias"]:
        return None
    last = made.add("Transpose", call, [read], f"{call.output}/last", perm=there) if axes else read
    inputs = [last, *[made.weight(call, role) for role in roles]]
    value = made.add("LayerNormalization", call, inputs, f"{call.output}/norm", axis=-1, epsilon=_eps(call))
    return made.add("Transpose", call, [value], f"{call.output}/first", perm=back) if axes else value


def _group_norm(made: Steps, call: Call) -> str | None:
    read = read_by(call)
    if not over_channels(made, call, read) or not all(call.settings.get(key, True) for key in ("scale", "center")):
        return None
    inputs = [read, made.weight(call, "weight"), made.weight(call, "bias")]
    groups = call.settings.get("groups", 32)
    groups = made.constants[inputs[1]].shape[0] if groups == -1 else groups
    return made.add("GroupNormalization", call, inputs, f"{call.output}/norm", epsilon=_eps(call), num_groups=groups)


def _scale_and_shift(made: Steps, call: Call, channels: tuple[int, ...]) -> list[str]:
    scale, center = call.settings.get("scale", True), call.settings.get("center", True)
    ones = made.weight(call, "weight") if scale else made.constant(f"{call.name}/ones", np.ones(channels, np.float32))
    shift = made.weight(call, "bias") if center else made.constant(f"{call.name}/zeros", np.zeros(channels, np.float32))
    return [ones, shift]


def _eps(call: Call) -> float:
    value = call.settings.get("epsilon", 1e-3)
    if not isinstance(value, int | float):
        raise NoModel(f"`{call.name}` has epsilon: {value}")
    return float(value)


def _pool(op: str) -> Rule:
    def rule(made: Steps, call: Call) -> str | None:
        read = read_by(call)
        axes = made.axes[read]
        kernel = numbers(call, "pool_size", axes, 2)
        stride = kernel if call.settings.get("strides") is None else numbers(call, "strides", axes)
        found: dict[str, Any] = {"kernel_shape": kernel, "strides": stride}
        if call.settings.get("padding", "valid") == "same":
            found["auto_pad"] = "SAME_UPPER"  # an average is of the pixels that are there, ONNX's default
        return made.add(op, call, [read], call.output, **found)

    return rule


def _global_pool(op: str) -> Rule:
    def rule(made: Steps, call: Call) -> str | None:
        value = made.add(op, call, [read_by(call)], f"{call.output}/pool")
        if call.settings.get("keepdims"):
            return value
        flat = made.add("Flatten", call, [value], call.output, axis=1)
        made.axes[flat] = 0
        return flat

    return rule


def _upsampling(made: Steps, call: Call) -> str | None:
    """Nearest repeats each pixel; the others lie over the pixels' centres, as tf.image.resize has them."""
    read = read_by(call)
    axes = made.axes[read]
    kind = call.settings.get("interpolation", "nearest")
    how: dict[str, dict[str, Any]] = {
        "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"},
        "bilinear": {"coordinate_transformation_mode": "half_pixel", "mode": "linear"},
        "bicubic": {"coordinate_transformation_mode": "half_pixel", "mode": "cubic", "cubic_coeff_a": -0.5},
    }
    if kind not in how:
        return None
    scales = made.constant(f"{call.name}/scales", np.array([1, 1, *numbers(call, "size", axes, 2)], np.float32))
    return made.add("Resize", call, [read, "", scales], call.output, **how[kind])


def _zero_padding(made: Steps, call: Call) -> str | None:
    read = read_by(call)
    sides = _sides(call, "padding", made.axes[read])
    befores, afters = zip(*sides, strict=True)
    pads = made.constant(f"{call.name}/pads", np.array([0, 0, *befores, 0, 0, *afters], np.int64))
    return made.add("Pad", call, [read, pads], call.output, mode="constant")


def _cropping(made: Steps, call: Call) -> str | None:
    read = read_by(call)
    axes = made.axes[read]
    sides = _sides(call, "cropping", axes)
    given = {
        "starts": [before for before, _ in sides],
        "ends": [-after if after else _LAST for _, after in sides],
        "axes": list(range(2, axes + 2)),
    }
    numbers = [made.constant(f"{call.name}/{key}", np.array(value, np.int64)) for key, value in given.items()]
    return made.add("Slice", call, [read, *numbers], call.output)


def _sides(call: Call, key: str, axes: int) -> list[tuple[int, int]]:
    """Before and behind along each axis, of one number, one an axis, or two an axis."""
    value = call.settings.get(key, 1)
    value = [value] * axes if isinstance(value, int) else value
    if axes == 1 and isinstance(value, list) and len(value) == 2 and all(isinstance(each, int) for each in value):
        value = [value]
    found = [[each, each] if isinstance(each, int) else each for each in value] if isinstance(value, list) else []
    if len(found) != axes or not all(
        isinstance(each, list) and len(each) == 2 and all(isinstance(side, int) and side >= 0 for side in each)
        for each in found
    ):
        raise NoModel(f"`{call.name}` has {key}: {call.settings.get(key)}")
    return [(before, after) for before, after in found]


def _concatenate(made: Steps, call: Call) -> str | None:
    tensors = [each for each in call.inputs if isinstance(each, str)]
    if not tensors or not over_channels(made, call, tensors[0]):
        return None
    return made.add("Concat", call, tensors, call.output, axis=1)


def _pairwise(op: str) -> Rule:
    """Sums and products of two or more, one of which may be a number."""

    def rule(made: Steps, call: Call) -> str | None:
        values = [
            made.constant(f"{call.output}/{index}", np.float32(each)) if isinstance(each, float) else each
            for index, each in enumerate(call.inputs)
        ]
        if len(values) < 2 or not isinstance(call.inputs[0], str):
            return None
        value = values[0]
        for index, other in enumerate(values[1:], 1):
            value = made.add(op, call, [value, other], call.output if other is values[-1] else f"{call.output}/{index}")
            made.axes[value] = max(made.axes[values[0]], made.axes.get(other, 0))
        return value

    return rule


def _flatten(made: Steps, call: Call) -> str | None:
    read = read_by(call)
    axes = made.axes[read]
    last = (0, *range(2, axes + 2), 1)
    value = read if made.first or not axes else made.add("Transpose", call, [read], f"{call.output}/last", perm=last)
    flat = made.add("Flatten", call, [value], call.output, axis=1)
    made.axes[flat] = 0
    return flat


def _reshape(made: Steps, call: Call) -> str | None:
    read, target = read_by(call), call.settings.get("target_shape")
    if not isinstance(target, list | tuple) or not all(isinstance(each, int) for each in target):
        return None
    axes, value = made.axes[read], read
    if axes and not made.first:
        value = made.add("Transpose", call, [value], f"{call.output}/last", perm=(0, *range(2, axes + 2), 1))
    shape = made.constant(f"{call.name}/shape", np.array([0, *target], np.int64))
    value = made.add("Reshape", call, [value, shape], f"{call.output}/shaped")
    axes = made.axes[value] = len(target) - 1
    if not axes or made.first:
        return value
    return made.add("Transpose", call, [value], f"{call.output}/first", perm=(0, axes + 1, *range(1, axes + 1)))


def _rescaling(made: Steps, call: Call) -> str | None:
    scale, offset = call.settings.get("scale", 1.0), call.settings.get("offset", 0.0)
    if not isinstance(scale, int | float) or not isinstance(offset, int | float):
        return None
    factor, shift = (
        made.constant(f"{call.name}/{key}", np.float32(value)) for key, value in (("scale", scale), ("offset", offset))
    )
    value = made.add("Mul", call, [read_by(call), factor], f"{call.output}/scaled")
    return made.add("Add", call, [value, shift], call.output) if offset else value


def _same(made: Steps, call: Call) -> str | None:
    """At evaluation it changes nothing."""
    return read_by(call)


_BY_RANK: Mapping[str, Rule] = {
    "Conv": _conv, "DepthwiseConv": _depthwise, "SeparableConv": _separable, "MaxPooling": _pool("MaxPool"),
    "AveragePooling": _pool("AveragePool"), "GlobalAveragePooling": _global_pool("GlobalAveragePool"),
    "GlobalMaxPooling": _global_pool("GlobalMaxPool"), "UpSampling": _upsampling, "ZeroPadding": _zero_padding,
    "Cropping": _cropping, "SpatialDropout": _same,
}  # fmt: skip
RULES: Mapping[str, Rule] = {
    **LAYERS,
    **{f"{name}{rank}D": rule for name, rule in _BY_RANK.items() for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _deconv for rank in (1, 2, 3)},
    "Dense": _dense, "BatchNormalization": _batch_norm, "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm, "Concatenate": _concatenate, "Add": _pairwise("Add"),
    "Multiply": _pairwise("Mul"), "Subtract": _pairwise("Sub"), "Divide": _pairwise("Div"),
    "TrueDivide": _pairwise("Div"), "Maximum": _pairwise("Max"), "Flatten": _flatten, "Reshape": _reshape,
    "Rescaling": _rescaling,
    "Dropout": _same, "GaussianNoise": _same, "GaussianDropout": _same,
    "ActivityRegularization": _same,
}  # fmt: skip
