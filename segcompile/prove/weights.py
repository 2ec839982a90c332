"""What the weights of two networks are in a proof: variables that both name, numbers, or formulas over these."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, prod

import numpy as np

from segcompile.ops import Deconv, Op, Parameter, Shape
from segcompile.prove.arithmetic import Arithmetic, Array
from segcompile.prove.values import batch_scale


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor of any numbers, those of variances positive. Its numbers are counted row by row: another shape of as
    many is the same tensor, as of a linear layer that was made a convolution."""

    name: str
    shape: tuple[int, ...]

    degree = 1

    def value(self, a: Arithmetic, rows: range | None = None) -> Array:
        return a.drawn(self.name, self.shape, rows)


@dataclass(frozen=True, slots=True)
class Bilinear:
    """The frozen kernel of a transposed convolution that interpolates: numbers, Long et al. (2015), section 3.3."""

    shape: tuple[int, ...]
    groups: int

    degree = 0

    def value(self, a: Arithmetic, rows: range | None = None) -> Array:
        found = np.array(Fraction(1), dtype=object)
        for extent in self.shape[2:]:
            found = np.multiply.outer(found, np.array(_ramp(extent), dtype=object))
        weights = np.full(self.shape, Fraction(0), dtype=object)
        for channel in range(self.shape[0]):
            weights[channel, channel % self.shape[1]] = found
        return a.numbers(weights)


def _ramp(kernel: int) -> list[Fraction]:
    factor = ceil(Fraction(kernel, 2))
    centre = Fraction(2 * factor - 1 - factor % 2, 2 * factor)
    return [1 - abs(Fraction(i, factor) - centre) for i in range(kernel)]


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that a file holds: each of its floats is the fraction that it means. The same numbers are the same
    tensor, whatever they are called.

    `bits`: of the whole numbers that they are, times a power of two. In the bound they count as a degree: of the 73,586
    primes fewer than bits / 20 divide such a number, so that it is zero for one drawn of them as often as a polynomial
    of degree 0.72 bits. Each sum of at most 2^32 terms has 32 bits more."""

    digest: bytes
    shape: tuple[int, ...]
    bits: int
    values: Array = field(repr=False, compare=False)

    @property
    def degree(self) -> int:
        return ceil(Fraction(72, 100) * (self.bits + 32))

    def value(self, a: Arithmetic, rows: range | None = None) -> Array:
        some = self.values if rows is None else self.values[rows.start : rows.stop]
        return a.floats(some.astype(np.float64))


def constant(values: Array, shape: tuple[int, ...]) -> Constant:
    """The constant that finite numbers are."""
    exact = values.astype(np.float64) + 0.0  # there is one zero
    lowest, highest = _places(exact)
    digest = hashlib.blake2b(exact.tobytes(), digest_size=16).digest()
    return Constant(digest, shape, highest - lowest, values.reshape(shape))


def _places(values: Array) -> tuple[int, int]:
    """The places of the last and the first bit that is set in any of some floats; (0, 0) where all are zero."""
    mantissas, exponents = np.frexp(values[values != 0])
    if not mantissas.size:
        return 0, 0
    whole = np.abs(np.ldexp(mantissas, 53)).astype(np.int64)
    last = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((exponents - 53 + last).min()), int(exponents.max())


@dataclass(frozen=True, slots=True)
class Folded:
    """A weight, or a bias, with the batch norm behind it folded in: w γ / √(σ² + ε), or β + (b - μ) γ / √(σ² + ε).
    `scales`: what each channel of the result is in the weight, (in groups, in a group, out of a group) of a transposed
    convolution, else None."""

    weight: Weight | None  # None: a bias of a layer that had none
    norm: tuple[tuple[str, Weight], ...]
    eps: float
    bias: bool = False
    groups: int = 0  # of a transposed convolution

    @property
    def degree(self) -> int:
        """A product of three."""
        parts = [weight for _, weight in self.norm] + ([self.weight] if self.weight is not None else [])
        return 3 * max(1, *(part.degree for part in parts))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weight.shape if self.weight is not None else dict(self.norm)["bias"].shape

    def value(self, a: Arithmetic, rows: range | None = None) -> Array:
        norm = {name: weight.value(a, rows) for name, weight in self.norm}
        scale = batch_scale(norm, self.eps, a)
        own = self.weight.value(a, rows) if self.weight is not None else np.zeros_like(scale)
        if self.bias:
            return a.settled(norm["bias"] + a.product(a.settled(own - norm["running_mean"]), scale))
        if not self.groups:
            return a.product(own.reshape(a.parts, scale.shape[1], -1), scale[..., None]).reshape(own.shape)
        parted = own.reshape(a.parts, self.groups, -1, scale.shape[1] // self.groups, prod(self.shape[2:]))
        return a.product(parted, scale.reshape(a.parts, self.groups, 1, -1, 1)).reshape(own.shape)


Weight = Variable | Bilinear | Constant | Folded
Weights = Mapping[str, Weight]  # parameter or buffer of a node -> what it is


def parameters_of(op: Op, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
    """The tensors of an op, trained and kept."""
    return (*op.parameters(shapes), *op.buffers(shapes))


def number_of(op: Op, parameter: Parameter) -> Bilinear | None:
    """The weight that is a number for every training: a frozen bilinear kernel."""
    frozen = parameter.frozen and parameter.init.scheme == "bilinear"
    return Bilinear(parameter.shape, op.groups) if frozen and isinstance(op, Deconv) else None
