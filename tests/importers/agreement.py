"""What a file computes, by ONNX's own interpreter in float64, and what its import does, by the kit's reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from segcompile.importers.lift import Imported
from segcompile.importers.network_file import import_network
from segcompile.ops import AnySize
from segcompile.testing import reference
from segcompile.testing.parameters import imported

Arrays = Mapping[str, np.ndarray]


def in_float64(model: Any) -> Any:
    """The model, with every float32 that it holds or casts to in float64."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    for tensor in found.graph.initializer:
        _widen(tensor)
    for value in (*found.graph.input, *found.graph.output, *found.graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in found.graph.node:
        for part in node.attribute:
            if part.type == onnx.AttributeProto.TENSOR:
                _widen(part.t)
            if node.op_type == "Cast" and part.name == "to" and part.i == TensorProto.FLOAT:
                part.i = TensorProto.DOUBLE
    return found


def _widen(tensor: Any) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def images(found: Imported, names: Sequence[str], size: int, seed: int = 0, batch: int = 2) -> dict[str, np.ndarray]:
    """An image for each input of a file, in our order of axes, `size` along each axis that may be any."""
    rng = np.random.default_rng(seed)
    shapes = found.graph.inputs.values()
    extents = [(batch, each.channels, *(size if isinstance(n, AnySize) else n for n in each.size)) for each in shapes]
    return {name: rng.normal(size=extent) for name, extent in zip(names, extents, strict=True)}


def ours(found: Imported, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the graph gives, head by head."""
    given = dict(zip(found.graph.inputs, inputs, strict=True))
    return list(reference.run(found.graph, imported(found.tensors), given).values())


def theirs(model: Any, inputs: Arrays) -> list[np.ndarray]:
    """What the file gives, in the order in which its results are made."""
    made = [name for node in model.graph.node for name in node.output]
    results = sorted((value.name for value in model.graph.output), key=made.index)
    mended = [LRN] if model.opset_import[0].version >= 13 else [LRN, BatchNormalization, Softmax]
    found: list[np.ndarray] = ReferenceEvaluator(in_float64(model), new_ops=mended).run(results, dict(inputs))
    return found


class LRN(OpRun):
    """Of all channels: onnx's interpreter (1.23) takes as many as there are images."""

    op_domain = ""

    def _run(self, x: Any, **settings: Any) -> tuple[Any]:
        size = settings["size"]
        around = [((size - 1) // 2, size // 2) if axis == 1 else (0, 0) for axis in range(x.ndim)]
        squares = np.pad(x**2, around)
        total = sum(squares[:, first : first + x.shape[1]] for first in range(size))
        return (x / (settings["bias"] + settings["alpha"] / size * total) ** settings["beta"],)


class BatchNormalization(OpRun):
    """Of opset 9, which onnx's interpreter (1.23) mixes with the batch's own mean, as in training."""

    op_domain = ""

    def _run(self, x: Any, scale: Any, bias: Any, mean: Any, variance: Any, **settings: Any) -> tuple[Any]:
        scale, bias, mean, variance = (each.reshape(-1, *(1,) * (x.ndim - 2)) for each in (scale, bias, mean, variance))
        return (scale * (x - mean) / np.sqrt(variance + settings["epsilon"]) + bias,)


class Softmax(OpRun):
    """Before opset 13, over all axes from `axis` on, which is 1; onnx's interpreter takes the last one."""

    op_domain = ""

    def _run(self, x: Any, **settings: Any) -> tuple[Any]:
        axis = settings.get("axis", -1)
        flat = x.reshape(int(np.prod(x.shape[: 1 if axis == -1 else axis])), -1)  # -1: what the newest opset has
        powers = np.exp(flat - flat.max(1, keepdims=True))
        return ((powers / powers.sum(1, keepdims=True)).reshape(x.shape),)


def difference(path: Path, size: int = 12, batch: int = 2, turned: Sequence[int] | None = None) -> float:
    """How far the import of a file is from the file, of the largest value. `turned`: how the file has our image."""
    model, found = onnx.load(path), import_network(path)
    held = {tensor.name for tensor in model.graph.initializer}
    names = [value.name for value in model.graph.input if value.name not in held]
    given = images(found, names, size, batch=batch)
    as_theirs = given if turned is None else {name: image.transpose(turned) for name, image in given.items()}
    worst = 0.0
    for mine, other in zip(ours(found, list(given.values())), theirs(model, as_theirs), strict=True):
        assert mine.size == other.size, (mine.shape, other.shape)
        worst = max(worst, float(np.abs(mine.reshape(other.shape) - other).max() / max(np.abs(other).max(), 1e-30)))
    return worst


def model_of(
    steps: str, constants: Mapping[str, Any], size: Sequence[int | str | None] = ("n", 4, "h", "w"), opset: int = 18
) -> Any:
    """A model of one image `x`, of steps `y = Relu(x); z = ...`, whose results are those that nothing reads."""
    nodes = [parser.parse_node(step) for step in steps.split("; ")]
    read = {name for node in nodes for name in node.input}
    ends = [name for node in nodes for name in node.output if name and name not in read]
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info("x", floats, list(size))],
        [helper.make_tensor_value_info(name, floats, None) for name in ends],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
