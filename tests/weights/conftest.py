"""Files as other tools write them, made of the tensors of a small network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from segcompile.cli import cli
from segcompile.cli.outcome import guarded

SPEC = """\
segcompile: 1
model: net
input: {channels: 3, size: 16}
defaults: {conv: {kernel: 3, pad: same, act: relu}}
layers:
  - c1:  {conv: 4}
  - c2:  {conv: 6}
  - fc:  {linear: 5}
"""
SHAPES = {
    "c1.weight": (4, 3, 3, 3), "c1.bias": (4,), "c2.weight": (6, 4, 3, 3), "c2.bias": (6,),
    "fc.weight": (5, 1536), "fc.bias": (5,),
}  # fmt: skip
Tensors = Mapping[str, np.ndarray]


def drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    """Values for every tensor of the network."""
    return drawn(SHAPES)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`segcompile weights ...` in tmp_path: exit status, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        words = ["weights", *map(str, arguments)]
        status = guarded(lambda: cli.main(words, standalone_mode=False))
        return status, *capsys.readouterr()

    return call


def save_safetensors(path: Path, tensors: Tensors, notes: Mapping[str, str] | None = None) -> None:
    from safetensors.numpy import save_file

    save_file(dict(tensors), path, dict(notes or {}))


def save_torch(path: Path, tensors: Tensors, prefix: str = "") -> None:
    import torch

    torch.save({f"{prefix}{name}": torch.from_numpy(value) for name, value in tensors.items()}, path)


def save_onnx(path: Path, tensors: Tensors) -> None:
    """Two convolutions and a matrix, under names that say nothing, stored backwards; the last bias is a Constant."""
    import onnx
    from onnx import helper, numpy_helper

    w1, b1, w2, b2, w3, b3 = tensors.values()
    stored = {"t0": w1, "t1": b1, "t2": w2, "t3": b2, "t4": w3.T.copy(), "shape": np.array([1, -1])}
    nodes = [
        helper.make_node("Conv", ["x", "t0", "t1"], ["y1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["y1"], ["r1"]),
        helper.make_node("Conv", ["r1", "t2", "t3"], ["y2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["y2"], ["r2"]),
        helper.make_node("Reshape", ["r2", "shape"], ["flat"]),
        helper.make_node("Constant", [], ["t5"], value=numpy_helper.from_array(b3)),
        helper.make_node("Gemm", ["flat", "t4", "t5"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("out", 1, [1, 5])],
        [numpy_helper.from_array(value, name) for name, value in reversed(stored.items())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model)
    onnx.save(model, path)


def save_caffe(path: Path, tensors: Tensors, first_generation: bool = False) -> None:
    """A NetParameter, byte by byte: LayerParameter with BlobShape, or V1LayerParameter with four legacy axes."""
    path.write_bytes(b"".join(_caffe_layer(*layer, first_generation) for layer in _layers(tensors)))


def _layers(tensors: Tensors) -> list[tuple[str, list[np.ndarray]]]:
    found: dict[str, list[np.ndarray]] = {}
    for name, value in tensors.items():
        found.setdefault(name.partition(".")[0], []).append(value)
    return list(found.items())


def _caffe_layer(name: str, blobs: list[np.ndarray], first: bool) -> bytes:
    dense = blobs[0].ndim == 2
    if first:
        kind = varint(5 << 3) + varint(14 if dense else 4)
        body = field(4, name.encode()) + kind + b"".join(field(6, _legacy(blob)) for blob in blobs)
        return field(2, body)
    kind = field(2, b"InnerProduct" if dense else b"Convolution")
    return field(100, field(1, name.encode()) + kind + b"".join(field(7, _blob(blob)) for blob in blobs))


def _blob(value: np.ndarray) -> bytes:
    shape = b"".join(varint(extent) for extent in value.shape)
    return field(7, field(1, shape)) + field(5, value.astype("<f4").tobytes())


def _legacy(value: np.ndarray) -> bytes:
    axes = (1,) * (4 - value.ndim) + value.shape
    shape = b"".join(varint(number << 3) + varint(extent) for number, extent in enumerate(axes, 1))
    return shape + field(5, value.astype("<f4").tobytes())


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


@pytest.fixture
def save() -> Mapping[str, Callable[..., None]]:
    """Format -> what writes it."""
    return {
        "safetensors": save_safetensors,
        "torch": save_torch,
        "onnx": save_onnx,
        "caffe": save_caffe,
        "caffe 1": lambda path, tensors: save_caffe(path, tensors, first_generation=True),
    }
