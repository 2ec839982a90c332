"""Attention, as one op or written out: softmax(q kᵀ · scale) v over all positions.

A product of two maps is no map of ours. What is made of queries and keys is held back as `Scores` until the product
with the values makes an attention of it; anything else that reads it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isclose, prod, sqrt

from segcompile.importers.bench import Bench, Rule, shortest
from segcompile.importers.views import Part, Scores, Unheld, View, viewed
from segcompile.ops import Attention, Slice
from segcompile.weights.onnx_values import Step


def scores(queries: View, keys: View) -> Scores:
    """A product of queries (..., positions, channels) and keys (..., channels, positions). Raises Unheld."""
    turned = replace(keys, axes=(*keys.axes[:-2], keys.axes[-1], keys.axes[-2]))
    if len(queries.axes) < 3 or _heads(queries) is None or not _go_together(queries, turned):
        raise Unheld("a product of two maps that is no attention: (heads, positions, channels)")
    return Scores(queries, turned)


def _heads(view: View) -> tuple[Part, ...] | None:
    """The parts of the channels that are heads, of a view (batch and heads, positions, channels of a head); None where
    it is none."""
    before = sorted(part for axis in view.axes[:-2] for part in axis)
    heads = tuple(part for part in before if part[0] == 1)
    positions = tuple(part for axis in range(2, len(view.sizes)) for part in view.whole(axis))
    fits = [part for part in before if part[0] == 0] == [*view.whole(0)] and view.axes[-2] == positions
    return heads if fits and (*heads, *view.axes[-1]) == view.whole(1) and positions else None


def _go_together(one: View, other: View) -> bool:
    """Whether two views have the same heads."""
    mine, its = _heads(one), _heads(other)
    alike = one.axes[:-2] == other.axes[:-2] and mine is not None and mine == its
    return alike and one.parts[1][: len(mine or ())] == other.parts[1][: len(mine or ())]


def attended(step: Step, bench: Bench, found: Scores, values: View) -> View:
    """The attention to values (..., positions, channels). Raises Unheld."""
    queries, keys = found.queries, found.keys
    if not _go_together(keys, values) or keys.sizes[2:] != values.sizes[2:]:
        raise Unheld("a product of two maps that is no attention: other heads or positions")
    heads = prod(each.number or 1 for each in queries.parts[1][: len(_heads(queries) or ())])
    usual = 1 / sqrt((queries.sizes[1].number or 0) / heads)
    scale = None if isclose(found.scale, usual, rel_tol=1e-6) else shortest(found.scale)
    node = bench.add(Attention(heads=heads, scale=scale), [queries.node, keys.node, values.node], step)
    fresh = viewed(node, bench.shape(node))
    parts = (queries.parts[0], values.parts[1], *queries.parts[2:])
    return View(node, fresh.sizes, parts, (*queries.axes[:-1], values.axes[-1]))


def whole(step: Step, bench: Bench) -> View:
    """ONNX's own Attention: (batch, heads, positions, channels) of queries, keys and values."""
    if len([name for name in step.inputs if name]) > 3 or step.integer("is_causal", 0) or step.number("softcap", 0.0):
        raise Unheld("attention with a mask, or to the positions before")
    queries, keys, values = (bench.view(step, at) for at in range(3))
    if len(queries.axes) != 4:
        raise Unheld("its heads have no axis of their own")
    turned = replace(keys, axes=(*keys.axes[:-2], keys.axes[-1], keys.axes[-2]))
    found = scores(queries, turned)
    heads = prod(each.number or 1 for each in queries.parts[1][: len(_heads(queries) or ())])
    scale = step.number("scale", 1 / sqrt((queries.sizes[1].number or 1) / heads))
    return attended(step, bench, replace(found, scale=scale), values)


def _scaled(step: Step, bench: Bench, found: Scores) -> Scores:
    at = next((at for at in range(len(step.inputs)) if not isinstance(bench.values.get(step.input(at)), Scores)), None)
    number = None if at is None else bench.scalar(step, at)
    if not number or found.shares or (step.op == "Div" and at == 0) or number < 0:
        raise Unheld("scores of an attention that something else than a number is multiplied with")
    return replace(found, scale=found.scale * number if step.op == "Mul" else found.scale / number)


def _shared(step: Step, bench: Bench, found: Scores) -> Scores:
    axes = len(found.queries.axes)
    if found.shares or step.integer("axis", -1) % axes != axes - 1:
        raise Unheld("a softmax that is not over the keys")
    return replace(found, shares=True)


def _product(step: Step, bench: Bench, found: Scores) -> View:
    if not found.shares or bench.values.get(step.input(0)) is not found:
        raise Unheld("scores of an attention whose softmax is not multiplied with values")
    return attended(step, bench, found, bench.view(step, 1))


_OF_SCORES: Mapping[str, Callable[[Step, Bench, Scores], View | Scores]] = {
    "Mul": _scaled, "Div": _scaled, "Softmax": _shared, "MatMul": _product,
    **dict.fromkeys(("Identity", "Dropout", "Cast"), lambda step, bench, found: found),
}  # fmt: skip
RULES: Mapping[str, Rule] = {"Attention": whole}


def scored(step: Step, bench: Bench, found: Scores) -> View | Scores:
    """What a step makes of scores. Raises Unheld."""
    rule = _OF_SCORES.get(step.op)
    if rule is None:
        raise Unheld("it reads a product of two maps, which is no attention")
    return rule(step, bench, found)


def taken_part(view: View, axis: int, first: int, end: int, step: Step, bench: Bench) -> View | None:
    """Entries of the axis of a view that holds the outermost part of the channels alone, as (queries, keys, values) of
    one projection: channels one after another. None where it is no such axis."""
    cut = view.parts[1]
    if view.axes[axis] != ((1, 0),) or len(cut) < 2:
        return None
    each = prod(part.number or 1 for part in cut[1:])
    node = bench.add(Slice(part=(first * each, end * each)), [view.node], step)
    fresh = viewed(node, bench.shape(node))
    kept = (replace(fresh.sizes[1], times=fresh.sizes[1].times / each),) if end - first > 1 else ()
    shift = 1 - len(kept)
    axes = tuple(
        tuple((1, at - shift) if mine == 1 else (mine, at) for mine, at in parts if (mine, at) != (1, 0) or kept)
        for parts in view.axes
    )
    return View(node, fresh.sizes, (view.parts[0], (*kept, *cut[1:]), *view.parts[2:]), axes)
