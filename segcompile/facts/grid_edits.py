"""The smallest edit that takes a grid away: made on the graph, and the weights of the phases computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from segcompile.facts.grid import Grid
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv, Op, Resize, Shape
from segcompile.text.errors import Findings

MOST_EDITED = 16  # layers, one after another: what one makes hides what later ones make
Regrid = Callable[[Graph, Mapping[str, Shape]], Grid]  # the same grid of another graph


@dataclass(frozen=True, slots=True)
class Edit:
    """What to do to one layer or several, in words. `kept`: all outputs have the sizes they had."""

    steps: tuple[str, ...]
    kept: bool

    def __str__(self) -> str:
        return ", ".join(self.steps)


@dataclass(frozen=True, slots=True)
class _Try:
    """A layer's nodes after an edit, and the edit in words."""

    text: str
    nodes: tuple[Node, ...]


def smallest_edit(graph: Graph, grid: Grid, regrid: Regrid) -> tuple[Edit | None, int]:
    """The edit after which all phases are equal, and how many were tried. Each layer that makes the grid is taken in
    order: the first of its edits (see `_tries`) after which it does not is kept. None where some layer has none."""
    steps, tried, sizes = list[str](), 0, _sizes(graph)
    while grid.makers and len(steps) < MOST_EDITED:
        maker, found = grid.makers[0], None
        for attempt in _tries(graph, maker):
            tried += 1
            edited = _edited(graph, maker, attempt)
            again = _grid(edited, regrid) if edited is not None else None
            if edited is not None and again is not None and maker.name not in {node.name for node in again.makers}:
                found = attempt, edited, again
                break
        if found is None:
            return None, tried
        attempt, graph, grid = found
        steps.append(attempt.text)
    return (Edit(tuple(steps), _sizes(graph) == sizes) if grid.is_even and steps else None), tried


def _sizes(graph: Graph) -> list[object]:
    shapes = infer_shapes(graph, Findings())
    return [shapes[name].size for name in graph.outputs.values()]


def _edited(graph: Graph, node: Node, attempt: _Try) -> Graph | None:
    """The graph with the edit; None where it has no shapes."""
    nodes = tuple(each for old in graph.nodes for each in (attempt.nodes if old is node else (old,)))
    edited, findings = replace(graph, nodes=nodes).verify(), Findings()
    infer_shapes(edited, findings)
    return None if findings.has_errors else edited


def _grid(graph: Graph, regrid: Regrid) -> Grid:
    return regrid(graph, infer_shapes(graph, Findings()))


def _tries(graph: Graph, node: Node) -> Iterator[_Try]:
    """Edits of a layer, the smallest first: a kernel one larger or smaller, and so on up to its stride; no dilation;
    a resize and a convolution for a transposed one."""
    window, shared = node.op.sliding, {each.weights for each in graph.nodes}
    if window is None or node.weights is not None or node.name in shared or "kernel" not in type(node.op).model_fields:
        return
    for more in range(1, max(window.stride)):
        for by in (more, -more):
            op = _of_kernel(node.op, by)
            if op is not None:
                text = f"{_kernel(op)} and {_pad(op)} in `{node.layer}` (now {_kernel(node.op)})"
                yield _Try(text, (replace(node, op=op),))
    if max(window.dilation) > 1:
        op = _with(node.op, dilation=(1,) * len(window.dilation))
        yield _Try(f"dilation 1 in `{node.layer}`", (replace(node, op=op),))
    if window.transposed:
        yield _resized(graph, node)


def _kernel(op: Op) -> str:
    assert op.sliding is not None
    return f"kernel {'x'.join(map(str, op.sliding.kernel))}"


def _pad(op: Op) -> str:
    """`pad 1`, `pad 1 before and 2 behind`."""
    pads = [op.pads(axis) for axis in range(op.rank or 1)]
    told = [str(before) if before == after else f"{before} before and {after} behind" for before, after in pads]
    return f"pad {told[0] if len(set(told)) == 1 else ', '.join(told)}"


def _of_kernel(op: Op, by: int) -> Op | None:
    """The op with a kernel larger by so many pixels, where it strides; its padding takes up what that adds. None where
    there is none."""
    assert op.sliding is not None
    axes = zip(op.sliding.kernel, op.sliding.stride, strict=True)
    kernel = tuple(extent + by if stride > 1 else extent for extent, stride in axes)
    pads = []
    for axis, dilation in enumerate(op.sliding.dilation):
        before, after = op.pads(axis)
        more = dilation * (kernel[axis] - op.sliding.kernel[axis])
        pads.append((before + more // 2, after + more - more // 2))
    if min(kernel) < 1 or min(min(pair) for pair in pads) < 0:
        return None
    return _with(op, kernel=kernel, pad=tuple(pads), stride=op.sliding.stride)


def _with(op: Op, **changes: Any) -> Op:
    known = {name: value for name, value in changes.items() if name in type(op).model_fields}
    return op.model_copy(update=known)


def _resized(graph: Graph, node: Node) -> _Try:
    """Nearest resize by the stride, then a convolution of odd kernel: Odena et al. (2016), `resize-convolution`."""
    window = node.op.sliding
    assert window is not None
    kernel = tuple(extent | 1 for extent in window.kernel)
    names = (f"{node.layer}_resize{'_' * count}" for count in range(len(graph.nodes) + 1))
    layer = next(name for name in names if name not in graph.by_name)
    resize = Node(layer, Resize(factor=tuple(map(Fraction, window.stride)), mode="nearest"), node.inputs, layer)
    conv = Conv(
        channels=getattr(node.op, "channels"),  # noqa: B009
        kernel=kernel,
        pad=tuple((extent // 2, extent // 2) for extent in kernel),
        groups=getattr(node.op, "groups"),  # noqa: B009
        bias=getattr(node.op, "bias"),  # noqa: B009
    )
    text = f"a nearest resize by {'x'.join(map(str, window.stride))} and a conv of {_kernel(conv)} for `{node.layer}`"
    return _Try(text, (resize, replace(node, op=conv, inputs=(layer,))))
