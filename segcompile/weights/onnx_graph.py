"""The main graph of an ONNX model: its steps, who makes and who reads each value, and which values are constant.

Nothing is run. Whatever the bytes say, a setting of the wrong type or length counts as not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.weights.onnx_constants import follow
from segcompile.weights.onnx_values import FLOATS, MOST_SETTINGS, Constant, Step
from segcompile.weights.stored import damaged

LAYERS = frozenset({  # ops with a kernel or matrix
    "Conv", "ConvTranspose", "FusedConv", "QLinearConv", "ConvInteger", "Gemm", "FusedGemm", "QGemm", "MatMul",
    "FusedMatMul", "QLinearMatMul", "MatMulInteger", "BatchNormalization", "InstanceNormalization",
    "GroupNormalization", "LayerNormalization", "PRelu",
})  # fmt: skip
_INLINE = "onnx.inliner.inline_local_functions(model)"
NEWEST = 26  # the version of ONNX's ops that is known here
_EXTERNAL = 1  # TensorProto.DataLocation
_PATHS, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_QUOTED, MOST_SAID = re.compile(r"'([^']*)'"), 4096  # characters
_DOMAINS = ("", "ai.onnx", "com.microsoft")  # ONNX's own, and onnxruntime's fused ops


@dataclass(frozen=True, slots=True)
class OnnxGraph:
    """`makers`: value -> the step that makes it; `readers`: value -> the steps that read it; `inputs`: the shapes of
    what comes from outside, None for an extent that is not fixed; `results`: what the model gives; `said`: what was
    passed over; `opset`: the version of ONNX's ops that they mean; `classes`: path of a module -> its class."""

    steps: tuple[Step, ...]
    constants: Mapping[str, Constant]
    inputs: Mapping[str, tuple[int | None, ...]]
    results: frozenset[str]
    makers: Mapping[str, Step]
    readers: Mapping[str, tuple[Step, ...]]
    said: tuple[str, ...]
    opset: int = NEWEST
    classes: Mapping[str, str] = field(default_factory=dict)

    def only_reader(self, name: str) -> Step | None:
        """The step that reads a value, if nothing else does; some only look at its shape or its type."""
        readers = self.readers.get(name, ())
        found = [step for step in readers if step.op != "Shape" and (step.op != "CastLike" or step.input(0) == name)]
        return found[0] if len(found) == 1 and name not in self.results else None


def onnx_graph(path: Path, model: Any) -> OnnxGraph:
    """What a model's main graph holds. Raises SegcompileError (SC801) for tensors in other files, doubled names, steps
    that are not in the order of their run, and layers within a step."""
    _check_inner(path, model)
    steps = tuple(_step(node) for node in model.graph.node)
    _check_order(path, steps)
    constants = dict(_held(path, model.graph))
    live = _live(model, steps)
    idle = len(steps) - len(live)
    steps = live
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
        tuple(_passed_over(model, idle)),
        max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=NEWEST),
        {path: name.rpartition(".")[2] for node in model.graph.node for path, name in _modules(node)},
    )


def _check_order(path: Path, steps: Sequence[Step]) -> None:
    """Each value is made once, and before it is read: tensors go in by the order of the steps."""
    made: dict[str, int] = {}
    for index, step in enumerate(steps):
        for name in filter(None, step.outputs):
            if name in made:
                raise damaged(path, f"two steps make `{name}`")
            made[name] = index
    for index, step in enumerate(steps):
        late = next((name for name in step.inputs if made.get(name, -1) >= index), None)
        if late is not None:
            why = (
                f"its steps are not in the order of their run: {step.op} `{step.name}` reads `{late}` before it is made"
            )
            raise damaged(path, why, "sort them, as onnx_graphsurgeon's toposort() does")


