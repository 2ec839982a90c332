"""What steps a model of Keras makes: the bench that rules write on, and how they read a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segcompile.importers.keras_model import Call, NoModel
from segcompile.weights.onnx_values import Constant, Step


@dataclass(slots=True)
class Steps:
    """What grows while the calls are gone through: steps, constants, and how many axes each value has beside the batch
    and the channels. `weights`: `layer.role` -> tensor in PyTorch's layout; `first`: channels come first in the file,
    too; `keras`: the first number of the version that wrote it."""

    weights: Mapping[str, Constant]
    first: bool
    keras: int
    steps: list[Step] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    axes: dict[str, int] = field(default_factory=dict)

    def add(self, op: str, call: Call, inputs: Sequence[str], output: str, **settings: Any) -> str:
        """One step, called as its layer; its output has the axes of its first input."""
        self.steps.append(Step(op, call.name, tuple(inputs), (output,), settings, call.name))
        self.axes[output] = self.axes[inputs[0]]
        return output

    def constant(self, name: str, value: Any) -> str:
        array = np.asarray(value)
        self.constants[name] = Constant(name, array.shape, lambda: array, array.dtype.kind == "f")
        return name

    def weight(self, call: Call, role: str, *shape: int) -> str:
        """A tensor of the file, in another shape of as many values where one is said. Raises NoModel."""
        name = f"{call.name}.{role}"
        found = self.weights.get(name)
        if found is None:
            raise NoModel(f"its file of weights has no {role} of `{call.name}`")
        if found.unusable:
            raise NoModel(f"the {role} of `{call.name}` is {found.unusable}")
        given = f"{name} as {'x'.join(map(str, shape))}" if shape and shape != found.shape else name
        self.constants.setdefault(given, found.shaped(shape) if shape else found)
        return given

    def extents(self, call: Call, role: str) -> tuple[int, ...]:
        return self.constants[self.weight(call, role)].shape


Rule = Callable[[Steps, Call], str | None]  # what the call gives; None: it cannot be said in ONNX's words


def read_by(call: Call) -> str:
    """The one value that a layer reads."""
    if len(call.inputs) != 1 or not isinstance(call.inputs[0], str):
        raise NoModel(f"`{call.name}` ({call.kind}) reads {len(call.inputs)} values, and not one tensor")
    return call.inputs[0]


def numbers(call: Call, key: str, axes: int, default: int | None = 1) -> tuple[int, ...]:
    """A setting of one number an axis."""
    value = call.settings.get(key)
    value = default if value is None else value
    found = [value] * axes if isinstance(value, int) else value
    if not isinstance(found, list | tuple) or len(found) != axes or not all(isinstance(each, int) for each in found):
        raise NoModel(f"`{call.name}` has {key}: {value}, and not {axes} integers")
    return tuple(found)


def over_channels(made: Steps, call: Call, read: str) -> bool:
    """Whether a norm's `axis` is that of the channels."""
    axis, axes = call.settings.get("axis", -1), made.axes[read]
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    return axis in ((1, -axes - 1) if made.first else (-1, axes + 1))
