"""Sizes in the plainest form that is right at every legal size: where H is a multiple of 16, 2⌊H/2⌋ is H."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd, lcm

from segcompile.facts.size_set import SizeSet
from segcompile.facts.sizes import Sizes
from segcompile.ops import AnySize, Shape, Size
from segcompile.ops.size import MAX_PERIOD, constant, floor_shift, tabulate


def on_legal_sizes(shapes: Mapping[str, Shape], sizes: Sizes) -> dict[str, Shape]:
    """The shapes with two sizes equal exactly if they are the same number at every legal size of the image."""
    sets = [axis.legal if axis is not None else None for axis in sizes]
    legal = [found if found is not None and len(found.residues) < found.modulus else None for found in sets]
    if not any(legal):
        return dict(shapes)
    known: dict[tuple[Size, int], Size] = {}

    def plain(size: Size, axis: int) -> Size:
        if (size, axis) not in known:
            among = legal[axis]
            known[size, axis] = size if isinstance(size, int) or among is None else plainest(size, among)
        return known[size, axis]

    return {
        name: replace(shape, size=tuple(plain(size, axis) for axis, size in enumerate(shape.size)))
        for name, shape in shapes.items()
    }


def plainest(size: AnySize, legal: SizeSet) -> Size:
    """What is `size` at every legal size: u⌊(vH+a)/d⌋+c with the smallest u, if there is such a form; else the size
    that stays what it was at the last residue that is legal."""
    period = lcm(size.period, legal.modulus)
    if period > MAX_PERIOD:
        return size
    at = [residue for residue in range(period) if legal.least[residue % legal.modulus] is not None]
    values = [size.at(residue) for residue in at]
    step = size.step * (period // size.period)
    return constant(_closed(size, at, values, step) or _filled(size, at, values, step, period))


def _closed(size: AnySize, at: Sequence[int], values: Sequence[int], step: int) -> AnySize | None:
    common = gcd(step, *(value - values[0] for value in values))
    for times in range(1, min(common, MAX_PERIOD) + 1):
        if common % times == 0:
            slope, rest = size.slope / times, values[0] % times
            shift = floor_shift(slope.numerator, slope.denominator, [value // times for value in values], at)
            if shift is not None and slope.denominator <= MAX_PERIOD:
                return (AnySize(size.symbol) * slope.numerator + shift) // slope.denominator * times + rest
    return None


def _filled(size: AnySize, at: Sequence[int], values: Sequence[int], step: int, period: int) -> AnySize:
    known = dict(zip(at, values, strict=True))
    last, found = values[-1] - step, []
    for residue in range(period):
        last = known.get(residue, last)
        found.append(last)
    return tabulate(size.symbol, step, found)
