"""Networks that onnx ships with its tests, of seven exporters' times: imported, and computing the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test import data

from segcompile.importers.network_file import import_network

from .agreement import difference

LIGHT = Path(next(iter(data.__path__))) / "light"
LAYERS = {
    "bvlc_alexnet": 14, "densenet121": 242, "inception_v1": 84, "inception_v2": 94, "resnet50": 73, "shufflenet": 88,
    "squeezenet": 39, "vgg19": 25, "zfnet512": 14,
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_it_comes_in(name: str) -> None:
    found = import_network(LIGHT / f"light_{name}.onnx")
    assert (len(found.graph.layers), found.said) == (LAYERS[name], ())


def drawn(path: Path) -> Any:
    """The model with weights of its own: it fills most of them with one number."""
    model, rng = onnx.load(path), np.random.default_rng(0)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kept = [node for node in model.graph.node if node.op_type != "ConstantOfShape"]
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            shape = tuple(shapes[node.input[0]])
            scale = np.prod(shape[1:]) ** -0.5
            values = rng.normal(size=shape) * scale if len(shape) > 1 else rng.uniform(0.5, 1.5, shape)
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return model


LONG = [pytest.param(name, marks=pytest.mark.long) for name in LAYERS if name != "squeezenet"]


@pytest.mark.parametrize("name", ["squeezenet", *LONG])
def test_it_computes_the_same_in_float64(name: str, tmp_path: Path) -> None:
    onnx.save(drawn(LIGHT / f"light_{name}.onnx"), tmp_path / "net.onnx")
    assert difference(tmp_path / "net.onnx", batch=1) < 1e-5
