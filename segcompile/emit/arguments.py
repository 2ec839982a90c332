"""Arguments of an op as frameworks write them."""

from __future__ import annotations

from segcompile.ops import Conv, Deconv, Pad, Pool


def symmetric(op: Conv | Deconv | Pool) -> bool:
    """Whether both sides of each axis are padded alike."""
    return all(op.pads(axis)[0] == op.pads(axis)[1] for axis in range(len(op.kernel)))


Sides = tuple[tuple[int, int], ...]  # (before, after) along each axis


def sides(op: Conv | Deconv | Pool | Pad) -> Sides:
    """The padding."""
    return tuple(map(op.pads, range(op.rank or 0)))


def reached(op: Pool) -> Sides:
    """The padding, and behind the map as much more as rounding up may need at any size: a stride less one pixel, but
    not so much that a window would start there. With it, rounding down gives the windows that the pool has."""
    if op.round == "floor":
        return sides(op)
    each = zip(sides(op), op.steps, op.spans, strict=True)
    return tuple((before, min(after + step, span) - 1) for (before, after), step, span in each)


def counted(op: Pool) -> Sides:
    """The padding whose zeros a mean counts."""
    return sides(op) if op.count_pad else ((0, 0),) * len(op.kernel)


def beyond(inner: Sides, outer: Sides) -> Sides:
    """What lies beyond the inner one of two paddings."""
    each = zip(inner, outer, strict=True)
    return tuple((before - first, after - last) for (first, last), (before, after) in each)


def same_sides(each: tuple[int, ...]) -> int | tuple[int, ...]:
    """One number for equal ones."""
    return each[0] if len(set(each)) == 1 else each


def number(value: float) -> str:
    """The shortest text that means exactly this number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e6 else repr(value)
