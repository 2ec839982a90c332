"""Attention, written out or as ONNX's own op: softmax(scale · q kᵀ) v, of heads that lie behind one another in the
channels.

Vaswani et al. (2017), equation 1. The queries, keys and values are maps of ours, whatever projected them. The softmax
is over the keys of each query, or, between two reshapes, over all pairs of a query and a key. A mask, a bias or a
softmax over another axis is not attention of ours, and is left to be refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isclose

from segcompile.importers.amounts import BATCH, Amount, amount, total
from segcompile.importers.bench import Bench, Rule, Value, shortest
from segcompile.importers.numbers import Numbers, of_shape
from segcompile.importers.views import Part, Unheld, View, viewed
from segcompile.ops import Attention, Scale
from segcompile.weights.onnx_values import Step

_SAME = ("Identity", "Cast", "Dropout")


def written_attention(step: Step, bench: Bench) -> View | None:
    """What a product of matrices gives, if it is the last step of an attention; None where it is not."""
    soft, *reshapes = _softmax(step.input(0), bench)
    if soft is None:
        return None
    scale, product = _scaled((reshapes[0] if reshapes else soft).input(0), bench)
    if product is None or product.op != "MatMul" or not isinstance(bench.values.get(step.input(1)), View):
        return None
    scores = _extents(product, bench)
    if scores is None or (reshapes and not _joins_pairs(reshapes, scores, bench)):
        return None
    query, keys, values = (bench.seen(name) for name in (*product.inputs, step.input(1)))
    heads = _heads(query, keys, values)
    axis = soft.integer("axis", 1 if bench.foreign.opset < 13 else -1)
    if heads is None or axis not in (-1, len(scores) - 1 - bool(reshapes)):
        return None
    node, by = _unscaled(query.node, bench)
    op = _op(heads, scale * by, query).model_copy(update={"over": "pairs" if reshapes else "keys"})
    try:
        return _attended(replace(query, node=node), keys, values, op, step, bench)
    except Unheld:
        return None


def shape_of_scores(step: Step, bench: Bench) -> Numbers | None:
    """The Shape of a product of two maps, which is known where that has no form of its own."""
    _, product = _scaled(step.input(0), bench)
    extents = _extents(product, bench) if product is not None and product.op == "MatMul" else None
    return None if extents is None else of_shape(step, extents)


def _extents(product: Step, bench: Bench) -> tuple[Amount, ...] | None:
    """Those of a product of two maps, (batch, ..., queries, keys); None where a factor is none."""
    if not all(isinstance(bench.values.get(name), View) for name in product.inputs):
        return None
    query, keys = (bench.seen(name) for name in product.inputs)
    return (*query.extents[:-1], keys.extents[-1]) if len(query.axes) == len(keys.axes) > 1 else None


def _softmax(name: str, bench: Bench) -> tuple[Step | None, *tuple[Step, ...]]:
    """The softmax that makes these weights, and the reshapes before and behind it, if it stands between two."""
    last = _before(name, bench)
    if last is None or last.op != "Reshape":
        return (last if last is not None and last.op == "Softmax" else None,)
    soft = _before(last.input(0), bench)
    first = _before(soft.input(0), bench) if soft is not None and soft.op == "Softmax" else None
    return (soft, first, last) if first is not None and first.op == "Reshape" else (None,)


def _joins_pairs(reshapes: Sequence[Step], scores: Sequence[Amount], bench: Bench) -> bool:
    """Whether of two reshapes the first makes the last two axes of the scores one, and the second undoes that."""
    joined = (*scores[:-2], total(scores[-2:]))
    first, last = reshapes
    return _makes(first, scores, joined, bench) and _makes(last, joined, scores, bench)


def _makes(reshape: Step, before: Sequence[Amount], behind: Sequence[Amount], bench: Bench) -> bool:
    """Whether a reshape of a tensor of some extents gives these: 0 is the extent that is there, -1 what is left, and
    the batch may be the number that it is in the file."""
    wanted = bench.amounts(reshape, 1)
    if wanted is None or len(wanted) != len(behind) or reshape.integer("allowzero", 0):
        return False
    said = [before[at] if each.number == 0 and at < len(before) else each for at, each in enumerate(wanted)]
    own = amount(bench.batch) if bench.batch is not None else BATCH
    return sum(each.number == -1 for each in said) < 2 and all(
        each in (extent, amount(-1)) or (extent == BATCH and each == own)
        for each, extent in zip(said, behind, strict=True)
    )


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
