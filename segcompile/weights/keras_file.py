"""Keras: weights in HDF5, alone (`.weights.h5`), with their model (`.h5`), or in the archive of a model (`.keras`).

Names and axes become PyTorch's. A kernel (height, width, in, out) becomes (out, in, height, width), and with the same
turn that of a transposed convolution, (height, width, out, in), becomes (in, out, height, width); a depthwise one
(height, width, in, multiplier) becomes (in * multiplier, 1, height, width); a matrix (in, out) becomes (out, in). Where
that reads a flattened map, its columns go by (height, width, channel), which is marked.

Only plain arrays that lie in the file are read: no links to other files, no arrays made of others, nothing packed.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.text.errors import SegcompileError
from segcompile.weights.keras_config import LONGEST, Told, image_said, kind_of, layers_told
from segcompile.weights.sites import FileLayer, Site
from segcompile.weights.stored import MOST_BYTES, Order, Source, Stored, check_file, checked, damaged, widened

_LAYERS = ("layers", "_layer_checkpoint_dependencies")  # groups whose members Keras has named by their class
_ROLES = {  # Keras' name of a weight -> PyTorch's
    "kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var", "alpha": "weight", "depthwise_kernel": "weight", "pointwise_kernel": "weight",
}  # fmt: skip
_BESIDE = ("optimizer", "metrics", "loss")  # what is no layer
_DEEPEST = 16
_MOST = 100_000  # members of a group


class _Refused(Exception):
    """Why a file is not read."""


@dataclass(frozen=True, slots=True)
class KerasLayer:
    """A layer of the file: its name, its kind where that is known, its arrays, what they are where it says so, and
    what the model says of it."""

    name: str
    kind: str
    arrays: tuple[Any, ...]
    roles: tuple[str, ...] = ()
    told: FileLayer | None = None

    @property
    def own(self) -> str:
        """Its name without those of the models that it stands in."""
        return self.name.rpartition(".")[2]


def read_keras(path: Path) -> Source:
    """The arrays of Keras' weights in PyTorch's names and axes. Raises SegcompileError (SC801)."""
    check_file(path)
    try:
        import h5py
    except ImportError:
        raise damaged(path, "that needs h5py", "pip install 'segcompile[weights]'") from None
    with ExitStack() as opened:
        try:
            content, config = _content(path)
            file = opened.enter_context(h5py.File(content, "r"))
            layers, order = _layers(file, config)
            said = list(image_said(config or file.attrs.get("model_config")))
            tensors = checked(path, [tensor for layer in layers for tensor in tensors_of(layer)])
        except SegcompileError:
            raise
        except _Refused as error:
            raise damaged(path, str(error)) from None
        except Exception:  # whatever the bytes make HDF5 raise
            raise damaged(path, "it is damaged, or no weights of Keras") from None
        opened.pop_all()  # the values are read when they are asked for
    if any(layer.kind == "batch" and layer.told is None for layer in layers):
        said.append("the file does not say the eps of its batch norms, which in Keras is 1e-3 unless told otherwise")
    return Source(path, tensors, order, said=tuple(said))


def _layers(file: Any, config: Any) -> tuple[list[KerasLayer], Order]:
    """The layers of a file, in the order and of the kinds that its model says, and what that order is worth."""
    legacy = _member(file, "model_weights") if "model_weights" in file else file
    named = "layer_names" in legacy.attrs or "layer_names0" in legacy.attrs
    layers = list(_named_layers(legacy) if named else _tree(file))
    told = layers_told(config or file.attrs.get("model_config"))
    known = named or all(layer.own in told for layer in layers)
    return as_told(layers, told), Order.REGISTERED if known else Order.KINDS


def as_told(layers: Sequence[KerasLayer], told: Mapping[str, Told]) -> list[KerasLayer]:
    """The layers in their model's order, each with what the model says of it; those that it does not name come last."""
    place = {name: index for index, name in enumerate(told)}
    return [
        replace(
            each,
            kind=told[each.own].kind or each.kind,
            roles=each.roles or told[each.own].roles,
            told=told[each.own].layer,
        )
        if each.own in told
        else each
        for each in sorted(layers, key=lambda layer: place.get(layer.own, len(place)))
    ]


