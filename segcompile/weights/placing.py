"""Where a parameter of a network comes from, and the plain way to find that: by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from segcompile.ops import Affine, PRelu, Token
from segcompile.weights.parameters import Tensor
from segcompile.weights.stored import Array, Source, Stored

COUNTER = "num_batches_tracked"  # PyTorch's batch norm counts, and nothing reads it
BOTH = "both fit"
EXAMPLES = 3  # that a line gives of many


@dataclass(frozen=True, slots=True)
class Place:
    """Where one parameter comes from: a tensor of the file, or None where it starts fresh; `why` then says why, and
    `misfit` is the tensor that has its place and another shape. Of a tensor that the file has in another form, `why`
    says in which."""

    tensor: Tensor
    stored: Stored | None
    why: str = ""
    misfit: Stored | None = None

    @property
    def widened(self) -> int:
        """How many input channels the parameter has more than the tensor of the file."""
        if self.stored is None or len(self.stored.shape) != len(self.tensor.shape) or len(self.stored.shape) < 2:
            return 0
        return self.tensor.shape[1] - self.stored.shape[1]

    @property
    def spread(self) -> bool:
        """Whether the file has one slope for all channels."""
        return self.stored is not None and self.stored.shape == (1,) != self.tensor.shape

    @property
    def reshaped(self) -> bool:
        changed = self.stored is not None and self.stored.shape != self.tensor.shape
        return changed and not self.widened and not self.spread

    @property
    def turned(self) -> bool:
        """Whether the tensor reads a map row by row, all channels of a pixel together, and the parameter does not."""
        return self.stored is not None and self.stored.channels_last and any(size > 1 for size in self._map[1:])

    @property
    def _map(self) -> tuple[int, ...]:
        """Channels and sizes of what a matrix reads."""
        return self.tensor.shape[1:] if len(self.tensor.shape) > 2 else self.tensor.reads

    def value(self, found: Array) -> Array:
        """The parameter's value, of the tensor's: in its own shape and order, new input channels as the mean of the
        others."""
        if self.turned:
            channels, *size = self._map
            found = np.moveaxis(found.reshape(-1, *size, channels), -1, 1)
        if self.widened:
            found = np.concatenate([found, *[found.mean(1, np.float64, keepdims=True)] * self.widened], axis=1)
        if self.spread:
            found = np.full(self.tensor.shape, found)
        return found.reshape(self.tensor.shape).astype(np.float32)


def fits(found: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether one shape can be read as the other: they are equal, or those of a fully connected layer, (out, in * h *
    w), and of the convolution that computes the same, (out, in, h, w), of any rank; or one has some axes of one behind
    the other's, as the kernel of a map's pixel behind that of a list's. Both have their values in the same order."""
    if tuple(found) == tuple(wanted):
        return True
    fewer, more = sorted((tuple(found), tuple(wanted)), key=len)
    if len(fewer) < 2:
        return False
    return fewer == (more[0], prod(more[1:])) or more == fewer + (1,) * (len(more) - len(fewer))


def takes(tensor: Tensor, shape: Sequence[int]) -> bool:
    """Whether a parameter can have a tensor of a shape: it fits, is the one slope of a PReLU for all channels, has a
    scale for each channel as a map of one pixel, (channels, 1, 1), as torchvision's ConvNeXt keeps it, or learned
    tokens as the table of an embedding, (count, channels)."""
    op = tensor.node.op
    one_slope = isinstance(op, PRelu) and tuple(shape) == (1,)
    one_pixel = isinstance(op, Affine) and tuple(shape[:1]) == tensor.shape and {*shape[1:]} == {1}
    table = isinstance(op, Token) and tuple(shape) == tensor.shape[1:]
    return fits(shape, tensor.shape) or one_slope or one_pixel or table


