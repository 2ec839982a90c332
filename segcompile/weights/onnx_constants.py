"""What stays constant in an ONNX model: steps that only name, turn, reshape, spread or convert a tensor of the file.

Nothing is run and nothing is copied: a constant is read when it is asked for. Short lists of integers that follow from
constants alone, as the shape of a kernel, are reckoned at once. A kernel that is computed is none that is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from segcompile.weights.onnx_numbers import computed, held
from segcompile.weights.onnx_values import FLOATS, MOST_SETTINGS, Constant, Step, resolved
from segcompile.weights.stored import MOST_VALUES


def follow(step: Step, constants: Mapping[str, Constant]) -> Constant | None:
    """What a step makes, if it is constant."""
    first, rule = constants.get(step.input(0)), _FOLLOWED.get(step.op)
    found = rule(step, first, constants) if rule and first else None
    if found is not None or first is None or any(name and name not in constants for name in step.inputs):
        return found
    lists = {name: numbers for name in step.inputs if name and (numbers := held(constants[name])) is not None}
    numbers = computed(step, first.shape, lists)
    if numbers is None or not numbers.whole or not np.isfinite(numbers.values).all():
        return None
    values = numbers.values.astype(np.int64)
    return Constant(step.outputs[0], values.shape, lambda: values, floats=False)


_Follow = Callable[[Step, Constant, Mapping[str, Constant]], Constant | None]


def _named(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant:
    return replace(first, name=step.outputs[0])


def _converted(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    kind = step.integer("to", 0)
    if kind not in FLOATS:
        return replace(first, floats=False)

    def read() -> Any:
        from onnx import helper

        return np.asarray(first.read()).astype(helper.tensor_dtype_to_np_dtype(kind))

    return replace(first, floats=True, read=read)


def _converted_like(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant:
    """To the type of another value; of one that is not constant that is the network's own float."""
    other = constants.get(step.input(1))
    return replace(first, floats=other.floats if other else first.floats)


def _spread(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    wanted = constants.get(step.input(1))
    numbers = wanted.numbers() if wanted else None
    shape = tuple(map(int, numbers or ()))
    if first.count != 1 or len(shape) < len(first.shape) or min(shape, default=0) < 1 or prod(shape) > MOST_VALUES:
        return None
    return replace(first, name=step.outputs[0], shape=shape, read=lambda: np.full(shape, np.reshape(first.read(), ())))


def _turned(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    axes = step.integers("perm") or tuple(reversed(range(len(first.shape))))
    if sorted(axes) != list(range(len(first.shape))):
        return None
    shape = tuple(first.shape[axis] for axis in axes)
    return replace(first, shape=shape, read=lambda: np.transpose(first.read(), axes))


def _reshaped(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    wanted = constants.get(step.input(1))
    numbers = wanted.numbers() if wanted else None
    shape = resolved(first.shape, numbers, bool(step.integer("allowzero", 0))) if numbers is not None else None
    return None if shape is None or None in shape else _same_count(first, [extent or 0 for extent in shape])


def _squeezed(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    axes = _axes(step, constants, len(first.shape))
    if axes is None and step.input(1):
        return None
    kept = [
        extent for axis, extent in enumerate(first.shape) if (axis not in axes if axes is not None else extent != 1)
    ]
    return _same_count(first, kept)


def _unsqueezed(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    wanted = constants.get(step.input(1))
    count = len(step.integers("axes") or (wanted.numbers() if wanted else None) or ())
    axes = _axes(step, constants, len(first.shape) + count)
    if not axes or len(first.shape) + count > MOST_SETTINGS:
        return None
    rest = iter(first.shape)
    return _same_count(first, [1 if axis in axes else next(rest, 1) for axis in range(len(first.shape) + count)])


def _axes(step: Step, constants: Mapping[str, Constant], rank: int) -> frozenset[int] | None:
    wanted = constants.get(step.input(1))
    axes = step.integers("axes") or (wanted.numbers() if wanted else None)
    return None if axes is None else frozenset(int(axis) % rank if rank else 0 for axis in axes)


def _same_count(first: Constant, shape: Sequence[int]) -> Constant | None:
    found = first.shaped(shape)
    return found if found.count == first.count <= MOST_VALUES else None


def _quantised(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    return replace(first, floats=True, unusable="it is quantised")


_FOLLOWED: Mapping[str, _Follow] = {
    "Identity": _named,
    "Cast": _converted,
    "CastLike": _converted_like,
    "Expand": _spread,
    "Transpose": _turned,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "QuantizeLinear": _quantised,
    "DequantizeLinear": _quantised,
}
