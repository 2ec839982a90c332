"""An adaptive pool, written out: along one axis after another the mean, or maximum, of each bin.

Of S pixels and n bins, bin p holds pixels floor(p S / n) to ceil((p + 1) S / n), the end excluded: He et al. (2014),
section 2.2.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from segcompile.importers.amounts import Unknown
from segcompile.importers.bench import Bench
from segcompile.importers.numbers import slices
from segcompile.importers.views import Unheld, View
from segcompile.ops import AdaptivePool
from segcompile.weights.onnx_values import Step

_KINDS: dict[str, Literal["avg", "max"]] = {"ReduceMean": "avg", "ReduceMax": "max"}


class _Bin(NamedTuple):
    """Of which value, along which of its axes, from where to where."""

    source: str
    kind: Literal["avg", "max"]
    axis: int
    first: int
    end: int


def written_bins(step: Step, bench: Bench) -> View | None:
    """What a Concat gives that puts the bins of one axis of a map side by side; None where it does not."""
    try:
        found = [_bin(name, bench) for name in step.inputs]
    except (Unheld, Unknown):
        return None
    bins = [each for each in found if each is not None]
    if len(bins) < len(found) or len({each[:3] for each in bins}) != 1:
        return None
    first = bins[0]
    view = bench.values.get(first.source)
    if not isinstance(view, View) or not view.is_plain or step.integer("axis", 1) != first.axis or first.axis < 2:
        return None
    size = bench.shape(view.node).size
    extent, count = size[first.axis - 2], len(bins)
    if not isinstance(extent, int):
        return None
    wanted = [(place * extent // count, -(-(place + 1) * extent // count)) for place in range(count)]
    if [(each.first, each.end) for each in bins] != wanted:
        return None
    every = [count if axis == first.axis - 2 else each for axis, each in enumerate(size)]
    whole = tuple(each for each in every if isinstance(each, int))  # elsewhere each pixel is a bin
    if len(whole) < len(every):
        return None
    source = _before(view.node, first, bench)
    return bench.on_grid(bench.settle_node(source), AdaptivePool(kind=first.kind, bins=whole), step)


def _before(node: str, of: _Bin, bench: Bench) -> str:
    """What was pooled along the axes before: a mean of means of as many pixels is the mean of all."""
    made = bench.made.get(node)
    if made is None or not isinstance(made.node.op, AdaptivePool) or made.node.op.kind != of.kind:
        return node
    (source,) = made.node.inputs
    untouched = made.node.op.bins[of.axis - 2] == bench.shape(source).size[of.axis - 2]
    return source if untouched else node


def _bin(name: str, bench: Bench) -> _Bin | None:
    reduce = bench.foreign.makers.get(name)
    cut = bench.foreign.makers.get(reduce.input(0)) if reduce is not None else None
    if reduce is None or reduce.op not in _KINDS or not reduce.integer("keepdims", 1) or cut is None:
        return None
    axes = bench.integers(reduce, "axes", 1)
    if cut.op != "Slice" or axes is None or len(axes) != 1:
        return None
    given = [None, *(bench.numbers(cut, at) for at in range(1, len(cut.inputs)))]
    parts = slices(cut, given, axes[0] + 1 if axes[0] >= 0 else 0)
    part = parts.get(axes[0])
    if len(parts) != 1 or part is None or part.step not in (1, None) or part.start is None or part.stop is None:
        return None
    return _Bin(cut.input(0), _KINDS[reduce.op], axes[0], part.start, part.stop)
