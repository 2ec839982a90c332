"""Which sizes of the image a network with one input takes: one of them, and the steps from it to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import lcm

from segcompile.analysis.shapes import infer_shapes
from segcompile.analysis.sizes import AxisSizes, Sizes
from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.ops import Resize, Shape
from segcompile.ops.size import Size

Shapes = Mapping[str, Shape]

_FREE_SIZES = (256, 512, 1024, 2048)  # where the spec leaves the size open: training crops, the smallest first
_ROOM = 128  # pixels more than the smallest size, if that is large
_MOST_TRIED = 256  # sizes that are looked at one by one


def at_numbers(graph: Graph, sizes: Sizes) -> Iterator[tuple[Graph, Shapes]]:
    """The graph, and its shapes, at the spec's own size; where that is any, at usual sizes: those at which no stride
    rounds first."""
    ((name, source),) = graph.inputs.items()
    seen: set[tuple[int, ...]] = set()
    for height, width in product(*(_candidates(size, axis) for size, axis in zip(source.size, sizes, strict=True))):
        if (height, width) not in seen:
            seen.add((height, width))
            fixed = replace(graph, inputs={name: Shape(source.channels, (height, width))})
            shapes = _shapes(fixed, fixed.inputs)
            if shapes is not None:
                yield fixed, shapes


def _candidates(size: Size, sizes: AxisSizes | None) -> list[int]:
    if isinstance(size, int) or sizes is None:
        return [size] if isinstance(size, int) else []
    sets = [found for found in (sizes.exact, sizes.legal) if found is not None]
    smallest = sets[-1].nearest(1)[1] or 1
    room = 0 if smallest <= _FREE_SIZES[0] else smallest + _ROOM  # an output of more than one pixel
    nearest = [found.nearest(max(least, room))[1] for least in _FREE_SIZES for found in sets]
    return [found for found in nearest if found is not None]


def _period(graph: Graph, shapes: Shapes, axis: int) -> int:
    """The step of the input size that makes every layer grow by whole pixels: the common multiple of all strides."""
    strides: dict[str, Fraction | None] = dict.fromkeys(graph.inputs, Fraction(1))
    for node in graph.nodes:
        strides[node.name] = _stride(node, axis, shapes, strides)
    return lcm(1, *(stride.numerator for stride in strides.values() if stride is not None))


def _stride(node: Node, axis: int, shapes: Shapes, strides: Mapping[str, Fraction | None]) -> Fraction | None:
    """Input pixels for one more pixel of the node; None where its size is the same for all images.

    A resize to a reference has the reference's: it is no window of a stride.
    """
    sources = [strides[name] for name in node.inputs]
    if node.op.lends_size and len(sources) == 2:
        return sources[1]
    if isinstance(node.op, Resize):
        assert node.op.factor is not None
        return None if sources[0] is None else sources[0] / node.op.factor[axis]
    for index, source in enumerate(sources):
        sizes = [shapes[name].size[axis] for name in node.inputs if shapes[name].size]
        window = node.op.window(axis, sizes, index) if sizes else None
        if source is not None and window is not None:
            return source * window.stride / window.upsample
    return None


def step(graph: Graph, shapes: Shapes, axis: int, sizes: Sizes) -> int:
    """The step between legal sizes of an input that is a number: all strides' common multiple and, where the spec says
    any, that of what is legal; 1 where every size in between gives outputs of its size."""
    known = sizes[axis]
    period = lcm(_period(graph, shapes, axis), known.legal.modulus if known is not None else 1)
    if 1 < period <= _MOST_TRIED and all(_keeps_size(graph, shapes, axis, more) for more in range(period)):
        return 1
    return period


def _keeps_size(graph: Graph, shapes: Shapes, axis: int, more: int) -> bool:
    """Whether an input that is `more` pixels larger along an axis fits, and all outputs have its size."""
    inputs = {}
    for name in graph.inputs:
        height, width = shapes[name].size
        size = (height + more, width) if axis == 0 else (height, width + more)
        inputs[name] = Shape(shapes[name].channels, size)
    found = _shapes(graph, inputs)
    (wanted,) = {shape.size for shape in inputs.values()}
    return found is not None and all(found[name].size == wanted for name in graph.outputs.values())


def _shapes(graph: Graph, inputs: Shapes) -> Shapes | None:
    findings = Findings()
    shapes = infer_shapes(graph, findings, inputs)
    return None if findings.has_errors else shapes
