"""Which tensor of a file goes into which parameter of a network: by name, otherwise by order and shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from segcompile.errors import SegcompileError, fail
from segcompile.weights.parameters import Tensor
from segcompile.weights.stored import Array, Source, Stored, damaged

COUNTER = "num_batches_tracked"  # PyTorch's batch norm counts, and nothing reads it

_T = TypeVar("_T", Tensor, Stored)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one parameter comes from: a tensor of the file, or None where it starts fresh; `why` then says why."""

    tensor: Tensor
    stored: Stored | None
    why: str = ""

    @property
    def widened(self) -> int:
        """How many input channels the parameter has more than the tensor of the file."""
        if self.stored is None or len(self.stored.shape) != len(self.tensor.shape) or len(self.stored.shape) < 2:
            return 0
        return self.tensor.shape[1] - self.stored.shape[1]

    @property
    def reshaped(self) -> bool:
        return self.stored is not None and self.stored.shape != self.tensor.shape and not self.widened

    def value(self, found: Array) -> Array:
        """The parameter's value, of the tensor's: in its own shape, new input channels as the mean of the others."""
        if self.widened:
            found = np.concatenate([found, *[found.mean(1, np.float64, keepdims=True)] * self.widened], axis=1)
        return found.reshape(self.tensor.shape).astype(np.float32)


def fits(found: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether one shape can be read as the other: they are equal, or those of a fully connected layer, (out, in * h *
    w), and of the convolution that computes the same, (out, in, h, w). Both have their values in the same order."""
    if tuple(found) == tuple(wanted):
        return True
    matrix, kernel = sorted((found, wanted), key=len)
    return len(matrix) == 2 and len(kernel) == 4 and tuple(matrix) == (kernel[0], kernel[1] * kernel[2] * kernel[3])


def place(source: Source, model: str, wanted: Sequence[Tensor]) -> tuple[Place, ...]:
    """A place for each tensor wanted by a model: by name if any name fits, otherwise by order where the file has one.

    Raises SegcompileError: SC802 if nothing fits, SC803 if two tensors fit one name.
    """
    named = _by_name(source, wanted)
    if any(found.stored for found in named):
        return named
    ordered = _by_order(source, wanted) if source.ordered else ()
    if any(found.stored for found in ordered):
        return ordered
    raise _nothing(source, model, wanted)


def _by_name(source: Source, wanted: Sequence[Tensor]) -> tuple[Place, ...]:
    """A tensor has a parameter's name, or ends with it behind a dot, as `features.conv1_1.weight` does."""
    endings: dict[str, list[Stored]] = {}
    names = {tensor.name for tensor in wanted}
    for stored in source.tensors:
        for ending in _endings(stored.name):
            if ending in names:
                endings.setdefault(ending, []).append(stored)
                break  # the longest, which is the name that says most
    return tuple(_named(source, tensor, endings.get(tensor.name, [])) for tensor in wanted)


def _endings(name: str) -> Iterator[str]:
    """`a.b.c`, then `b.c`, then `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def _named(source: Source, tensor: Tensor, candidates: Sequence[Stored]) -> Place:
    exact = [stored for stored in candidates if stored.name == tensor.name]
    if len(candidates) > 1 and not exact:
        names = " and ".join(f"`{stored.name}`" for stored in candidates[:2])
        message = f"`{source.path}`: {names} both fit `{tensor.name}`"
        raise fail("SC803", message, help="leave only one of them in the file")
    if not candidates:
        return Place(tensor, None, "not in the file")
    stored = (exact or candidates)[0]
    if stored.unusable or not stored.floats:
        return Place(tensor, None, f"`{stored.name}`: {stored.unusable or 'no floats'}")
    if not fits(stored.shape, tensor.shape):
        return Place(tensor, None, f"`{stored.name}` is {shown(stored.shape)}")
    return Place(tensor, stored)


def _by_order(source: Source, wanted: Sequence[Tensor]) -> tuple[Place, ...]:
    """Layer for layer from the first one, as long as all tensors of a layer fit: a kernel and the vectors behind it."""
    found: list[Place] = []
    layers, theirs = _layers(wanted), _layers(stored for stored in source.tensors if _is_weight(stored))
    for mine, stored in zip(layers, theirs, strict=False):
        if len(mine) != len(stored) or not all(map(_fit, mine, stored)):
            break
        found += map(Place, mine, stored)
    rest = [tensor for layer in layers for tensor in layer][len(found) :]
    return (*found, *(Place(tensor, None, "not in the file") for tensor in rest))


def _fit(mine: Tensor, stored: Stored) -> bool:
    return not stored.unusable and fits(stored.shape, mine.shape)


def _layers(tensors: Iterable[_T]) -> list[list[_T]]:
    """Each kernel or matrix with the vectors up to the next one."""
    found: list[list[_T]] = []
    for tensor in tensors:
        if not found or len(tensor.shape) > 1:
            found.append([])
        found[-1].append(tensor)
    return found


def _is_weight(stored: Stored) -> bool:
    return stored.floats and not stored.name.endswith(COUNTER)


def left_over(source: Source, places: Iterable[Place]) -> list[Stored]:
    """The tensors of the file that found no place; integers, which are no weights, are not counted."""
    used = {id(found.stored) for found in places}
    return [stored for stored in source.tensors if id(stored) not in used and _is_weight(stored)]


def shown(shape: Sequence[int]) -> str:
    """`64 x 3 x 3 x 3`."""
    return " x ".join(map(str, shape)) or "a number"


def _nothing(source: Source, model: str, wanted: Sequence[Tensor]) -> SegcompileError:
    first = source.tensors[0]
    if all(stored.unusable or not stored.floats for stored in source.tensors):
        why = first.unusable or "no floats"
        return damaged(source.path, f"no tensor in it can be a weight: `{first.name}`: {why}")
    message = f"nothing in `{source.path}` fits: it starts with `{first.name}`, {shown(first.shape)}"
    if not wanted:
        return fail("SC802", message, help=f"{model} has no parameters")
    start = f"`{wanted[0].name}`, {shown(wanted[0].shape)}"
    if source.ordered:
        return fail("SC802", message, help=f"give the file of a network that starts as {model} does, with {start}")
    return fail("SC802", message, help=f"safetensors keeps no order: a tensor needs its parameter's name, as {start}")
