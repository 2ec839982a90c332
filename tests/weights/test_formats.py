"""A file of weights is known by what it holds, whatever its suffix; what holds none is named for what it is."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from segcompile.text.errors import SegcompileError
from segcompile.weights.reading import read_weights

Run = Callable[..., tuple[int, str, str]]
Save = Mapping[str, Callable[..., None]]
Tensors = Mapping[str, np.ndarray]
FLAGS = ("--channels", "rgb", "-o", "out.safetensors")


def refusal(path: Path) -> str:
    """Why a file is not read, and the help."""
    with pytest.raises(SegcompileError) as caught:
        read_weights(path)
    (found,) = caught.value.diagnostics
    assert found.code.code == "SC801" and found.message.startswith(f"`{path}` cannot be read as weights: ")
    return f"{found.message.partition('as weights: ')[2]}; {found.help}"


# --- by content


@pytest.mark.parametrize(("form", "suffix", "said"), [
    ("torch", "ckpt", ""), ("torch", "bin", ""), ("torch", "pth.tar", ""), ("torch", "pkl", ""),
    ("torch", "safetensors", "a.safetensors holds a PyTorch file, whatever its suffix says"),
    ("safetensors", "pth", "a.pth holds safetensors, whatever its suffix says"),
    ("onnx", "bin", "a.bin holds an ONNX model, whatever its suffix says"),
    ("caffe", "weights", ""), ("onnx", "model", ""), ("torch", "", ""),
])  # fmt: skip
def test_a_file_is_read_by_its_content(
    form: str, suffix: str, said: str, spec: Path, tensors: dict[str, np.ndarray], save: Save, run: Run, tmp_path: Path
) -> None:
    name = f"a.{suffix}" if suffix else "a"
    save[form](tmp_path / "made", tensors)
    (tmp_path / "made").rename(tmp_path / name)
    status, told, _ = run("import", name, "--spec", spec, *FLAGS, "--strict")
    assert status == 0 and ("holds" in told) == bool(said) and f"{said}\n" in told
    assert all(np.array_equal(load_file(tmp_path / "out.safetensors")[each], tensors[each]) for each in tensors)


def test_a_state_dict_of_before_pytorch_1_6(tensors: dict[str, np.ndarray], tmp_path: Path) -> None:
    import torch

    state = {name: torch.from_numpy(value) for name, value in tensors.items()}
    torch.save({"net": state, "epoch": 3}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert [stored.name for stored in read_weights(tmp_path / "a.pth").tensors] == list(tensors)


def _zip(names: Sequence[str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return file.getvalue()


_UNPACK = "unpack it, and give what is in it"


@pytest.mark.parametrize(("content", "said"), [
    (b"", "it is empty; download or save it again"),
    (b"\n<!DOCTYPE html>\n<title>Quota", "it is a web page, not the file; download the file itself: what was saved is "
     "the page of a log-in, a quota or a viewer"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "it is a Git LFS pointer, not the file; "
     "`git lfs pull`, or download the file itself"),
    (b"\x1f\x8b\x08 gz", f"it is compressed by gzip; {_UNPACK}"),
    (_zip(["resnet.pth", "b", "c", "d"]), f"it is an archive of `resnet.pth`, `b`, `c` and 1 more; {_UNPACK}"),
    (_zip([]), f"it is an archive of nothing; {_UNPACK}"),
    (_zip(["a.npy"]), "it holds NumPy arrays; arrays alone do not say which axis is which: save safetensors with "
     "PyTorch's names and layouts"),
    (_zip(["a"])[:40], "it is a damaged archive, or one cut short; download or save it again"),
    (b"\x1c\0\0\0TFL3", "it is a TFLite model; convert it where its library is, to a state dict, ONNX or safetensors"),
    (b"MATLAB 5.0 MAT", "it is a MATLAB file; convert it where its library is, to a state dict, ONNX or safetensors"),
    (_tar(), "it is in the format before PyTorch 0.2; if you trust the file: torch.save(torch.load(path, "
     "weights_only=False), new_path) writes today's"),
    (pickle.dumps({"a": 1}), "it is no plain state dict; nothing in it was executed; save the state dict alone: "
     "torch.save(model.state_dict(), path)"),
    (b"\x89HDF\r\n\x1a\n cut", "it is damaged, or no weights of Keras; None"),
])  # fmt: skip
def test_what_holds_no_weights_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    assert refusal(path) == said


def test_nothing_known_is_said_to_be_none_of_the_formats(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"weights: none")
    others = "a PyTorch file, an ONNX model, a caffemodel, Keras weights, a model of tensorflow.js"
    said = f"it is none of safetensors, {others}; None"
    assert refusal(tmp_path / "a.txt") == said


# --- PyTorch's checkpoints


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_more_than_tensors_says_what_it_asks_for_and_what_to_do(zipped: bool, tmp_path: Path) -> None:
    import torch

    def said(value: object) -> str:
        torch.save(value, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
        return refusal(tmp_path / "a.pth")

    state = {"a.weight": torch.zeros(2, 2)}
    assert said({"state_dict": state, "best": np.float64(0.5)}) == (
        "beside tensors it holds NumPy's values (`numpy._core.multiarray.scalar`); nothing in it was executed; if you "
        'trust the file: torch.save(torch.load(path, weights_only=False)["state_dict"], new_path)'
    )
    remedy = (
        "nothing in it was executed; where the code of that is, if you trust the file: torch.save(torch.load(path, "
        "weights_only=False).state_dict(), new_path)"
    )
    model = "it holds a whole pickled model, or other objects"
    assert said(torch.nn.Conv2d(1, 1, 1)) == f"{model} (`torch.nn.modules.conv.Conv2d`); {remedy}"
    assert said({**state, "args": argparse.Namespace(lr=1)}) == f"{model} (`argparse.Namespace`); {remedy}"


def test_a_torchscript_program_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(_zip(["a/data.pkl", "a/constants.pkl", "a/code/x.py"]))
    assert refusal(tmp_path / "a.pt") == (
        "it is a TorchScript program, and not loaded; save its weights: torch.save(torch.jit.load(path).state_dict(), "
        "new_path)"
    )


def _named(path: Path) -> tuple[list[str], tuple[str, ...]]:
    source = read_weights(path)
    return [stored.name for stored in source.tensors], source.said


def test_the_state_dict_of_a_checkpoint_is_found_beside_everything_else(tmp_path: Path) -> None:
    import torch

    net = torch.nn.Linear(2, 3)
    adam = {"state": {0: {"exp_avg": torch.ones(3, 2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    beside = {"optimizer": adam, "epoch": 3, "rng": torch.get_rng_state(), "best": torch.tensor(0.5),
              "criterion": {"weight": torch.ones(3)}, "scaler": {"scale": torch.ones(1)}}  # fmt: skip
    for key in ("state_dict", "model", "model_state", "net", "upscaler", "lossless"):
        torch.save({key: net.state_dict(), **beside}, tmp_path / "a.pth")
        assert _named(tmp_path / "a.pth") == (["weight", "bias"], ())
    compiled = {f"_orig_mod.module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state": {"model": compiled}, **beside}, tmp_path / "a.pth")
    assert _named(tmp_path / "a.pth")[0] == ["_orig_mod.module.weight", "_orig_mod.module.bias"]


def test_of_a_network_and_its_running_average_the_network_is_taken_and_that_is_said(tmp_path: Path) -> None:
    import torch

    state = {"a.weight": torch.ones(2, 2)}
    torch.save({"state_dict_ema": {"a.weight": torch.zeros(2, 2)}, "state_dict": state}, tmp_path / "a.pth")
    source = read_weights(tmp_path / "a.pth")
    assert source.values(source.tensors[0]).all()
    assert source.said == ("took `state_dict`, and not its running average `state_dict_ema`",)
    torch.save({"ema": state}, tmp_path / "a.pth")
    assert _named(tmp_path / "a.pth") == (["a.weight"], ())
    flat = {f"{prefix}.{name}": value for prefix in ("model", "ema", "schema") for name, value in state.items()}
    torch.save({"state_dict": flat}, tmp_path / "a.pth")
    said = "left out 1 tensors of a running average, such as `ema.a.weight`"
    assert _named(tmp_path / "a.pth") == (["model.a.weight", "schema.a.weight"], (said,))


def test_what_a_checkpoint_keeps_of_its_run_is_no_second_network(tmp_path: Path) -> None:
    import torch

    state, curve = {"a.weight": torch.ones(2, 2)}, torch.ones(7)
    for whole in (
        {"history": {"loss": curve}, "state_dict": state}, {"metrics": {"iou": {"val": curve}}, "model": state},
        {"best": curve, "model": state}, {**state, "history": {"loss": curve}},
    ):  # fmt: skip
        torch.save(whole, tmp_path / "a.pth")
        assert _named(tmp_path / "a.pth") == (["a.weight"], ()), whole


def test_another_format_has_no_state_dicts_to_choose_from(
    tensors: dict[str, np.ndarray], save: Save, spec: Path, run: Run, tmp_path: Path
) -> None:
    save["safetensors"](tmp_path / "a.safetensors", tensors)
    _, _, errors = run("import", "a.safetensors", "--spec", spec, *FLAGS, "--state-dict", "ema")
    assert "it holds safetensors, which has no state dicts\n   = help: leave --state-dict out\n" in errors


# --- floats of other widths


def test_bfloat16_of_safetensors_to_the_last_bit(
    spec: Path, tensors: dict[str, np.ndarray], run: Run, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    halves = {name: torch.from_numpy(value).bfloat16() for name, value in tensors.items()}
    save_file(halves, tmp_path / "a.safetensors")
    assert run("import", "a.safetensors", "--spec", spec, *FLAGS, "--strict")[0] == 0
    found = load_file(tmp_path / "out.safetensors")
    assert all(np.array_equal(found[name], halves[name].float().numpy()) for name in tensors)


@pytest.mark.parametrize("form", ["pth", "safetensors"])
@pytest.mark.parametrize("kind", ["float8_e4m3fn", "float8_e5m2"])
def test_floats_of_8_bits_are_not_read_without_their_scale(
    kind: str, form: str, spec: Path, tensors: dict[str, np.ndarray], run: Run, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    state = {name: torch.from_numpy(value).to(getattr(torch, kind)) for name, value in tensors.items()}
    (torch.save if form == "pth" else save_file)(state, f"a.{form}")
    _, _, errors = run("import", f"a.{form}", "--spec", spec, *FLAGS)
    name = kind if form == "pth" else {"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}[kind]
    why = f"{name} is quantised, and by which scale the file does not say in a known way: dequantise it first"
    assert f"no tensor in it can be a weight: `c1.{'weight' if form == 'pth' else 'bias'}`: {why}\n" in errors


# --- Keras


def keras_3(path: Path, layers: Mapping[str, tuple[str, Sequence[np.ndarray]]]) -> None:
    """`.weights.h5` of Keras 3: group (class and number) -> the layer's name and its arrays."""
    import h5py

    with h5py.File(path, "w") as file:
        for group, (name, arrays) in layers.items():
            held = file.create_group(f"{group}/vars")
            held.attrs["name"] = name
            for index, array in enumerate(arrays):
                held[str(index)] = array


