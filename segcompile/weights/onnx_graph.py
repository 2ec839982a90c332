"""The main graph of an ONNX model: its steps, who makes and who reads each value, and which values are constant.

Nothing is run. Whatever the bytes say, a setting of the wrong type or length counts as not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.weights.onnx_constants import follow
from segcompile.weights.onnx_values import FLOATS, MOST_SETTINGS, Constant, Step
from segcompile.weights.stored import damaged

_EXTERNAL = 1  # TensorProto.DataLocation
_DOMAINS = ("", "ai.onnx", "com.microsoft")  # ONNX's own, and onnxruntime's fused ops


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """`makers`: value -> the step that makes it; `readers`: value -> the steps that read it; `inputs`: the shapes of
    what comes from outside, None for an extent that is not fixed; `results`: what the model gives; `said`: what was
    passed over."""

    steps: tuple[Step, ...]
    constants: Mapping[str, Constant]
    inputs: Mapping[str, tuple[int | None, ...]]
    results: frozenset[str]
    makers: Mapping[str, Step]
    readers: Mapping[str, tuple[Step, ...]]
    said: tuple[str, ...]

    def only_reader(self, name: str) -> Step | None:
        """The step that reads a value, if nothing else does; some only look at its shape or its type."""
        readers = self.readers.get(name, ())
        found = [step for step in readers if step.op != "Shape" and (step.op != "CastLike" or step.input(0) == name)]
        return found[0] if len(found) == 1 and name not in self.results else None


def onnx_graph(path: Path, model: Any) -> OnnxGraph:
    """What a model's main graph holds. Raises SegcompileError (SC801) for tensors in other files and doubled names."""
    steps = tuple(_step(node) for node in model.graph.node)
    constants = dict(_held(path, model.graph))
    for step in steps:
        if step.outputs and (found := follow(step, constants)) is not None:
            constants.setdefault(step.outputs[0], found)
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for name in dict.fromkeys(step.inputs):
            readers.setdefault(name, []).append(step)
    return OnnxGraph(
        steps,
        constants,
        {value.name: extents(value) for value in model.graph.input if value.name not in constants},
        frozenset(value.name for value in model.graph.output),
        {name: step for step in steps for name in step.outputs},
        {name: tuple(found) for name, found in readers.items()},
        tuple(_passed_over(model)),
    )


def _step(node: Any) -> Step:
    op = node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}"
    settings = {part.name: value for part in node.attribute if (value := _setting(part)) is not None}
    return Step(op, node.name or next(iter(node.output), op), tuple(node.input), tuple(node.output), settings)


def _setting(part: Any) -> Any:
    """An attribute's value: a number, a word, a tuple of numbers or a constant; None for graphs."""
    if part.type == 4 and part.t.data_location != _EXTERNAL:  # TENSOR
        return Constant(part.name, tuple(part.t.dims), partial(_array, part.t), part.t.data_type in FLOATS)
    if part.type in (6, 7):  # AttributeProto's FLOATS, INTS
        return tuple(part.floats if part.type == 6 else part.ints)[:MOST_SETTINGS]
    if part.type == 3:  # STRING
        return part.s.decode("utf-8", "replace")
    return {1: part.f, 2: part.i}.get(part.type)


def extents(value: Any) -> tuple[int | None, ...]:
    return tuple(part.dim_value if part.dim_value > 0 else None for part in value.type.tensor_type.shape.dim)


def _passed_over(model: Any) -> Iterator[str]:
    """What may hold weights and is not looked at."""
    inner = [node for node in model.graph.node if any(part.type in (5, 10) for part in node.attribute)]  # GRAPH, GRAPHS
    if inner:
        words = ", ".join(dict.fromkeys(node.op_type for node in inner))
        steps = "1 step of the file holds a graph" if len(inner) == 1 else f"{len(inner)} steps of the file hold graphs"
        yield f"{steps} within ({words}), which was not looked into"
    functions = {(function.domain, function.name) for function in model.functions}
    calls = [node for node in model.graph.node if (node.domain, node.op_type) in functions]
    if calls:
        steps = "1 step of the file calls" if len(calls) == 1 else f"{len(calls)} steps of the file call"
        help = "onnx.inliner.inline_local_functions(model) puts their steps into the graph"
        yield f"{steps} functions that it defines ({calls[0].op_type}), which were not looked into: {help}"


def _held(path: Path, graph: Any) -> Iterator[tuple[str, Constant]]:
    """The tensors that a graph holds itself."""
    named = [(tensor.name, tensor) for tensor in graph.initializer]
    named += [(sparse.values.name, sparse) for sparse in graph.sparse_initializer]
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            named += [(node.output[0], part) for part in node.attribute]
    seen = set()
    for name, value in named:
        found = _constant(path, name, value)
        if name in seen:
            raise damaged(path, f"two tensors are called `{name}`")
        seen.add(name)
        if found is not None:
            yield name, found


def _constant(path: Path, name: str, value: Any) -> Constant | None:
    """An initialiser, or an attribute of a Constant step: a tensor, numbers, or what holds no numbers (None)."""
    kind = type(value).__name__
    if kind == "AttributeProto":
        if value.type in (4, 11):  # TENSOR, SPARSE_TENSOR
            return _constant(path, name, value.t if value.type == 4 else value.sparse_tensor)
        numbers = _setting(value)
        if isinstance(numbers, int | float | tuple):
            array = np.asarray(numbers, np.float32 if value.type in (1, 6) else np.int64)
            return Constant(name, array.shape, lambda: array, value.type in (1, 6))
        return None
    if kind == "SparseTensorProto":
        return Constant(name, tuple(value.dims), list, unusable="it is sparse")
    if value.data_location == _EXTERNAL:
        raise damaged(path, f"`{name}` lies in another file", "onnx.save(onnx.load(path), path) makes it one file")
    return Constant(name, tuple(value.dims), partial(_array, value), value.data_type in FLOATS)


def _array(tensor: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)
