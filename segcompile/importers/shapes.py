"""Ops that turn, reshape, take apart and put together, and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal

from segcompile.importers.amounts import BATCH, ONE, Amount, amount
from segcompile.importers.bench import Bench, Rule, Value
from segcompile.importers.cuts import channels_of
from segcompile.importers.views import Unheld, View, reshaped, transposed, viewed
from segcompile.ops import AnySize, Concat, PadChannels, Reinterpret, Resize
from segcompile.ops.size import Size
from segcompile.weights.onnx_values import Step

Mode = Literal["nearest", "bilinear", "nearest_exact", "cubic"]  # of a resize
_MOST_AXES = 16


def _same(step: Step, bench: Bench) -> Value:
    return bench.view(step)


def _transpose(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    said = step.integers("perm") or tuple(reversed(range(len(view.axes))))
    order = [axis + len(view.axes) if axis < 0 else axis for axis in said]
    if sorted(order) != list(range(len(view.axes))):
        raise Unheld(f"its `perm` is {list(said)[:8]}, of {len(view.axes)} axes")
    return transposed(view, order)


def _reshape(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    wanted = bench.amounts(step, 1)
    if wanted is None:
        wanted = [amount(each) for each in step.integers("shape") or ()]
    if len(wanted) > _MOST_AXES:
        raise Unheld(f"its shape has {len(wanted):,} axes")
    keep = not step.integer("allowzero", 0)
    target: list[Amount | None] = []
    for index, each in enumerate(wanted):
        if each.number == 0 and keep:
            target.append(view.extents[index] if index < len(view.axes) else ONE)
        else:
            target.append(None if each.number is not None and each.number < 0 else each)
    if target.count(None) > 1:
        raise Unheld("its shape leaves two extents open")
    if _takes_pixels_for_channels(view, target, bench.batch):
        node = bench.add(Reinterpret(order="channels_last"), [view.node], step)
        return viewed(node, bench.shape(node))
    return reshaped(view, target, bench.batch)


def _takes_pixels_for_channels(view: View, target: Sequence[Amount | None], batch: int | None) -> bool:
    """Whether a list of pixels, (batch, pixels, channels), is reshaped to (batch, channels, sizes) without a turn."""
    pixels = tuple(part for axis in range(2, len(view.sizes)) for part in view.whole(axis))
    if not pixels or not view.parts[1] or view.axes != (view.whole(0), pixels, view.whole(1)):
        return False
    return _is_shape(target, view.sizes, batch) and not _is_shape(target, view.extents, batch)


def _is_shape(target: Sequence[Amount | None], extents: Sequence[Amount], batch: int | None) -> bool:
    """Whether a reshape to `target` gives these extents: None takes the rest, and the batch may be its number."""
    own = amount(batch) if batch is not None else BATCH
    return len(target) == len(extents) and all(
        each in (None, extent) or (extent == BATCH and each == own)
        for each, extent in zip(target, extents, strict=True)
    )


def _flatten(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    axis = step.integer("axis", 1)
    axis = axis + len(view.axes) if axis < 0 else axis
    parts = [tuple(part for each in some for part in each) for some in (view.axes[:axis], view.axes[axis:])]
    return transposed(replace(view, axes=tuple(parts)), (0, 1))


def _squeeze(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    axes = bench.integers(step, "axes", 1)
    gone = {axis % len(view.axes) for axis in axes} if axes is not None else {
        axis for axis, each in enumerate(view.axes) if not each
    }  # fmt: skip
    if any(view.axes[axis] for axis in gone):
        raise Unheld("it leaves out an axis of more than one entry")
    return replace(view, axes=tuple(each for axis, each in enumerate(view.axes) if axis not in gone))


def _unsqueeze(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    axes = bench.integers(step, "axes", 1) or []
    rank = len(view.axes) + len(axes)
    if not all(-rank <= axis < rank for axis in axes) or rank > _MOST_AXES:
        raise Unheld(f"its axes are {axes[:8]}")
    new, rest = {axis % rank for axis in axes}, iter(view.axes)
    return replace(view, axes=tuple(() if axis in new else next(rest, ()) for axis in range(rank)))


# --- parts -----------------------------------------------------------------------------------------------------------


def _split(step: Step, bench: Bench) -> list[Value]:
    view = bench.view(step)
    axis = step.integer("axis", 0) % len(view.axes)
    extent, count = view.extents[axis].number, len(step.outputs)
    sizes = bench.integers(step, "split", 1)
    if extent is None:
        raise Unheld("it splits an axis that is not the channels")
    if sizes is None:
        each = -(-extent // count)
        sizes = [min(each, extent - each * at) for at in range(count)]
    if sum(sizes) != extent or len(sizes) != count:
        raise Unheld(f"it splits {extent} entries into {sizes[:8]}")
    ends = [sum(sizes[: at + 1]) for at in range(count)]
    return [
        channels_of(view, axis, end - size, end, step, bench) if _is_used(name, bench) else None
        for name, size, end in zip(step.outputs, sizes, ends, strict=True)
    ]


def _is_used(name: str, bench: Bench) -> bool:
    return name in bench.foreign.readers or name in bench.foreign.results


def _gather(step: Step, bench: Bench) -> Value:
    """One channel, or channels one after another."""
    view = bench.view(step)
    index = bench.tensor(step, 1)
    axis = step.integer("axis", 0) % len(view.axes)
    if not view.axes[axis] and index.size == 1:
        return replace(view, axes=(*view.axes[:axis], *[()] * index.ndim, *view.axes[axis + 1 :]))
    count = view.extents[axis].number
    found = [int(each) % (count or 1) for each in index.reshape(-1)]
    if count is None or index.ndim > 1 or not found or found != list(range(found[0], found[0] + len(found))):
        raise Unheld("it gathers entries that are not one after another")
    part = channels_of(view, axis, found[0], found[-1] + 1, step, bench)
    return part if index.ndim else replace(part, axes=(*part.axes[:axis], *part.axes[axis + 1 :]))


def _concat(step: Step, bench: Bench) -> Value:
    if not all(bench.is_view(step, at) for at in range(len(step.inputs))):
        return _filled_channels(step, bench)
    views = [bench.view(step, at) for at in range(len(step.inputs))]
    axis = step.integer("axis", 1) % len(views[0].axes)
    if any(len(view.axes) != len(views[0].axes) for view in views):
        raise Unheld("it joins tensors of unequal numbers of axes")
    views = bench.alike(views, step)
    if not all(view.axes[axis] == view.whole(1) and _is_like(view, views[0], axis) for view in views):
        views = [bench.settle(view, step, len(view.axes) - 2) for view in views]
        if axis != 1:
            raise Unheld("it joins along an axis that is not the channels")
    if len(views) == 1:
        return views[0]
    made = bench.add(Concat(), [view.node for view in views], step)
    # An input of one channel has no part along the axis; what is joined has.
    fresh = viewed(made, bench.shape(made))
    axes = list(_fullest(views))
    axes[axis] = fresh.whole(1)
    return View(made, fresh.sizes, fresh.parts, tuple(axes))


def _concat_padded(step: Step, bench: Bench) -> Value:
    """Maps with zeros around them up to the largest, half of them before, for which ONNX has no op."""
    views = [bench.plain(step, at) for at in range(len(step.inputs))]
    made = bench.add(Concat(align="pad"), [view.node for view in views], step)
    return viewed(made, bench.shape(made))


def _is_like(view: View, other: View, but: int) -> bool:
    """Whether two views lie over their maps in one way, but for one axis."""
    return all(
        a == b or not a or not b for at, (a, b) in enumerate(zip(view.axes, other.axes, strict=True)) if at != but
    )


def _fullest(views: list[View]) -> list[tuple[tuple[int, int], ...]]:
    return [max(each, key=len) for each in zip(*(view.axes for view in views), strict=True)]


def _filled_channels(step: Step, bench: Bench) -> Value:
    """Zeros behind the channels."""
    if len(step.inputs) != 2 or not bench.is_view(step, 0):
        raise Unheld("it joins a map with a constant")
    view, zeros = bench.plain(step), bench.tensor(step, 1)
    if step.integer("axis", 1) % len(view.axes) != 1 or zeros.any():
        raise Unheld("it joins a map with a constant")
    return bench.result(view, PadChannels(more=zeros.shape[1]), step)


# --- other sizes -----------------------------------------------------------------------------------------------------


def _expand(step: Step, bench: Bench) -> Value:
    """One pixel at all places of a map."""
    view = bench.view(step)
    wanted = bench.amounts(step, 1)
    if wanted is None:
        raise Unheld("it says no shape")
    if step.op == "Tile":
        wanted = [each * extent for each, extent in zip(wanted, view.extents, strict=True)]
    rank = max(len(wanted), len(view.axes))
    axes = [*[()] * (rank - len(view.axes)), *view.axes]
    wanted = [*[ONE] * (rank - len(wanted)), *wanted]
    extents = replace(view, axes=tuple(axes)).extents
    grown = [at for at, (each, extent) in enumerate(zip(wanted, extents, strict=True)) if each not in (ONE, extent)]
    grown = [at for at in grown if not (at == 0 and axes[0] == view.whole(0))]  # the batch, as the file has it
    if not grown:
        return replace(view, axes=tuple(axes))
    flat = replace(view, axes=tuple(axes))
    source = bench.settle(flat, step, rank - 2)
    if any(at < 2 for at in grown) or any(size != 1 for size in bench.shape(source.node).size):
        raise Unheld("it repeats what is more than one pixel")
    return resized_to(source, wanted[2:], step, bench, "nearest")


def resized_to(source: View, wanted: list[Amount], step: Step, bench: Bench, mode: Mode, corners: bool = False) -> View:
    """A map at the size of another one, by a whole ratio, or at a size."""
    own = bench.shape(source.node).size
    origins = {each.origin for each in wanted}
    names = {origin[0] for origin in origins if origin is not None}
    if len(names) == 1 and [each.origin for each in wanted] == [(min(names), axis) for axis in range(len(own))]:
        op, inputs = Resize(mode=mode, align_corners=corners), [source.node, names.pop()]
    elif all(each.number is not None for each in wanted) and not _ratios(own, wanted):
        op = Resize(size=tuple(each.number or 0 for each in wanted), mode=mode, align_corners=corners)
        inputs = [source.node]
    else:
        ratios, like = _ratios(own, wanted), _as_large(wanted, bench)
        if not ratios and like is None:
            raise Unheld(f"it makes {bench.shape(source.node)} {' x '.join(map(str, wanted))} large")
        op = Resize(factor=ratios or None, mode=mode, align_corners=corners)
        inputs = [source.node] if ratios or like is None else [source.node, like]
    made = bench.add(op, inputs, step)
    return viewed(made, bench.shape(made))


def _as_large(wanted: Sequence[Amount], bench: Bench) -> str | None:
    """The last map that has these sizes at every size of the image, for a size that was reckoned without one. The last,
    for it is the end of a layer: what is before an activation would not be carried by its layer if it were read."""
    every = ((name, bench.shape(name).size) for name in (*bench.inputs, *bench.made))
    return next((name for name, size in reversed([*every]) if [*map(amount, size)] == [*wanted]), None)


def _ratios(own: tuple[Size, ...], wanted: list[Amount]) -> tuple[Fraction, ...]:
    """By which whole factors the sizes grow; () if they do not."""
    found = []
    for size, each in zip(own, wanted, strict=True):
        if isinstance(size, AnySize):
            slope = each.size
            if not isinstance(slope, AnySize):
                return ()
            factor = slope.slope / size.slope
            if factor.denominator != 1 or slope != size * int(factor):
                return ()
            found.append(int(factor))
        elif each.number is None or each.number % size:
            return ()
        else:
            found.append(each.number // size)
    return tuple(map(Fraction, found))


def _depth_to_space(step: Step, bench: Bench) -> Value:
    """As the reshape, transposition and reshape that it is defined by."""
    view = bench.plain(step)
    factor, channels = step.integer("blocksize", 0), view.sizes[1].number or 0
    if factor < 1 or channels % factor**2 or len(view.sizes) != 4:
        raise Unheld(f"blocks of {factor} pixels a side do not come of {bench.shape(view.node)}")
    r, c = amount(factor), amount(channels // factor**2)
    batch, _, height, width = view.extents
    if step.word("mode", "DCR") == "CRD":
        cut, order = [batch, c, r, r, height, width], (0, 1, 4, 2, 5, 3)
    else:
        cut, order = [batch, r, r, c, height, width], (0, 3, 4, 1, 5, 2)
    turned = transposed(reshaped(view, cut, None), order)
    return bench.settle(reshaped(turned, [batch, c, height * r, width * r], None), step)


def _space_to_depth(step: Step, bench: Bench) -> Value:
    view = bench.plain(step)
    factor = step.integer("blocksize", 0)
    if factor < 1 or len(view.sizes) != 4:
        raise Unheld(f"blocks of {factor} pixels a side are not taken of {bench.shape(view.node)}")
    r = amount(factor)
    batch, channels, height, width = view.extents
    rows, columns = (height / r).floor(), (width / r).floor()
    order = (0, 1, 3, 5, 2, 4) if step.word("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    turned = transposed(reshaped(view, [batch, channels, rows, r, columns, r], None), order)
    return bench.settle(reshaped(turned, [batch, channels * r * r, rows, columns], None), step)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Identity", "Dropout", "CastLike"), _same),
    "Transpose": _transpose, "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Split": _split, "Gather": _gather, "Concat": _concat, "Expand": _expand, "Tile": _expand,
    "DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth, "torch.ConcatPadded": _concat_padded,
}  # fmt: skip
