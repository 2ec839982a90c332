"""Attention, written out or as ONNX's own op: softmax(scale · q kᵀ) v, of heads that lie behind one another in the
channels.

Vaswani et al. (2017), equation 1. The queries, keys and values are maps of ours, whatever projected them. A mask, a
bias or a softmax over another axis is not attention of ours, and is left to be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isclose

from segcompile.importers.bench import Bench, Rule, Value, shortest
from segcompile.importers.numbers import Numbers
from segcompile.importers.views import Part, Unheld, View, viewed
from segcompile.ops import Attention, Scale
from segcompile.weights.onnx_values import Step

_SAME = ("Identity", "Cast", "Dropout")


def written_attention(step: Step, bench: Bench) -> View | None:
    """What a product of matrices gives, if it is the last step of an attention; None where it is not."""
    soft = _before(step.input(0), bench)
    if step.op != "MatMul" or soft is None or soft.op != "Softmax":
        return None
    scale, product = _scaled(soft.input(0), bench)
    if product is None or product.op != "MatMul":
        return None
    names = (product.input(0), product.input(1), step.input(1))
    if not all(isinstance(bench.values.get(name), View) for name in names):
        return None
    query, keys, values = (bench.seen(name) for name in names)
    heads = _heads(query, keys, values)
    axis = soft.integer("axis", 1 if bench.foreign.opset < 13 else -1)
    if heads is None or axis not in (-1, len(query.axes) - 1):
        return None
    node, by = _unscaled(query.node, bench)
    try:
        return _attended(replace(query, node=node), keys, values, _op(heads, scale * by, query), step, bench)
    except Unheld:
        return None


def _op(heads: int, scale: float, query: View) -> Attention:
    """The scale is said where it is not the usual one."""
    usual = ((query.sizes[1].number or 0) / heads) ** -0.5
    return Attention(heads=heads, scale=None if isclose(scale, usual, rel_tol=1e-6) else shortest(scale))


def _attended(query: View, keys: View, values: View, op: Attention, step: Step, bench: Bench) -> View:
    made = bench.add(op, [query.node, keys.node, values.node], step)
    fresh = viewed(made, bench.shape(made))
    return View(made, fresh.sizes, (query.parts[0], values.parts[1], *query.parts[2:]), query.axes)


def _attention(step: Step, bench: Bench) -> Value:
    """ONNX's own: queries, keys and values (batch, heads, positions, channels of a head)."""
    more = any(step.input(at) for at in range(3, len(step.inputs)))
    if more or step.integer("is_causal", 0) or step.number("softcap", 0.0):
        raise Unheld("it has a mask, or attends to the positions before")
    query, keys, values = bench.view(step), bench.view(step, 1), bench.view(step, 2)
    heads = _heads(query, replace(keys, axes=(*keys.axes[:-2], keys.axes[-1], keys.axes[-2])), values)
    if heads is None or len(query.axes) != 4:
        raise Unheld("its heads do not lie behind one another in the channels")
    scale = step.number("scale", 0.0)
    op = _op(heads, scale, query) if scale else Attention(heads=heads)
    return _attended(query, keys, values, op, step, bench)


def _before(name: str, bench: Bench) -> Step | None:
    """The step that makes a value, behind those that leave it as it is."""
    found = bench.foreign.makers.get(name)
    while found is not None and found.op in _SAME:
        found = bench.foreign.makers.get(found.input(0))
    return found


def _scaled(name: str, bench: Bench) -> tuple[float, Step | None]:
    """By which number a product is multiplied, and its step."""
    scale, step = 1.0, _before(name, bench)
    while step is not None and step.op in ("Mul", "Div"):
        at = 1 if isinstance(bench.values.get(step.input(1)), Numbers) else 0
        found = bench.values.get(step.input(at))
        if (
            not isinstance(found, Numbers)
            or not found.is_fixed
            or found.values.size != 1
            or (step.op == "Div" and not at)
        ):
            return scale, None
        number = float(found.values.reshape(-1)[0])
        scale *= number if step.op == "Mul" else 1 / number if number else 0.0
        step = _before(step.input(1 - at), bench)
    return scale, step if scale > 0 else None


def _heads(query: View, keys: View, values: View) -> int | None:
    """Of how many heads these are: queries and values (batch, heads, positions, channels of a head), keys the same with
    the last two turned; without an axis of heads it is one."""
    order = tuple(part for axis in range(2, len(query.sizes)) for part in query.whole(axis))
    of_keys = tuple(part for axis in range(2, len(keys.sizes)) for part in keys.whole(axis))
    of_values = tuple(part for axis in range(2, len(values.sizes)) for part in values.whole(axis))
    found = {_split(query, order, False), _split(keys, of_keys, True), _split(values, of_values, False)}
    return found.pop() if len(found) == 1 else None


def _split(view: View, positions: tuple[Part, ...], turned: bool) -> int | None:
    channels = view.whole(1)
    last = (channels[-1:], positions) if turned else (positions, channels[-1:])
    if not positions or view.axes[0] != view.whole(0) or view.axes[-2:] != last:
        return None
    if len(channels) == 1 and not any(view.axes[1:-2]):
        return 1
    if len(channels) == 2 and [axis for axis in view.axes[1:-2] if axis] == [channels[:1]]:
        return view.parts[1][0].number
    return None


def _unscaled(name: str, bench: Bench) -> tuple[str, float]:
    """Queries before they were multiplied by a number, and that."""
    made = bench.made.get(name)
    if made is None or not isinstance(made.node.op, Scale) or made.node.op.factor <= 0:
        return name, 1.0
    return made.node.inputs[0], made.node.op.factor


RULES: Mapping[str, Rule] = {"Attention": _attention}
