"""ONNX: the constants of a model, in the order in which its nodes use them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from segcompile.weights.stored import Order, Source, Stored, check_file, checked, damaged

MOST_BYTES = 2**31 - 1  # of a protobuf message
_FLOATS = (1, 10, 11, 16)  # TensorProto's float, float16, double, bfloat16
_EXTERNAL = 1  # TensorProto.DataLocation
_FLATTENS = ("Reshape", "Flatten", "Squeeze", "Identity", "Dropout", "Cast", "Relu")


def read_onnx(path: Path) -> Source:
    """The initialisers and constants of a model, those of fully connected layers turned to (out, in).
    Raises SegcompileError (SC801)."""
    check_file(path, MOST_BYTES)
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise damaged(path, "that needs onnx", "pip install 'segcompile[weights]'") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError:
        raise damaged(path, "it is no ONNX model, or cut short") from None
    except OSError as error:
        raise damaged(path, (error.strerror or "").lower()) from None
    return Source(path, checked(path, _in_order(path, model.graph)), Order.EXECUTED)


def _in_order(path: Path, graph: Any) -> Iterator[Stored]:
    """Each constant where it is first used, then those that no node uses."""
    constants = dict(_constants(path, graph))
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        for index, name in enumerate(node.input):
            tensor = constants.pop(name, None)
            if tensor is not None:
                yield _used(name, tensor, node, index, makers)
    for name, tensor in constants.items():
        yield _stored(name, tensor)


def _constants(path: Path, graph: Any) -> Iterator[tuple[str, Any]]:
    named = [(tensor.name, tensor) for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            named += [(node.output[0], part.t) for part in node.attribute if part.name == "value"]
    seen = set()
    for name, tensor in named:
        if tensor.data_location == _EXTERNAL:
            raise damaged(path, f"`{name}` lies in another file", "onnx.save(onnx.load(path), path) makes it one file")
        if name in seen:
            raise damaged(path, f"two tensors are called `{name}`")
        seen.add(name)
        yield name, tensor


def _used(name: str, tensor: Any, node: Any, index: int, makers: dict[str, Any]) -> Stored:
    """A constant as input number `index` of a node."""
    if index != 1 or node.op_type not in ("Gemm", "MatMul") or len(tensor.dims) != 2:
        return _stored(name, tensor)
    settings = {part.name: part.i if part.name.startswith("trans") else part.f for part in node.attribute}
    if settings.get("transA") or settings.get("alpha", 1.0) != 1.0 or settings.get("beta", 1.0) != 1.0:
        return _stored(name, tensor, unusable="its node scales or transposes its input")
    if _transposed_before(node.input[0], makers):
        return _stored(name, tensor, unusable="it reads a map in another order than channel, row, column")
    return _stored(name, tensor, turned=not settings.get("transB"))


def _transposed_before(name: str, makers: dict[str, Any]) -> bool:
    """Whether a map was transposed before it was flattened to `name`."""
    seen = set()
    while name in makers and name not in seen:
        seen.add(name)
        node = makers[name]
        if node.op_type == "Transpose":
            return True
        if node.op_type not in _FLATTENS or not node.input:
            return False
        name = node.input[0]
    return False


def _stored(name: str, tensor: Any, turned: bool = False, unusable: str = "") -> Stored:
    shape = tuple(tensor.dims)
    floats = tensor.data_type in _FLOATS
    return Stored(name, shape[::-1] if turned else shape, partial(_values, tensor, turned), unusable, floats)


def _values(tensor: Any, turned: bool) -> Any:
    from onnx import numpy_helper

    found = numpy_helper.to_array(tensor)
    return found.T if turned else found
