"""ONNX models whose structure is whole and whose values make no sense: tensors or one diagnostic, never a traceback."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import onnx
import pytest

from segcompile.text.errors import SegcompileError
from segcompile.weights.reading import read_weights

CASES = Path(__file__).parents[1] / "data/cases"
FILES = ("onnx_norms/p", "onnx_norms/b", "onnx_constants/u", "onnx_shared/f", "onnx_attributes/bn_eps")
NUMBERS = (0, 1, -1, 2, 3, -7, 64, 65, 10**6, 2**31, 2**62, -(2**63))
OPS = (
    "Pad", "Reshape", "Squeeze", "Unsqueeze", "PRelu", "Slice", "Concat", "GroupNormalization", "Gemm", "MatMul",
    "Resize", "ConstantOfShape", "Flatten", "ReduceMean", "DepthToSpace", "InstanceNormalization", "ConvTranspose",
    "Shape", "Gather", "Identity", "Mul", "Add", "QLinearConv", "DequantizeLinear", "Cast", "Upsample",
)  # fmt: skip


def distort(model: Any, draw: random.Random) -> None:
    """One number, type, name or op is another."""
    graph = model.graph
    step = draw.choice(graph.node)
    names = [name for one in graph.node for name in (*one.input, *one.output)]
    what = draw.randrange(7)
    if what == 0 and step.attribute:
        part = draw.choice(step.attribute)
        part.i, part.f, part.s = draw.choice(NUMBERS), draw.choice((0.0, -1.0, float("nan"), 1e38)), b"\xff\xfe"
        if part.ints:
            part.ints[draw.randrange(len(part.ints))] = draw.choice(NUMBERS)
    elif what == 1 and step.attribute:
        draw.choice(step.attribute).type = draw.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 11))
    elif what == 2 and step.input:
        step.input[draw.randrange(len(step.input))] = draw.choice(["", *names])
    elif what == 3 and step.output:
        step.output[0] = draw.choice(["", *names])
    elif what == 4:
        tensor = draw.choice(graph.initializer)
        tensor.dims.append(draw.choice(NUMBERS)) if draw.random() < 0.5 else tensor.dims.insert(0, draw.choice(NUMBERS))
        tensor.data_type = draw.choice((1, 1, 1, 3, 7, 8, 10, 11, 16, 22, 30))
    elif what == 5:
        step.op_type = draw.choice(OPS)
    else:
        draw.choice(graph.input[0].type.tensor_type.shape.dim).dim_value = draw.choice(NUMBERS)


@pytest.mark.parametrize("file", FILES)
def test_whatever_a_model_says_it_is_tensors_or_a_diagnostic(file: str, tmp_path: Path) -> None:
    whole = onnx.load(CASES / f"{file}.onnx")
    draw, path, read = random.Random(file), tmp_path / "a.onnx", 0
    for _ in range(150):
        model = onnx.ModelProto()
        model.CopyFrom(whole)
        for _ in range(draw.randint(1, 3)):
            distort(model, draw)
        path.write_bytes(model.SerializeToString())
        try:
            source = read_weights(path)
            for tensor in source.tensors:
                if tensor.floats and not tensor.unusable:
                    assert source.values(tensor).shape == tensor.shape
            read += 1
        except SegcompileError as error:
            assert [found.code.code for found in error.diagnostics] == ["SC801"]
    assert read
