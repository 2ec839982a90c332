"""Keras by tensorflow.js: a `model.json` that says what the layers are, and the files beside it with their weights.

The tensors lie little-endian, one behind another, in the files of a group, put one behind another. These files lie in
the folder of the `model.json`, and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.text.errors import SegcompileError
from segcompile.weights.keras_config import LONGEST, image_said, layers_told
from segcompile.weights.keras_file import KerasLayer, as_told, tensors_of
from segcompile.weights.stored import Array, Order, Source, check_file, checked, damaged

_FLOATS: dict[object, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}


def read_keras_js(path: Path) -> Source:
    """The arrays of a model's weights in PyTorch's names and axes. Raises SegcompileError (SC801)."""
    config = json.dumps(topology(path)[0])
    told = layers_told(config)
    try:
        layers = list(_layers(_arrays(path, _parsed(path).get("weightsManifest"))))
    except SegcompileError:
        raise
    except Exception:  # a list or a number that is of another kind than tensorflow.js writes
        raise _no_model(path) from None
    tensors = [tensor for layer in as_told(layers, told) for tensor in tensors_of(layer)]
    order = Order.REGISTERED if all(layer.own in told for layer in layers) else Order.KINDS
    kept = checked(path, tensors) if tensors else ()  # a network may have none
    return Source(path, kept, order, said=tuple(image_said(config)))


def topology(path: Path) -> tuple[Mapping[str, Any], object]:
    """A model as Keras configures it, and the version that wrote it. Raises SegcompileError (SC801)."""
    told = _parsed(path).get("modelTopology")
    told = told if isinstance(told, dict) else {}
    config = told.get("model_config", told)
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise damaged(path, "its modelTopology is a graph of TensorFlow's ops, and no model of Keras")
    return config, told.get("keras_version", "2")


def _parsed(path: Path) -> Mapping[str, Any]:
    check_file(path, LONGEST)
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _no_model(path)
    return found


def _no_model(path: Path) -> SegcompileError:
    return damaged(path, "it is damaged, or no model of Keras")


def _layers(arrays: Iterator[tuple[str, Array]]) -> Iterator[KerasLayer]:
    """The layers of tensors that are called `model/layer/role`."""
    found: dict[str, dict[str, Array]] = {}
    for name, array in arrays:
        *parents, role = name.split("/")
        found.setdefault(parents[-1] if parents else "", {})[role] = array
    for name, own in found.items():
        yield KerasLayer(name, "", tuple(own.values()), tuple(own))


def _arrays(path: Path, manifest: object) -> Iterator[tuple[str, Array]]:
    read: set[object] = set()
    for group in manifest if isinstance(manifest, list) else []:
        files = group.get("paths", [])
        if len({*files} | read) < len(files) + len(read):
            raise damaged(path, "it names a file of its weights twice")
        read.update(files)
        data, at = b"".join(_shard(path, each) for each in files), 0
        for weight in group.get("weights", []):
            name, kind, shape = _described(path, weight)
            count = int(np.prod(shape, dtype=object)) if min(shape, default=1) >= 0 else -1
            end = at + count * kind.itemsize
            if count < 0 or end > len(data):
                raise damaged(path, f"its files of weights end before `{name}`")
            yield name, np.frombuffer(data[at:end], kind).reshape(shape)
            at = end


def _described(path: Path, weight: Mapping[str, Any]) -> tuple[str, np.dtype[Any], list[int]]:
    """A tensor's name, the kind of its values, and its shape."""
    name, shape, kind = weight.get("name"), weight.get("shape"), weight.get("dtype")
    if weight.get("quantization") is not None:
        raise damaged(path, f"its tensor `{name}` is quantised")
    if kind not in _FLOATS or not isinstance(shape, list) or not all(isinstance(n, int) for n in shape):
        raise damaged(path, f"its tensor `{name}` is of {kind}, and float32 and float16 are read")
    return str(name), _FLOATS[kind], shape


def _shard(path: Path, name: object) -> bytes:
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise damaged(path, f"its weights are said to lie in `{name}`, which is no file beside it")
    beside = path.parent / name
    check_file(beside)
    return beside.read_bytes()
