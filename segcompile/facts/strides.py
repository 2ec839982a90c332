"""Input pixels per output step, also where no table of fields knows it: behind ops that mix the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from segcompile.facts.alignment import sizes_along
from segcompile.facts.receptive_field import Field, Fields
from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape, Undecidable

Strides = tuple[Fraction | None, ...]  # along each axis; None: steps differ, or are those of no grid
_APART = Fraction(0)  # while they are traced: the steps of the paths differ, and so do those of what reads this


def trace_strides(graph: Graph, shapes: Mapping[str, Shape], fields: Mapping[str, Fields]) -> dict[str, Strides]:
    """Input or node name -> its strides. An op that mixes the whole image and keeps its grid (instance norm) leaves
    them as they are; one that gives a single pixel, or a scale that depends on a symbolic size, ends them."""
    strides: dict[str, Strides] = dict.fromkeys(graph.inputs, (Fraction(1),) * graph.rank)
    for node in graph.nodes:
        along = enumerate(fields[node.name])
        strides[node.name] = tuple(_stride(field, _made(node, axis, shapes, strides)) for axis, field in along)
    return {name: tuple(stride or None for stride in each) for name, each in strides.items()}


def _stride(field: Field, made: set[Fraction | None]) -> Fraction | None:
    """The stride of a field, where it is known; of one that holds the whole image too, unless another path to it, whose
    pixels the field does not tell apart, has another. Where it is not known, that which all paths have."""
    apart = len(made - {None}) > 1 or _APART in made
    if field.sets and not field.whole:
        return _APART if apart and field.stride is None else field.stride
    if apart or (field.sets and not made <= {field.stride, None}):
        return _APART
    return field.stride if field.sets else made.pop() if len(made) == 1 else None


def _made(node: Node, axis: int, shapes: Mapping[str, Shape], strides: Mapping[str, Strides]) -> set[Fraction | None]:
    """The strides that the node's windows make of those of its inputs; None among them, or alone, where one is none."""
    if not shapes[node.name].size:
        return {None}
    sizes, found = sizes_along(node, axis, shapes), set[Fraction | None]()
    for index, name in enumerate(node.inputs):
        try:
            window = node.op.window_on(axis, sizes, index)
        except Undecidable:
            return {None}
        if window is not None:
            before = strides[name][axis]
            found.add(before * window.stride / window.upsample if before is not None and window.stride else None)
    return found
