"""A PyTorch module as a `Program`: exported at four sizes that can be told apart, and read as one.

torch.export runs a module without values and writes down the aten calls that it makes; whatever the module reckons of a
size stands there as a plain number. A number that is the same at all four sizes is a setting. One that is not follows a
tensor, and the four of it together tell which. The only file of the importers that imports torch.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from segcompile.importers.torch_program import Call, Program, Ref, Value, Varied, extent
from segcompile.text.errors import fail
from segcompile.weights.onnx_values import Constant

# Sizes that are tried beside the given one, along each axis: so many more at least, and what is left of 128. They
# differ at every stride up to 64; what floor and ceil make of them is even and odd at each; no two axes are alike.
_MORE = (64, 256, 448)
_RESIDUES = ((53, 74, 46), (83, 44, 25), (29, 98, 55))
_BATCHES = (3, 2, 5, 4)
STEPS = (1, 32, 224)
_OTHER = "it makes"  # what _Unequal begins with
_VIEWS_BESIDE = frozenset({"dropout", "feature_dropout", "alpha_dropout"})  # in evaluation they give what they read
_FRAME = re.compile(r'^ *File "(.*)", line (\d+).*\n(.*)$', re.MULTILINE)
_OF_TORCH = "/torch/nn/"  # a layer's own source says nothing of the network
_LONGEST = 300  # characters of what PyTorch says, and of a source line

Sizes = tuple[tuple[int, ...], ...]  # of each input, batch and channels included


class _Unequal(Exception):
    """At one size the module makes other calls than at another."""


@dataclass(frozen=True, slots=True)
class _Example:
    """An input: its name (None where it stands in order), shape, and type and device as PyTorch has them."""

    name: str | None
    shape: tuple[int, ...]
    dtype: Any
    device: Any


def read_module(module: Any, inputs: Any, least: int = 1) -> Program:
    """What a torch.nn.Module computes in evaluation. `inputs`: an example tensor, or a shape (batch, channels, sizes),
    or several of them in a list, or in a dict by the names of forward's arguments. `least`: of STEPS, by multiples of
    which the sizes differ at which it is looked at.

    Raises SegcompileError: SC910 for what torch.export cannot trace, SC911 for inputs that are none of these.
    """
    examples = _examples(module, inputs)
    with _evaluating(module) as trained:
        exports, said = _exports(module, examples, least)
    if trained:
        said = ("the module was in training; it is read as in evaluation, where dropout does nothing", *said)
    return _program(module, exports, said)


@contextmanager
def _evaluating(module: Any) -> Iterator[bool]:
    """The module in evaluation, and as it was afterwards; gives whether it was in training."""
    before = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield any(training for _, training in before)
    finally:
        for part, training in before:
            part.training = training


def _examples(module: Any, inputs: Any) -> tuple[_Example, ...]:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise fail("SC911", f"{type(module).__name__} is not a torch.nn.Module", help="give the module itself")
    first = next((each for each in module.parameters() if each.is_floating_point()), None)
    usual = (first.dtype, first.device) if first is not None else (torch.float32, torch.device("cpu"))
    given: Mapping[Any, Any] = inputs if isinstance(inputs, Mapping) else {None: inputs}
    if isinstance(inputs, list | tuple) and not all(isinstance(each, int) for each in inputs):
        given = dict(enumerate(inputs))
    found = []
    for name, each in given.items():
        shape = tuple(each.shape) if isinstance(each, torch.Tensor) else each
        if not isinstance(shape, tuple | list) or not all(isinstance(n, int) and n > 0 for n in shape):
            raise _no_inputs(f"{type(each).__name__} is no input")
        if not 2 <= len(shape) <= 5:
            raise _no_inputs(f"{'x'.join(map(str, shape)) or 'an empty list'} is no input")
        kind = (each.dtype, each.device) if isinstance(each, torch.Tensor) else usual
        found.append(_Example(name if isinstance(name, str) else None, tuple(shape), *kind))
    if not found:
        raise _no_inputs("an empty dict is no input")
    return tuple(found)


def _no_inputs(what: str) -> Exception:
    help = "an example tensor, or a shape as (1, 3, 224, 224): batch, channels, then one to three sizes, or none"
    return fail("SC911", f"{what} of a network", help=help)


def _exports(module: Any, examples: Sequence[_Example], least: int) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Exported programs that make the same calls, and what the sizes are worth."""
    given = tuple(example.shape for example in examples)
    failures: list[str] = []
    for step, sizes in _tries(given, least):
        if failures and failures[-1].startswith(_OTHER) and step not in (STEPS[-1], 0):
            continue  # windows or patches, which only a large multiple leaves alone
        found = _alike(module, examples, sizes)
        if not isinstance(found, str):
            return found, tuple(_worth(given, step, failures))
        if not failures:
            _check_runs(module, examples, given)
        failures.append(found)
    raise fail("SC910", f"torch.export does not give the same calls twice: {failures[0]}")


def _tries(given: Sizes, least: int) -> Iterator[tuple[int, Sequence[Sizes]]]:
    """Sizes to export at, with the number that they differ by multiples of: 0 where only the batch differs."""
    tried = range(len(_BATCHES))
    if len({shape[2:] for shape in given if shape[2:]}) == 1:
        yield from ((step, [_larger(given, index, step) for index in tried]) for step in STEPS if step >= least)
    yield 0, [_rebatched(given, batch) for batch in _BATCHES]
    yield 0, [given] * len(_BATCHES)


