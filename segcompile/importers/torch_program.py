"""What a PyTorch module computes, as plain values: calls of aten ops, seen at several sizes at once.

`torch_export` makes it, `aten` reads it; neither this nor `aten` knows PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcompile.weights.onnx_values import Constant


@dataclass(frozen=True, slots=True)
class Varied:
    """A whole number that is not the same at all sizes; one entry an export."""

    at: tuple[int, ...]

    def __str__(self) -> str:
        return "/".join(map(str, self.at))


Extent = int | Varied


def extent(numbers: Sequence[int]) -> Extent:
    """A number that was found once an export."""
    return numbers[0] if len({*numbers}) == 1 else Varied(tuple(numbers))


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of a tensor that a call reads."""

    name: str


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of a tensor: its extents, and whether it holds real numbers."""

    dims: tuple[Extent, ...]
    floats: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an aten op: its arguments by their names, those left out by default. `path`: of the module that calls;
    `whole`: that module does nothing else, and has this result; `line`: of the module's source, "" if it is not known;
    `results`: the tensors that it gives. `changes`: the argument that it changes in place; `views`: the one that its
    result shares memory with."""

    name: str
    op: str
    arguments: Mapping[str, Any]
    results: tuple[str, ...]
    path: str
    whole: bool
    line: str
    changes: str = ""
    views: str = ""

    def refs(self) -> tuple[str, ...]:
        """The tensors that it reads."""
        return tuple(_refs(tuple(self.arguments.values())))


def _refs(found: Any) -> list[str]:
    if isinstance(found, Ref):
        return [found.name]
    return [name for part in found for name in _refs(part)] if isinstance(found, tuple) else []


@dataclass(frozen=True, slots=True)
class Program:
    """Calls in the order of their run, what is known of each tensor, those that are constant (keyed as in the state
    dict), and names -> tensors that come in and go out. `said`: what should be known of the reading; `classes`: path of
    a module -> its class."""

    calls: tuple[Call, ...]
    values: Mapping[str, Value]
    constants: Mapping[str, Constant]
    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    said: tuple[str, ...]
    classes: Mapping[str, str]
