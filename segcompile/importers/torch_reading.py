"""Several exports of one module, as one `Program`: calls, tensors and numbers that are compared one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from segcompile.importers.torch_program import Call, Program, Ref, Value, Varied, extent
from segcompile.weights.onnx_values import Constant

OTHER = "it makes"  # what Unequal begins with
_VIEWS_BESIDE = frozenset({"dropout", "feature_dropout", "alpha_dropout"})  # in evaluation they give what they read
_FRAME = re.compile(r'^ *File "(.*)", line (\d+).*\n(.*)$', re.MULTILINE)
_OF_TORCH = "/torch/nn/"  # a layer's own source says nothing of the network
_LONGEST = 300  # characters of a source line


class Unequal(Exception):
    """At one size the module makes other calls than at another."""


def _nodes(exported: Any) -> list[Any]:
    return list(exported.graph.nodes)


def check_alike(exports: Sequence[Any]) -> None:
    """Raises Unequal."""
    each = [_nodes(exported) for exported in exports]
    for nodes in zip(*each, strict=False):
        if len({(node.op, node.name, str(node.target)) for node in nodes}) > 1:
            called = " and ".join(dict.fromkeys(str(node.target) for node in nodes))
            raise Unequal(f"it makes other calls at other sizes ({called}){_at(nodes[0])}")
    if len({len(nodes) for nodes in each}) > 1:
        raise Unequal("it makes more calls at other sizes")


def _at(node: Any) -> str:
    path = _path(node)
    return f" in `{path}`" if path else ""


def _path(node: Any) -> str:
    """The module that makes a call, as `layer1.0.conv1`; "" for the network itself."""
    return next((path for path, _ in reversed(_modules(node))), "")


def _modules(node: Any) -> list[tuple[str, str]]:
    """The modules that are in the midst of a call, the outermost first: path and class. `@1` is a module's second
    call."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return [(re.sub(r"@\d+", "", str(path)), _class_name(kind)) for path, kind in stack]


def _class_name(kind: Any) -> str:
    """The name of a class that stands as itself, or as `package.module.Name`."""
    return str(getattr(kind, "__name__", kind)).rpartition(".")[2]


def _line(node: Any) -> str:
    """The line of source behind a call, and where it is."""
    found = _FRAME.findall(str(node.meta.get("stack_trace") or ""))
    frames = [frame for frame in found if _OF_TORCH not in frame[0]]
    if not frames:
        return ""
    file, line, text = frames[-1]
    return f"{file}:{line}: {text.strip()}"[-_LONGEST:]


@dataclass(slots=True)
class _Reading:
    """What has been read of the exports."""

    names: dict[str, str]  # of a node -> of the tensor
    values: dict[str, Value]


def program_of(module: Any, exports: Sequence[Any], heads: Sequence[str], said: tuple[str, ...]) -> Program:
    """What a module computes, of exports that make the same calls; `heads`: what its results are called."""
    signature = exports[0].graph_signature
    held = {
        spec.arg.name: spec.target for spec in signature.input_specs if spec.target is not None and _is_tensor(spec)
    }
    users = [spec.arg.name for spec in signature.input_specs if spec.kind.name == "USER_INPUT" and _is_tensor(spec)]
    constants = _constants(exports, held.values())
    reading = _Reading({}, {})
    each = list(zip(*(_nodes(exported) for exported in exports), strict=True))
    taken = {*constants}
    for nodes in each:
        name = nodes[0].name
        reading.names[name] = held.get(name, f"{name}_" if name in taken else name)
        for suffix, value in _seen(nodes):
            reading.values[reading.names[name] + suffix] = value
    paths = [_path(nodes[0]) for nodes in each if nodes[0].op == "call_function"]
    leaves = {path for path in {*paths} if path and paths.count(path) == 1 and _is_leaf(module, path)}
    calls = [call for nodes in each if (call := _call(nodes, reading, leaves)) is not None]
    outputs = {
        name: reading.names[result]
        for name, result in zip(heads, signature.user_outputs, strict=True)
        if isinstance(result, str)
    }
    inputs = tuple(reading.names[name] for name in users)
    classes = {path: name for nodes in each for path, name in _modules(nodes[0])}
    return Program(tuple(calls), reading.values, constants, inputs, outputs, said, classes)


