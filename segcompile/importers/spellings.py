"""Functions that are written out in smaller ones, in the spellings that exporters use: one pattern a function.

A pattern is matched from its last step back. Products are compared as a number times factors, so that `x / 6 * y`,
`x * y / 6` and `x * (y * 0.1667)` are one; sums as a number and a rest. The steps before the last one stay where
something else reads them, and go otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import isclose, pi, sqrt
from typing import Literal

from segcompile.importers.bench import Bench
from segcompile.importers.views import View
from segcompile.ops import Activation, LeakyRelu
from segcompile.weights.onnx_values import Step

_DEEPEST = 4  # products within products


@dataclass(frozen=True, slots=True)
class Call:
    """A step of this op on what matches `of`, with `numbers` for its constant inputs or settings behind it."""

    op: str
    of: Pattern
    numbers: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Times:
    """A number times factors, in any order and grouping; None: whatever number."""

    number: float | None
    factors: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Plus:
    """A number added to what matches `rest`."""

    number: float
    rest: Pattern


@dataclass(frozen=True, slots=True)
class Sum:
    """Two terms in either order."""

    first: Pattern
    second: Pattern


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of some spellings."""

    patterns: tuple[Pattern, ...]


Kind = Literal[
    "relu", "relu6", "sigmoid", "tanh", "gelu", "tanh_gelu", "silu", "hard_sigmoid", "hard_swish", "mish", "selu",
    "softplus",
]  # fmt: skip
Pattern = str | Call | Times | Plus | Sum | AnyOf  # "x": one value, the same wherever it stands
X = "x"

_CLIP = AnyOf((
    Call("Clip", Plus(3, X), (("min", 0), ("max", 6))),
    Call("Min", Call("Max", Plus(3, X), (("", 0),)), (("", 6),)),
))  # fmt: skip
_HARD_SIGMOID = AnyOf((Times(1 / 6, (_CLIP,)), Call("HardSigmoid", X, (("alpha", 1 / 6), ("beta", 0.5)))))
_SOFTPLUS = AnyOf((Call("Softplus", X), Call("Log", Plus(1, Call("Exp", X)))))
_CUBE = AnyOf((Times(0.044715, (Call("Pow", X, (("", 3),)),)), Times(0.044715, (X, X, X))))
_INNER = AnyOf((Sum(X, _CUBE), Times(1, (X, Plus(1, Times(0.044715, (X, X)))))))

# In this order: what holds another one comes before it.
SPELLINGS: tuple[tuple[Kind, Pattern], ...] = (
    ("hard_swish", AnyOf((Times(1 / 6, (X, _CLIP)), Times(1, (X, _HARD_SIGMOID))))),
    ("hard_sigmoid", Times(1 / 6, (_CLIP,))),
    ("silu", Times(1, (X, Call("Sigmoid", X)))),
    ("gelu", Times(0.5, (X, Plus(1, Call("Erf", Times(1 / sqrt(2), (X,))))))),
    ("tanh_gelu", Times(0.5, (X, Plus(1, Call("Tanh", Times(sqrt(2 / pi), (_INNER,))))))),
    ("mish", Times(1, (X, Call("Tanh", _SOFTPLUS)))),
    ("softplus", Call("Log", Plus(1, Call("Exp", X)))),
)  # fmt: skip
ROOTS = frozenset({"Mul", "Div", "Log", "Max"})  # the last steps of these


def spelled(step: Step, bench: Bench) -> View | None:
    """What a step gives, where it is the last one of a function that is written out; None where it is not."""
    reader = _Reader(bench)
    for kind, pattern in SPELLINGS:
        for found in reader.match(pattern, step.outputs[0], None):
            return bench.result(bench.seen(found), Activation(kind=kind), step)
    return _leaky(step, bench)


def _leaky(step: Step, bench: Bench) -> View | None:
    """max(x, s x) with a slope below 1."""
    if step.op != "Max" or len(step.inputs) != 2:
        return None
    reader = _Reader(bench)
    for x, other in permutations(step.inputs):
        for number, factors in reader.products(other, 1):
            if factors == (x,) and 0 <= number < 1 and isinstance(bench.values.get(x), View):
                return bench.result(bench.seen(x), LeakyRelu(slope=_short(number)), step)
    return None


def _short(number: float) -> float:
    return float(f"{number:.6g}")