def _worth(given: Sizes, step: int, failures: Sequence[str]) -> Iterator[str]:
    """What should be known of the sizes that a module is read for."""
    sized = " and ".join("x".join(map(str, shape[2:])) for shape in given if shape[2:])
    if step > 1:
        yield f"it is read for sizes that are larger than {sized} by multiples of {step}{_because(failures)}"
    elif step == 0 and sized:
        yield f"it is read for {sized} alone{_because(failures)}"


def _because(failures: Sequence[str]) -> str:
    return f": {failures[0]}" if failures else ""


def _check_runs(module: Any, examples: Sequence[_Example], given: Sizes) -> None:
    """Raises SegcompileError (SC910) for a module that does not run at the sizes that are given."""
    found = _export(module, examples, given)
    if isinstance(found, str):
        raise fail("SC910", f"torch.export cannot trace the module: {found}", help="does it run on these inputs?")


def _larger(given: Sizes, index: int, step: int) -> Sizes:
    """One of the sizes that are tried; the first is the given one."""
    return tuple(
        (_BATCHES[index], shape[1], *(_more(n, axis, index, step) for axis, n in enumerate(shape[2:])))
        for shape in given
    )


def _more(size: int, axis: int, index: int, step: int) -> int:
    if index == 0:
        return size
    least = size + _MORE[index - 1]
    wanted = least + (_RESIDUES[axis][index - 1] - least) % 128
    return size + -(-(wanted - size) // step) * step


def _rebatched(given: Sizes, batch: int) -> Sizes:
    return tuple((batch, *shape[1:]) for shape in given)


def _alike(module: Any, examples: Sequence[_Example], sizes: Sequence[Sizes]) -> tuple[Any, ...] | str:
    """The exports at some sizes, or why there are none."""
    found: list[Any] = []
    for each in reversed(sizes):
        exported = _export(module, examples, each)
        if isinstance(exported, str):
            return f"at {' and '.join('x'.join(map(str, shape)) for shape in each)}: {exported}"
        found.insert(0, exported)
    try:
        _check_alike(found)
    except _Unequal as unequal:
        return str(unequal)
    return tuple(found)


def _export(module: Any, examples: Sequence[_Example], sizes: Sizes) -> Any:
    """The exported program, or in a line why there is none."""
    import torch

    made = [
        torch.empty(shape, dtype=example.dtype, device=example.device)
        for example, shape in zip(examples, sizes, strict=True)
    ]
    named = {example.name: value for example, value in zip(examples, made, strict=True) if example.name}
    ordered = tuple(value for example, value in zip(examples, made, strict=True) if not example.name)
    with _silence():
        try:
            return torch.export.export(module, ordered, named or None, strict=False)
        except Exception as error:  # whatever a module raises
            words = next((line for line in str(error).splitlines() if line.strip()), "")
            return f"{type(error).__name__}: {words}"[:_LONGEST]


@contextmanager
def _silence() -> Iterator[None]:
    """No warnings, and no log: what torch.export cannot trace is told by us."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _nodes(exported: Any) -> list[Any]:
    return list(exported.graph.nodes)


def _check_alike(exports: Sequence[Any]) -> None:
    """Raises _Unequal."""
    each = [_nodes(exported) for exported in exports]
    for nodes in zip(*each, strict=False):
        if len({(node.op, node.name, str(node.target)) for node in nodes}) > 1:
            called = " and ".join(dict.fromkeys(str(node.target) for node in nodes))
            raise _Unequal(f"it makes other calls at other sizes ({called}){_at(nodes[0])}")
    if len({len(nodes) for nodes in each}) > 1:
        raise _Unequal("it makes more calls at other sizes")


def _at(node: Any) -> str:
    path = _path(node)
    return f" in `{path}`" if path else ""


def _path(node: Any) -> str:
    """The module that makes a call, as `layer1.0.conv1`; "" for the network itself."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return re.sub(r"@\d+", "", str(stack[-1][0])) if stack else ""


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


def _program(module: Any, exports: Sequence[Any], said: tuple[str, ...]) -> Program:
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
        for name, result in zip(_output_names(exports[0]), signature.user_outputs, strict=True)
        if isinstance(result, str)
    }
    inputs = tuple(reading.names[name] for name in users)
    return Program(tuple(calls), reading.values, constants, inputs, outputs, said)


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


def _constants(exports: Sequence[Any], targets: Any) -> dict[str, Constant]:
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


def _output_names(exported: Any) -> list[str]:
    """What the results are called: by the keys of a dict, by their number in a list; `output` alone."""
    from torch.utils import _pytree as pytree

    spec = exported.call_spec.out_spec
    tree = pytree.tree_unflatten(list(range(spec.num_leaves)), spec)
    paths = [path for path, _ in pytree.tree_flatten_with_path(tree)[0]]
    return ["_".join(_word(key) for key in path) or "output" for path in paths]


def _word(key: Any) -> str:
    found = getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))
    return f"output{found}" if isinstance(found, int) else re.sub(r"\W", "_", str(found))
