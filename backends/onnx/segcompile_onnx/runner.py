"""Runs emitted folders for the conformance kit, by onnxruntime as it is, without its optimiser. No other file of the
backend imports it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from segcompile.importers.lift import Imported
from segcompile.importers.network_file import import_network
from segcompile_onnx.program import Array

onnxruntime.set_default_logger_severity(3)  # what its optimiser leaves is nobody's fault


class OnnxModel:
    """A model.onnx, checked."""

    def __init__(self, path: Path) -> None:
        onnx.checker.check_model(path, full_check=True)
        self.model = onnx.load(path)

    def parameters(self) -> dict[str, Array]:
        return {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in self.model.graph.initializer}

    def assign(self, parameters: Mapping[str, Array]) -> None:
        for tensor in self.model.graph.initializer:
            if tensor.name in parameters:
                tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(parameters[tensor.name]), tensor.name))

    def forward(self, *inputs: Array) -> dict[str, Array]:
        given = {value.name: array for value, array in zip(self.model.graph.input, inputs, strict=True)}
        heads = [value.name for value in self.model.graph.output]
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        content = self.model.SerializeToString()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return dict(zip(heads if len(heads) > 1 else ["output"], session.run(heads, given), strict=True))

    def shapes(self, *inputs: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """By running it: what ONNX infers ends at the first size that is computed."""
        images = (np.zeros(shape, np.float32) for shape in inputs)
        return {head: value.shape for head, value in self.forward(*images).items()}

    def gradients(
        self, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        raise NotImplementedError("the kit asks no gradients of a backend that does not train")

    def reaches(self, inputs: Sequence[Array], marks: Mapping[str, Array]) -> list[Array]:
        raise NotImplementedError("the kit asks no gradients of a backend that does not train")

    def read_back(self, *inputs: Sequence[int]) -> Imported:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(self.model, path)
            return import_network(path)


class OnnxRunner:
    """Loads the model.onnx of a folder."""

    def load(self, folder: Path, class_name: str, *, double: bool, seed: int) -> OnnxModel:
        if double:
            raise NotImplementedError("onnxruntime has no convolution in float64")
        return OnnxModel(folder / "model.onnx")

    def shapes(self, folder: Path, class_name: str) -> dict[str, tuple[int, ...]]:
        return {tensor.name: tuple(tensor.dims) for tensor in onnx.load(folder / "model.onnx").graph.initializer}


RUNNER = OnnxRunner()