def keras_2(file: Any, layers: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """The older layout: names in attributes, arrays in a group of the layer's name in one of the same name."""
    file.attrs["layer_names"] = [name.encode() for name in layers]
    for name, arrays in layers.items():
        group = file.create_group(name)
        group.attrs["weight_names"] = [f"{name}/{role}:0".encode() for role in arrays]
        for role, array in arrays.items():
            group[f"{name}/{role}:0"] = array


def turned(tensors: Tensors) -> dict[str, np.ndarray]:
    """The tensors of the small network as Keras has them: its matrix reads a map of 6 channels, 16 x 16."""
    kernels = {name: tensors[name].transpose(2, 3, 1, 0) for name in ("c1.weight", "c2.weight")}
    matrix = tensors["fc.weight"].reshape(5, 6, 16, 16).transpose(2, 3, 1, 0).reshape(1536, 5)
    return {**tensors, **kernels, "fc.weight": matrix}


def _by_layer(tensors: Tensors) -> dict[str, list[np.ndarray]]:
    return {name: [tensors[f"{name}.weight"], tensors[f"{name}.bias"]] for name in ("c1", "c2", "fc")}


def imported(run: Run, folder: Path, file: str, *flags: str) -> tuple[str, dict[str, np.ndarray]]:
    status, told, errors = run("import", file, "--spec", "net.yaml", *FLAGS, "--strict", *flags)
    assert (status, errors) == (0, "")
    return told, load_file(folder / "out.safetensors")


def test_keras_weights_of_every_layout_in_pytorchs_axes(
    spec: Path, tensors: dict[str, np.ndarray], run: Run, tmp_path: Path
) -> None:
    import h5py

    arrays = _by_layer(turned(tensors))
    groups = {"c2": "layers/conv2d_1", "c1": "layers/conv2d", "fc": "layers/dense"}
    keras_3(tmp_path / "a.weights.h5", {groups[name]: (name, arrays[name]) for name in groups})
    keras_3(tmp_path / "b.weights.h5", {name: ("conv2d_7", arrays[name]) for name in groups})  # attributes of a model
    older = {name: dict(zip(("kernel", "bias"), pair, strict=True)) for name, pair in arrays.items()}
    with h5py.File(tmp_path / "c.h5", "w") as file:
        keras_2(file, older)
    with h5py.File(tmp_path / "d.h5", "w") as file:  # a whole model
        keras_2(file.create_group("model_weights"), older)
        file.create_group("optimizer_weights")["m"] = np.zeros(3)
    with zipfile.ZipFile(tmp_path / "e.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(tmp_path / "a.weights.h5", "model.weights.h5")
    for name in ("a.weights.h5", "b.weights.h5", "c.h5", "d.h5", "e.keras"):
        told, found = imported(run, tmp_path, name)
        assert "placed by name: 6 of 6" in told
        assert "columns, from (height, width, channel) to (channel, height, width)" in told
        assert all(np.array_equal(found[each], tensors[each]) for each in tensors), name


def _tensorflow_js(folder: Path, tensors: Tensors) -> Path:
    """The small network as tensorflow.js keeps it: `model.json`, and a file with the tensors one behind another."""
    kinds = {"c1": "Conv2D", "c2": "Conv2D", "fc": "Dense"}
    entries = [{"class_name": kind, "config": {"name": name}} for name, kind in kinds.items()]
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": entries}}
    arrays = {f"{name}/{role}": tensors[f"{name}.{own}"] for name in kinds for role, own in
              (("kernel", "weight"), ("bias", "bias"))}  # fmt: skip
    told = [{"name": f"net/{key}", "shape": each.shape, "dtype": "float32"} for key, each in arrays.items()]
    manifest = [{"paths": ["group1-shard1of1.bin"], "weights": told}]
    (folder / "group1-shard1of1.bin").write_bytes(b"".join(each.tobytes() for each in arrays.values()))
    path = folder / "model.json"
    path.write_text(json.dumps({"modelTopology": {"model_config": config}, "weightsManifest": manifest}))
    return path


def test_tensorflow_js_keeps_weights_beside_its_model(
    spec: Path, tensors: dict[str, np.ndarray], run: Run, tmp_path: Path
) -> None:
    path = _tensorflow_js(tmp_path, turned(tensors))
    told, found = imported(run, tmp_path, path.name)
    assert "placed by name: 6 of 6" in told
    assert all(np.array_equal(found[each], tensors[each]) for each in tensors)
    (tmp_path / "group1-shard1of1.bin").write_bytes(b"")
    assert refusal(path) == "its files of weights end before `net/c1/kernel`; None"
    path.write_text('{"modelTopology": {"node": []}}')
    assert refusal(path) == "its modelTopology is a graph of TensorFlow's ops, and no model of Keras; None"
    path.write_text('{"modelTopology": ')
    assert refusal(path) == "it is damaged, or no model of Keras; None"


def test_keras_numbers_go_in_by_the_order_of_each_kind(
    spec: Path, tensors: dict[str, np.ndarray], run: Run, tmp_path: Path
) -> None:
    """conv2d_9 comes before conv2d_10, and its dense layer after none of them."""
    groups = {"fc": "dense_3", "c2": "conv2d_10", "c1": "conv2d_9"}
    arrays = _by_layer(turned(tensors))
    keras_3(tmp_path / "a.h5", {f"layers/{groups[name]}": (groups[name], arrays[name]) for name in groups})
    told, found = imported(run, tmp_path, "a.h5")
    assert "placed by order: 6 of 6 tensors; by name it would be 0" in told
    assert all(np.array_equal(found[each], tensors[each]) for each in tensors)


LAYERS = """\
segcompile: 1
model: net
input: {channels: 3, size: 16}
defaults: {conv: {kernel: 3, pad: same}}
layers:
  - a:  {conv: 4, norm: batch, act: prelu}
  - dw: {conv: 8, groups: 4, bias: no}
  - up: {deconv: 5, kernel: 2, stride: 2}
"""


def test_keras_kernels_norms_and_slopes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(LAYERS)
    rng = np.random.default_rng(0)
    a, dw, up = (rng.normal(size=shape).astype("f") for shape in ((3, 3, 3, 4), (3, 3, 4, 2), (2, 2, 5, 8)))
    gamma, beta, mean, variance = rng.uniform(1, 2, (4, 4)).astype("f")
    slopes = rng.normal(size=(1, 1, 4)).astype("f")
    layers = {
        "batch_normalization": [gamma, beta, mean, variance], "conv2d": [a, beta], "depthwise_conv2d": [dw],
        "conv2d_transpose": [up, np.ones(5, "f")], "p_re_lu": [slopes],
    }  # fmt: skip
    keras_3(tmp_path / "a.h5", {f"layers/{name}": (name, arrays) for name, arrays in layers.items()})
    _, found = imported(run, tmp_path, "a.h5")
    assert np.array_equal(found["a.weight"][1, 2], a[:, :, 2, 1])
    assert np.array_equal(found["dw.weight"][5, 0], dw[:, :, 2, 1])  # the second of channel 2
    assert np.array_equal(found["up.weight"][7, 4], up[:, :, 4, 7])
    vectors = {"a_norm.weight": gamma, "a_norm.bias": beta, "a_norm.running_mean": mean, "a_norm.running_var": variance}
    assert all(np.array_equal(found[name], value) for name, value in vectors.items())
    assert np.array_equal(found["a_act.weight"], slopes[0, 0])


def test_a_keras_model_says_its_layers_order_and_kinds(run: Run, tmp_path: Path) -> None:
    """Under names of one's own no number and no class is in the names; the archive's config.json has both."""
    (tmp_path / "net.yaml").write_text(
        f"{LAYERS.partition('  - a:')[0]}  - one: {{conv: 4}}\n  - two: {{conv: 4, groups: 4}}\n"
    )
    one, two = np.ones((3, 3, 3, 4), "f"), np.ones((3, 3, 4, 1), "f")
    layers = {
        "layers/conv2d": ("zebra", [one, np.ones(4, "f")]),
        "layers/depthwise_conv2d": ("ant", [two, np.ones(4, "f")]),
    }
    keras_3(tmp_path / "a.weights.h5", layers)
    names = (("Conv2D", "zebra"), ("DepthwiseConv2D", "ant"))
    config = {"class_name": "Functional", "config": {"name": "m", "layers": [
        {"class_name": kind, "config": {"name": name}} for kind, name in names]}}  # fmt: skip
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.write(tmp_path / "a.weights.h5", "model.weights.h5")
    source = read_weights(tmp_path / "a.keras")
    assert [stored.name for stored in source.tensors] == ["zebra.weight", "zebra.bias", "ant.weight", "ant.bias"]
    assert imported(run, tmp_path, "a.keras")[1]["two.weight"].shape == (4, 1, 3, 3)


def test_what_a_keras_model_says_of_a_layer_is_compared_with_the_spec(run: Run, tmp_path: Path) -> None:
    """Keras' batch norm has eps 1e-3, the spec's 1e-5; a file of weights alone does not say it, and that is said."""
    (tmp_path / "net.yaml").write_text(f"{LAYERS.partition('  - a:')[0]}  - a: {{conv: 4, bias: no, norm: batch}}\n")
    layers = {
        "layers/conv2d": ("c", [np.ones((3, 3, 3, 4), "f")]),
        "layers/batch_normalization": ("b", [np.ones(4, "f")] * 4),
    }
    keras_3(tmp_path / "a.weights.h5", layers)
    assert (
        "\nthe file does not say the eps of its batch norms, which in Keras is 1e-3 unless told otherwise\n"
        in (imported(run, tmp_path, "a.weights.h5")[0])
    )
    settings = {"c": ("Conv2D", {"kernel_size": [3, 3], "strides": [2, 2], "dilation_rate": [1, 1], "padding": "same"}),
                "b": ("BatchNormalization", {"epsilon": 1e-3})}  # fmt: skip
    entries = [{"class_name": kind, "config": {"name": name, **more}} for name, (kind, more) in settings.items()]
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": entries}}))
        archive.write(tmp_path / "a.weights.h5", "model.weights.h5")
    status, _, errors = run("import", "a.keras", "--spec", "net.yaml", *FLAGS)
    assert status == 1
    assert "error[SC806 " in errors and "a has a stride of 1, the file's Conv2D `c` 2\n" in errors
    assert "error[SC805 " in errors and "a has eps 1e-05, the file's BatchNormalization `b` 0.001\n" in errors


def test_what_a_keras_model_computes_with_its_image_is_said_and_no_layer(run: Run, tmp_path: Path) -> None:
    """As EfficientNet has it; the weights alone say it by the name of the class."""
    (tmp_path / "net.yaml").write_text(f"{LAYERS.partition('  - a:')[0]}  - a: {{conv: 4, bias: no}}\n")
    image = [np.ones(3, "f"), np.ones(3, "f"), np.zeros((), "i4")]
    kernel = np.ones((3, 3, 3, 4), "f")
    keras_3(
        tmp_path / "a.weights.h5",
        {"layers/normalization": ("normalization", image), "layers/conv2d": ("stem", [kernel])},
    )
    assert "out.safetensors: 1 of 1 tensors" in imported(run, tmp_path, "a.weights.h5")[0]
    settings = {
        "rescaling": ("Rescaling", {"scale": 2 / 255, "offset": -1.0}), "normalization": ("Normalization", {}),
        "stem": ("Conv2D", {}), "later": ("Rescaling", {"scale": 2.0}),
    }  # fmt: skip
    entries = [{"class_name": kind, "config": {"name": name, **more}} for name, (kind, more) in settings.items()]
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": entries}}))
        archive.write(tmp_path / "a.weights.h5", "model.weights.h5")
    steps = "Rescaling `rescaling`: (x - 127.5) / 127.5, Normalization `normalization`"
    assert f"\nthe file computes with its image ({steps}) before its" in imported(run, tmp_path, "a.keras")[0]


def test_a_norm_of_three_arrays_is_not_guessed(tmp_path: Path) -> None:
    keras_3(tmp_path / "a.h5", {"layers/batch_normalization": ("bn", [np.ones(4, "f")] * 3)})
    source = read_weights(tmp_path / "a.h5")
    assert {stored.unusable for stored in source.tensors} == {"what it is, the file does not say"}


def test_hdf5_that_leads_out_of_the_file_is_not_followed(tmp_path: Path) -> None:
    import h5py

    keras_3(tmp_path / "a.h5", {"layers/conv2d": ("c", [np.ones((1, 1, 1, 1), "f")])})

    def said(change: Callable[[Any, Any], object]) -> str:
        keras_3(tmp_path / "b.h5", {"layers/conv2d": ("c", [np.ones((1, 1, 1, 1), "f")])})
        with h5py.File(tmp_path / "b.h5", "r+") as file:
            held = file["layers/conv2d/vars"]
            del held["0"]
            change(file, held)
        return refusal(tmp_path / "b.h5").partition(";")[0]

    elsewhere = h5py.ExternalLink("a.h5", "layers/conv2d/vars/0")
    link = "`0` is a link to another place, which is not followed"
    assert said(lambda _, held: held.__setitem__("0", elsewhere)) == link
    assert said(lambda _, held: held.__setitem__("0", h5py.SoftLink("/layers"))) == link
    layout = h5py.VirtualLayout((1, 1, 1, 1), "f")
    layout[...] = h5py.VirtualSource("a.h5", "layers/conv2d/vars/0", (1, 1, 1, 1))
    lies = "`/layers/conv2d/vars/0` lies in another file, which is not read"
    assert said(lambda _, held: held.create_virtual_dataset("0", layout)) == lies
    raw = [("a.h5", 0, 4)]
    assert said(lambda _, held: held.create_dataset("0", (1, 1, 1, 1), "f", external=raw)) == lies
    packed = "`/layers/conv2d/vars/0` is packed, or has values that the file does not hold"
    assert (
        said(lambda _, held: held.create_dataset("0", (64, 64, 9, 9), "f", compression="gzip", fillvalue=1)) == packed
    )
    assert said(lambda _, held: held.create_dataset("0", (2**20, 2**20, 1, 1), "f", chunks=(1, 1, 1, 1))) == packed
    assert said(lambda file, _: file.move("layers", "x")) == "it holds no tensors"


def test_a_cycle_of_groups_ends(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("a")
        group["b"] = group
    assert refusal(tmp_path / "a.h5") == "its groups are more than 16 deep; None"


def test_whatever_the_bytes_of_hdf5_it_is_tensors_or_a_diagnostic(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.h5"
    keras_3(path, {"layers/conv2d": ("c", [np.ones((1, 1, 1, 1), "f")]), "layers/dense": ("d", [np.ones((2, 2), "f")])})
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    refusals = 0
    for _ in range(150):
        changed = whole.copy()
        changed[rng.integers(8, whole.size, 40)] = rng.integers(0, 256, 40)
        path.write_bytes(changed.tobytes())
        try:
            source = read_weights(path)
            for tensor in source.tensors:
                if tensor.floats and not tensor.unusable:
                    assert source.values(tensor).shape == tensor.shape
        except SegcompileError as error:
            refusals += 1
            assert [found.code.code for found in error.diagnostics] == ["SC801"]
    assert refusals