def _live(model: Any, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that a result is made of; all where none is said."""
    wanted = {value.name for value in model.graph.output}
    if not wanted.intersection(name for step in steps for name in step.outputs):
        return tuple(steps)
    wanted |= {name for _, inner in _inner_graphs(model.graph) for node in inner.node for name in node.input}
    wanted |= {value.name for _, inner in _inner_graphs(model.graph) for value in inner.output}
    found: list[Step] = []
    for step in reversed(steps):
        if not wanted.isdisjoint(step.outputs) or not step.outputs:
            wanted.update(step.inputs)
            found.append(step)
    return tuple(reversed(found))


def _inner_graphs(graph: Any) -> Iterator[tuple[Any, Any]]:
    """The graphs within a graph's steps, each with the step."""
    todo = [graph]
    while todo:
        for node in todo.pop().node:
            for part in node.attribute:
                inner = [part.g] if part.type == 5 else list(part.graphs) if part.type == 10 else []  # GRAPH, GRAPHS
                todo += inner
                yield from ((node, each) for each in inner)


def _check_inner(path: Path, model: Any) -> None:
    """Raises SegcompileError (SC801) for layers in a graph within a step, or in a function: behind them by order all
    tensors would be those of another layer."""
    for node, inner in _inner_graphs(model.graph):
        if any(each.op_type in LAYERS for each in inner.node):
            why = f"{node.op_type} `{node.name}` holds layers of its own, which are not read"
            raise damaged(path, why, "export the network without branches and loops, or simplify it with onnxsim")
    called = {(node.domain, node.op_type) for node in model.graph.node}
    bodies = {(function.domain, function.name): function for function in model.functions}
    todo, seen = [key for key in bodies if key in called], set[tuple[str, str]]()
    while todo:
        key = todo.pop()
        if key in seen:
            continue
        seen.add(key)
        body = bodies[key].node
        if any(each.op_type in LAYERS for each in body):
            why = f"its function `{key[1]}` holds layers of its own, which are not read"
            raise damaged(path, why, f"{_INLINE} puts them into the graph")
        todo += [(each.domain, each.op_type) for each in body if (each.domain, each.op_type) in bodies]


def _step(node: Any) -> Step:
    op = node.op_type if node.domain in _DOMAINS else f"{node.domain}.{node.op_type}"
    settings = {part.name: value for part in node.attribute if (value := _setting(part)) is not None}
    scope = next((path for path, _ in reversed(_modules(node))), "")
    return Step(op, node.name or next(iter(node.output), op), tuple(node.input), tuple(node.output), settings, scope)


def _modules(node: Any) -> list[tuple[str, str]]:
    """The modules that a step was part of, path and class, the outermost first, as PyTorch's newer exporter says them:
    two lists that end with the step itself, and begin with the whole module, whose path is empty."""
    said = {part.key: part.value for part in node.metadata_props if part.key in (_PATHS, _CLASSES)}
    paths, classes = (_QUOTED.findall(said.get(key, "")[:MOST_SAID]) for key in (_PATHS, _CLASSES))
    return [(path, name) for path, name in list(zip(paths, classes, strict=False))[:-1] if path]


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


def _passed_over(model: Any, idle: int) -> Iterator[str]:
    """What is not looked at; `idle`: how many steps make no result."""
    if idle and any(node.op_type in LAYERS for node in model.graph.node):
        steps = "1 step of the file makes" if idle == 1 else f"{idle} steps of the file make"
        yield f"{steps} none of its results: left out"
    inner = [node for node in model.graph.node if any(part.type in (5, 10) for part in node.attribute)]  # GRAPH, GRAPHS
    if inner:
        words = ", ".join(dict.fromkeys(node.op_type for node in inner))
        steps = "1 step of the file holds a graph" if len(inner) == 1 else f"{len(inner)} steps of the file hold graphs"
        yield f"{steps} within ({words}), which was not looked into"
    functions = {(function.domain, function.name) for function in model.functions}
    calls = [node for node in model.graph.node if (node.domain, node.op_type) in functions]
    if calls:
        steps = "1 step of the file calls" if len(calls) == 1 else f"{len(calls)} steps of the file call"
        help = f"{_INLINE} puts their steps into the graph"
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
