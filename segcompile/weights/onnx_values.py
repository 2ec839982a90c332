"""What an ONNX model is read as: steps, and constants whose values are read when they are asked for.

Whatever the bytes say, a setting of the wrong type or length counts as not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

FLOATS = (1, 10, 11, 16)  # TensorProto's float, float16, double, bfloat16
MOST_SETTINGS = 64  # numbers in a list of pads, axes, scales
_MOST_LOOKED_AT = 2**20  # values of a constant that is compared with a number


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor of the file, or what steps that change no value make of it. `channels_last`: a matrix whose columns are
    for a flattened map of (height, width, channel)."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Any]
    floats: bool = True
    unusable: str = ""
    channels_last: bool = False

    @property
    def count(self) -> int:
        return prod(self.shape)

    def shaped(self, shape: Sequence[int]) -> Constant:
        """The same values in another shape of as many."""
        return replace(self, shape=tuple(shape), read=lambda: np.reshape(self.read(), shape))

    def times(self, factor: float) -> Constant:
        return self if factor == 1 else replace(self, read=lambda: np.asarray(self.read(), np.float32) * factor)

    def spread(self, count: int) -> Constant:
        """`count` values of n, each for count / n neighbouring channels."""
        repeats = count // self.count
        return replace(self, shape=(count,), read=lambda: np.repeat(np.reshape(self.read(), -1), repeats))

    def inverse(self, op: str) -> Constant:
        """By what x - v shifts, or x / v scales."""
        turn = np.negative if op == "Sub" else np.reciprocal
        return replace(self, read=lambda: turn(np.asarray(self.read(), np.float64)))

    def with_each(self, other: Constant, reckon: Callable[[Any, Any], Any]) -> Constant:
        """What is reckoned of its values and those of a constant of its shape."""

        def read() -> Any:
            return reckon(np.asarray(self.read(), np.float64), np.asarray(other.read(), np.float64))

        return replace(self, read=read, unusable=self.unusable or other.unusable)

    def is_all(self, value: float) -> bool:
        """Whether every value is this one."""
        return 0 < self.count <= _MOST_LOOKED_AT and bool(np.all(array_of(self) == value))

    def numbers(self) -> tuple[float, ...] | None:
        """The values of a short list, or of a single number, if they are finite."""
        if len(self.shape) > 1 or self.count > MOST_SETTINGS:
            return None
        found = array_of(self)
        if found is None or found.dtype.kind not in "fiub" or not np.isfinite(found).all():
            return None
        return tuple(float(value) for value in np.reshape(found, -1))


def array_of(constant: Constant) -> Any:
    """The values of a constant as they lie in the file; None if they cannot be read."""
    try:
        return np.asarray(constant.read())
    except Exception:  # whatever the bytes make a library raise: who needs the values is told when they are written
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A node: its op (one of another domain is `domain.Op`), its name or that of what it makes, and its settings.
    `scope`: the path of the module that it belongs to, `layer1.0.conv2`; "" where nothing says it."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: Mapping[str, Any]
    scope: str = ""

    def input(self, index: int) -> str:
        """The name of an input; "" where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def integer(self, name: str, default: int) -> int:
        value = self.settings.get(name, default)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        value = self.settings.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def word(self, name: str, default: str) -> str:
        value = self.settings.get(name, default)
        return value if isinstance(value, str) else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers; None where it is not said."""
        value = self.settings.get(name)
        return value if isinstance(value, tuple) and all(isinstance(part, int) for part in value) else None


def resolved(
    shape: Sequence[int | None], wanted: Sequence[float], zero_is_zero: bool = False
) -> tuple[int | None, ...] | None:
    """What Reshape makes of a shape: 0 keeps an extent, -1 takes the rest. None where that cannot be."""
    found: list[int | None] = []
    for index, extent in enumerate(map(int, wanted)):
        if extent == 0 and not zero_is_zero:
            if index >= len(shape):
                return None
            found.append(shape[index])
        else:
            found.append(None if extent < 0 else extent)
    open_axes = [index for index, extent in enumerate(map(int, wanted)) if extent < 0]
    if len(open_axes) == 1 and None not in shape and found.count(None) == 1:
        rest = prod(extent for extent in found if extent is not None)
        found[open_axes[0]] = prod(extent or 0 for extent in shape) // rest if rest else None
    return tuple(found)
