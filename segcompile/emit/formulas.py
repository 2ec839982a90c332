"""A column of numbers as code: what an argument is in each scope of a class, written with one of several sources.

`w` where it is a source itself, else `4 * w`, `w // 2` or `in_channels + 16`; of one number an axis `(d, 1)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from segcompile.emit.calls import Argument

Column = tuple[Argument | None, ...]  # None in a scope that has not what the argument is of
_DIVISORS = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Formula:
    """How a column is written: each `{}` stands for a source. The plainest of several has the least `factor`."""

    sources: tuple[str, ...]
    text: str
    factor: int = 0


def alike(column: Column) -> Column:
    """A column in which some scopes have one number for all axes, and others one an axis: all have that."""
    rank = max((len(value) for value in column if isinstance(value, tuple)), default=0)
    return tuple((value,) * rank if rank and isinstance(value, int) else value for value in column)


def varies(column: Column) -> bool:
    """Whether some scopes have another number than others."""
    return len({*column} - {None}) > 1


def explained(column: Column, sources: Mapping[str, Column], plain: bool = False) -> Formula | None:
    """A column by one source. `plain`: also where all scopes have one number, if that is the source's."""
    there = [index for index, value in enumerate(column) if value is not None]
    sources = {name: tuple(values[index] for index in there) for name, values in sources.items()}
    column = tuple(column[index] for index in there)
    if varies(column) and all(isinstance(value, tuple) for value in column):
        return _by_one(column, sources) or _each_axis(column, sources)
    return _by_one(column, sources) if varies(column) or plain else None


def _by_one(column: Column, sources: Mapping[str, Column]) -> Formula | None:
    """The plainest formula, of the first source that has it."""
    found = [formula for source, values in sources.items() for formula in _formulas(column, source, values)]
    return min(found, key=lambda formula: formula.factor, default=None)


def _formulas(column: Column, source: str, values: Column) -> Iterator[Formula]:
    if column == values:
        yield Formula((source,), "{}")
    pairs = [(a, b) for a, b in zip(column, values, strict=True) if type(a) is int and type(b) is int]
    if len(pairs) < len(column) or not varies(column):
        return
    factors = {a // b if b and a % b == 0 else 0 for a, b in pairs}
    if len(factors) == 1 and 0 not in factors:
        yield Formula((source,), f"{min(factors)} * {{}}", min(factors))
    yield from (Formula((source,), f"{{}} // {by}", by) for by in _DIVISORS if all(b // by == a for a, b in pairs))
    more = {a - b for a, b in pairs}
    if len(more) == 1 and 0 not in more:
        yield Formula((source,), f"{{}} {'+' if min(more) > 0 else '-'} {abs(min(more))}", _DIVISORS[-1] + 1)


def _each_axis(column: Column, sources: Mapping[str, Column]) -> Formula | None:
    """A column of one number an axis: `(d, 1)`."""
    values = [value for value in column if isinstance(value, tuple)]
    if len({*map(len, values)}) > 1:  # those of maps, and of lists
        return None
    axes = list(zip(*values, strict=True))
    each = [explained(axis, sources) if varies(axis) else Formula((), str(axis[0])) for axis in axes]
    found = [formula for formula in each if formula is not None]
    if len(found) < len(axes):
        return None
    every = ", ".join(formula.text for formula in found)
    read = tuple(source for formula in found for source in formula.sources)
    return Formula(read, f"({every})" if len(axes) > 1 else f"({every},)")
