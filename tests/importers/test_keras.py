"""Models that Keras writes, against what Keras computes: NumPy's backend, so that no third framework is asked."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "numpy"
import keras

from segcompile.importers.network_file import import_network
from segcompile.text.errors import SegcompileError

from .agreement import ours

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # within Keras
L = keras.layers
ACTIVATIONS = ("elu", "selu", "gelu", "hard_sigmoid", "hard_silu", "mish", "softplus", "leaky_relu", "relu6", "tanh")
SIZES = {1: (13,), 2: (13, 11), 3: (7, 8, 6)}


def sequence(channels: int, *layers: Any, size: tuple[int | None, ...] = (None, None)) -> Any:
    return keras.Sequential([keras.Input((*size, channels)), *layers])


def functional() -> Any:
    """A layer and a model that are used twice, numbers, a gate, names within names."""
    image = keras.Input((None, None, 3))
    twice = L.Conv2D(4, 1, name="twice")
    x = L.Conv2D(4, 3, padding="same")(image)
    x = L.Concatenate()([x, twice(twice(x)), x])
    x = L.Multiply()([x, L.GlobalAveragePooling2D(keepdims=True)(x)])
    inner = keras.Sequential([L.Conv2D(12, 3, padding="same"), L.BatchNormalization()], name="inner")
    return keras.Model(image, L.Add()([x, inner(x), inner(x)]) * 2.0 + 1)


MODELS: dict[str, Callable[[], Any]] = {
    "same_stride": lambda: sequence(3, L.Conv2D(4, 3, padding="same", strides=2, activation="relu")),
    "groups": lambda: sequence(
        3,
        L.Conv2D(4, 3, padding="same", dilation_rate=2, activation="swish"),
        L.Conv2D(4, (2, 4), groups=2, use_bias=False),
    ),
    "causal": lambda: sequence(3, L.Conv1D(4, 3, padding="causal", dilation_rate=2), size=(None,)),
    "volume": lambda: sequence(2, L.Conv3D(4, 3, padding="same"), L.MaxPooling3D(2), size=(None,) * 3),
    "depthwise": lambda: sequence(
        3,
        L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", strides=2),
        L.SeparableConv2D(5, 3, depth_multiplier=2),
    ),
    "deconv_same": lambda: sequence(
        3, L.Conv2DTranspose(4, 3, strides=2, padding="same"), L.Conv2DTranspose(2, 2, strides=3, padding="same")
    ),
    "deconv_of_wide_kernels": lambda: sequence(
        3, L.Conv2DTranspose(4, 4, strides=2, padding="same"), L.Conv2DTranspose(2, 5, strides=3, padding="same")
    ),
    "deconv_valid": lambda: sequence(3, L.Conv2DTranspose(4, 3, strides=2), L.Conv2DTranspose(2, 2, strides=3)),
    "batch_norm": lambda: sequence(
        3, L.BatchNormalization(), L.BatchNormalization(scale=False), L.BatchNormalization(center=False)
    ),
    "norms": lambda: sequence(3, L.LayerNormalization(), L.GroupNormalization(3), L.PReLU(shared_axes=[1, 2])),
    "pools": lambda: sequence(
        3,
        L.Conv2D(3, 1),
        L.MaxPooling2D(3, 2, padding="same"),
        L.AveragePooling2D(3, 2, padding="same"),
        L.AveragePooling2D(2),
    ),
    "upsampling": lambda: sequence(
        3, L.Conv2D(3, 1), L.UpSampling2D(2), L.UpSampling2D((2, 3), interpolation="bilinear")
    ),
    "sides": lambda: sequence(3, L.Conv2D(3, 1), L.ZeroPadding2D(((1, 2), (0, 3)))),
    "classifier": lambda: sequence(
        3,
        L.Conv2D(4, 3),
        L.Flatten(),
        L.Dense(5, activation="tanh"),
        L.Dense(3, activation="softmax"),
        size=(9, 8),
    ),
    "pooled": lambda: sequence(3, L.GlobalAveragePooling2D(), L.Dense(4)),
    "dense_of_pixels": lambda: sequence(3, L.Dense(4), L.Dense(2)),
    "activations": lambda: sequence(
        3,
        L.Conv2D(3, 1),
        *map(L.Activation, ACTIVATIONS),
    ),
    "activation_layers": lambda: sequence(
        3,
        L.ReLU(6.0),
        L.ReLU(negative_slope=0.1),
        L.LeakyReLU(0.2),
        L.ELU(0.5),
        L.Softmax(),
        L.Rescaling(1 / 127.5, -1.0),
        L.Conv2D(2, 1, activation=L.LeakyReLU(0.3)),
    ),
    "functional": functional,
}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_keras_is_computed_as_keras_does(name: str, suffix: str, tmp_path: Path) -> None:
    model = filled(MODELS[name]())
    path = tmp_path / f"model{suffix}"
    model.save(path)
    *size, channels = model.input_shape[1:]
    free = tuple(each or SIZES[len(size)][axis] for axis, each in enumerate(size))
    image = np.random.default_rng(1).normal(size=(2, *free, channels))
    wanted = np.asarray(model(image.astype(np.float32), training=False))
    wanted = np.moveaxis(wanted, -1, 1) if wanted.ndim > 2 else wanted
    (found,) = ours(import_network(path, size=free), [np.moveaxis(image, -1, 1)])
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 2e-5 * np.abs(wanted).max()


def test_a_layer_that_is_used_twice_shares_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model = filled(functional())
    model.save(path)
    found = import_network(path)
    shared = [(node.name, node.weights) for node in found.graph.nodes if node.weights]
    assert [owner.partition(":")[2] for _, owner in shared] == ["", "", "norm"]
    assert sum(tensor.size for tensor in found.tensors.values()) == model.count_params() + 2  # of `* 2.0 + 1`


def test_what_the_language_cannot_say_is_listed_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    image = keras.Input((None, None, 3))
    x = L.Conv2D(3, 1)(image)
    up = L.UpSampling2D(2, interpolation="bicubic", name="up")
    outputs = [L.Cropping2D(1, name="cut")(x), up(x), L.Activation("softsign", name="softsign")(x)]
    keras.Model(image, outputs).save(path)
    with pytest.raises(SegcompileError) as refused:
        import_network(path)
    steps = [found.message.partition(" cannot")[0] for found in refused.value.diagnostics]
    assert steps == ["Slice `cut`", "Resize `up`", "Softsign `softsign`"]


def filled(model: Any) -> Any:
    """The model with weights of which none is what another one is."""
    draws = np.random.default_rng(0)
    for weight in model.weights:
        values = draws.normal(size=weight.shape) * 0.3
        weight.assign(np.abs(values) + 0.2 if "variance" in weight.path else values)
    return model


def js_model(folder: Path, layers: list[dict[str, Any]], weights: dict[str, Any], paths: list[str]) -> Path:
    """A model of tensorflow.js in a folder: `layers` with what each reads, by name."""
    listed = [
        {
            "class_name": each["class_name"],
            "name": each["name"],
            "config": {**each, "data_format": "channels_last"},
            "inbound_nodes": [[[read, 0, 0, {}] for read in each["reads"]]] if each["reads"] else [],
        }
        for each in layers
    ]
    ends = {"input_layers": [[layers[0]["name"], 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "net", "layers": listed, **ends}}
    manifest = [
        {
            "paths": paths,
            "weights": [{"name": key, "shape": list(each.shape), "dtype": "float32"} for key, each in weights.items()],
        }
    ]
    told = {"modelTopology": {"keras_version": "2.7.0", "model_config": config}, "weightsManifest": manifest}
    (folder / "group1-shard1of1.bin").write_bytes(b"".join(each.astype("<f4").tobytes() for each in weights.values()))
    path = folder / "model.json"
    path.write_text(json.dumps(told))
    return path


IMAGE = {"class_name": "InputLayer", "name": "image", "batch_input_shape": [None, None, None, 3], "reads": []}
CONV = {"class_name": "Conv2D", "name": "conv", "kernel_size": [1, 1], "strides": [1, 1], "reads": ["image"]}
GATE = {"class_name": "Activation", "name": "gate", "activation": "hard_sigmoid", "reads": ["conv"]}
WEIGHTS = {"conv/kernel": np.arange(6.0).reshape(1, 1, 3, 2) / 10, "conv/bias": np.array([0.5, -1.0])}
SHARD = ["group1-shard1of1.bin"]


def test_a_model_of_tensorflow_js_reads_the_files_beside_it(tmp_path: Path) -> None:
    """And its hard sigmoid is that of Keras 2: 0.2 x + 0.5, cut."""
    found = import_network(js_model(tmp_path, [IMAGE, CONV, GATE], WEIGHTS, SHARD))
    image = np.random.default_rng(2).normal(size=(1, 3, 4, 5))
    conv = np.einsum("bchw,co->bohw", image, WEIGHTS["conv/kernel"][0, 0]) + WEIGHTS["conv/bias"][:, None, None]
    np.testing.assert_allclose(ours(found, [image])[0], np.clip(0.2 * conv + 0.5, 0, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "weights", "paths", "why"),
    [
        (
            [IMAGE, {**CONV, "reads": ["gate"]}, GATE],
            WEIGHTS,
            SHARD,
            "its layers wait for one another in a circle",
        ),
        ([IMAGE, {**CONV, "reads": ["sky"]}], WEIGHTS, SHARD, "`conv` reads `sky`, which it does not have"),
        ([IMAGE, CONV], {"conv/kernel": WEIGHTS["conv/kernel"]}, SHARD, "its file of weights has no bias of `conv`"),
        (
            [IMAGE, CONV],
            WEIGHTS,
            ["../group1-shard1of1.bin"],
            "its weights are said to lie in `../group1-shard1of1.bin`, which is no file beside it",
        ),
        ([IMAGE, CONV], WEIGHTS, [], "its files of weights end before `conv/kernel`"),
        (
            [{**IMAGE, "batch_input_shape": [None, 10**12, None, 3]}, CONV],
            WEIGHTS,
            SHARD,
            "an input of it has the shape [1000000000000, None, 3]",
        ),
        (
            [{**IMAGE, "batch_input_shape": [None, True, None, 3]}, CONV],
            WEIGHTS,
            SHARD,
            "an input of it has the shape [True, None, 3]",
        ),
        ([IMAGE, CONV], WEIGHTS, SHARD * 2, "it names a file of its weights twice"),
        ([IMAGE, {**CONV, "strides": [{}, "x"]}], WEIGHTS, SHARD, "`conv` has strides: [{}, 'x'], and not 2 integers"),
    ],
)
def test_a_model_that_is_not_whole_is_refused(
    layers: list[dict[str, Any]], weights: dict[str, Any], paths: list[str], why: str, tmp_path: Path
) -> None:
    path = js_model(tmp_path, layers, weights, paths)
    with pytest.raises(SegcompileError) as refused:
        import_network(path)
    (found,) = refused.value.diagnostics
    assert found.code.code == "SC901"
    assert found.message == f"`{path}` cannot be read as a network: {why}"


@pytest.mark.parametrize("beside", [3, {"paths": 3}, {"paths": SHARD, "weights": [None]}])
def test_a_list_of_weights_that_is_none_is_refused(beside: object, tmp_path: Path) -> None:
    path = js_model(tmp_path, [IMAGE, CONV], WEIGHTS, SHARD)
    path.write_text(json.dumps({**json.loads(path.read_text()), "weightsManifest": [beside]}))
    with pytest.raises(SegcompileError, match="it is damaged, or no model of Keras"):
        import_network(path)


def test_models_within_models_are_counted_as_often_as_they_are_used(tmp_path: Path) -> None:
    """Each of thirty uses the one before twice: a thousand million."""
    image = {"class_name": "InputLayer", "name": "image", "config": {"name": "image", "batch_shape": [None, 8, 8, 3]}}
    model = {"class_name": "Sequential", "name": "m0", "config": {"name": "m0", "layers": [image]}}
    for depth in range(1, 30):
        last = model["name"]
        twice = {**model, "inbound_nodes": [[["image", 0, 0, {}]], [[last, 0, 0, {}]]]}
        ends = {"input_layers": [["image", 0, 0]], "output_layers": [[last, 1, 0]]}
        name = f"m{depth}"
        config = {"name": name, "layers": [image, twice], **ends}
        model = {"class_name": "Functional", "name": name, "config": config}
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"modelTopology": {"model_config": model}, "weightsManifest": []}))
    with pytest.raises(SegcompileError, match="it uses more than 10,000 models within models"):
        import_network(path)


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_what_only_its_name_makes_a_model_of_keras_is_refused(name: str, tmp_path: Path) -> None:
    for there, why in ((False, "no such file or directory"), (True, "it is damaged, or no model of Keras")):
        path = tmp_path / name
        if there:
            path.write_text("segcompile: 1")
        with pytest.raises(SegcompileError) as refused:
            import_network(path)
        assert [f"{each.code.code} {each.message}" for each in refused.value.diagnostics] == [
            f"SC901 `{path}` cannot be read as a network: {why}"
        ]


@pytest.mark.parametrize("damage", [b"", b"\x89HDF\r\n\x1a\n" + bytes(64)])
def test_damaged_weights_within_an_archive_are_no_network(damage: bytes, tmp_path: Path) -> None:
    sequence(3, L.Conv2D(4, 3)).save(tmp_path / "whole.keras")
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, damage if name == "model.weights.h5" else whole.read(name))
    with pytest.raises(SegcompileError) as refused:
        import_network(path)
    assert [f"{each.code.code} {each.message}" for each in refused.value.diagnostics] == [
        f"SC901 `{path}` cannot be read as a network: it is damaged, or no weights of Keras"
    ]


def test_a_file_of_weights_alone_says_what_takes_it(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "net.weights.h5", "w") as file:
        file["layers/conv/vars/0"] = np.zeros((1, 1, 3, 2), np.float32)
    with pytest.raises(SegcompileError) as refused:
        import_network(tmp_path / "net.weights.h5")
    assert refused.value.diagnostics[0].help == "`segcompile weights import` brings them into a spec of the network"
