"""How a tensor of a foreign program lies over a map of ours: which of its axes holds which part of batch, channels and
sizes.

Programs turn and reshape maps on the way: channels last, shuffles, flattened positions. None of these computes. A view
follows them, and only where something reads the values is it asked which op of ours the turning was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from segcompile.importers.amounts import BATCH, ONE, Amount, Unknown, amount, total
from segcompile.ops import Shape
from segcompile.ops.size import AnySize

Key = tuple[int, ...]
Part = tuple[int, int]  # an axis of ours (0 the batch, 1 the channels, then the sizes), and a part that it is cut in


class Unheld(Exception):
    """What the language has no form for: a sentence, and perhaps a remedy."""

    def __init__(self, why: str, help: str | None = None) -> None:
        super().__init__(why)
        self.why, self.help = why, help


@dataclass(frozen=True, slots=True)
class View:
    """A tensor whose values are those of node `node`, of the extents `sizes` (batch, channels, sizes). `parts`: of each
    of its axes the extents of the parts that it is cut in, outermost first, none of which is 1; `axes`: of each axis of
    the tensor the parts that make it up."""

    node: str
    sizes: tuple[Amount, ...]
    parts: tuple[tuple[Amount, ...], ...]
    axes: tuple[tuple[Part, ...], ...]

    @property
    def extents(self) -> tuple[Amount, ...]:
        """The tensor's shape; an extent that is one of ours says which."""
        return tuple(map(self._extent, self.axes))

    def _extent(self, parts: tuple[Part, ...]) -> Amount:
        axis = parts[0][0] if parts else 0
        if axis > 1 and parts == self.whole(axis):
            return replace(self.sizes[axis], origin=(self.node, axis - 2))
        return total([self.parts[axis][part] for axis, part in parts])

    def whole(self, axis: int) -> tuple[Part, ...]:
        """All parts of an axis of ours, in order."""
        return tuple((axis, part) for part in range(len(self.parts[axis])))

    @property
    def is_plain(self) -> bool:
        """Whether it is (batch, channels, sizes), but for axes of one entry at its end."""
        mine = [self.whole(axis) for axis in range(len(self.parts))]
        longer = max(len(mine), len(self.axes))
        return [*mine, *[()] * (longer - len(mine))] == [*self.axes, *[()] * (longer - len(self.axes))]

    def axis_of(self, axis: int) -> int | None:
        """The axis of the tensor that is one of ours, whole and alone; None if none is."""
        mine = self.whole(axis)
        return self.axes.index(mine) if mine and mine in self.axes else None


def viewed(node: str, shape: Shape, channels_last: bool = False) -> View:
    """A node's tensor as it is: (batch, channels, sizes), or with the channels last."""
    extents = (BATCH, amount(shape.channels), *map(amount, shape.size))
    parts = tuple(() if extent == ONE else (extent,) for extent in extents)
    order = [0, *range(2, len(parts)), 1] if channels_last else range(len(parts))
    return View(node, extents, parts, tuple(((axis, 0),) if parts[axis] else () for axis in order))


def on(view: View, node: str, shape: Shape) -> View:
    """The view of a node whose map differs from that of `view.node` in its channels only. Raises Unheld where these
    have no axis of their own."""
    fresh = viewed(node, shape)
    if fresh.sizes[1] == view.sizes[1]:
        return View(node, view.sizes, view.parts, view.axes)
    where = view.axis_of(1)
    if where is None:
        raise Unheld("its channels are split over axes")
    axes = (*view.axes[:where], fresh.whole(1), *view.axes[where + 1 :])
    sizes, parts = (view.sizes[0], fresh.sizes[1], *view.sizes[2:]), (view.parts[0], fresh.parts[1], *view.parts[2:])
    return View(node, sizes, parts, axes)


def regrown(view: View, node: str, shape: Shape) -> View:
    """The view of a node whose map differs from that of `view.node` in its sizes. Raises Unheld where a size of 1,
    which has no axis of its own, has grown."""
    fresh = viewed(node, shape)
    if view.is_plain and len(view.axes) == len(view.sizes):
        return fresh
    if any(parts and not before for parts, before in zip(fresh.parts[2:], view.parts[2:], strict=True)):
        raise Unheld("one pixel grows along an axis that is none of the tensor's")
    parts = (*view.parts[:2], *fresh.parts[2:])
    axes = tuple(tuple((axis, at) for axis, at in each if at < len(parts[axis])) for each in view.axes)
    return View(node, fresh.sizes, parts, axes)


# --- turned and reshaped ---------------------------------------------------------------------------------------------


def transposed(view: View, order: Sequence[int]) -> View:
    """The axes in another order."""
    return _joined(replace(view, axes=tuple(view.axes[axis] for axis in order)))