def groups_of(tensor: Tensor, stored: Stored) -> int | None:
    """The groups with which a convolution of the spec's widths has a kernel of the file's shape; None if its shape is
    another one for other reasons."""
    ours, theirs = tensor.shape, stored.shape
    groups = tensor.node.op.groups_of(ours[0])
    if groups is None or len(ours) != 4 or len(theirs) != 4:
        return None
    whole = ours[1] * groups  # of a convolution the channels that it reads, of a transposed one those that it makes
    rest = (*ours[:1], *ours[2:]) == (*theirs[:1], *theirs[2:])
    if not rest or ours[1] == theirs[1] or theirs[1] < 1 or whole % theirs[1] or ours[0] % (whole // theirs[1]):
        return None
    return whole // theirs[1]


def by_name(source: Source, wanted: Sequence[Tensor]) -> tuple[Place, ...]:
    """A tensor has a parameter's name, or ends with it behind a dot, as `features.conv1_1.weight` does."""
    found: dict[str, list[Stored]] = {}
    names = {tensor.name for tensor in wanted}
    for stored in source.tensors:
        name = next((name for name in endings(stored.name) if name in names), None)  # the longest, which says most
        if name is not None:
            found.setdefault(name, []).append(stored)
    return tuple(_named(tensor, found.get(tensor.name, [])) for tensor in wanted)


def endings(name: str) -> Iterator[str]:
    """`a.b.c`, then `b.c`, then `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def _named(tensor: Tensor, candidates: Sequence[Stored]) -> Place:
    exact = [stored for stored in candidates if stored.name == tensor.name]
    if len(candidates) > 1 and not exact:
        names = " and ".join(f"`{stored.name}`" for stored in candidates[:2])
        return Place(tensor, None, f"{names} {BOTH}")
    if not candidates:
        return Place(tensor, None, "not in the file")
    return given(tensor, (exact or candidates)[0])


def given(tensor: Tensor, stored: Stored) -> Place:
    """The place of a parameter that is to have a tensor of the file, if it can be one and its shape fits."""
    if not usable(stored):
        return Place(tensor, None, f"`{stored.name}`: {stored.unusable or 'no floats'}")
    if not takes(tensor, stored.shape):
        return Place(tensor, None, f"`{stored.name}` is {shown(stored.shape)}", stored)
    return Place(tensor, stored)


def usable(stored: Stored) -> bool:
    """Whether a tensor can be a weight at all."""
    return floating(stored) and not stored.unusable


def floating(stored: Stored) -> bool:
    """Whether a tensor stands for a weight, also if it cannot be read as one."""
    return stored.floats and not stored.name.endswith(COUNTER)


def left_over(source: Source, places: Iterable[Place]) -> list[Stored]:
    """The tensors of the file that found no place; integers, which are no weights, are not counted."""
    used = {id(found.stored) for found in places}
    return [stored for stored in source.tensors if id(stored) not in used and floating(stored)]


def twin_said(places: Iterable[Place], left: Iterable[Stored]) -> Iterator[str]:
    """That a file holds a network twice, a student and its teacher, of which the one was taken: what is left has all
    of its names and shapes, but for how they start."""
    taken = {found.stored.name: found.stored.shape for found in places if found.stored is not None}
    rest = {stored.name: stored.shape for stored in left}
    first = next(iter(taken), "")
    for name in rest:
        mine, theirs = _starts(first, name)
        same = all(old.startswith(mine) and rest.get(theirs + old[len(mine) :]) == taken[old] for old in taken)
        if len(taken) > 1 and (mine or theirs) and same:
            yield f"a guess: the file holds this network twice, as `{mine}*` and as `{theirs}*`; took `{mine}*`"
            return


def _starts(first: str, second: str) -> tuple[str, str]:
    """What is left of two names without the parts that both end with."""
    ones, others = first.split("."), second.split(".")
    while ones and others and ones[-1] == others[-1]:
        ones.pop()
        others.pop()
    return "".join(f"{part}." for part in ones), "".join(f"{part}." for part in others)


def shown(shape: Sequence[int]) -> str:
    """`64 x 3 x 3 x 3`."""
    return " x ".join(map(str, shape)) or "a number"
