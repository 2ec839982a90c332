"""A bioimage.io model description held against what is proved of its network: which of its numbers are false."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm
from pathlib import Path

from segcompile.facts.size_set import SizeSet
from segcompile.facts.tiling import Along, AxisTiling
from segcompile.network.graph import Graph
from segcompile.show.bioimageio import AXES, halo_of
from segcompile.text.errors import Diagnostic, Span, finding
from segcompile.text.source import Mapping, Node, Scalar, Sequence, load

_WHOLE = re.compile(r"-?\d{1,9}")
_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,20})?")


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The sizes min + n * step of an input's axis; step 0 of one size."""

    least: int
    step: int
    span: Span

    def some(self, period: int) -> Iterator[int]:
        """Sizes of every residue modulo `period` that they have."""
        count = lcm(self.step, period) // self.step if self.step else 1
        return (self.least + self.step * turn for turn in range(count))


def judge(path: Path, graph: Graph, along: tuple[Along, ...]) -> list[Diagnostic]:
    """What is false (SC919) of the first input's sizes and of the outputs' scales, sizes and halos. Raises
    SegcompileError for a file that is no YAML. Tensors and axes that the network has not are passed over; a tensor is
    found by its name or, where none has it, by its place."""
    root, names, found = load(path), AXES[graph.rank], list[Diagnostic]()
    sizes: dict[int, _Sizes] = {}
    for tensor in _items(root.get("inputs"))[:1]:
        for axis, given in _axes(tensor, names):
            known = _sizes(given.get("size"))
            if known is not None:
                sizes[axis] = known
                found += _untaken(known, along[axis].sizes.legal)
    for index, tensor in enumerate(_items(root.get("outputs"))):
        head = _head(tensor, index, graph)
        for axis, given in _axes(tensor, names) if head is not None else ():
            if axis in sizes:
                found += _output(head, given, sizes[axis], along[axis])
    return found


def _untaken(given: _Sizes, legal: SizeSet) -> Iterator[Diagnostic]:
    size = next((each for each in given.some(legal.modulus) if not legal.legal(each)), None)
    if size is not None:
        yield finding(
            "SC919", f"the network does not take {legal.symbol} = {size}", given.span, help=f"it takes {legal}"
        )


def _output(head: str, given: Mapping, sizes: _Sizes, along: Along) -> Iterator[Diagnostic]:
    """What is false of an output's axis at the sizes that are given of the input's."""
    tilings = {each.rest: each for each in along.tilings}
    every = list(sizes.some(along.step))
    tiled = [(size, tilings[size % along.step]) for size in every if size % along.step in tilings]
    yield from _sizes_of(head, given, tiled)
    halo = given.get("halo")
    said = _number(halo, _WHOLE)
    if len(tiled) < len(every):
        if halo is not None:
            why = f": `{along.forbidden.node.layer}` {along.forbidden.reason}" if along.forbidden is not None else ""
            yield finding("SC919", f"no halo makes tiles of `{head}` exact at all of these sizes{why}", halo.span)
        return
    need = max(halo_of(each.heads[head]) for _, each in tiled)
    if (said or 0) < need:
        span = halo.span if halo is not None else given.span
        message = f"a halo of {said or 0} is too small: up to {need} outputs of `{head}` at an end are not the whole's"
        yield finding("SC919", message, span, help=f"halo: {need}")
    elif said is not None and said > need:
        yield finding(
            "SC919", f"a halo of {said} throws good outputs of `{head}` away", given.span, help=f"halo: {need}"
        )


def _sizes_of(head: str, given: Mapping, tiled: list[tuple[int, AxisTiling]]) -> Iterator[Diagnostic]:
    """What is false of the scale and the offset of an output's size."""
    size, scale = given.get("size"), given.get("scale")
    if not isinstance(size, Mapping):
        return
    by = Fraction(scale.text) if isinstance(scale, Scalar) and _DECIMAL.fullmatch(scale.text) else Fraction(1)
    offset = _number(size.get("offset"), _WHOLE) or 0
    for pixels, tiling in tiled:
        if pixels < tiling.least or not by:
            continue
        want = tiling.heads[head].extent.at(tiling.turns(pixels))
        told = floor(pixels / by) + offset
        if told != want:
            stride = tiling.heads[head].stride
            right = f"scale {float(stride)}, offset {want - floor(pixels / stride)}"
            yield finding("SC919", f"of {pixels} pixels `{head}` has {want}, not {told}", size.span, help=right)
            return


# --- what the file says ----------------------------------------------------------------------------------------------


def _items(node: Node | None) -> list[Mapping]:
    return [each for each in node.items if isinstance(each, Mapping)] if isinstance(node, Sequence) else []


def _axes(tensor: Mapping, names: tuple[str, ...]) -> Iterator[tuple[int, Mapping]]:
    for given in _items(tensor.get("axes")):
        kind, name = given.get("type"), given.get("id")
        said = name.text if isinstance(name, Scalar) else "x"
        if isinstance(kind, Scalar) and kind.text == "space" and said in names:
            yield names.index(said), given


def _head(tensor: Mapping, index: int, graph: Graph) -> str:
    name, heads = tensor.get("id"), list(graph.outputs)
    said = name.text if isinstance(name, Scalar) else ""
    return said if said in heads else heads[min(index, len(heads) - 1)]


def _sizes(node: Node | None) -> _Sizes | None:
    one = _number(node, _WHOLE)
    if node is not None and one is not None and one > 0:
        return _Sizes(one, 0, node.span)
    if isinstance(node, Mapping):
        least, step = _number(node.get("min"), _WHOLE), _number(node.get("step"), _WHOLE)
        if least is not None and step is not None and least > 0 and step >= 0:
            return _Sizes(least, step, node.span)
    return None


def _number(node: Node | None, pattern: re.Pattern[str]) -> int | None:
    return int(node.text) if isinstance(node, Scalar) and pattern.fullmatch(node.text) else None
