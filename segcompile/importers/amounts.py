"""Whole numbers and ratios that follow the size of the input: what a file reckons of Shape, exactly.

An amount is a number, or a number times sizes, `2/3 · H · W`. The batch is a size of its own. What leaves that form, as
H + W does, is not known, and is refused where it is needed and nowhere before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from segcompile.ops import AnySize, Size, Undecidable
from segcompile.ops.size import constant, difference

_MOST_BITS, _MOST_FACTORS = 128, 8  # of an amount that is multiplied: no size needs more


class Unknown(Exception):
    """An amount that is no number times sizes."""


@dataclass(frozen=True, slots=True)
class Amount:
    """`times` · the product of `factors`. `origin`: the value and the axis whose extent it is, if nothing was reckoned
    since. Arithmetic raises Unknown for what is not of this form."""

    times: Fraction
    factors: tuple[AnySize, ...] = ()
    origin: tuple[str, int] | None = field(default=None, compare=False)

    @property
    def number(self) -> int | None:
        """The whole number that it is, if it is one."""
        return int(self.times) if not self.factors and self.times.denominator == 1 else None

    @property
    def size(self) -> Size | None:
        """The size along one axis that it is, if it is one."""
        if not self.factors or len(self.factors) > 1:
            return self.number
        return self.factors[0] * int(self.times) if self.times.denominator == 1 else None

    def known(self) -> Amount:
        """The same, reckoned."""
        return replace(self, origin=None)

    def __add__(self, other: Amount) -> Amount:
        if not self.times or not other.times:
            return (self if self.times else other).known()
        if self.factors == other.factors:
            return Amount(self.times + other.times, self.factors)
        below = self.times.denominator * other.times.denominator
        a, b = self._single(below), other._single(below)
        return _of(_sum(a, b), Fraction(1, below))

    def _single(self, below: int) -> Size:
        """The size that `below` of it are."""
        found = replace(self, times=self.times * below).size
        if found is None:
            raise Unknown
        return found

    def __neg__(self) -> Amount:
        return Amount(-self.times, self.factors)

    def __sub__(self, other: Amount) -> Amount:
        return self + -other

    def __mul__(self, other: Amount) -> Amount:
        if max(_bits(self.times), _bits(other.times)) > _MOST_BITS or len(self.factors) > _MOST_FACTORS:
            raise Unknown
        factors = tuple(sorted((*self.factors, *other.factors), key=repr))
        return Amount(self.times * other.times, factors if self.times * other.times else ())

    def __truediv__(self, other: Amount) -> Amount:
        left = list(self.factors)
        for factor in other.factors:
            if factor not in left:
                raise Unknown
            left.remove(factor)
        if not other.times:
            raise Unknown
        return Amount(self.times / other.times, tuple(left))

    def floor(self) -> Amount:
        """The largest whole amount that is not more."""
        if self.times.denominator == 1:
            return self.known()
        if len(self.factors) > 1:
            raise Unknown
        if not self.factors:
            return Amount(Fraction(self.times // 1))
        try:
            return _of(self.factors[0] * self.times.numerator // self.times.denominator)
        except Undecidable:
            raise Unknown from None

    def ceil(self) -> Amount:
        """The smallest whole amount that is not less."""
        return -(-self).floor()

    def __str__(self) -> str:
        parts = [f"({factor})" if factor.plus else str(factor) for factor in self.factors]
        return " x ".join([str(self.times)] * (self.times != 1 or not parts) + parts)


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _sum(a: Size, b: Size) -> Size:
    symbols = {size.symbol for size in (a, b) if isinstance(size, AnySize)}
    if len(symbols) > 1:
        raise Unknown
    try:
        return difference(a, b * -1)
    except Undecidable:
        raise Unknown from None


def _of(size: Size, times: Fraction = Fraction(1)) -> Amount:
    size = constant(size)
    return Amount(times * size) if isinstance(size, int) else Amount(times, (size,))


def amount(size: Size | Fraction, origin: tuple[str, int] | None = None) -> Amount:
    """A size, or a number, as an amount."""
    found = Amount(size) if isinstance(size, Fraction) else _of(size)
    return replace(found, origin=origin)


ONE, ZERO = amount(1), amount(0)
BATCH = amount(AnySize("B"))


def ratio(number: float) -> Fraction:
    """The ratio of small numbers that a float32 stands for, or exactly that float."""
    import struct

    near = Fraction(number).limit_denominator(4096)
    (kept,) = struct.unpack("f", struct.pack("f", float(near)))
    (given,) = struct.unpack("f", struct.pack("f", number))
    return near if kept == given else Fraction(number)


def total(amounts: Sequence[Amount]) -> Amount:
    """Their product."""
    found = ONE
    for each in amounts:
        found = found * each
    return found
