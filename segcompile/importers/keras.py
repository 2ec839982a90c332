"""Files of Keras as graphs of steps: `.keras`, `.h5` with its model, and tensorflow.js' `model.json`."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from segcompile.importers.keras_bench import Steps
from segcompile.importers.keras_layers import steps_of
from segcompile.importers.keras_model import Json, Model, NoModel, read_model
from segcompile.importers.refused import as_network, refused_network
from segcompile.text.errors import SegcompileError
from segcompile.weights.keras_config import BEGINNING, LONGEST, is_tensorflow_js
from segcompile.weights.keras_file import read_keras
from segcompile.weights.keras_js import read_keras_js, topology
from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_values import Constant, Step
from segcompile.weights.stored import Stored, check_file


def keras_steps(path: Path) -> OnnxGraph:
    """The steps of a model and its tensors, channels first.

    Raises SegcompileError (SC901) for what is no model of Keras, or not whole.
    """
    try:
        config, version, stored = _read(path)
        model = read_model(config)
        return _graph(model, steps_of(model, _constants(stored, model), _first_number(version)))
    except NoModel as error:
        raise refused_network(str(path), *error.args) from None
    except SegcompileError as error:
        raise as_network(error) from None
    except Exception:  # whatever the bytes make HDF5 raise, or a setting that is of another type than Keras writes
        raise refused_network(str(path), "it is damaged, or no model of Keras") from None


_Read = tuple[Json, object, tuple[Stored, ...]]  # the model, the version that wrote it, its tensors


def _read(path: Path) -> _Read:
    check_file(path)
    if zipfile.is_zipfile(path):
        return _archive(path)
    with path.open("rb") as file:
        first = file.read(BEGINNING)
    if is_tensorflow_js(first):
        return *topology(path), read_keras_js(path).tensors
    return _hdf5(path)


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
