"""Keras' activations in ONNX's words: as layers, and as the word or layer that another layer carries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from segcompile.importers.keras_bench import Rule, Steps, over_channels, read_by
from segcompile.importers.keras_model import Call, Json


def _relu(made: Steps, call: Call) -> str | None:
    most, slope = call.settings.get("max_value"), call.settings.get("negative_slope", 0)
    if call.settings.get("threshold") or (slope and most is not None):
        return None
    if slope:
        return made.add("LeakyRelu", call, [read_by(call)], call.output, alpha=float(slope))
    if most is not None:
        return clipped(made, call, read_by(call), 0.0, float(most))
    return made.add("Relu", call, [read_by(call)], call.output)


def _leaky_relu(made: Steps, call: Call) -> str | None:
    slope = call.settings.get("negative_slope", call.settings.get("alpha", 0.3))
    return made.add("LeakyRelu", call, [read_by(call)], call.output, alpha=float(slope))


def _elu(made: Steps, call: Call) -> str | None:
    return made.add("Elu", call, [read_by(call)], call.output, alpha=float(call.settings.get("alpha", 1.0)))


def _prelu(made: Steps, call: Call) -> str | None:
    read = read_by(call)
    slopes = made.weights.get(f"{call.name}.weight")
    if slopes is None or len(slopes.shape) != 1:  # a slope for each pixel
        return None
    slope = made.weight(call, "weight", *slopes.shape, *[1] * made.axes[read])
    return made.add("PRelu", call, [read, slope], call.output)


def _softmax(made: Steps, call: Call) -> str | None:
    if not over_channels(made, call, read_by(call)):
        return None
    return made.add("Softmax", call, [read_by(call)], call.output, axis=1)


def _activation(made: Steps, call: Call) -> str | None:
    return activation(made, call, read_by(call), call.settings.get("activation", "linear"), {})


def clipped(made: Steps, call: Call, value: str, low: float, high: float) -> str:
    ends = [made.constant(f"{call.output}/{key}", np.float32(end)) for key, end in (("low", low), ("high", high))]
    return made.add("Clip", call, [value, *ends], f"{call.output}/clip")


_PLAIN: Mapping[str, tuple[str, Json]] = {
    "relu": ("Relu", {}), "sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}), "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {}), "softplus": ("Softplus", {}), "mish": ("Mish", {}), "gelu": ("Gelu", {"approximate": "none"}),
    "hard_silu": ("HardSwish", {}), "hard_swish": ("HardSwish", {}), "exponential": ("Exp", {}),
    "softsign": ("Softsign", {}),
}  # fmt: skip


def activation(made: Steps, call: Call, value: str, wanted: object, settings: Json) -> str | None:
    """A value behind an activation, by its name or as Keras writes a function or a layer into a file."""
    if isinstance(wanted, dict):
        inner = wanted.get("config")
        if isinstance(inner, dict):  # a layer
            rule = LAYERS.get(str(wanted.get("class_name")))
            inside = Call(call.name, str(wanted.get("class_name")), inner, (value,), f"{call.output}/act")
            return rule(made, inside) if rule is not None else None
        wanted = inner if isinstance(inner, str) else None
    if wanted in (None, "linear"):
        return value if wanted == "linear" or settings.get("activation") is None else None
    output = f"{call.output}/act"
    if wanted == "relu6":
        return clipped(made, call, value, 0.0, 6.0)
    if wanted in ("swish", "silu"):
        gate = made.add("Sigmoid", call, [value], f"{call.output}/gate")
        return made.add("Mul", call, [value, gate], output)
    if wanted == "hard_sigmoid":  # Keras 3: relu6(x + 3) / 6; before: 0.2 x + 0.5, cut to 0 ... 1
        return made.add("HardSigmoid", call, [value], output, alpha=1 / 6 if made.keras > 2 else 0.2, beta=0.5)
    if wanted == "leaky_relu":
        return made.add("LeakyRelu", call, [value], output, alpha=0.2)
    if wanted == "softmax":
        return made.add("Softmax", call, [value], output, axis=1)
    op, said = _PLAIN.get(str(wanted), ("", {}))
    return made.add(op, call, [value], output, **said) if op else None


LAYERS: Mapping[str, Rule] = {
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "PReLU": _prelu,
    "Softmax": _softmax,
    "Activation": _activation,
}
