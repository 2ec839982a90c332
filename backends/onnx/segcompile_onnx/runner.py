"""Runs emitted folders for the conformance kit: in float32 by onnxruntime, whose kernels know no float64; in that by
the reference of the onnx library, whose operators are written in NumPy. No other file of the backend imports either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from segcompile_onnx.program import Array

onnxruntime.set_default_logger_severity(3)  # what its optimiser leaves is nobody's fault


class OnnxModel:
    """A model.onnx, checked."""

    def __init__(self, path: Path, double: bool) -> None:
        onnx.checker.check_model(path, full_check=True)
        self.model, self.double = onnx.load(path), double
        if double:
            _widen(self.model)

    def parameters(self) -> dict[str, Array]:
        return {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in self.model.graph.initializer}

    def assign(self, parameters: Mapping[str, Array]) -> None:
        for tensor in self.model.graph.initializer:
            if tensor.name in parameters:
                tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(parameters[tensor.name]), tensor.name))

    def forward(self, *inputs: Array) -> dict[str, Array]:
        given = {value.name: array for value, array in zip(self.model.graph.input, inputs, strict=True)}
        heads = [value.name for value in self.model.graph.output]
        found = ReferenceEvaluator(self.model).run(heads, given) if self.double else self._run(heads, given)
        return dict(zip(heads if len(heads) > 1 else ["output"], found, strict=True))

    def shapes(self, *inputs: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """By running it: what ONNX infers ends at the first size that is computed."""
        kind = np.float64 if self.double else np.float32
        return {head: value.shape for head, value in self.forward(*(np.zeros(shape, kind) for shape in inputs)).items()}

    def gradients(
        self, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        raise NotImplementedError("a model of ONNX is run, and not trained")

    def reaches(self, inputs: Sequence[Array], marks: Mapping[str, Array]) -> list[Array]:
        raise NotImplementedError("a model of ONNX has no gradients")

    def _run(self, heads: list[str], given: Mapping[str, Array]) -> list[Array]:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        content = self.model.SerializeToString()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        found: list[Array] = session.run(heads, given)
        return found


def _widen(model: ModelProto) -> None:
    """Float64 for float32 in all that the model holds; the types of its values are said nowhere else."""
    constants = (node.attribute[0].t for node in model.graph.node if node.op_type == "Constant")
    for tensor in (*model.graph.initializer, *constants):
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    del model.graph.value_info[:]


class OnnxRunner:
    """Loads the model.onnx of a folder."""

    def load(self, folder: Path, class_name: str, *, double: bool, seed: int) -> OnnxModel:
        return OnnxModel(folder / "model.onnx", double)

    def shapes(self, folder: Path, class_name: str) -> dict[str, tuple[int, ...]]:
        return {tensor.name: tuple(tensor.dims) for tensor in onnx.load(folder / "model.onnx").graph.initializer}


RUNNER = OnnxRunner()
