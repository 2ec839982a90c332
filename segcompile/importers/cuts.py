"""Slices: channels, and the part of a map that is as large as another one.

A crop of ours has a reference. A file says numbers, or sizes that it asked of a map. The reference is that map, or what
the cut map is joined with, or the last map before that is as large at every size of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segcompile.importers.amounts import Amount, Unknown, amount, total
from segcompile.importers.bench import Bench, Rule, Value
from segcompile.importers.numbers import slices
from segcompile.importers.views import Unheld, View, regrown, viewed
from segcompile.ops import Crop, Slice
from segcompile.ops.size import AnySize, Size, constant
from segcompile.weights.onnx_values import Step

FAR = 2**31 - 2  # an end beyond every axis
_JOINS = ("Add", "Concat", "Mul", "Sub", "Sum")


def channels_of(view: View, axis: int, first: int, end: int, step: Step, bench: Bench) -> View:
    """Some channels, one after another; of channels that are cut in parts, some of the outermost ones."""
    if view.axes[axis] == view.whole(1)[:1] and len(view.parts[1]) > 1 and 0 <= first < end:
        return _outermost(view, axis, first, end, step, bench)
    if axis == 1 and view.axes[1] != view.whole(1) and sorted(view.axes[1]) == [*view.whole(1)]:  # shuffled
        view = bench.settle(view, step, len(view.axes) - 2)
    if view.axes[axis] != view.whole(1) or not view.whole(1):
        raise Unheld(f"it takes entries {first} to {end - 1} of an axis that is not the channels")
    if first >= end:
        raise Unheld(f"it takes no channel: from {first} to {end}")
    return bench.result(view, Slice(part=(first, end)), step)


def _outermost(view: View, axis: int, first: int, end: int, step: Step, bench: Bench) -> View:
    inner = total(view.parts[1][1:]).number or 1
    made = bench.add(Slice(part=(first * inner, end * inner)), [view.node], step)
    fresh, gone = viewed(made, bench.shape(made)), end - first == 1
    kept = view.parts[1][1:] if gone else (amount(end - first), *view.parts[1][1:])
    axes = tuple(
        tuple((a, i - (a == 1 and gone)) for a, i in each if not (gone and at == axis))
        for at, each in enumerate(view.axes)
    )
    return View(made, fresh.sizes, (view.parts[0], kept, *view.parts[2:]), axes)


def _slice(step: Step, bench: Bench) -> Value:
    if step.integers("starts") is None and not _is_fixed(step, bench):
        return _to_size(step, bench, bench.view(step))
    if _maker(step, bench) is not None:
        return cut_before(step, bench)
    view = bench.view(step)
    cut: dict[int, tuple[int, Size]] = {}
    for axis, part in _parts(step, bench, len(view.axes)).items():
        extent = view.extents[axis]
        offset, length = _range(part, extent)
        if (offset, length) == (0, extent.size):
            continue
        mine = view.axes[axis]
        if len(mine) == 1 and mine[0][0] > 1:
            cut[mine[0][0] - 2] = offset, length
        elif isinstance(length, int):
            view = channels_of(view, axis, offset, offset + length, step, bench)
        else:
            raise Unheld("it cuts the batch")
    return _cropped(view, cut, step, bench) if cut else view


def _is_fixed(step: Step, bench: Bench) -> bool:
    given = (bench.numbers(step, at) for at in range(1, len(step.inputs)))
    return all(found is None or found.is_fixed for found in given)


def _parts(step: Step, bench: Bench, rank: int) -> Mapping[int, slice]:
    found = slices(step, [None, *(bench.numbers(step, at) for at in range(1, len(step.inputs)))], rank)
    every = next((part.step for part in found.values() if part.step != 1), 1)
    if every != 1:
        raise Unheld(f"it takes every {every}. entry")
    return found


def _range(part: slice, extent: Amount) -> tuple[int, Size]:
    """Where a part of an axis begins, and how long it is."""
    if extent.number is not None:
        first, end, _ = part.indices(extent.number)
        return first, max(end - first, 0)
    size, start, stop = extent.size, part.start, part.stop
    if size is None or start < 0 or (stop is not None and 0 <= stop < FAR):
        raise Unheld("what it cuts off depends on the size of the image")
    return start, constant(size - start + (stop if stop is not None and stop < 0 else 0))


def _maker(step: Step, bench: Bench) -> Step | None:
    """The Slice of fixed numbers before a Slice."""
    found = bench.foreign.makers.get(step.input(0))
    return found if found is not None and found.op == "Slice" and _is_fixed(found, bench) else None


def cut_before(step: Step, bench: Bench) -> View:
    """Slices one behind another, as exporters cut each axis by one of its own."""
    chain = [step]
    while (before := _maker(chain[0], bench)) is not None:
        chain.insert(0, before)
    view = bench.view(chain[0])
    cut: dict[int, tuple[int, Size]] = {}
    for each in chain:
        for axis, part in _parts(each, bench, len(view.axes)).items():
            mine = view.axes[axis]
            at = mine[0][0] - 2 if len(mine) == 1 else -1
            if at < 0:
                raise Unheld("it cuts channels and sizes at once")
            offset, length = cut.get(at, (0, view.sizes[at + 2].size or 0))
            more, shorter = _range(part, amount(length))
            cut[at] = offset + more, shorter
    return _cropped(view, cut, step, bench)


def _cropped(view: View, cut: Mapping[int, tuple[int, Size]], step: Step, bench: Bench) -> View:
    own = bench.shape(view.node).size
    wanted = tuple(cut[axis][1] if axis in cut else size for axis, size in enumerate(own))
    if wanted == own:
        return view
    offset = tuple(cut[axis][0] if axis in cut else 0 for axis in range(len(own)))
    reference = _reference(wanted, step, bench)
    if reference is None:
        sizes = " x ".join(map(str, wanted))
        raise Unheld(f"it cuts the map to {sizes}, which is the size of no map before")
    made = bench.add(Crop(offset=offset), [view.node, reference], step)
    return regrown(view, made, bench.shape(made))


def _reference(wanted: Sequence[Size], step: Step, bench: Bench) -> str | None:
    """A node or input of this size: what the cut map is joined with, or the last one."""
    for reader in bench.foreign.readers.get(step.outputs[0], ()):
        for name in reader.inputs if reader.op in _JOINS else ():
            other = bench.values.get(name)
            if isinstance(other, View) and bench.shape(other.node).size == tuple(wanted):
                return other.node
    found = [name for name, shape in bench.inputs.items() if shape.size == tuple(wanted)]
    found += [name for name, made in bench.made.items() if made.shape.size == tuple(wanted)]
    return found[-1] if found else None


def _to_size(step: Step, bench: Bench, view: View) -> View:
    """The part of a map from its first pixel on that is as large as another map is asked to be."""
    starts, ends = bench.amounts(step, 1), bench.amounts(step, 2)
    axes = bench.integers(step, "axes", 3)
    strides = bench.integers(step, "", 4) if step.input(4) else None
    if starts is None or ends is None or (strides is not None and set(strides) != {1}):
        raise Unheld("it cuts a map by a rule of its own")
    cut: dict[int, tuple[int, Size]] = {}
    for start, end, axis in zip(starts, ends, axes if axes is not None else range(len(starts)), strict=True):
        extent, mine = view.extents[axis], view.axes[axis]
        if start.number == 0 and (extent == end or (end.number is not None and end.number >= FAR)):
            continue
        if len(mine) != 1 or mine[0][0] < 2 or start.number is None or start.number < 0:
            raise Unheld("it cuts a map by a rule of its own")
        length = _length(start, end)
        cut[mine[0][0] - 2] = start.number, length
    return _cropped(view, cut, step, bench) if cut else view


def _length(start: Amount, end: Amount) -> Size:
    try:
        size = (end - start).size
    except Unknown:
        size = None
    if size is None or (isinstance(size, AnySize) and size.step <= 0):
        raise Unheld("it cuts a map by a rule of its own")
    return size


RULES: Mapping[str, Rule] = {"Slice": _slice}