def _content(path: Path) -> tuple[Any, Any]:
    """The HDF5 file: itself, or out of a `.keras` archive, and then what that says of the model."""
    if not zipfile.is_zipfile(path):
        return path, None
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("model.weights.h5")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > MOST_BYTES:
            raise _Refused("its model.weights.h5 is compressed, which Keras does not do")
        config = archive.getinfo("config.json") if "config.json" in archive.namelist() else None
        told = archive.read(config) if config is not None and config.file_size < LONGEST else None
        return io.BytesIO(archive.read(entry)), told


def _members(group: Any) -> list[str]:
    """The names in a group, numbers in them as numbers."""
    if len(group) > _MOST:
        raise _Refused(f"a group of it has more than {_MOST:,} members")
    return sorted(
        group, key=lambda name: [part.zfill(20) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    )


def _member(group: Any, name: str) -> Any:
    """A member of a group. Raises _Refused for one that is not there or lies elsewhere."""
    import h5py

    if name not in group:
        raise _Refused(f"it has no `{name}`, which it names")
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise _Refused(f"`{name}` is a link to another place, which is not followed")
    return group[name]


def _tree(group: Any, above: tuple[str, ...] = (), numbered: bool = False) -> Iterator[KerasLayer]:
    """The layers of Keras 3: groups with their arrays in `vars`, in the groups that hold them. `numbered`: whether the
    names in this group are only a class and a number; then an attribute of `vars` may have the layer's own name."""
    import h5py

    if len(above) > _DEEPEST:
        raise _Refused(f"its groups are more than {_DEEPEST} deep")
    for name in _members(group):
        member = _member(group, name)
        if name == "vars" or not isinstance(member, h5py.Group) or (not above and name in _BESIDE):
            continue
        if name in _LAYERS:
            yield from _tree(member, above, numbered=True)
            continue
        held = _member(member, "vars") if "vars" in member else None
        own = held.attrs.get("name") if held is not None else None
        told = own if isinstance(own, str) else ""
        here = (*above, told if numbered and told else name)
        if held is not None and len(held):
            kind = kind_of(name) if numbered else kind_of(told) or kind_of(name)
            yield KerasLayer(".".join(here), kind, tuple(_member(held, key) for key in _members(held)))
        yield from _tree(member, here)


def _named_layers(group: Any) -> Iterator[KerasLayer]:
    """The layers of the older layout: their names and those of their weights are attributes, in the model's order."""
    for layer in _texts(group, "layer_names"):
        found: dict[str, dict[str, Any]] = {}
        for weight in _texts(_member(group, layer), "weight_names"):
            *parents, role = weight.partition(":")[0].split("/")
            inner = parents[parents.index(layer) :] if layer in parents else [layer, *parents]
            found.setdefault(".".join(inner or [layer]), {})[role] = _followed(group[layer], weight)
        for name, weights in found.items():
            kind = (
                "separable" if "pointwise_kernel" in weights else "depthwise" if "depthwise_kernel" in weights else ""
            )
            yield KerasLayer(name, kind or kind_of(name), tuple(weights.values()), tuple(weights))


def _texts(group: Any, name: str) -> list[str]:
    """An attribute that is a list of texts; a long one is cut into `name0`, `name1`, ..."""
    parts = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{name}{len(parts)}"])
    found = [entry for part in parts for entry in np.asarray(part).ravel().tolist()]
    return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in found]


def _followed(group: Any, path: str) -> Any:
    """What lies at a path of groups."""
    for part in path.split("/"):
        group = _member(group, part)
    return group