def reshaped(view: View, wanted: Sequence[Amount | None], batch: int | None) -> View:
    """The same entries in another shape; None takes the rest. `batch`: the number that the batch is in the file, and so
    in numbers that were reckoned when it was written. Raises Unheld where an extent does not fall on parts."""
    cutter = _Cutter(view, [part for axis in view.axes for part in axis], batch)
    rest = wanted.index(None) if None in wanted else len(wanted)
    before = [cutter.taken(each, 0) for each in wanted[:rest] if each is not None]
    behind = [cutter.taken(each, -1) for each in reversed(wanted[rest + 1 :]) if each is not None]
    if rest < len(wanted):
        before.append(tuple(cutter.left))
    elif cutter.left:
        raise Unheld(f"{_listed(view.extents)} entries do not make {_listed(wanted)}")
    axes = tuple(tuple(cutter.now(part) for part in each) for each in (*before, *reversed(behind)))
    return _joined(View(view.node, view.sizes, cutter.parts(), axes))


def _listed(extents: Sequence[Amount | None]) -> str:
    return f"({', '.join('-1' if each is None else str(each) for each in extents)})"


class _Cutter:
    """Takes parts off a row of them, and cuts one where an extent ends within it. Parts are numbered by keys of its
    own while that goes on."""

    def __init__(self, view: View, row: Sequence[Part], batch: int | None) -> None:
        self.extents: dict[Key, Amount] = {
            (axis, index): extent for axis, parts in enumerate(view.parts) for index, extent in enumerate(parts)
        }
        self.left: list[Key] = list(row)
        self.batch = batch
        self.view = view

    def taken(self, wanted: Amount, end: int) -> tuple[Key, ...]:
        """Parts from the front of the row (`end` 0) or its back (-1) that have so many entries together."""
        found: list[Key] = []
        while wanted != ONE or (not found and self._is_batch(wanted, end)):
            if not self.left:
                raise Unheld(f"{_listed(self.view.extents)} does not hold an axis of {wanted}")
            key = self.left[end]
            extent = self.extents[key]
            if key[0] == 0 and self.batch is not None and BATCH.factors[0] not in wanted.factors:
                extent = amount(self.batch)
            if (more := _whole(wanted, extent)) is not None:
                self.left.pop(end)
                found.insert(0 if end else len(found), key)
                wanted = more
            else:
                self._cut(key, wanted, end)
        return tuple(found)

    def _is_batch(self, wanted: Amount, end: int) -> bool:
        return bool(self.left) and self.left[end][0] == 0 and self.batch == 1

    def _cut(self, key: Key, wanted: Amount, end: int) -> None:
        """Cut a part so that the half at this end has `wanted` entries."""
        rest = _parted(self.extents[key], wanted)
        if rest is None:
            raise Unheld(f"an axis of {self.extents[key]} is cut into {wanted}")
        outer, inner = (*key, 0), (*key, 1)
        self.extents[outer], self.extents[inner] = (rest, wanted) if end else (wanted, rest)
        del self.extents[key]
        at = self.left.index(key)
        self.left[at : at + 1] = [outer, inner]

    def parts(self) -> tuple[tuple[Amount, ...], ...]:
        """Of each axis the extents of its parts as they are cut now."""
        return tuple(
            tuple(self.extents[key] for key in sorted(self.extents) if key[0] == axis)
            for axis in range(len(self.view.parts))
        )

    def now(self, key: Key) -> Part:
        """The part that a key stands for, in `parts`."""
        return key[0], [each for each in sorted(self.extents) if each[0] == key[0]].index(key)


def _whole(wanted: Amount, extent: Amount) -> Amount | None:
    """How many times an extent is in `wanted`, if that is a whole amount."""
    try:
        found = wanted / extent
    except Unknown:
        return None
    return found.known() if found.times.denominator == 1 else None


def _parted(extent: Amount, wanted: Amount) -> Amount | None:
    """The other part of an extent that is cut into `wanted` ones: exactly, or at the sizes that the cut asks for."""
    rest = _whole(extent, wanted)
    if rest is not None and rest != ONE:
        return rest
    if wanted.number is not None and len(extent.factors) == 1:  # H into (H / 2, 2)
        return (extent / wanted).floor()
    mine, size = extent.size, wanted.size
    if isinstance(mine, AnySize) and isinstance(size, AnySize) and size.step:
        times = mine.slope / size.slope
        if times.denominator == 1 and times > 1 and amount(mine // int(times)) == wanted:
            return amount(int(times))
    return None


def _joined(view: View) -> View:
    """The view with parts that lie side by side made one again."""
    for axis, parts in enumerate(view.parts):
        for index in range(len(parts) - 1):
            if any(((axis, index), (axis, index + 1)) in pairwise(each) for each in view.axes):
                return _joined(_merged(view, axis, index))
    return view


def _merged(view: View, axis: int, index: int) -> View:
    parts = list(view.parts)
    both = parts[axis][index] * parts[axis][index + 1]
    parts[axis] = (*parts[axis][:index], both, *parts[axis][index + 2 :])
    if len(parts[axis]) == 1:
        parts[axis] = (view.sizes[axis],)
    gone = (axis, index + 1)
    axes = tuple(tuple((a, i - (a == axis and i > index)) for a, i in each if (a, i) != gone) for each in view.axes)
    return View(view.node, view.sizes, tuple(parts), axes)
