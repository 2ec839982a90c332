"""What an ONNX program computes without an image: constants, and amounts that follow from sizes.

Both are arrays, of numbers or of `Amount`s, and go through the same functions. A filled or spread array takes no
memory; nothing larger than what went in is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from segcompile.importers.amounts import Amount, Unknown, amount, ratio
from segcompile.weights.onnx_values import Constant, Step, resolved
from segcompile.weights.stored import Array

MOST_MADE = 2**16  # entries of an array that is larger than all that it is made of
MOST_FILLED = 2**27  # of one that is filled with a number and takes no memory; VGG's largest matrix has 1.03e8
_MOST_SYMBOLIC = 2**12  # amounts
_WHOLE = "iub"


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """An array of numbers, or of amounts (then its dtype is object). `whole`: they are integers, whose quotients are
    cut."""

    values: Array
    whole: bool

    @property
    def is_fixed(self) -> bool:
        """Whether it holds numbers."""
        return bool(self.values.dtype != object)

    def amounts(self) -> list[Amount]:
        """Its entries, one after another. Raises Unknown for numbers that are not finite."""
        return [_amount(value) for value in self.values.reshape(-1)]

    def integers(self) -> list[int]:
        """Its entries as integers. Raises Unknown where they follow the size of the input."""
        found = [each.number for each in self.amounts()]
        if None in found:
            raise Unknown
        return [number for number in found if number is not None]


def numbers(values: Any) -> Numbers:
    """An array of numbers."""
    found = np.asarray(values)
    return Numbers(found, found.dtype.kind in _WHOLE)


def amounts(found: Sequence[Amount]) -> Numbers:
    """A list of integers; of numbers if all are."""
    fixed = [each.number for each in found]
    if None not in fixed:
        return numbers(np.array(fixed, np.int64))
    return Numbers(_objects(found), True)


def _objects(found: Sequence[Any]) -> Array:
    array = np.empty(len(found), object)
    array[:] = found
    return array


def _amount(value: Any) -> Amount:
    if isinstance(value, Amount):
        return value
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return amount(int(value))
    if not np.isfinite(value):
        raise Unknown
    return amount(ratio(float(value)))


def evaluated(step: Step, given: Sequence[Numbers | None]) -> list[Numbers] | None:
    """What a step makes of numbers alone, None for inputs that it leaves out; None for an op that is not reckoned here.
    Raises Unknown where amounts leave their form, or an array would grow too large."""
    rule = _RULES.get(step.op)
    if rule is None:
        return None
    held = sum(_held(each.values) for each in given if each is not None)
    with np.errstate(all="ignore"):
        try:
            found = rule(step, given, max(held, MOST_MADE))
        except (ValueError, IndexError, TypeError, ArithmeticError, AttributeError):  # what does not go together
            raise Unknown from None
    return found if isinstance(found, list) else [found]


def _held(values: Array) -> int:
    """The entries of an array that lie in memory."""
    return prod(extent for extent, stride in zip(values.shape, values.strides, strict=True) if stride)


# --- entry by entry --------------------------------------------------------------------------------------------------

Given = Sequence[Numbers | None]


def _elementwise(step: Step, given: Given, most: int) -> Numbers:
    arrays = [each.values for each in given if each is not None]
    if prod(np.broadcast_shapes(*(array.shape for array in arrays))) > most:
        raise Unknown
    whole = all(each.whole for each in given if each is not None)
    if any(array.dtype == object for array in arrays):
        arrays = [_symbolic(array) for array in arrays]
        rule = _OF_AMOUNTS.get(step.op)
        if rule is None:
            raise Unknown
        made = np.frompyfunc(rule, len(arrays), 1)(*arrays)
        if step.op == "Div" and whole:
            made = np.frompyfunc(Amount.floor, 1, 1)(made)
        return Numbers(np.asarray(made, object), whole)
    result = _OF_NUMBERS[step.op](*arrays)
    if step.op == "Div" and whole:
        result = np.trunc(result).astype(np.int64)
    return numbers(result)


def _equal(a: Amount, b: Amount) -> bool:
    """Whether two amounts are one at every size. A size is never 0 or less."""
    if a == b or (a.number is not None and b.number is not None):
        return a == b
    if any(each.number is not None and each.number < 1 for each in (a, b)):
        return False
    raise Unknown


def _symbolic(array: Array) -> Array:
    if array.size > _MOST_SYMBOLIC:
        raise Unknown
    if array.dtype == object:
        return array
    return _objects([_amount(value) for value in array.reshape(-1)]).reshape(array.shape)


_OF_AMOUNTS: Mapping[str, Callable[..., Amount]] = {
    "Add": lambda a, b: a + b, "Sub": lambda a, b: a - b, "Mul": lambda a, b: a * b, "Div": lambda a, b: a / b,
    "Neg": lambda a: -a, "Floor": Amount.floor, "Ceil": Amount.ceil, "Identity": lambda a: a,
    "Equal": lambda a, b: amount(int(_equal(a, b))), "Where": lambda a, b, c: b if a.times else c,
}  # fmt: skip


def _fold(each: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def reckon(first: Array, *rest: Array) -> Any:
        for other in rest:
            first = each(first, other)
        return first

    return reckon


def _quotient(a: Array, b: Array) -> Array:
    return np.asarray(np.divide(a, b), np.result_type(a, b) if np.result_type(a, b).kind == "f" else np.float64)


_OF_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _quotient, "Pow": np.power, "Mod": np.mod,
    "Neg": np.negative, "Abs": np.abs, "Floor": np.floor, "Ceil": np.ceil, "Round": np.round, "Sign": np.sign,
    "Sqrt": np.sqrt, "Exp": np.exp, "Log": np.log, "Reciprocal": np.reciprocal, "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Relu": lambda x: np.maximum(x, 0),
    "Max": _fold(np.maximum), "Min": _fold(np.minimum), "Sum": _fold(np.add),
    "Equal": np.equal, "Less": np.less, "Greater": np.greater, "LessOrEqual": np.less_equal,
    "GreaterOrEqual": np.greater_equal, "Not": np.logical_not, "And": np.logical_and, "Or": np.logical_or,
    "Where": np.where, "Identity": lambda x: x, "Dropout": lambda x, *_: x,
}  # fmt: skip


# --- arranged anew ---------------------------------------------------------------------------------------------------


def _array(given: Given, index: int) -> Array:
    """An input that must be there."""
    found = given[index] if index < len(given) else None
    if found is None:
        raise Unknown
    return found.values


def listed(step: Step, given: Given, name: str, index: int) -> list[int] | None:
    """A list of integers that older opsets have as a setting and newer ones as an input; None where it is not said."""
    found = given[index] if index < len(given) else None
    if found is not None:
        return found.integers()
    said = step.integers(name)
    return list(said) if said is not None else None


def _rearranged(rule: Callable[[Step, Given, Array], Any]) -> Callable[[Step, Given, int], Any]:
    def reckon(step: Step, given: Given, most: int) -> Any:
        first = given[0]
        if first is None:
            raise Unknown
        found = rule(step, given, first.values)
        made = found if isinstance(found, list) else [found]
        return [Numbers(np.asarray(each), first.whole) for each in made]

    return reckon


def _reshaped(step: Step, given: Given, values: Array) -> Array:
    wanted = resolved(values.shape, [float(each) for each in _array(given, 1)], bool(step.integer("allowzero", 0)))
    if wanted is None or None in wanted:
        raise Unknown
    if _held(values) == 1 and values.size:  # filled: stays without memory
        return _filled([each or 0 for each in wanted], values.flat[0], values.dtype, values.size)
    return values.reshape([each or 0 for each in wanted])


def _filled(shape: Sequence[int], value: Any, kind: Any, most: int) -> Array:
    if min(shape, default=1) < 0 or prod(shape) > most:
        raise Unknown
    return np.broadcast_to(np.asarray(value, kind), tuple(shape))


def _squeezed(step: Step, given: Given, values: Array) -> Array:
    axes = listed(step, given, "axes", 1)
    return np.squeeze(values, tuple(axes) if axes is not None else None)


def _unsqueezed(step: Step, given: Given, values: Array) -> Array:
    return np.expand_dims(values, tuple(listed(step, given, "axes", 1) or ()))


def _transposed(step: Step, given: Given, values: Array) -> Array:
    return np.transpose(values, step.integers("perm"))


def _gathered(step: Step, given: Given, values: Array) -> Array:
    index = _array(given, 1)
    return np.take(values, index.astype(np.int64), axis=step.integer("axis", 0))


def _sliced(step: Step, given: Given, values: Array) -> Array:
    for axis, part in slices(step, given, values.ndim).items():
        values = values[(slice(None),) * axis + (part,)]
    return values


def slices(step: Step, given: Given, rank: int) -> dict[int, slice]:
    """What a Slice takes along each axis. Raises Unknown where amounts say it."""
    starts, ends = listed(step, given, "starts", 1), listed(step, given, "ends", 2)
    if starts is None or ends is None:
        raise Unknown
    axes = listed(step, given, "axes", 3) or list(range(len(starts)))
    strides = (listed(step, given, "", 4) if len(given) > 4 else None) or [1] * len(starts)
    found = {}
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        backwards = stride < 0 and end < -(2**31) + 2
        found[axis % rank] = slice(start, None if backwards else end, stride)
    return found


def _split(step: Step, given: Given, values: Array) -> list[Array]:
    axis = step.integer("axis", 0)
    sizes = listed(step, given, "split", 1)
    if sizes is None:
        return np.array_split(values, len(step.outputs), axis)
    return np.split(values, np.cumsum(sizes)[:-1], axis)


def _flattened(step: Step, given: Given, values: Array) -> Array:
    axis = step.integer("axis", 1)
    axis = axis + values.ndim if axis < 0 else axis
    return values.reshape(prod(values.shape[:axis]), -1)


def _joined(step: Step, given: Given, most: int) -> Numbers:
    arrays = [each.values for each in given if each is not None]
    if any(array.dtype == object for array in arrays):
        arrays = [_symbolic(array) for array in arrays]
    whole = all(each.whole for each in given if each is not None)
    return Numbers(np.concatenate(arrays, step.integer("axis", 0)), whole)


def _cast(step: Step, given: Given, most: int) -> Numbers:
    first = given[0]
    if first is None:
        raise Unknown
    if step.op == "CastLike":
        like = given[1] if len(given) > 1 else None
        whole, kind = (like.whole, like.values.dtype) if like is not None else (False, np.dtype(np.float32))
    else:
        from onnx import helper

        kind = np.dtype(helper.tensor_dtype_to_np_dtype(step.integer("to", 1)))
        whole = kind.kind in _WHOLE
    if not first.is_fixed:
        values = np.frompyfunc(Amount.floor, 1, 1)(first.values) if whole and not first.whole else first.values
        return Numbers(np.asarray(values, object), whole)
    if _held(first.values) == 1 and first.values.size:
        return Numbers(_filled(first.values.shape, first.values.flat[0], kind, MOST_FILLED), whole)
    return Numbers(first.values.astype(kind), whole)


def _constant_of_shape(step: Step, given: Given, most: int) -> Numbers:
    value = step.settings.get("value")
    filler = np.asarray(value.read()).reshape(-1)[:1] if isinstance(value, Constant) else np.zeros(1, np.float32)
    shape = given[0].integers() if given[0] is not None else []
    if prod(shape) > MOST_FILLED or not filler.size:
        raise Unknown
    return numbers(_filled(shape, filler[0], filler.dtype, MOST_FILLED))


def _expanded(step: Step, given: Given, most: int) -> Numbers:
    first, shape = given[0], _array(given, 1)
    if first is None:
        raise Unknown
    wanted = np.broadcast_shapes(first.values.shape, tuple(int(each) for each in shape))
    if prod(wanted) > MOST_FILLED:
        raise Unknown
    return Numbers(np.broadcast_to(first.values, wanted), first.whole)


def _tiled(step: Step, given: Given, most: int) -> Numbers:
    first, repeats = given[0], _array(given, 1)
    if first is None or first.values.size * prod(map(int, repeats)) > most:
        raise Unknown
    return Numbers(np.tile(first.values, repeats), first.whole)


def _counted(step: Step, given: Given, most: int) -> Numbers:
    start, end, by = (_array(given, index).reshape(-1)[0] for index in range(3))
    if (end - start) / by > most:
        raise Unknown
    return numbers(np.arange(start, end, by))


def _shape(step: Step, given: Given, most: int) -> Numbers:
    shape = _array(given, 0).shape
    return numbers(np.array(shape[slice(*_between(step))], np.int64))


def _between(step: Step) -> tuple[int | None, int | None]:
    end = step.settings.get("end")
    return step.integer("start", 0), end if isinstance(end, int) else None


def of_shape(step: Step, extents: Sequence[Amount]) -> Numbers:
    """What a Shape or a Size says of these extents."""
    if step.op == "Size":
        found = Amount(Fraction(1))
        for each in extents:
            found = found * each
        one = amounts([found])
        return Numbers(one.values.reshape(()), True)
    return amounts(list(extents)[slice(*_between(step))])


def _reduced(step: Step, given: Given, values: Array) -> Array:
    axes = listed(step, given, "axes", 1)
    along = tuple(axes) if axes is not None else tuple(range(values.ndim))
    keep = bool(step.integer("keepdims", 1))
    if values.dtype == object:
        if step.op != "ReduceProd" or values.ndim != 1:
            raise Unknown
        found = Amount(Fraction(1))
        for each in values:
            found = found * each
        return _objects([found]) if keep else _objects([found]).reshape(())
    return np.asarray(_REDUCE[step.op](values, axis=along, keepdims=keep))


_REDUCE: Mapping[str, Callable[..., Any]] = {
    "ReduceMean": np.mean, "ReduceSum": np.sum, "ReduceProd": np.prod, "ReduceMax": np.max, "ReduceMin": np.min,
}  # fmt: skip


def _dequantised(step: Step, given: Given, most: int) -> Numbers:
    """(x - zero point) · scale, for the whole tensor or along an axis."""
    x, scale = _array(given, 0), _array(given, 1)
    shift = given[2].values if len(given) > 2 and given[2] is not None else np.zeros_like(scale)
    shape = [1] * x.ndim
    if scale.size > 1:
        shape[step.integer("axis", 1)] = -1
    else:
        scale, shift = scale.reshape(-1)[:1], shift.reshape(-1)[:1]
    turned = (np.asarray(each).reshape(shape if each.size > 1 else [1] * x.ndim) for each in (shift, scale))
    low, by = turned
    return numbers((x.astype(np.float32) - low.astype(np.float32)) * by)


def _product(step: Step, given: Given, most: int) -> Numbers:
    a, b = _array(given, 0), _array(given, 1)
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] * b.shape[1] > most:
        raise Unknown
    return numbers(a @ b)


_RULES: Mapping[str, Callable[[Step, Given, int], Any]] = {
    **dict.fromkeys({*_OF_NUMBERS, *_OF_AMOUNTS}, _elementwise),
    "Reshape": _rearranged(_reshaped), "Squeeze": _rearranged(_squeezed), "Unsqueeze": _rearranged(_unsqueezed),
    "Transpose": _rearranged(_transposed), "Gather": _rearranged(_gathered), "Slice": _rearranged(_sliced),
    "Split": _rearranged(_split), "Flatten": _rearranged(_flattened), "Concat": _joined, "Cast": _cast,
    "CastLike": _cast, "ConstantOfShape": _constant_of_shape, "Expand": _expanded, "Tile": _tiled, "Range": _counted,
    "Shape": _shape, "DequantizeLinear": _dequantised, "MatMul": _product,
    **dict.fromkeys(("ReduceMean", "ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"), _rearranged(_reduced)),
}  # fmt: skip
