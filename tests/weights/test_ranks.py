"""Weights of signals and volumes: files of every kind say where their convolutions read, and it is compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from segcompile.network.graph import Node
from segcompile.ops import Init, Linear, Parameter
from segcompile.weights.parameters import Tensor
from segcompile.weights.placing import Place
from segcompile.weights.stored import Stored

from .onnx_models import OUT, Run, agrees, node, write
from .test_caffe_layers import Caffe

RANKS = (1, 3)


def some(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(np.float32)


def net(folder: Path, rank: int, *layers: str) -> Path:
    path = folder / "net.yaml"
    size = [9, 10, 11][:rank]
    lines = "".join(f"  - {layer}\n" for layer in layers)
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 2, size: {size}}}\nlayers:\n{lines}")
    return path


def network(rank: int) -> tuple[list[object], dict[str, np.ndarray]]:
    """A Pad, a dilated convolution of one-sided padding, and a transposed one, in ONNX."""
    before, behind = [1, 0, 2][:rank], [0, 2, 1][:rank]
    nodes = [
        node("Pad", ("x", "around"), "p"),
        node("Conv", ("p", "c.weight", "c.bias"), "c", strides=[2] * rank, dilations=[1, 2, 2][:rank]),
        node("ConvTranspose", ("c", "d.weight"), "d", strides=[2] * rank, pads=[1] * 2 * rank,
             output_padding=[1] * rank),
    ]  # fmt: skip
    held = {
        "c.weight": some(4, 2, *[3] * rank), "c.bias": some(4), "d.weight": some(4, 3, *[3] * rank),
        "around": np.array([0, 0, *before, 0, 0, *behind]),
    }  # fmt: skip
    return nodes, held


@pytest.mark.parametrize("rank", RANKS)
def test_an_onnx_file_says_where_it_reads_along_every_axis(
    run: Run, nets: SimpleNamespace, tmp_path: Path, rank: int
) -> None:
    nodes, held = network(rank)
    file = write(tmp_path / "a.onnx", nodes, held, (1, 2, *[9, 10, 11][:rank]), rank=rank + 2)
    ends = str([[1, 0], [0, 2], [2, 1]][:rank])
    dilation = str([1, 2, 2][:rank])
    up = "d: {deconv: 3, kernel: 3, stride: 2, pad: 1, output_pad: 1, bias: no}"
    right = f"c: {{conv: 4, kernel: 3, stride: 2, dilation: {dilation}, pad: {ends}}}"
    told = agrees(run, nets, file, net(tmp_path, rank, right, up), images=())
    assert "not compared" not in told
    wrong = net(tmp_path, rank, f"c: {{conv: 4, kernel: 3, stride: 2, dilation: {dilation}}}", up)
    status, _, errors = run("import", file, "--spec", wrong, *OUT)
    assert status == 1 and f"error[SC806 other-window]: c has padding of 0, the file's Conv `c` {ends}\n" in errors
    assert f"   = help: `pad: {ends}` if the file is right; --weights-only if only its weights are wanted\n" in errors
    other = net(tmp_path, rank, right, up.replace(", output_pad: 1", ""))
    status, _, errors = run("import", file, "--spec", other, *OUT)
    assert status == 1 and "d has a cut (pad less output_pad) of 1, the file's ConvTranspose `d` " in errors


@pytest.mark.parametrize("rank", RANKS)
def test_same_of_an_onnx_file_is_resolved_at_its_size(
    run: Run, nets: SimpleNamespace, tmp_path: Path, rank: int
) -> None:
    nodes = [node("Conv", ("x", "c.weight"), "c", strides=[2] * rank, auto_pad="SAME_UPPER")]
    file = write(tmp_path / "a.onnx", nodes, {"c.weight": some(4, 2, *[4] * rank)}, (1, 2, *[8] * rank), rank=rank + 2)
    spec = net(tmp_path, rank, "c: {conv: 4, kernel: 4, stride: 2, pad: 1, bias: no}")
    spec.write_text(spec.read_text().replace(str([9, 10, 11][:rank]), str([8] * rank)))
    assert "not compared" not in agrees(run, nets, file, spec, images=())


@pytest.mark.parametrize("rank", RANKS)
def test_keras_kernels_are_turned_and_their_windows_compared(run: Run, tmp_path: Path, rank: int) -> None:
    import zipfile

    import h5py

    kernel, up, deep = (some(*[3] * rank, *ends) for ends in ((2, 4), (3, 4), (3, 1)))
    arrays = {"c": [kernel, some(4)], "d": [up, some(3)]} | ({"e": [deep]} if rank == 1 else {})  # Keras has no other
    classes = {"c": f"Conv{rank}D", "d": f"Conv{rank}DTranspose", "e": f"DepthwiseConv{rank}D"}
    settings = {"kernel_size": [3] * rank, "strides": [1] * rank, "padding": "same"}
    dilated = {name: {"name": name, **settings, "dilation_rate": [2 if name == "c" else 1] * rank} for name in arrays}
    layers = [{"class_name": classes[name], "config": dilated[name]} for name in arrays]
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for name, values in arrays.items():
            held = file.create_group(f"layers/{name}/vars")
            held.attrs["name"] = name
            for index, value in enumerate(values):
                held[str(index)] = value
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"layers": layers}}))
        archive.write(tmp_path / "a.weights.h5", "model.weights.h5")
    rest = ["d: {deconv: 3, kernel: 3, pad: 1}", "e: {conv: 3, kernel: 3, pad: 1, groups: 3, bias: no}"][
        : len(arrays) - 1
    ]
    spec = net(tmp_path, rank, "c: {conv: 4, kernel: 3, dilation: 2, pad: same}", *rest)
    status, _, errors = run("import", "a.keras", "--spec", spec, *OUT, "--strict")
    assert (status, errors) == (0, "")
    found = load_file(tmp_path / "out.safetensors")
    assert np.array_equal(found["c.weight"][3, 1], kernel[..., 1, 3])
    assert np.array_equal(found["d.weight"][3, 2], up[..., 2, 3])
    assert rank > 1 or np.array_equal(found["e.weight"][2, 0], deep[..., 2, 0])
    wrong = net(tmp_path, rank, "c: {conv: 4, kernel: 3, dilation: 1, pad: same}", *rest)
    status, _, errors = run("import", "a.keras", "--spec", wrong, *OUT)
    assert status == 1 and f"c has a dilation of 1, the file's Conv{rank}D `c` 2" in errors


def test_a_convolution_of_caffe_over_volumes(run: Run, tmp_path: Path) -> None:
    caffe = Caffe()
    caffe.add("c", "Convolution", "data", "c", some(4, 2, 3, 3, 3), pad=[1, 0, 1], stride=[2])
    file = caffe.save(tmp_path / "a.caffemodel")
    right = net(tmp_path, 3, "c: {conv: 4, kernel: 3, stride: 2, pad: [1, 0, 1], bias: no}")
    status, told, errors = run("import", file, "--spec", right, *OUT, "--strict")
    assert (status, errors) == (0, "") and "1 of 1 tensors" in told
    wrong = net(tmp_path, 3, "c: {conv: 4, kernel: 3, stride: [2, 1, 2], pad: 1, bias: no}")
    status, _, errors = run("import", file, "--spec", wrong, *OUT)
    assert status == 1 and "c has a stride of [2, 1, 2], the file's Convolution `c` 2" in errors
    assert "c has padding of 1, the file's Convolution `c` [1, 0, 1]" in errors


def test_columns_behind_a_flattened_signal_go_from_sample_and_channel_to_channel_and_sample() -> None:
    stored = Stored("fc", (1, 6), lambda: None, channels_last=True)
    tensor = Tensor(Node("fc", Linear(features=1), ("x",), "fc"), Parameter("weight", (1, 6), Init()), "fc.weight")
    place = Place(replace(tensor, reads=(2, 3)), stored)
    assert place.turned and not Place(replace(tensor, reads=(6, 1)), stored).turned
    assert place.value(np.arange(6.0).reshape(1, 6)).tolist() == [[0, 2, 4, 1, 3, 5]]
