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
from typing import Any

from segcompile.importers.torch_program import Program
from segcompile.importers.torch_reading import OTHER, Unequal, check_alike, program_of
from segcompile.text.errors import fail

# Sizes that are tried beside the given one, along each axis: so many more at least, and what is left of 128. They
# differ at every stride up to 64; what floor and ceil make of them is even and odd at each; no two axes are alike.
_MORE = (64, 256, 448)
_RESIDUES = ((53, 74, 46), (83, 44, 25), (29, 98, 55))
_BATCHES = (3, 2, 5, 4)
STEPS = (1, 32, 224)
_LONGEST = 300  # characters of what PyTorch says, and of a source line

Sizes = tuple[tuple[int, ...], ...]  # of each input, batch and channels included


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
    return program_of(module, exports, _output_names(exports[0]), said)


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
        if failures and failures[-1].startswith(OTHER) and step not in (STEPS[-1], 0):
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
        check_alike(found)
    except Unequal as unequal:
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
