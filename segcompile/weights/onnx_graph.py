"""The main graph of an ONNX model: its steps, who makes and who reads each value, and which values are constant.

Nothing is run. A constant is followed through steps that only name, turn, reshape or convert it, lazily: its values
are read when they are asked for. Whatever the bytes say, a setting of the wrong type or length counts as not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from segcompile.weights.stored import MOST_VALUES, damaged

_FLOATS = (1, 10, 11, 16)  # TensorProto's float, float16, double, bfloat16
_EXTERNAL = 1  # TensorProto.DataLocation
_DOMAINS = ("", "ai.onnx", "com.microsoft")  # ONNX's own, and onnxruntime's fused ops
MOST_SETTINGS = 64  # numbers in a list of pads, axes, scales
_MOST_LOOKED_AT = 2**20  # values of a constant that is compared with a number


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor of the file, or what steps that change no value make of it. `channels_last`: a matrix whose columns are
    for a flattened map of (height, width, channel)."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Any]
    floats: bool = True
    unusable: str = ""
    channels_last: bool = False

    @property
    def count(self) -> int:
        return prod(self.shape)

    def shaped(self, shape: Sequence[int]) -> Constant:
        """The same values in another shape of as many."""
        return replace(self, shape=tuple(shape), read=lambda: np.reshape(self.read(), shape))

    def times(self, factor: float) -> Constant:
        return self if factor == 1 else replace(self, read=lambda: np.asarray(self.read(), np.float32) * factor)

    def spread(self, count: int) -> Constant:
        """`count` values of n, each for count / n neighbouring channels."""
        repeats = count // self.count
        return replace(self, shape=(count,), read=lambda: np.repeat(np.reshape(self.read(), -1), repeats))

    def is_all(self, value: float) -> bool:
        """Whether every value is this one."""
        return 0 < self.count <= _MOST_LOOKED_AT and bool(np.all(array_of(self) == value))

    def numbers(self) -> tuple[float, ...] | None:
        """The values of a short list, or of a single number, if they are finite."""
        if len(self.shape) > 1 or self.count > MOST_SETTINGS:
            return None
        found = array_of(self)
        if found is None or found.dtype.kind not in "fiub" or not np.isfinite(found).all():
            return None
        return tuple(float(value) for value in np.reshape(found, -1))


def array_of(constant: Constant) -> Any:
    """The values of a constant as they lie in the file; None if they cannot be read."""
    try:
        return np.asarray(constant.read())
    except Exception:  # whatever the bytes make a library raise: who needs the values is told when they are written
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A node: its op (one of another domain is `domain.Op`), its name or that of what it makes, and its settings."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: Mapping[str, Any]

    def input(self, index: int) -> str:
        """The name of an input; "" where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def integer(self, name: str, default: int) -> int:
        value = self.settings.get(name, default)
        return value if isinstance(value, int) else default

    def number(self, name: str, default: float) -> float:
        value = self.settings.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def word(self, name: str, default: str) -> str:
        value = self.settings.get(name, default)
        return value if isinstance(value, str) else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers; None where it is not said."""
        value = self.settings.get(name)
        return value if isinstance(value, tuple) and all(isinstance(part, int) for part in value) else None


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
        """The step that reads a value, if nothing else does."""
        found = self.readers.get(name, ())
        return found[0] if len(found) == 1 and name not in self.results else None


def onnx_graph(path: Path, model: Any) -> OnnxGraph:
    """What a model's main graph holds. Raises SegcompileError (SC801) for tensors in other files and doubled names."""
    steps = tuple(_step(node) for node in model.graph.node)
    constants = dict(_held(path, model.graph))
    for step in steps:
        follow, first = FOLLOWED.get(step.op), constants.get(step.input(0))
        found = follow(step, first, constants) if follow and first and step.outputs else None
        if found is not None:
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
        return Constant(part.name, tuple(part.t.dims), partial(_array, part.t), part.t.data_type in _FLOATS)
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
    return Constant(name, tuple(value.dims), partial(_array, value), value.data_type in _FLOATS)


def _array(tensor: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.to_array(tensor)


_Follow = Callable[[Step, Constant, Mapping[str, Constant]], Constant | None]


def _named(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant:
    return replace(first, name=step.outputs[0])


def _converted(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    kind = step.integer("to", 0)
    if kind not in _FLOATS:
        return replace(first, floats=False)

    def read() -> Any:
        from onnx import helper

        return np.asarray(first.read()).astype(helper.tensor_dtype_to_np_dtype(kind))

    return replace(first, floats=True, read=read)


def _turned(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    axes = step.integers("perm") or tuple(reversed(range(len(first.shape))))
    if sorted(axes) != list(range(len(first.shape))):
        return None
    shape = tuple(first.shape[axis] for axis in axes)
    return replace(first, shape=shape, read=lambda: np.transpose(first.read(), axes))


def _reshaped(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    wanted = constants.get(step.input(1))
    numbers = wanted.numbers() if wanted else None
    shape = resolved(first.shape, numbers, bool(step.integer("allowzero", 0))) if numbers is not None else None
    return None if shape is None or None in shape else _same_count(first, [extent or 0 for extent in shape])


def resolved(
    shape: Sequence[int | None], wanted: Sequence[float], zero_is_zero: bool = False
) -> tuple[int | None, ...] | None:
    """What Reshape makes of a shape: 0 keeps an extent, -1 takes the rest. None where that cannot be."""
    found: list[int | None] = []
    for index, extent in enumerate(map(int, wanted)):
        if extent == 0 and not zero_is_zero:
            if index >= len(shape):
                return None
            found.append(shape[index])
        else:
            found.append(None if extent < 0 else extent)
    open_axes = [index for index, extent in enumerate(map(int, wanted)) if extent < 0]
    if len(open_axes) == 1 and None not in shape and found.count(None) == 1:
        rest = prod(extent for extent in found if extent is not None)
        found[open_axes[0]] = prod(extent or 0 for extent in shape) // rest if rest else None
    return tuple(found)


def _squeezed(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    axes = _axes(step, constants, len(first.shape))
    if axes is None and step.input(1):
        return None
    kept = [
        extent for axis, extent in enumerate(first.shape) if (axis not in axes if axes is not None else extent != 1)
    ]
    return _same_count(first, kept)


def _unsqueezed(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    wanted = constants.get(step.input(1))
    count = len(step.integers("axes") or (wanted.numbers() if wanted else None) or ())
    axes = _axes(step, constants, len(first.shape) + count)
    if not axes or len(first.shape) + count > MOST_SETTINGS:
        return None
    rest = iter(first.shape)
    return _same_count(first, [1 if axis in axes else next(rest, 1) for axis in range(len(first.shape) + count)])


def _axes(step: Step, constants: Mapping[str, Constant], rank: int) -> frozenset[int] | None:
    wanted = constants.get(step.input(1))
    axes = step.integers("axes") or (wanted.numbers() if wanted else None)
    return None if axes is None else frozenset(int(axis) % rank if rank else 0 for axis in axes)


def _same_count(first: Constant, shape: Sequence[int]) -> Constant | None:
    found = first.shaped(shape)
    return found if found.count == first.count <= MOST_VALUES else None


def _quantised(step: Step, first: Constant, constants: Mapping[str, Constant]) -> Constant | None:
    return replace(first, floats=True, unusable="it is quantised")


FOLLOWED: Mapping[str, _Follow] = {
    "Identity": _named,
    "Cast": _converted,
    "Transpose": _turned,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "QuantizeLinear": _quantised,
    "DequantizeLinear": _quantised,
}
