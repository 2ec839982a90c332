"""PyTorch's state dicts and checkpoints. The only file of the core that imports torch, and only to read one.

torch.load with `weights_only` builds tensors and plain containers, and refuses a pickle that asks for anything else.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged

_REFUSED = "it is no plain state dict; nothing in it was executed"
_WHICH = "save the state dict alone: torch.save(model.state_dict(), path)"


def read_torch(path: Path) -> Source:
    """The tensors of a state dict, alone in the file or the only one under a key. Raises SegcompileError (SC801)."""
    check_file(path)
    try:
        import torch
    except ImportError:
        raise damaged(path, "that needs PyTorch", "pip install torch, or convert it to safetensors elsewhere") from None
    archive = _is_plain_zip(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # what it warns of is refused below, or does no harm
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except Exception:  # whatever the bytes make it raise; its message advises to turn the safety off
        raise damaged(path, _REFUSED, _WHICH) from None
    return Source(path, checked(path, _stored(_state(path, loaded))), Order.REGISTERED)


def _is_plain_zip(path: Path) -> bool:
    """Whether it is an archive, whose tensors can stay on the disk. Raises SegcompileError for a damaged one, and for
    a compressed one: torch writes none, and it may unpack to any size."""
    try:
        if not zipfile.is_zipfile(path):
            return False  # the format before PyTorch 1.6
        with zipfile.ZipFile(path) as archive:
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except Exception:  # names that are no text, versions that do not exist
        raise damaged(path, _REFUSED, _WHICH) from None
    if packed:
        raise damaged(path, "it is a compressed archive", _WHICH)
    return True


def _state(path: Path, loaded: object) -> dict[str, Any]:
    found = _tensors(loaded)
    if not found and isinstance(loaded, Mapping):
        inner = {str(key): _tensors(value) for key, value in loaded.items() if _tensors(value)}
        if len(inner) > 1:
            raise damaged(path, f"it holds several state dicts: {', '.join(inner)}", _WHICH)
        found = next(iter(inner.values()), {})
    return found


def _tensors(value: object) -> dict[str, Any]:
    import torch

    if not isinstance(value, Mapping):
        return {}
    return {name: part for name, part in value.items() if isinstance(name, str) and isinstance(part, torch.Tensor)}


def _stored(state: Mapping[str, Any]) -> Iterator[Stored]:
    for name, tensor in state.items():
        floats = tensor.is_floating_point()
        yield Stored(name, tuple(tensor.shape), partial(_values, tensor), _unusable(tensor), floats)


def _values(tensor: Any) -> Any:
    return tensor.detach().float().contiguous().numpy()


def _unusable(tensor: Any) -> str:
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested or tensor.device.type != "cpu":
        return "not a plain tensor"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "repeats few values"  # a view of them, which may have any size
    return ""
