"""Writes the steps of one program: names, constants, and the chains by which a size follows another tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from segcompile.importers.torch_program import Call, Extent, Program, Ref, Varied
from segcompile.weights.onnx_values import Constant, Step

END = 2**63 - 1  # where Slice and torch's slice end if nothing says it
_MOST_HALVED = 64  # by how much a size may be divided, with its quotient rounded
_JOINS = frozenset({"add", "sub", "mul", "cat", "where", "maximum"})
_AT_EACH = frozenset({"relu", "sigmoid", "silu", "gelu", "softmax", "dropout", "contiguous", "batch_norm", "conv2d"})


class Cannot(Exception):
    """What a call does has no step in ONNX's vocabulary, or is not known; the words say what."""


class Writer:
    """The steps so far. A rule writes those of one call, `call`; values are called as in the program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.steps: list[Step] = []
        self.constants: dict[str, Constant] = dict(program.constants)
        self.call = program.calls[0] if program.calls else None
        self.known: list[str] = list(program.inputs)  # tensors that are made so far, in order
        self.unwritten: set[str] = set()  # tensors that the steps of those who read them make
        self._count = 0
        self._readers: dict[str, list[Call]] = {}
        self.makers = {name: call for call in program.calls for name in call.results}
        for call in program.calls:
            for name in call.refs():
                self._readers.setdefault(name, []).append(call)

    def readers(self, name: str) -> Sequence[Call | None]:
        """The calls that read a tensor; None: it goes out."""
        return (*self._readers.get(name, ()), *(None for out in self.program.outputs.values() if out == name))

    def only_read_by(self, name: str, op: str) -> bool:
        """Whether calls of this op alone read a tensor."""
        readers = self.readers(name)
        return bool(readers) and all(reader is not None and reader.op == op for reader in readers)

    # --- of the call ---------------------------------------------------------------------------------------------

    def dims(self, name: str) -> tuple[Extent, ...]:
        """The extents of a tensor of the program."""
        if name in self.constants and name not in self.program.values:
            return self.constants[name].shape
        return self.program.values[name].dims

    @property
    def results(self) -> tuple[str, ...]:
        """The tensors that the call gives."""
        return self._called.results

    def step(self, op: str, inputs: Sequence[str], result: str = "", /, **settings: Any) -> str:
        """Write a step; its result is the call's own unless it is named. Gives the result's name."""
        call = self._called
        result = result or call.results[0]
        own = result in call.results
        name = call.path if own and call.whole else f"{call.path}.{result}" if call.path else result
        self.steps.append(Step(op, name, tuple(inputs), (result,), settings, call.path))
        return result

    def inner(self, op: str, inputs: Sequence[str], /, **settings: Any) -> str:
        """A step whose result is none of the program's."""
        return self.step(op, inputs, self.unused(), **settings)

    def unused(self) -> str:
        """A name that nothing has."""
        self._count += 1
        return f"{self._called.name}:{self._count}"

    def number(self, value: float | Sequence[float]) -> str:
        """A real constant."""
        return self._constant(np.asarray(value, np.float32), True)

    def integers(self, values: Sequence[int] | int) -> str:
        """An integer constant."""
        return self._constant(np.asarray(values, np.int64), False)

    def operand(self, value: Any) -> str:
        """The name of a tensor, or of the constant that a number is."""
        if isinstance(value, Ref):
            return value.name
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Cannot(f"`{value}` is no number that holds at every size" if value is not None else "nothing is said")
        return self.number(float(value))

    def _constant(self, array: Any, floats: bool) -> str:
        name = self.unused()
        self.constants[name] = Constant(name, array.shape, lambda: array, floats)
        return name

    @property
    def _called(self) -> Call:
        assert self.call is not None
        return self.call

    # --- sizes ---------------------------------------------------------------------------------------------------

    def shape(self, name: str, start: int, end: int | None = None) -> str:
        """Some extents of a tensor, as a list of integers."""
        more = {} if end is None else {"end": end}
        return self.inner("Shape", [name], start=start, **more)

    def sizes(self, wanted: Sequence[Extent], near: Sequence[str]) -> str:
        """A list of integers that follows the tensors it was reckoned from. Raises Cannot."""
        parts, at = [], 0
        while at < len(wanted):
            entry = wanted[at]
            run = self._run(wanted, at, near) if isinstance(entry, Varied) else None
            if run is not None:
                name, axis, count = run
                parts.append(self.shape(name, axis, axis + count))
                at += count
                continue
            parts.append(self.integers([entry]) if isinstance(entry, int) else self._reckoned(entry, near))
            at += 1
        return parts[0] if len(parts) == 1 else self.inner("Concat", parts, axis=0)

    def _run(self, wanted: Sequence[Extent], at: int, near: Sequence[str]) -> tuple[str, int, int] | None:
        """A tensor, an axis and a count of extents that stand at this place of the list; the longest."""
        best: tuple[str, int, int] | None = None
        for name in (*near, *self.program.inputs, *reversed(self.known)):
            dims = self.dims(name)
            for axis, found in enumerate(dims):
                if found != wanted[at] or 0 in dims:
                    continue
                count = next(
                    (n for n, (a, b) in enumerate(zip(dims[axis:], wanted[at:], strict=False)) if a != b), None
                )
                count = min(len(dims) - axis, len(wanted) - at) if count is None else count
                if best is None or count > best[2]:
                    best = name, axis, count
        return best

    def _reckoned(self, wanted: Varied, near: Sequence[str]) -> str:
        """An extent as a product of others, times or by a number. Raises Cannot."""
        for name in dict.fromkeys((*near, *self.program.inputs)):
            dims = self.dims(name)
            axes = [axis for axis, found in enumerate(dims) if isinstance(found, Varied)]
            for count in (1, 2, 3):
                for chosen in combinations(axes, count):
                    ratio = ratio_of(wanted, [dims[axis] for axis in chosen])
                    if ratio is not None:
                        return self._product(name, chosen, ratio)
            for axis in axes:
                if (found := self._rounded(name, axis, wanted)) is not None:
                    return found
        raise Cannot(f"the size {wanted} follows no tensor")

    def _product(self, name: str, axes: Sequence[int], ratio: Fraction) -> str:
        found = ""
        for axis in axes:
            part = self.shape(name, axis, axis + 1)
            found = self.inner("Mul", [found, part]) if found else part
        if ratio.numerator > 1:
            found = self.inner("Mul", [found, self.integers([ratio.numerator])])
        return self.inner("Div", [found, self.integers([ratio.denominator])]) if ratio.denominator > 1 else found

    def _rounded(self, name: str, axis: int, wanted: Varied) -> str | None:
        """An extent divided and rounded down or up."""
        own = self.dims(name)[axis]
        for by in range(2, _MOST_HALVED + 1):
            for more in (0, by - 1):
                if isinstance(own, Varied) and tuple((n + more) // by for n in own.at) == wanted.at:
                    found = self.shape(name, axis, axis + 1)
                    found = self.inner("Add", [found, self.integers([more])]) if more else found
                    return self.inner("Div", [found, self.integers([by])])
        return None

    def like(self, sizes: Sequence[Extent]) -> str | None:
        """A tensor that is there already and has these sizes: one that what is made is joined with, which cannot but
        have the same; else an input of the network, or the last one."""
        there = (*self._joined(), *self.program.inputs, *reversed(self.known))
        return next((name for name in there if self._sized(name, sizes)), None)

    def _sized(self, name: str, sizes: Sequence[Extent]) -> bool:
        return self.dims(name)[2:] == tuple(sizes) and 0 not in self.dims(name)  # of which nothing is written

    def _joined(self) -> Iterator[str]:
        """The tensors that the call's result is joined with, as far as they are there."""
        todo, there, seen = [*self._called.results], {*self.known}, set[str]()
        while todo:
            name = todo.pop()
            for reader in self._readers.get(name, ()) if name not in seen else ():
                op = reader.op.rstrip("_")
                if op in _JOINS:
                    yield from (other for other in reader.refs() if other in there)
                elif op in _AT_EACH:
                    todo += reader.results
            seen.add(name)


def ratio_of(wanted: Extent, parts: Sequence[Extent]) -> Fraction | None:
    """What a number is times the product of others at every size; None where that is not the same."""
    if not isinstance(wanted, Varied):
        return None
    products = [prod(part.at[n] if isinstance(part, Varied) else part for part in parts) for n in range(len(wanted.at))]
    ratios = {Fraction(number, whole) if whole else None for number, whole in zip(wanted.at, products, strict=True)}
    return ratios.pop() if len(ratios) == 1 else None


def arguments(call: Call) -> Mapping[str, Any]:
    """A call's arguments, with what every op calls its first tensor as `x`."""
    first = next(
        (call.arguments[name] for name in ("self", "input", "tensors", "query") if name in call.arguments), None
    )
    return {**call.arguments, "x": first}


def axis_of(dim: Any, rank: int) -> int:
    """A non-negative axis. Raises Cannot."""
    if not isinstance(dim, int) or not -rank <= dim < rank:
        raise Cannot(f"there is no axis {dim} of {rank}")
    return dim % rank


def is_centred(w: Writer, name: str) -> bool:
    """Whether a tensor is a map with zeros around it up to the size of the maps beside it, half of them before, by
    amounts that follow from these sizes: `F.pad(x, [d // 2, d - d // 2, ...])` of many a U-Net, for a join alone.
    `torch.ConcatPadded` joins such maps as they are."""
    call = w.makers.get(name)
    if call is None or call.op != "pad" or not w.only_read_by(name, "cat"):
        return False
    sides, own, out = call.arguments["pad"], w.dims(call.arguments["self"].name), w.dims(name)
    if call.arguments["mode"] != "constant" or call.arguments["value"] or len(sides) != 2 * (len(own) - 2):
        return False
    halves = zip(sides[::2], reversed(list(zip(own[2:], out[2:], strict=True))), strict=True)
    return any(isinstance(side, Varied) for side in sides) and all(_is_half(*each) for each in halves)


def _is_half(before: Extent, sizes: tuple[Extent, Extent]) -> bool:
    """Whether half of what a size grows by lies before it, at every size."""
    counts = [number for number in (before, *sizes) if isinstance(number, Varied)]
    tried = range(len(counts[0].at)) if counts else range(1)
    each = [[n.at[at] if isinstance(n, Varied) else n for n in (before, *sizes)] for at in tried]
    return all(side == (out - own) // 2 and out >= own for side, own, out in each)
