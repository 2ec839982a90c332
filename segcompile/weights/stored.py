"""What a reader of weights hands over: named tensors of known shapes, whose values are read when asked for."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.text.errors import SegcompileError, fail
from segcompile.weights.sites import Site

Array = NDArray[Any]

MOST_BYTES = 8 * 2**30  # of a file
MOST_TENSORS = 100_000
MOST_AXES = 8
MOST_VALUES = 2**31  # of a tensor
LONGEST_NAME = 500


class Order(StrEnum):
    """What the order of a file's tensors says of its network."""

    NONE = "none"  # nothing: safetensors sorts them
    KINDS = "kinds"  # Keras numbers the layers of each class as they were made
    REGISTERED = "registered"  # as a program made its layers, which need not be how they are run
    EXECUTED = "executed"  # as they are run: what is behind another in the network is so in the file


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a file under its name there, in PyTorch's layout: (out, in, height, width) or (out, in).

    `site`: the layer that it belongs to, where the file says of its layers what they do.
    `kind`: the layer's, where the file says it: a spec's op, as `conv`, or `norm`. `channels_last`: of a matrix that
    reads a flattened map, whether its columns go (height, width, channel) instead of (channel, height, width)."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Any]
    unusable: str = ""  # why no parameter can take it
    floats: bool = True  # integers are settings, not weights
    kind: str = ""
    channels_last: bool = False
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A file of weights. `notes`: text that the file holds beside them. `said`: what its reader did that no one asked
    for, each a line."""

    path: Path
    tensors: tuple[Stored, ...]
    order: Order
    notes: dict[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def values(self, tensor: Stored) -> Array:
        """A tensor's values in float32. Raises SegcompileError (SC801) where the file does not hold them."""
        try:
            with np.errstate(over="ignore"):
                found = np.asarray(tensor.read(), np.float32)
        except Exception as error:  # whatever the bytes make a library raise
            raise damaged(self.path, f"`{tensor.name}`: {first_line(error)}") from None
        if found.shape != tensor.shape:
            raise damaged(self.path, f"`{tensor.name}` is {list(found.shape)}, not {list(tensor.shape)}")
        if not np.isfinite(found).all():
            raise damaged(self.path, f"`{tensor.name}` holds values that are not finite in float32")
        return found


def damaged(path: Path, why: str, help: str | None = None) -> SegcompileError:
    """SC801 for a file that is not what its name says."""
    return fail("SC801", f"`{path}` cannot be read as weights: {why}", help=help)


def widened(halves: Array) -> Array:
    """bfloat16, as NumPy has it (16 bits without a meaning), in float32: these are its upper half."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def scaled(kind: str) -> str:
    """Why a tensor of a float of 8 bits or fewer is no weight."""
    return f"{kind} is quantised, and by which scale the file does not say in a known way: dequantise it first"


def first_line(error: Exception) -> str:
    """What an exception says, on one short line."""
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]


def check_file(path: Path, most: int = MOST_BYTES) -> None:
    """Raises SegcompileError (SC801) for what is no file, or has more bytes than `most`."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise damaged(path, why.lower()) from None
    if stat.S_ISDIR(found.st_mode) and (path / "_METADATA").exists():  # Orbax's
        help = f"`python weights.py export {path} OUT.safetensors` in the folder of its code makes a file of it"
        raise damaged(path, "it is a checkpoint of JAX, a folder", help)
    if not stat.S_ISREG(found.st_mode):
        raise damaged(path, "it is not a plain file")
    if found.st_size > most:
        raise damaged(path, f"it has {found.st_size:,} bytes; {most:,} is the limit")


def checked(path: Path, tensors: Iterable[Stored]) -> tuple[Stored, ...]:
    """The tensors, if names and shapes keep the limits above. Raises SegcompileError (SC801)."""
    found: dict[str, Stored] = {}
    for tensor in tensors:
        if len(found) == MOST_TENSORS:
            raise damaged(path, f"it has more than {MOST_TENSORS:,} tensors")
        if not 0 < len(tensor.name) <= LONGEST_NAME:
            raise damaged(path, f"a name of {len(tensor.name)} characters; 1 to {LONGEST_NAME} are allowed")
        if tensor.name in found:
            raise damaged(path, f"two tensors are called `{tensor.name}`")
        if len(tensor.shape) > MOST_AXES or any(extent < 0 for extent in tensor.shape) or _count(tensor) > MOST_VALUES:
            raise damaged(path, f"`{tensor.name}` has the shape {list(tensor.shape)[: MOST_AXES + 1]}")
        found[tensor.name] = tensor
    if not found:
        raise damaged(path, "it holds no tensors")
    return tuple(found.values())


def _count(tensor: Stored) -> int:
    total = 1
    for extent in tensor.shape:
        total *= extent
    return total