class _Reader:
    """Reads steps back from a value."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def match(self, pattern: Pattern, value: str, x: str | None) -> Iterator[str]:
        """What "x" is, for each way in which a value has a pattern; `x`: what it must be."""
        if isinstance(pattern, str):
            if x in (None, value) and isinstance(self.bench.values.get(value), View):
                yield value
        elif isinstance(pattern, AnyOf):
            for each in pattern.patterns:
                yield from self.match(each, value, x)
        elif isinstance(pattern, Times):
            for number, factors in self.products(value, _DEEPEST):
                if len(factors) == len(pattern.factors) and _near(number, pattern.number):
                    yield from self._each(pattern.factors, factors, x)
        else:
            yield from self._step(pattern, value, x)

    def _step(self, pattern: Call | Plus | Sum, value: str, x: str | None) -> Iterator[str]:
        step = self.bench.foreign.makers.get(value)
        if step is None:
            return
        if isinstance(pattern, Sum):
            if step.op == "Add":
                yield from self._each((pattern.first, pattern.second), step.inputs, x)
        elif isinstance(pattern, Plus):
            for number, rest in self._sums(step):
                if _near(number, pattern.number):
                    yield from self.match(pattern.rest, rest, x)
        elif step.op == pattern.op:
            values = [name for name in step.inputs if self._number(name) is None]
            if len(values) == 1 and self._has(step, pattern):
                yield from self.match(pattern.of, values[0], x)

    def _each(self, patterns: Sequence[Pattern], values: Sequence[str], x: str | None) -> Iterator[str]:
        """All patterns, each on another value, in any order."""
        for order in set(permutations(values)) if len(values) == len(patterns) else ():
            yield from self._all(patterns, order, x)

    def _all(self, patterns: Sequence[Pattern], values: Sequence[str], x: str | None) -> Iterator[str]:
        if not patterns:
            if x is not None:
                yield x
            return
        for found in self.match(patterns[0], values[0], x):
            yield from self._all(patterns[1:], values[1:], found)

    def _has(self, step: Step, pattern: Call) -> bool:
        """Whether its numbers are these, in the order of its inputs, or under their names."""
        inputs = [number for name in step.inputs if (number := self._number(name)) is not None]
        for at, (name, number) in enumerate(pattern.numbers):
            default = {"alpha": 0.2, "beta": 0.5}.get(name, float("nan"))
            given = inputs[at] if at < len(inputs) else step.number(name, default)
            if not _near(given, number):
                return False
        return True

    def products(self, value: str, deepest: int) -> Iterator[tuple[float, tuple[str, ...]]]:
        """The ways to read a value as a number times factors."""
        yield 1.0, (value,)
        step = self.bench.foreign.makers.get(value)
        if step is None or not deepest or step.op not in ("Mul", "Div", "Neg"):
            return
        first, second = step.input(0), step.input(1)
        a, b = self._number(first), self._number(second)
        if step.op == "Neg":
            yield from ((-number, factors) for number, factors in self.products(first, deepest - 1))
        elif b is not None and (step.op == "Mul" or b):
            by = b if step.op == "Mul" else 1 / b
            yield from ((by * number, factors) for number, factors in self.products(first, deepest - 1))
        elif step.op == "Mul" and a is not None:
            yield from ((a * number, factors) for number, factors in self.products(second, deepest - 1))
        elif step.op == "Mul":
            for one, some in self.products(first, deepest - 1):
                for other, more in self.products(second, deepest - 1):
                    if len(some) + len(more) <= 3:
                        yield one * other, (*some, *more)

    def _sums(self, step: Step) -> Iterator[tuple[float, str]]:
        first, second = step.input(0), step.input(1)
        a, b = self._number(first), self._number(second)
        if step.op == "Add" and b is not None:
            yield b, first
        elif step.op == "Add" and a is not None:
            yield a, second
        elif step.op == "Sub" and b is not None:
            yield -b, first

    def _number(self, name: str) -> float | None:
        found = self.bench.values.get(name) if name else None
        if found is None or isinstance(found, View) or not found.is_fixed or found.values.size != 1:
            return None
        return float(found.values.reshape(-1)[0])


def _near(number: float, wanted: float | None) -> bool:
    return wanted is None or isclose(number, wanted, rel_tol=1e-5, abs_tol=1e-9)
