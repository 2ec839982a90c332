"""ONNX models written by hand, and what onnxruntime and the generated network compute of one image."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Run = Callable[..., tuple[int, str, str]]
IMAGES, OUT = ("--channels", "rgb"), ("-o", "out.safetensors")
FLAGS = (*IMAGES, *OUT)


def node(op: str, inputs: Sequence[str], output: str, **settings: Any) -> Any:
    """A node of one output, which is its name, too."""
    return helper.make_node(op, list(inputs), [output], name=output, **settings)


def write(
    path: Path,
    nodes: Sequence[Any],
    constants: Mapping[str, np.ndarray],
    size: Sequence[int | str] = (1, 3, 8, 8),
    opset: int = 13,
    rank: int = 4,
    checked: bool = True,
) -> Path:
    """A model of one image `x`, whose result, of so many axes, is that of the last node."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(size))],
        [helper.make_tensor_value_info(nodes[-1].output[0], onnx.TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    version = helper.find_min_ir_version_for([helper.make_opsetid("", opset)]) if opset > 7 else 3
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=max(4, min(version, 10)))
    if checked:
        onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def export(path: Path, module: Any, size: Sequence[int] = (1, 3, 16, 16), **settings: Any) -> Path:
    """A module in evaluation, as PyTorch's exporter writes it."""
    import torch

    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(module.eval(), torch.zeros(*size), path, dynamo=False, **settings)
    return path


def drawn(module: Any, seed: int = 0) -> Any:
    """A module with values that no initialisation gives: scales off 1, means off 0, variances off 1, some negative."""
    import torch

    rng = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            low = 0.5 if name.endswith("running_var") else -0.5
            tensor.copy_(torch.rand(tensor.shape, generator=rng) * 1.0 + low)
    return module


def theirs(path: Path, image: np.ndarray) -> list[np.ndarray]:
    """What onnxruntime computes, its optimisations disabled."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {session.get_inputs()[0].name: image})
    return found


def ours(nets: SimpleNamespace, spec: Path, weights: Path, image: np.ndarray) -> np.ndarray:
    """What the generated network computes with the imported weights."""
    import torch
    from safetensors.torch import load_file

    compiled = nets.compiled(spec)
    net = nets.load(nets.source_of(compiled.graph, compiled.facts)["model.py"]).Net().eval()
    net.load_state_dict(load_file(weights))
    with torch.no_grad():
        found: np.ndarray = net(torch.from_numpy(image)).numpy()
    return found


def agrees(run: Run, nets: SimpleNamespace, file: Path, spec: Path, *flags: str, images: Sequence[str] = IMAGES) -> str:
    """Import everything, and compare with onnxruntime to 1e-4 of the largest value; the report."""
    import onnx

    status, told, errors = run("import", file, "--spec", spec, *images, *OUT, *flags)
    assert status == 0 and "error" not in errors, errors
    count = len(nets_tensors(nets, spec))
    assert f"out.safetensors: {count} of {count} tensors" in told, told
    dims = onnx.load(file).graph.input[0].type.tensor_type.shape.dim
    size = tuple(dim.dim_value or 1 for dim in dims)
    image = np.random.default_rng(1).normal(size=size).astype(np.float32)
    want, have = theirs(file, image)[0], ours(nets, spec, Path("out.safetensors"), image)
    assert have.shape == want.shape
    assert np.abs(have - want).max() <= 1e-4 * np.abs(want).max()
    return told


def nets_tensors(nets: SimpleNamespace, spec: Path) -> list[str]:
    """The names of a network's tensors."""
    from segcompile.weights.parameters import tensors

    compiled = nets.compiled(spec)
    return [tensor.name for tensor in tensors(compiled.graph, compiled.facts)]
