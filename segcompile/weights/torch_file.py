"""PyTorch's state dicts and checkpoints. The only file of the core that imports torch, and only to read one.

torch.load with `weights_only` builds tensors and plain containers, and refuses a pickle that asks for anything else.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from segcompile.text.errors import SegcompileError, did_you_mean
from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged, scaled

State = Mapping[str, Any]  # name -> torch.Tensor

_ALONE = "save the state dict alone: torch.save(model.state_dict(), path)"
_TRUST = "if you trust the file: torch.save(torch.load(path, weights_only=False){}, new_path)"
_REMOVE = (
    "where its network is, torch.nn.utils' prune.remove, remove_weight_norm, remove_spectral_norm or "
    "parametrize.remove_parametrizations makes it a plain weight; then save it again"
)
_ASKED = re.compile(r"GLOBAL ([\w.]{1,200}) was not an allowed")  # of what torch.load says
_BESIDE = re.compile("optim.*|sched.*|criterion|loss|losses|scaler|rng")  # a word of what is kept beside weights
_DEEPEST = 3  # of a state dict in the containers of a checkpoint


def read_torch(path: Path, which: str | None = None) -> Source:
    """The tensors of a state dict, alone in the file or the only one in its containers, or the one under the key
    `which`; a running average of it is left. Raises SegcompileError (SC801)."""
    check_file(path)
    try:
        import torch
    except ImportError:
        raise damaged(path, "that needs PyTorch", "pip install torch, or convert it to safetensors elsewhere") from None
    archive = _is_plain_zip(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # what it warns of is refused below, or does no harm
            if path.suffix == ".safetensors":  # which torch.load believes
                with path.open("rb") as file:
                    loaded = torch.load(file, map_location="cpu", weights_only=True)
            else:
                loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except Exception as error:  # whatever the bytes make it raise; its message advises to turn the safety off
        raise _refused(path, str(error)) from None
    state, said = _chosen(path, dict(_states(loaded)), which)
    state, more = _without_averages(state)
    _check_computed(path, state)
    return Source(path, checked(path, _stored(state)), Order.REGISTERED, said=(*said, *more))


def _refused(path: Path, error: str) -> SegcompileError:
    """SC801 for a pickle that asks for more than tensors, which is named if its name is one."""
    asked = _ASKED.search(error)
    if ".tar format" in error:
        return damaged(path, "it is in the format before PyTorch 0.2", f"{_TRUST.format('')} writes today's")
    if asked is None:
        return damaged(path, "it is no plain state dict; nothing in it was executed", _ALONE)
    if asked[1].startswith("numpy."):
        why = f"beside tensors it holds NumPy's values (`{asked[1]}`); nothing in it was executed"
        return damaged(path, why, _TRUST.format('["state_dict"]'))
    why = f"it holds a whole pickled model, or other objects (`{asked[1]}`); nothing in it was executed"
    return damaged(path, why, f"where the code of that is, {_TRUST.format('.state_dict()')}")


def _is_plain_zip(path: Path) -> bool:
    """Whether it is an archive, whose tensors can stay on the disk. Raises SegcompileError for a damaged one, for a
    program, and for a compressed one: torch writes none, and it may unpack to any size."""
    try:
        if not zipfile.is_zipfile(path):
            return False  # the format before PyTorch 1.6
        with zipfile.ZipFile(path) as archive:
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
            program = any(name.rpartition("/")[2] == "constants.pkl" for name in archive.namelist())
    except Exception:  # names that are no text, versions that do not exist
        raise _refused(path, "") from None
    if program:
        help = "save its weights: torch.save(torch.jit.load(path).state_dict(), new_path)"
        raise damaged(path, "it is a TorchScript program, and not loaded", help)
    if packed:
        raise damaged(path, "it is a compressed archive", _ALONE)
    return True


def _states(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, State]]:
    """The state dicts in a checkpoint by their keys: the mappings that hold arrays of floats."""
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return
    inner: list[tuple[str, State]] = []
    for key, part in value.items():
        if isinstance(key, str) and not any(map(_BESIDE.fullmatch, _words(key))):
            inner += _states(part, f"{name}.{key}" if name else key, depth + 1)
    yield from inner
    tensors = _tensors(value)
    least = 2 if inner else 1  # beside other mappings, single vectors are what a program keeps of its run
    known = any(tensor.is_floating_point() and tensor.dim() >= least for tensor in tensors.values())
    if known or (tensors and not depth and not inner):
        yield name, tensors


def _tensors(value: Mapping[Any, Any]) -> State:
    import torch

    return {name: part for name, part in value.items() if isinstance(name, str) and isinstance(part, torch.Tensor)}


def _chosen(path: Path, states: Mapping[str, State], which: str | None) -> tuple[State, tuple[str, ...]]:
    """The state dict that is asked for, or the one of a network that is no running average; what is said of others."""
    found = ", ".join(f"`{name or 'the file itself'}`" for name in states) or "none"
    if which is not None:
        if which not in states:
            raise damaged(path, f"it has no state dict `{which}`; it has {found}", did_you_mean(which, states))
        return states[which], (f"took `{which}`; the file has {found}",)
    kernels = [name for name, state in states.items() if any(tensor.dim() > 1 for tensor in state.values())]
    networks = kernels or list(states)  # what has only vectors is a history of losses
    plain = [name for name in networks if not _averaged(name)] or networks
    if len(plain) > 1:
        raise damaged(path, f"it holds several state dicts: {found}", f"--state-dict {plain[0]} says which")
    if not plain:
        return {}, ()
    averages = ", ".join(name for name in networks if name != plain[0])
    said = f"took `{plain[0]}`, and not its running average `{averages}`"
    return states[plain[0]], (said,) if averages else ()


def _averaged(name: str) -> bool:
    """Whether a key is that of a running average: `state_dict_ema`, `model_ema.module`, `averaged_model`."""
    return any(word in ("ema", "swa", "shadow") or word.startswith("averag") for word in _words(name))


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z]+", name.lower())


def _without_averages(state: State) -> tuple[State, tuple[str, ...]]:
    """A state dict without what it holds under `ema.` or alike, where it has the same under another prefix or none."""
    names = {name.partition(".")[2] for name in state if not _averaged(name.partition(".")[0])} | state.keys()
    copies = [name for name in state if _averaged(name.partition(".")[0]) and _bare(name) in names]
    if not copies:
        return state, ()
    kept = {name: tensor for name, tensor in state.items() if name not in set(copies)}
    return kept, (f"left out {len(copies)} tensors of a running average, such as `{copies[0]}`",)


def _bare(name: str) -> str:
    return name.partition(".")[2].removeprefix("module.")


def _check_computed(path: Path, state: State) -> None:
    """Raises SegcompileError (SC801) for a weight that PyTorch computes of other tensors at each step: pruning, weight
    norm and spectral norm keep these and not it."""
    for name in state:
        whole, dot, _ = name.partition(".parametrizations.")
        base = name.rpartition("_")[0]
        parts = name.endswith("_orig") and (f"{base}_mask" in state or f"{base}_u" in state)
        parts = parts or (name.endswith("weight_g") and f"{base}_v" in state)
        if dot or parts:
            why = f"a weight of `{whole if dot else base.rpartition('.')[0]}` is not in it, but what it is computed of"
            raise damaged(path, f"{why}, such as `{name}`", _REMOVE)


def _stored(state: State) -> Iterator[Stored]:
    for name, tensor in state.items():
        floats = tensor.is_floating_point()
        yield Stored(name, tuple(tensor.shape), partial(_values, tensor), _unusable(tensor), floats)


def _values(tensor: Any) -> Any:
    return tensor.detach().float().contiguous().numpy()


def _unusable(tensor: Any) -> str:
    import torch

    if tensor.is_floating_point() and tensor.dtype.itemsize == 1:  # a float of 8 bits or fewer
        return scaled(str(tensor.dtype).removeprefix("torch."))
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested or tensor.device.type != "cpu":
        return "not a plain tensor"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "repeats few values"  # a view of them, which may have any size
    return ""
