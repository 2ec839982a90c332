"""safetensors: by name only, for the file does not keep the order of the layers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged, first_line

_FLOATS = ("F64", "F32", "F16")


def read_safetensors(path: Path) -> Source:
    """The tensors of a safetensors file. Raises SegcompileError (SC801)."""
    check_file(path)
    try:
        opened: Any = safe_open(path, framework="numpy")
        tensors = []
        for name in opened.keys():  # noqa: SIM118 (it is no mapping)
            view = opened.get_slice(name)
            kind = view.get_dtype()
            unusable = "" if kind in _FLOATS else f"{kind} is no float that NumPy has"
            floats = "F" in kind  # F32, BF16, F8_E4M3
            tensors.append(Stored(name, tuple(view.get_shape()), partial(opened.get_tensor, name), unusable, floats))
        notes = dict(opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise damaged(path, first_line(error)) from None
    return Source(path, checked(path, tensors), Order.NONE, notes=notes)
