"""Functions of each value, constants that are added or multiplied, and joins of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose, prod

import numpy as np

from segcompile.importers.bench import Bench, Rule, Value, float32, shortest
from segcompile.importers.spellings import ROOTS, Kind, spelled
from segcompile.importers.views import Part, Unheld, View, viewed
from segcompile.ops import Activation, Add, Affine, Clip, Elu, Init, LeakyRelu, Mul, Op, Position, PRelu, Scale
from segcompile.weights.onnx_values import FLOATS, Step
from segcompile.weights.stored import Array

_LARGEST = float(np.finfo(np.float32).max)


# --- functions -------------------------------------------------------------------------------------------------------

_KINDS: Mapping[str, Kind] = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "HardSwish": "hard_swish",
    "Mish": "mish",
}  # fmt: skip


def _function(step: Step, bench: Bench) -> Value:
    return bench.result(bench.view(step), Activation(kind=_KINDS[step.op]), step)


def _hard_sigmoid(step: Step, bench: Bench) -> Value:
    """relu6(x + 3) / 6, of another slope that of x times a number; or a scale, a shift and a clip."""
    view, slope, shift = bench.view(step), step.number("alpha", 0.2), step.number("beta", 0.5)
    if isclose(slope, 1 / 6, rel_tol=1e-5) and isclose(shift, 0.5, rel_tol=1e-5):
        return bench.result(view, Activation(kind="hard_sigmoid"), step)
    if isclose(shift, 0.5, rel_tol=1e-5) and slope > 0:
        scaled = bench.result(view, Scale(factor=shortest(6 * slope)), step)
        return bench.result(scaled, Activation(kind="hard_sigmoid"), step)
    line = affine(view, np.array(slope, np.float32), np.array(shift, np.float32), step, bench)
    return bench.result(line, Clip(min=0.0, max=1.0), step)


def _with_slope(step: Step, bench: Bench) -> Value:
    slope = shortest(step.number("alpha", 0.01))
    if not 0 <= slope < 1:
        raise Unheld(f"its slope is {slope:g}, and ours lie from 0 to below 1")
    return bench.result(bench.view(step), LeakyRelu(slope=slope), step)


def _elu(step: Step, bench: Bench) -> Value:
    alpha = shortest(step.number("alpha", 1.0))
    if alpha < 0 or (step.op == "Celu" and alpha != 1):
        raise Unheld(f"its alpha is {alpha:g}")
    return bench.result(bench.view(step), Elu(alpha=alpha), step)


def _selu(step: Step, bench: Bench) -> Value:
    alpha, gamma = step.number("alpha", 1.6732632), step.number("gamma", 1.0507010)
    if not isclose(alpha, 1.6732632, rel_tol=1e-4) or not isclose(gamma, 1.0507010, rel_tol=1e-4):
        raise Unheld(f"its alpha is {alpha:g} and its gamma {gamma:g}, which are not selu's")
    return bench.result(bench.view(step), Activation(kind="selu"), step)


def _gelu(step: Step, bench: Bench) -> Value:
    kind: Kind = "tanh_gelu" if step.word("approximate", "none") == "tanh" else "gelu"
    return bench.result(bench.view(step), Activation(kind=kind), step)


def _swish(step: Step, bench: Bench) -> Value:
    if step.number("alpha", 1.0) != 1:
        raise Unheld(f"its alpha is {step.number('alpha', 1.0):g}, and silu's is 1")
    return bench.result(bench.view(step), Activation(kind="silu"), step)


def _prelu(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    slope = per_channel(view, bench.tensor(step, 1))
    return bench.result(view, PRelu(shared=slope.size == 1), step, {"weight": float32(slope.reshape(-1))})


def _clip(step: Step, bench: Bench) -> Value:
    low = bench.scalar(step, 1) if step.input(1) else step.number("min", -_LARGEST)
    high = bench.scalar(step, 2) if step.input(2) else step.number("max", _LARGEST)
    if low is None or high is None:
        raise Unheld("it clips each channel by numbers of its own")
    return _between(bench.view(step), low, high, step, bench)


def _between(view: View, low: float, high: float, step: Step, bench: Bench) -> View:
    low, high = max(low, -_LARGEST), min(high, _LARGEST)
    if (low, high) == (-_LARGEST, _LARGEST):
        return view
    if low == 0 and high in (6, _LARGEST):
        return bench.result(view, Activation(kind="relu6" if high == 6 else "relu"), step)
    return bench.result(view, Clip(min=shortest(low), max=shortest(high)), step)


def _extreme(step: Step, bench: Bench) -> Value:
    """A maximum or minimum with a number."""
    if len(step.inputs) == 1:
        return bench.view(step)
    if (found := spelled(step, bench)) is not None:
        return found
    at = 0 if bench.is_view(step, 0) else 1
    number = bench.scalar(step, 1 - at) if len(step.inputs) == 2 and not bench.is_view(step, 1 - at) else None
    if number is None:
        raise Unheld(f"a {'maximum' if step.op == 'Max' else 'minimum'} of maps")
    low, high = (number, _LARGEST) if step.op == "Max" else (-_LARGEST, number)
    return _between(bench.view(step, at), low, high, step, bench)


def _power(step: Step, bench: Bench) -> Value:
    power = bench.scalar(step, 1)
    if power == 1:
        return bench.view(step)
    if power != 2:
        raise Unheld(f"a power of {'many' if power is None else f'{power:g}'}", "")
    view = bench.view(step)
    return join(step, Mul(), [view, view], bench)


def _cast(step: Step, bench: Bench) -> Value:
    if step.integer("to", 1) not in FLOATS:
        raise Unheld("it rounds to integers")
    return bench.view(step)


# --- constants -------------------------------------------------------------------------------------------------------


def per_channel(view: View, array: Array) -> Array:
    """A constant that is spread over a tensor, as one number (of shape ()) or one for each channel of ours. Raises
    Unheld where it is another one at other positions."""
    if array.size == 1:
        return array.reshape(())
    if array.ndim > len(view.axes):
        raise Unheld(f"a constant of shape {list(array.shape)} makes more axes")
    array = array.reshape((1,) * (len(view.axes) - array.ndim) + array.shape)
    spread: list[int] = []
    parts: list[Part] = []
    for extent, axis in zip(array.shape, view.axes, strict=True):
        if all(part[0] == 1 for part in axis):
            spread.append(prod(view.parts[1][part[1]].number or 1 for part in axis))
            parts += axis
        elif extent == 1:
            spread.append(1)
        else:
            raise Unheld("a constant differs from place to place")
    try:
        wide = np.broadcast_to(array, spread)
    except ValueError:
        raise Unheld(f"a constant of shape {list(array.shape)} does not fit") from None
    extents = [view.parts[1][part[1]].number or 1 for part in parts]
    order = sorted(range(len(parts)), key=lambda at: parts[at])
    some = wide.reshape(extents).transpose(order)  # the parts of the channels that it speaks of, in order
    whole = [each.number or 1 for each in view.parts[1]]
    some = some.reshape([extent if (1, at) in parts else 1 for at, extent in enumerate(whole)])
    return np.asarray(np.broadcast_to(some, whole).reshape(-1))


def affine(view: View, weight: Array, bias: Array, step: Step, bench: Bench) -> View:
    """weight · x + bias, each one number or one a channel."""
    weight, bias = np.asarray(weight), np.asarray(bias)
    if weight.ndim == 0 and bias.ndim == 0:
        if weight == 1 and bias == 0:
            return view
        if bias == 0:
            return bench.result(view, Scale(factor=shortest(float(weight))), step)
    op, tensors = line(weight, bias, 0 if weight.ndim == bias.ndim == 0 else bench.shape(view.node).channels)
    return bench.result(view, op, step, tensors)


def line(weight: Array, bias: Array, channels: int, *, shifts: bool = False) -> tuple[Affine, dict[str, Array]]:
    """A scale and a shift for so many channels, or for 0 of all: where all scales are one number, it starts there. It
    `shifts` by zeros, too, where the file has these as weights."""
    tensors = {"weight": float32(np.broadcast_to(weight, channels or 1))}
    shifts = shifts or bool(np.any(bias))
    if shifts:
        tensors["bias"] = float32(np.broadcast_to(bias, channels or 1))
    alike = bool(np.all(weight == weight.flat[0]))
    start = Init(scheme="constant", value=shortest(float(weight.flat[0])) if alike else 1.0)
    return Affine(shared=not channels, bias=shifts, init=start), tensors


def _with_constant(step: Step, bench: Bench) -> Value:
    """A map and a constant."""
    at = 0 if bench.is_view(step, 0) else 1
    view, constant = bench.view(step, at), bench.tensor(step, 1 - at)
    if constant.ndim > len(view.axes) and constant.size == 1:
        view = replace(view, axes=(*[()] * (constant.ndim - len(view.axes)), *view.axes))
    if step.op == "Add" and _is_of_places(view, constant):
        return _position(view, constant, step, bench)
    number = per_channel(view, constant)
    one, zero = np.ones((), number.dtype), np.zeros((), number.dtype)
    if step.op in ("Add", "Mul") and bench.is_weight(step.input(1 - at)):
        shifts, channels = step.op == "Add", bench.shape(view.node).channels if number.ndim else 0
        scale, shift = (one, number) if shifts else (number, zero)
        op, tensors = line(scale, shift, channels, shifts=shifts)
        return bench.result(view, op, step, tensors)
    if step.op in ("Add", "Sum"):
        return affine(view, one, number, step, bench)
    if step.op == "Sub":
        return affine(view, one, -number, step, bench) if at == 0 else affine(view, -one, number, step, bench)
    if step.op == "Mul":
        return affine(view, number, zero, step, bench)
    if step.op == "Mean":
        return affine(view, one / 2, number / 2, step, bench)
    if step.op != "Div":
        raise Unheld("it joins a map and a constant in a way of its own")
    if at == 1 or not number.all():
        raise Unheld("a constant is divided by a map" if at else "it divides by zero")
    return affine(view, (1 / number.astype(np.float64)).astype(number.dtype), zero, step, bench)


def _is_of_places(view: View, array: Array) -> bool:
    axes = view.axes[len(view.axes) - array.ndim :]
    spread = zip(array.shape, axes, strict=False)
    return any(extent > 1 and any(part[0] > 1 for part in axis) for extent, axis in spread)


def _position(view: View, array: Array, step: Step, bench: Bench) -> View:
    """A vector for each position of a map of one size."""
    shape = bench.shape(view.node)
    if not view.is_plain or len(view.axes) != len(view.sizes) or not all(isinstance(size, int) for size in shape.size):
        raise Unheld(f"a constant differs from place to place of {shape}")
    size = tuple(size for size in shape.size if isinstance(size, int))
    array = array.reshape((1,) * (len(view.axes) - array.ndim) + array.shape)
    if array.shape[0] != 1:
        raise Unheld("a constant differs from image to image")
    vectors = np.broadcast_to(array[0], (shape.channels, *size)).reshape(shape.channels, -1)
    return bench.result(view, Position(size=size), step, {"weight": float32(vectors.T[None])})


# --- joins -----------------------------------------------------------------------------------------------------------


def _arithmetic(step: Step, bench: Bench) -> Value:
    """The end of a spelling, a constant with a map, or maps."""
    if step.op in ROOTS and (found := spelled(step, bench)) is not None:
        return found
    held = [at for at in range(len(step.inputs)) if bench.is_view(step, at)]
    if len(held) == 1 and len(step.inputs) == 2:
        return _with_constant(step, bench)
    if len(step.inputs) == 1:
        return bench.view(step)
    if len(held) < len(step.inputs):
        raise Unheld("it joins maps and constants at once")
    views = [bench.view(step, at) for at in held]
    if step.op == "Div":
        raise Unheld("a map is divided by a map")
    if step.op == "Mul":
        return join(step, Mul(), views, bench)
    if step.op in ("Add", "Sum") and len(views) == 2 and views[0] == views[1]:
        return bench.result(views[0], Scale(factor=2.0), step)
    weights = {"Sub": (1.0, -1.0), "Mean": (1.0 / len(views),) * len(views)}.get(step.op, ())
    return join(step, Add(weights=weights), views, bench)


def join(step: Step, op: Op, views: Sequence[View], bench: Bench) -> View:
    """A sum or product of tensors whose axes lie alike over their maps; else of the maps that they are made."""
    rank = max(len(view.axes) for view in views)
    found = [replace(view, axes=(*[()] * (rank - len(view.axes)), *view.axes)) for view in views]
    found = bench.alike(found, step)
    if not _are_alike(found):
        found = [bench.settle(view, step, rank - 2) for view in found]
        if not _are_alike(found):
            raise Unheld("its inputs lie in unequal orders of axes")
    made = bench.add(op, [view.node for view in found], step)
    fresh = viewed(made, bench.shape(made))
    parts = tuple(max(each, key=len) for each in zip(*(view.parts for view in found), strict=True))
    if all(len(each) < 2 for each in parts):
        parts = fresh.parts
    axes = tuple(max(each, key=len) for each in zip(*(view.axes for view in found), strict=True))
    return View(made, fresh.sizes, parts, axes)


def _are_alike(views: Sequence[View]) -> bool:
    """Whether axis by axis they are the same parts, but for those of one entry, which are spread."""
    if len({len(view.axes) for view in views}) > 1:
        return False
    for each in zip(*(view.axes for view in views), strict=True):
        if len({axis for axis in each if axis}) > 1:
            return False
    for parts in zip(*(view.parts for view in views), strict=True):
        if len({len(each) for each in parts if each}) > 1:
            return False
    return True


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_KINDS, _function),
    "HardSigmoid": _hard_sigmoid, "LeakyRelu": _with_slope, "Elu": _elu, "Celu": _elu, "Selu": _selu, "Gelu": _gelu,
    "Swish": _swish, "PRelu": _prelu, "Clip": _clip, "Max": _extreme, "Min": _extreme, "Pow": _power, "Cast": _cast,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Sum", "Mean"), _arithmetic),
    "Log": lambda step, bench: spelled(step, bench) or _no_form(step),
    "Neg": lambda step, bench: bench.result(bench.view(step), Scale(factor=-1.0), step),
}  # fmt: skip


def _no_form(step: Step) -> View:
    raise Unheld("it has no form here")