def tensors_of(layer: KerasLayer) -> Iterator[Stored]:
    """A layer's arrays as PyTorch has them; those that the file does not tell apart cannot be used."""
    if layer.kind == "image":  # its mean, its variance and a count: no layer of a network
        return
    ranks = [len(_shape(array)) for array in layer.arrays]
    roles = layer.roles if len(layer.roles) == len(ranks) else _roles(layer.kind, ranks)
    for index, array in enumerate(layer.arrays):
        known = index < len(roles)
        role = _role(layer.kind, roles[index]) if known else str(index)
        yield _stored(layer, role, array, "" if known else "what it is, the file does not say")


def _role(kind: str, role: str) -> str:
    """PyTorch's name of what Keras calls an array; a separable convolution is two in PyTorch."""
    if kind == "separable":
        return "depthwise.weight" if role == "depthwise_kernel" else f"pointwise.{_ROLES.get(role, role)}"
    return _ROLES.get(role, role)


def _roles(kind: str, ranks: Sequence[int]) -> Sequence[str]:
    """What a layer's arrays are, in Keras' words, by their number; nothing where that does not tell."""
    if kind == "separable":
        return ("depthwise_kernel", "pointwise_kernel", "bias")
    if kind == "prelu":
        return ("alpha",)
    if ranks[0] > 1:
        return ("kernel", "bias")
    if len(ranks) == 4:
        return ("gamma", "beta", "moving_mean", "moving_variance")
    if len(ranks) == 2:
        return ("moving_mean", "moving_variance") if kind == "batch" else ("gamma", "beta")
    return ()


def _stored(layer: KerasLayer, role: str, array: Any, unknown: str) -> Stored:
    """One array, turned to PyTorch's axes when it is read."""
    shape, why = tuple(array.shape), unknown
    turn: tuple[int, ...] = tuple(range(len(shape)))
    flat = False
    if layer.kind == "prelu" and len(shape) > 1:
        why = why or ("" if all(extent == 1 for extent in shape[:-1]) else "a slope for each pixel")
        shape = shape[-1:] if not why else shape
    elif role.endswith("weight") and len(shape) > 2:
        apart, space = layer.kind == "depthwise" or role == "depthwise.weight", tuple(range(len(shape) - 2))
        turn = (*turn[-2:], *space) if apart else (*turn[:-3:-1], *space)
        shape = tuple(shape[axis] for axis in turn)
        shape = (shape[0] * shape[1], 1, *shape[2:]) if apart else shape
    elif role.endswith("weight") and len(shape) == 2:
        turn, shape, flat = (1, 0), shape[::-1], True
    kind = {"batch": "norm", "group": "norm", "layer": "norm", "prelu": "act"}.get(layer.kind, layer.kind)
    site = Site(layer.told, role) if layer.told else None
    halves = array.dtype.kind == "V" and array.dtype.itemsize == 2  # bfloat16
    floats = array.dtype.kind == "f" or halves
    return Stored(f"{layer.name}.{role}", shape, partial(_values, array, turn, shape), why, floats, kind, flat, site)


def _values(array: Any, turn: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    found = array[()]
    if found.dtype.kind == "V":
        found = widened(found.view(np.uint16))
    return np.ascontiguousarray(found.transpose(turn)).reshape(shape)


def _shape(array: Any) -> tuple[int, ...]:
    """The shape of an array whose values lie in the file, as they are. Raises _Refused for any other."""
    if isinstance(array, np.ndarray):
        return tuple(array.shape)
    import h5py

    if not isinstance(array, h5py.Dataset) or array.shape is None:
        raise _Refused("it is damaged, or no weights of Keras")
    if array.is_virtual or array.external:
        raise _Refused(f"`{array.name}` lies in another file, which is not read")
    if array.id.get_storage_size() < array.nbytes:
        raise _Refused(f"`{array.name}` is packed, or has values that the file does not hold")
    return tuple(array.shape)
