"""Floats: what a network gives on an image, where a witness is looked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import erf, prod, sqrt

import numpy as np

from segcompile.prove.arithmetic import Arithmetic, Array

_SMALL = 1e-3  # of such a deviation is a variance that an epsilon of 1e-5 outweighs
_ERF = np.vectorize(erf, otypes=[float])


def _softplus(x: Array) -> Array:
    found: Array = np.logaddexp(0, x)
    return found


# name -> (x, a parameter) -> what it is
FUNCTIONS: Mapping[str, Callable[[Array, float], Array]] = {
    "rsqrt": lambda x, _: 1 / np.sqrt(x),
    "power": lambda x, beta: x**-beta,
    "tanh": lambda x, _: np.tanh(x),
    "erf_of_root_half": lambda x, _: _ERF(x / sqrt(2)),
    "tanh_of_gelu": lambda x, _: np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3)),
    "exponential_below_zero": lambda x, _: np.expm1(np.minimum(x, 0)),
    "even_part_of_softplus": lambda x, _: _softplus(x) - x / 2,
    "tanh_of_softplus": lambda x, _: np.tanh(_softplus(x)),
}


class Real(Arithmetic):
    """Floats of 64 bits. `draw`: which of many weights and images. By its bits: 1, variances are close to nothing,
    where an epsilon shows, so factors, shifts and images are small; 2, images are ten times as large, where what
    saturates does; 4, factors have any sign."""

    parts = 1
    most_rows = 2**60

    def __init__(self, draw: int) -> None:
        super().__init__()
        self.draw = draw

    def drawn(self, name: str, shape: tuple[int, ...], rows: range | None = None) -> Array:
        seed = hashlib.blake2b(f"{self.draw} {name}".encode(), digest_size=8).digest()
        random = np.random.default_rng(int.from_bytes(seed, "little"))
        normal = random.normal(size=shape)[None]
        last, small = name.rpartition(".")[2], _SMALL if self.draw & 1 else 1
        if last == "running_var":
            return np.exp(normal) * small**2
        if last == "weight" and len(shape) > 1:
            return normal * sqrt(2 * shape[0] / prod(shape))
        if last == "weight":
            return small * (normal if self.draw & 4 else 1 + normal / 4)
        return normal * (10 if last == name and self.draw & 2 else small)

    def settled(self, x: Array) -> Array:
        return x

    def numbers(self, values: Array) -> Array:
        return values.astype(np.float64)[None]

    def floats(self, values: Array) -> Array:
        return values[None]

    def contracted(self, a: Array, b: Array) -> Array:
        found: Array = a @ b
        return found

    def function(self, name: str, x: Array, parameter: Fraction = Fraction(0)) -> Array:
        return FUNCTIONS[name](x, float(parameter))

    def positive(self, x: Array, term: int = -1) -> Array:
        return np.maximum(x, 0)

    def largest(self, windows: Array, present: Array, term: int = -1) -> Array:
        found: Array = np.where(present, windows, -np.inf).max(0)
        return found

    def switches(self, windows: Array, present: Array) -> Array:
        taps = np.where(present, windows, -np.inf).argmax(0)
        found: Array = np.arange(len(windows)).reshape(-1, *[1] * taps.ndim) == taps
        return found.astype(np.float64)

    def shares(self, x: Array, axis: int) -> Array:
        powers = np.exp(x - x.max(axis, keepdims=True))
        found: Array = powers / powers.sum(axis, keepdims=True)
        return found
