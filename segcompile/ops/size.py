"""Sizes that may be symbolic: `input: {size: any}` is carried through the same formulas as a number."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd


class Undecidable(Exception):
    """A question about a symbolic size that has no answer in this closed form."""


@dataclass(frozen=True, slots=True)
class AnySize:
    """`up * floor((symbol + add) / down) + plus`, with 0 <= add < down: closed under what windows do to a size."""

    symbol: str
    up: int = 1
    add: int = 0
    down: int = 1
    plus: int = 0

    def _normal(self, up: int, add: int, down: int, plus: int) -> AnySize:
        whole, rest = divmod(add, down)
        return AnySize(self.symbol, up, rest, down, plus + up * whole)

    def __add__(self, other: int) -> AnySize:
        return self._normal(self.up, self.add, self.down, self.plus + other)

    def __sub__(self, other: int) -> AnySize:
        return self + -other

    def __mul__(self, factor: int) -> AnySize:
        return self._normal(self.up * factor, self.add, self.down, self.plus * factor)

    def __floordiv__(self, divisor: int) -> AnySize:
        common = gcd(self.up, divisor)
        if common == self.up:  # floor((u q + c) / (u k)) = floor((q + floor(c / u)) / k)
            add = self.add + self.down * (self.plus // self.up)
            return self._normal(1, add, self.down * (divisor // self.up), 0)
        if common == divisor:
            return self._normal(self.up // divisor, self.add, self.down, self.plus // divisor)
        raise Undecidable(f"({self}) // {divisor}")

    def at(self, size: int) -> int:
        """The value for an input of `size` pixels along this axis."""
        return self.up * ((size + self.add) // self.down) + self.plus

    def __str__(self) -> str:
        inner = f"{self.symbol}+{self.add}" if self.add else self.symbol
        text = inner if self.down == 1 else (f"⌊({inner})/{self.down}⌋" if self.add else f"⌊{inner}/{self.down}⌋")
        text = text if self.up == 1 else f"{self.up}{text}"
        return text if not self.plus else f"{text}{self.plus:+d}"


Size = int | AnySize


def difference(a: Size, b: Size) -> int:
    """a - b, where that is the same number for every image. Raises Undecidable."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if isinstance(a, AnySize) and isinstance(b, AnySize) and a - a.plus == b - b.plus:
        return a.plus - b.plus
    raise Undecidable(f"({a}) - ({b})")
