"""What the formulas share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.ops import Conv, Op, Pad

Array = NDArray[Any]
Tensors = Mapping[str, Array]
Formula = Callable[[Any, Sequence[Array], Tensors], Array]  # (the op, its inputs, its weights) -> what it gives

_NUMPY_MODE: dict[str, Any] = {"zero": "constant", "reflect": "reflect", "edge": "edge", "circular": "wrap"}


def padded(x: Array, op: Conv | Pad) -> Array:
    """The map within its padding."""
    filled = {"constant_values": op.value_around} if op.mode == "zero" else {}
    return np.pad(x, around(op, x), mode=_NUMPY_MODE[op.mode], **filled)


def around(op: Op, x: Array) -> list[tuple[int, int]]:
    """The padding of each axis of an array: none of the batch and the channels."""
    return [(0, 0), (0, 0), *map(op.pads, range(x.ndim - 2))]


def channelwise(values: Array, x: Array) -> Array:
    """One value a channel, to go with x."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def every(start: int, count: int, step: int) -> slice:
    """start, start + step, ..., `count` of them."""
    return slice(start, start + (count - 1) * step + 1, step)
