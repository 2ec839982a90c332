"""Sizes that may be symbolic: `input: {size: any}` is carried through the same formulas as a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm
from operator import sub

MAX_PERIOD = 2**12  # of a function of the size; strides of real networks divide 32 or so


class Undecidable(Exception):
    """A question about a symbolic size that has no answer that could be written down."""


@dataclass(frozen=True, slots=True)
class AnySize:
    """What becomes of an input's size H, exactly: for H = q * period + r it is  q * step + table[r] + plus.

    The period is the table's length, the smallest that will do, and table[0] is 0: equal functions are equal values.
    Closed under what windows do to a size; raises Undecidable where the period would go beyond MAX_PERIOD.
    """

    symbol: str
    step: int = 1
    table: tuple[int, ...] = (0,)
    plus: int = 0

    @property
    def period(self) -> int:
        return len(self.table)

    @property
    def slope(self) -> Fraction:
        """Pixels here for each one more of the input, in the long run."""
        return Fraction(self.step, self.period)

    def at(self, size: int) -> int:
        """The value for an input of `size` pixels along this axis."""
        turns, residue = divmod(size, self.period)
        return turns * self.step + self.table[residue] + self.plus

    def __add__(self, other: int) -> AnySize:
        return AnySize(self.symbol, self.step, self.table, self.plus + other) if other else self

    def __sub__(self, other: int) -> AnySize:
        return self + -other

    def __mul__(self, factor: int) -> AnySize:
        if factor == 1:
            return self
        if factor == 0:
            return AnySize(self.symbol, 0)
        return AnySize(self.symbol, self.step * factor, tuple(v * factor for v in self.table), self.plus * factor)

    def __floordiv__(self, divisor: int) -> AnySize:
        if divisor == 1:
            return self
        whole, rest = divmod(self.plus, divisor)
        return _floored(AnySize(self.symbol, self.step, self.table, rest), divisor) + whole

    def __str__(self) -> str:
        """`u⌊(H+a)/d⌋+c` where it is of that form, else about how large it is."""
        times = gcd(self.step, *self.table) or 1
        up = self.step // times
        shift = floor_shift(up, self.period, [value // times for value in self.table])
        if shift is None:
            over = f"/{self.slope.denominator}" if self.slope.denominator > 1 else ""
            text = f"≈{_scaled(self.symbol, self.slope.numerator)}{over}"
        elif self.period == 1:
            text = _scaled(self.symbol, self.step)
        else:
            inner = _scaled(self.symbol, up)
            inner = f"({inner}{shift:+d})" if shift else inner
            text = f"{'' if times == 1 else times}⌊{inner}/{self.period}⌋"
        return f"{text}{self.plus:+d}" if self.plus else text


Size = int | AnySize


def times(*sizes: Size) -> str:
    """`3 x (H-4) x (W-4)`: as factors, with a sum among them in brackets."""
    return " x ".join(f"({size})" if isinstance(size, AnySize) and size.plus else str(size) for size in sizes)


@lru_cache
def _floored(size: AnySize, divisor: int) -> AnySize:
    turns = divisor // gcd(size.step, divisor)  # so many periods on, the value has moved by whole divisors
    if size.period * turns > MAX_PERIOD:
        raise Undecidable(f"({size}) // {divisor} repeats itself only after {size.period * turns:,} sizes")
    values = [(turn * size.step + value + size.plus) // divisor for turn in range(turns) for value in size.table]
    return tabulate(size.symbol, size.step * turns // divisor, values)


def tabulate(symbol: str, step: int, values: Sequence[int]) -> AnySize:
    """The function with these values at 0 .. period - 1 that grows by `step` a period; its period made minimal."""
    period = len(values)
    for prime in primes(period):
        while period % prime == 0 and step % prime == 0:
            shorter, shift = period // prime, step // prime
            if any(values[r + shorter] != values[r] + shift for r in range(period - shorter)):
                break
            period, step = shorter, shift
    return AnySize(symbol, step, tuple(value - values[0] for value in values[:period]), values[0])


@lru_cache
def primes(number: int) -> tuple[int, ...]:
    """The prime factors of a positive number, each once."""
    found = []
    for factor in range(2, number + 1):
        if number % factor == 0:
            found.append(factor)
            while number % factor == 0:
                number //= factor
        if number == 1:
            break
    return tuple(found)


def floor_shift(up: int, down: int, values: Iterable[int], at: Iterable[int] | None = None) -> int | None:
    """a such that floor((up * r + a) / down) is the value at each r (0, 1, ... unless `at` says which); the multiple
    of `down` if that will do, else the smallest; None if there is no such a."""
    pairs = list(enumerate(values) if at is None else zip(at, values, strict=True))
    low = max(down * value - up * r for r, value in pairs)
    high = min(down * value - up * r for r, value in pairs) + down - 1
    if low > high:
        return None
    return whole if (whole := high // down * down) >= low else low


def _scaled(symbol: str, factor: int) -> str:
    return symbol if factor == 1 else f"{factor}{symbol}"


# --- of several sizes ------------------------------------------------------------------------------------------------


def constant(size: Size) -> Size:
    """The number that a size is for every image, if it is one; else the size."""
    return size if isinstance(size, int) or size.step or size.period > 1 else size.plus


def difference(a: Size, b: Size) -> Size:
    """a - b: a number where it is the same for every image. Raises Undecidable."""
    if isinstance(b, int):
        return constant(a - b)
    if isinstance(a, int):
        return constant(b * -1 + a)
    if a.step == b.step and a.table == b.table:
        return a.plus - b.plus
    return constant(_combined(a - a.plus, b - b.plus, sub) + (a.plus - b.plus))


def least(sizes: Sequence[Size]) -> Size:
    """The smallest. Raises Undecidable where that depends on how large the input is."""
    return _extreme(sizes, min)


def most(sizes: Sequence[Size]) -> Size:
    """The largest. Raises Undecidable where that depends on how large the input is."""
    return _extreme(sizes, max)


def _extreme(sizes: Sequence[Size], choose: Callable[[int, int], int]) -> Size:
    found = sizes[0]
    for size in sizes[1:]:
        found = _either(found, size, choose)
    return found


def _either(a: Size, b: Size, choose: Callable[[int, int], int]) -> Size:
    """The smaller or the larger one: one of the two if it always is, a new function if it depends on a residue."""
    gap = difference(a, b)
    if isinstance(gap, int):
        return a if choose(gap, 0) == gap else b
    if gap.step == 0 and isinstance(a, AnySize) and isinstance(b, AnySize):
        return constant(_combined(a, b, choose))
    sign = 1 if gap.step > 0 else -1
    if any(sign * gap.at(size) < 0 for size in range(1, gap.period + 1)):  # of each residue the least size decides
        raise Undecidable(f"which of {a} and {b} is smaller depends on how large the input is")
    return a if choose(sign, 0) == sign else b


@lru_cache
def _combined(a: AnySize, b: AnySize, rule: Callable[[int, int], int]) -> AnySize:
    """rule(a, b) at every size, where the rule of two steps is the step: a difference, the extreme of equal slopes."""
    period = lcm(a.period, b.period)
    if period > MAX_PERIOD:
        raise Undecidable(f"({a}) and ({b}) together repeat themselves only after {period:,} sizes")
    step = rule(a.step * (period // a.period), b.step * (period // b.period))
    return tabulate(a.symbol, step, [rule(a.at(r), b.at(r)) for r in range(period)])