def _is_tensor(spec: Any) -> bool:
    return type(spec.arg).__name__ == "TensorArgument"


def _is_leaf(module: Any, path: str) -> bool:
    try:
        return not list(module.get_submodule(path).children())
    except AttributeError:
        return False


def _seen(nodes: Sequence[Any]) -> Iterator[tuple[str, Value]]:
    """The tensors that a node gives, each with what stands behind the node's name."""
    found = [node.meta.get("val") for node in nodes]
    if all(isinstance(value, tuple | list) for value in found):
        for index, parts in enumerate(zip(*found, strict=False)):
            if all(hasattr(part, "shape") for part in parts):
                yield f".{index}", _value(parts)
    elif all(hasattr(value, "shape") for value in found):
        yield "", _value(found)


def _value(found: Sequence[Any]) -> Value:
    dims = tuple(extent([int(n) for n in along]) for along in zip(*(value.shape for value in found), strict=True))
    return Value(dims, found[0].dtype.is_floating_point)


def _constants(exports: Sequence[Any], targets: Iterable[str]) -> dict[str, Constant]:
    """The tensors of the module, as the state dict calls them; those that are others at other sizes cannot be used."""
    found = {}
    for name in dict.fromkeys(targets):
        tensors = [each.state_dict.get(name, each.constants.get(name)) for each in exports]
        first = tensors[0].detach()
        same = all(tensor is tensors[0] for tensor in tensors) or all(
            tensor.shape == first.shape and bool((tensor == first).all()) for tensor in tensors[1:]
        )
        why = "" if same else "it is another at another size"
        read = partial(_array, first)
        found[name] = Constant(name, tuple(first.shape), read, first.dtype.is_floating_point, unusable=why)
    return found


def _array(tensor: Any) -> Any:
    kind = str(tensor.dtype)
    tensor = tensor.float() if kind in ("torch.bfloat16", "torch.float16") else tensor
    return np.asarray(tensor.detach().cpu().numpy())


def _call(nodes: Sequence[Any], reading: _Reading, leaves: set[str]) -> Call | None:
    """One call of an op, of what each export says of it; None for what is none."""
    node = nodes[0]
    if node.op != "call_function":
        return None
    if getattr(node.target, "__name__", "") == "getitem":
        whole, index = node.args
        reading.names[node.name] = f"{reading.names[whole.name]}.{index}"
        return None
    name, path = reading.names[node.name], _path(node)
    results = tuple(key for key in (name, *(f"{name}.{i}" for i in range(64))) if key in reading.values)
    bound = [_bound(each) for each in nodes]
    arguments = {key: _merged([each[key] for each in bound], reading) for key in bound[0]}
    op = str(node.target).removeprefix("aten.").partition(".")[0]
    return Call(name, op, arguments, results, path, path in leaves, _line(node), *_effects(node.target, op))


def _bound(node: Any) -> dict[str, Any]:
    """A call's arguments by their names."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {str(index): value for index, value in enumerate(node.args)} | dict(node.kwargs)
    found = {part.name: part.default_value for part in schema.arguments if part.has_default_value()}
    found |= {part.name: value for part, value in zip(schema.arguments, node.args, strict=False)}
    return found | dict(node.kwargs)


def _effects(target: Any, op: str) -> tuple[str, str]:
    """The arguments that a call changes in place, and that its result shares memory with; "" for none."""
    changed, viewed = "", "input" if op in _VIEWS_BESIDE else ""
    schema = getattr(target, "_schema", None)
    for part in schema.arguments if schema is not None else ():
        if part.alias_info is not None and part.alias_info.is_write:
            changed = part.name
        elif part.alias_info is not None:
            viewed = part.name
    return changed, viewed


def _merged(found: Sequence[Any], reading: _Reading) -> Any:
    """An argument as it is in all exports: a tensor, a number or a word, or a tuple of them."""
    first = found[0]
    if hasattr(first, "op") and hasattr(first, "meta"):
        return Ref(reading.names[first.name])
    if isinstance(first, list | tuple):
        return tuple(_merged(each, reading) for each in zip(*found, strict=True))
    if isinstance(first, int) and not isinstance(first, bool):
        return extent([int(each) for each in found])
    if isinstance(first, float):
        return first if len({*found}) == 1 else Varied(tuple(found))
    return first if first is None or isinstance(first, bool | str) else str(first)
