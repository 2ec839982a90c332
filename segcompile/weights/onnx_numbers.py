"""What an ONNX graph computes of short lists of numbers: pads, sizes, scales, axes.

Exporters write a padding out as a chain of steps, from constants or from the size of a map. The chain is reckoned here,
in float64 and as far as everything in it is known: NaN stands for a number that is not. No list has more than 64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segcompile.weights.onnx_values import MOST_SETTINGS, Constant, Step, array_of, resolved
from segcompile.weights.stored import Array

_WHOLE = (2, 3, 4, 5, 6, 7, 9, 12, 13)  # TensorProto's integers and bool


@dataclass(frozen=True, slots=True)
class Numbers:
    """Up to 64 numbers in any shape; `whole`: they are integers, and their quotients are cut."""

    values: Array
    whole: bool

    def listed(self) -> tuple[float, ...] | None:
        """The numbers of a list, or a single one, if all are known."""
        if self.values.ndim > 1 or not np.isfinite(self.values).all():
            return None
        return tuple(float(value) for value in self.values.reshape(-1))


def held(constant: Constant) -> Numbers | None:
    """The numbers of a short constant."""
    if constant.count > MOST_SETTINGS or constant.unusable:
        return None
    found = array_of(constant)
    if found is None or found.dtype.kind not in "fiub":
        return None
    return Numbers(found.astype(np.float64), found.dtype.kind != "f")


def computed(step: Step, shape: Sequence[int | None] | None, known: Mapping[str, Numbers]) -> Numbers | None:
    """What a step makes; `shape`: that of its first input. None if that is no short list, or nothing of it is known."""
    if len(step.inputs) > MOST_SETTINGS:
        return None
    try:
        with np.errstate(all="ignore"):
            found = _computed(step, shape, [known.get(name) for name in step.inputs])
    except Exception:  # axes, shapes and types that do not go together
        return None
    return found if found is not None and found.values.size <= MOST_SETTINGS else None


def _computed(step: Step, shape: Sequence[int | None] | None, inputs: list[Numbers | None]) -> Numbers | None:
    if step.op == "Shape" and shape is not None:
        extents = [np.nan if extent is None else float(extent) for extent in shape]
        end = step.settings.get("end")
        return Numbers(np.array(extents[step.integer("start", 0) : end if isinstance(end, int) else None]), True)
    given = [found for found in inputs if found is not None]
    if len(given) < len([name for name in step.inputs if name]) or not given:
        return None
    first, *rest = given
    if step.op in _EACH:
        whole = all(found.whole for found in given)
        result = _EACH[step.op](*(found.values for found in given))
        return Numbers(np.trunc(result) if whole and step.op == "Div" else result, whole)
    if step.op == "Cast":
        whole = step.integer("to", 1) in _WHOLE
        return Numbers(np.trunc(first.values) if whole else first.values, whole)
    if step.op == "ConstantOfShape":
        return _filled(step, first)
    if step.op == "Range" and len(given) == 3:
        start, end, by = (float(found.values.reshape(-1)[0]) for found in given)
        count = max(0, int(np.ceil((end - start) / by)))
        return Numbers(start + by * np.arange(count), first.whole) if count <= MOST_SETTINGS else None
    if step.op in ("Max", "Min"):
        reduce = np.maximum if step.op == "Max" else np.minimum
        result = first.values
        for found in rest:
            result = reduce(result, found.values)
        return Numbers(result, first.whole)
    if step.op == "Concat":
        return Numbers(np.concatenate([found.values for found in given], step.integer("axis", 0)), first.whole)
    rearrange = _REARRANGE.get(step.op)
    return Numbers(rearrange(step, first.values, rest), first.whole) if rearrange else None


_EACH: Mapping[str, Callable[..., Any]] = {
    "Identity": np.positive, "Neg": np.negative, "Abs": np.abs, "Ceil": np.ceil, "Floor": np.floor,
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Mod": np.mod,
    "Relu": lambda values: np.maximum(values, 0),
}  # fmt: skip


def _filled(step: Step, first: Numbers) -> Numbers | None:
    wanted = first.listed()
    if wanted is None or np.prod(wanted) > MOST_SETTINGS:
        return None
    value = step.settings.get("value")
    numbers = held(value) if isinstance(value, Constant) else None
    number = numbers.values.reshape(-1)[0] if numbers else 0.0
    return Numbers(np.full([int(extent) for extent in wanted], number), numbers is not None and numbers.whole)


def _gathered(step: Step, values: Array, rest: list[Numbers]) -> Array:
    return np.take(values, rest[0].values.astype(np.int64), axis=step.integer("axis", 0))


def _sliced(step: Step, values: Array, rest: list[Numbers]) -> Array:
    """Starts, ends, axes and strides are settings before opset 10, and inputs since."""
    settings = [step.integers(name) for name in ("starts", "ends", "axes")]
    lists = [[int(value) for value in found.values] for found in rest] or [list(found) for found in settings if found]
    starts, ends = lists[0], lists[1]
    axes = lists[2] if len(lists) > 2 else list(range(len(starts)))
    strides = lists[3] if len(lists) > 3 else [1] * len(starts)
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        index: list[slice] = [slice(None)] * values.ndim
        index[axis] = slice(start, None if stride < 0 and end < -values.shape[axis] else end, stride)
        values = values[tuple(index)]
    return values


def _reshaped(step: Step, values: Array, rest: list[Numbers]) -> Array:
    wanted = resolved(values.shape, rest[0].listed() or (), bool(step.integer("allowzero", 0)))
    return values.reshape([extent or 0 for extent in wanted or ()])


def _squeezed(step: Step, values: Array, rest: list[Numbers]) -> Array:
    axes = step.integers("axes") or tuple(int(axis) for found in rest for axis in found.values)
    return np.squeeze(values, axes or None)


def _unsqueezed(step: Step, values: Array, rest: list[Numbers]) -> Array:
    return np.expand_dims(values, step.integers("axes") or tuple(int(axis) for axis in rest[0].values))


def _transposed(step: Step, values: Array, rest: list[Numbers]) -> Array:
    return np.transpose(values, step.integers("perm"))


_REARRANGE: Mapping[str, Callable[[Step, Array, list[Numbers]], Array]] = {
    "Gather": _gathered, "Slice": _sliced, "Reshape": _reshaped, "Squeeze": _squeezed, "Unsqueeze": _unsqueezed,
    "Transpose": _transposed,
}  # fmt: skip
