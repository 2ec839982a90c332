"""Files of Keras as graphs of steps: `.keras`, `.h5` with its model, and tensorflow.js' `model.json`."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.importers.keras_bench import Steps
from segcompile.importers.keras_layers import steps_of
from segcompile.importers.keras_model import Json, Model, NoModel, read_model
from segcompile.importers.refused import as_network, refused_network
from segcompile.text.errors import SegcompileError
from segcompile.weights.keras_config import LONGEST, layers_told
from segcompile.weights.keras_file import KerasLayer, read_keras, tensors_of
from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_values import Constant, Step
from segcompile.weights.stored import Stored, check_file

_FLOATS: dict[object, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}


def keras_steps(path: Path) -> OnnxGraph:
    """The steps of a model and its tensors, channels first.

    Raises SegcompileError: SC901 for what is no model of Keras, or not whole; SC801 for weights that cannot be read.
    """
    try:
        check_file(path)
    except SegcompileError as error:
        raise as_network(error) from None
    try:
        if zipfile.is_zipfile(path):
            config, version, stored = _archive(path)
        elif _first(path) == b"{":
            config, version, stored = _tensorflow_js(path)
        else:
            config, version, stored = _hdf5(path)
        model = read_model(config)
        return _graph(model, steps_of(model, _constants(stored, model), _first_number(version)))
    except NoModel as error:
        raise refused_network(str(path), *error.args) from None
    except SegcompileError:
        raise
    except Exception:  # whatever the bytes make HDF5 raise, or a setting that is of another type than Keras writes
        raise refused_network(str(path), "it is damaged, or no model of Keras") from None


def _first(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)


_Read = tuple[Json, object, tuple[Stored, ...]]  # the model, the version that wrote it, its tensors


def _archive(path: Path) -> _Read:
    with zipfile.ZipFile(path) as archive:
        config, about = _json(archive, "config.json"), _json(archive, "metadata.json")
    if not config:
        raise NoModel("it holds no config.json, which says what its layers are")
    return config, about.get("keras_version", "3"), read_keras(path).tensors


def _json(archive: zipfile.ZipFile, name: str) -> Json:
    """What a file of an archive holds; nothing where it is not there."""
    if name not in archive.namelist() or archive.getinfo(name).file_size > LONGEST:
        return {}
    found = json.loads(archive.read(name))
    return found if isinstance(found, dict) else {}


def _hdf5(path: Path) -> _Read:
    import h5py

    with h5py.File(path, "r") as file:
        config, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
    if not isinstance(config, str | bytes) or len(config) > LONGEST:
        help = "`segcompile weights import` brings them into a spec of the network"
        raise NoModel("it holds weights alone, and does not say what its layers are", help)
    return json.loads(config), version, read_keras(path).tensors


def _tensorflow_js(path: Path) -> _Read:
    if path.stat().st_size > LONGEST:
        raise NoModel(f"it has more than {LONGEST:,} bytes")
    told = json.loads(path.read_bytes())
    topology = told.get("modelTopology")
    config = topology.get("model_config", topology) if isinstance(topology, dict) else None
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise NoModel("its modelTopology is a graph of TensorFlow's ops, and no model of Keras")
    arrays = dict(_arrays(path, told.get("weightsManifest")))
    kinds = layers_told(json.dumps(config))
    named: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        *parents, role = name.split("/")
        named.setdefault(parents[-1] if parents else "", {})[role] = array
    layers = [
        KerasLayer(name, kinds[name].kind if name in kinds else "", tuple(each.values()), tuple(each))
        for name, each in named.items()
    ]
    return config, topology.get("keras_version", "2"), tuple(each for layer in layers for each in tensors_of(layer))


def _arrays(path: Path, manifest: object) -> Iterator[tuple[str, Any]]:
    """The tensors of tensorflow.js: little-endian, one behind another in the files of a group, put one behind another.
    The files lie beside the model, and nowhere else."""
    read: set[object] = set()
    for group in manifest if isinstance(manifest, list) else []:
        paths = group.get("paths", [])
        if len({*paths} | read) < len(paths) + len(read):
            raise NoModel("it names a file of its weights twice")
        read.update(paths)
        data = b"".join(_shard(path, each) for each in paths)
        at = 0
        for weight in group.get("weights", []):
            name, shape, kind = weight.get("name"), weight.get("shape"), weight.get("dtype")
            if weight.get("quantization") is not None:
                raise NoModel(f"its tensor `{name}` is quantised")
            if kind not in _FLOATS or not isinstance(shape, list) or not all(isinstance(n, int) for n in shape):
                raise NoModel(f"its tensor `{name}` is of {kind}, and float32 and float16 are read")
            count = int(np.prod(shape, dtype=object)) if min(shape, default=1) >= 0 else -1
            end = at + count * _FLOATS[kind].itemsize
            if count < 0 or end > len(data):
                raise NoModel(f"its files of weights end before `{name}`")
            yield str(name), np.frombuffer(data[at:end], _FLOATS[kind]).reshape(shape)
            at = end


def _shard(path: Path, name: object) -> bytes:
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
        raise NoModel(f"its weights are said to lie in `{name}`, which is no file beside it")
    beside = path.parent / name
    check_file(beside)
    return beside.read_bytes()


def _constants(stored: tuple[Stored, ...], model: Model) -> Mapping[str, Constant]:
    """Tensor's name -> tensor, under the names of the calls: a format may leave out those of the models around."""
    found = {each.name: Constant(each.name, each.shape, each.read, each.floats, each.unusable) for each in stored}
    by_own: dict[str, set[str]] = {}
    for call in model.calls:
        by_own.setdefault(call.name.rpartition(".")[2], set()).add(call.name)
    for own, names in by_own.items():
        for each in [each for each in found if each.startswith(f"{own}.")]:
            for name in names if len(names) == 1 else ():
                found.setdefault(f"{name}{each[len(own) :]}", found[each])
    return found


def _graph(model: Model, made: Steps) -> OnnxGraph:
    readers: dict[str, list[Step]] = {}
    for step in made.steps:
        for name in dict.fromkeys(step.inputs):
            readers.setdefault(name, []).append(step)
    inputs: dict[str, tuple[int | None, ...]] = {
        name: (None, *(shape if made.first else (*shape[-1:], *shape[:-1]))) for name, shape in model.inputs.items()
    }
    return OnnxGraph(
        tuple(made.steps),
        made.constants,
        inputs,
        frozenset(model.outputs),
        {name: step for step in made.steps for name in step.outputs},
        {name: tuple(found) for name, found in readers.items()},
        () if made.first else ("the file has the channels of its images last: here they come first",),
    )


def _first_number(version: object) -> int:
    found = re.match(r"\d+", version.decode() if isinstance(version, bytes) else str(version))
    return int(found[0]) if found else 2
