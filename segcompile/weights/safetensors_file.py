"""safetensors: by name only, for the file does not keep the order of the layers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged, first_line, scaled, widened

_FLOATS = ("F64", "F32", "F16", "BF16")


def read_safetensors(path: Path) -> Source:
    """The tensors of a safetensors file. Raises SegcompileError (SC801)."""
    check_file(path)
    try:
        opened: Any = safe_open(path, framework="numpy")
        kinds = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 (it is no mapping)
        starts = _starts(path) if any(view.get_dtype() == "BF16" for view in kinds.values()) else {}
        tensors = [_stored(path, name, view, opened, starts) for name, view in kinds.items()]
        notes = dict(opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise damaged(path, first_line(error)) from None
    return Source(path, checked(path, tensors), Order.NONE, notes=notes)


def _stored(path: Path, name: str, view: Any, opened: Any, starts: Mapping[str, int]) -> Stored:
    kind, shape = view.get_dtype(), tuple(view.get_shape())
    unusable = "" if kind in _FLOATS else scaled(kind)
    read = partial(opened.get_tensor, name)
    if kind == "BF16":  # which NumPy does not have
        read = partial(_bfloat16, path, starts[name], shape)
    return Stored(name, shape, read, unusable, "F" in kind)  # F32, BF16, F8_E4M3


def _starts(path: Path) -> dict[str, int]:
    """Where the values of each tensor start in a file whose header safetensors has found good."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    return {name: 8 + size + entry["data_offsets"][0] for name, entry in header.items() if name != "__metadata__"}


def _bfloat16(path: Path, start: int, shape: tuple[int, ...]) -> Any:
    count = int(np.prod(shape, dtype=np.int64))
    return widened(np.fromfile(path, "<u2", count, offset=start)).reshape(shape)
