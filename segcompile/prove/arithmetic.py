"""What the formulas reckon with: numbers of a ring, or floats.

Values are float64 arrays of (parts, channels, ...): one part for each prime of a ring, one alone for floats. Copies,
slices and sums of few terms are NumPy's own; all else is asked of an `Arithmetic`, and every value that a formula
hands on is `settled`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
MOST_HELD = 2**25  # numbers of weights that are kept
Number = int | float | Fraction


@lru_cache(4096)
def exact(value: Number) -> Fraction:
    """The rational that a number means: of a float that of its shortest decimal, as people write it."""
    return Fraction(repr(float(value))) if isinstance(value, float | np.floating) else Fraction(value)


class Weighing(Protocol):
    """A weight, of which an arithmetic knows the numbers."""

    def value(self, a: Arithmetic, rows: range | None = None) -> Array: ...


class Arithmetic(ABC):
    """Sums, products, and the functions that no sum and product make."""

    parts: int
    most_rows: int  # numbers of a weight that are reckoned with at once

    def __init__(self) -> None:
        self._weights: dict[tuple[Weighing, range | None], Array] = {}
        self._held = 0

    def weight(self, weight: Weighing, rows: range | None = None) -> Array:
        """The numbers of a weight, or of some rows of it; kept, as long as that is not too many."""
        found = self._weights.get((weight, rows))
        if found is None:
            found = weight.value(self, rows)
            if self._held + found.size < MOST_HELD:
                self._weights[weight, rows] = found
                self._held += found.size
        return found

    @abstractmethod
    def settled(self, x: Array) -> Array:
        """The value that sums of settled values mean."""

    @abstractmethod
    def numbers(self, values: Array) -> Array:
        """Fractions, an array of objects -> (parts, *shape)."""

    @abstractmethod
    def floats(self, values: Array) -> Array:
        """Finite floats, each as the fraction that it is -> (parts, *shape)."""

    @abstractmethod
    def drawn(self, name: str, shape: tuple[int, ...], rows: range | None = None) -> Array:
        """Numbers drawn at random, the same for the same name, (parts, *shape), in the order of their indices; or some
        rows of them, along the first axis of the shape."""

    @abstractmethod
    def contracted(self, a: Array, b: Array) -> Array:
        """The product of matrices, (..., m, k) by (..., k, n), settled."""

    @abstractmethod
    def function(self, name: str, x: Array, parameter: Fraction = Fraction(0)) -> Array:
        """A function of each value, by its name in `real.FUNCTIONS`."""

    @abstractmethod
    def positive(self, x: Array, term: int = -1) -> Array:
        """max(x, 0)."""

    @abstractmethod
    def largest(self, windows: Array, present: Array, term: int = -1) -> Array:
        """The maximum along the first axis of (taps, parts, ...), of the taps that are `present`, (taps, 1, ...)."""

    @abstractmethod
    def switches(self, windows: Array, present: Array) -> Array:
        """One at the first tap that has the maximum of its window, zero at the others: (taps, parts, ...)."""

    @abstractmethod
    def shares(self, x: Array, axis: int) -> Array:
        """exp(x) over its sum along an axis."""

    def number(self, value: Number) -> Array:
        """(parts,)."""
        return self.numbers(np.array(exact(value), dtype=object))

    def like(self, value: Number, x: Array) -> Array:
        """A number to go with x."""
        return self.number(value).reshape(-1, *[1] * (x.ndim - 1))

    def product(self, a: Array, b: Array) -> Array:
        """Element by element."""
        return self.settled(a * b)

    def scaled(self, x: Array, value: Number) -> Array:
        return self.product(x, self.like(value, x))

    def inverse_root(self, value: int) -> Array:
        """1 / sqrt(value), (parts,): a rational where that is one."""
        root = isqrt(value)
        if root * root == value:
            return self.number(Fraction(1, root))
        return self.function("rsqrt", self.number(value)[:, None])[:, 0]
