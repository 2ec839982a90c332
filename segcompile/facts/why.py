"""Who attains it: the path of layers that leads to an end of a receptive field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from segcompile.facts.alignment import centre, sizes_along
from segcompile.facts.receptive_field import Field, Fields, reads
from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape, Window

Side = Literal["low", "high"]  # of an axis: the top or left of an image; its bottom or right


@dataclass(frozen=True, slots=True)
class Adds:
    """One tensor on the path: what `node` (or an input) gives at `index`, and how many input pixels its op adds to
    the field on this side of the centre; None where tensors have no even steps."""

    node: str
    index: int
    pixels: Fraction | None = Fraction(0)


def attaining_path(
    graph: Graph,
    shapes: Mapping[str, Shape],
    fields: Mapping[str, Fields],
    node: str,
    axis: int,
    index: int,
    side: Side,
) -> tuple[Adds, ...]:
    """From the input pixel at that end of the field of output `index` to the output, one entry a tensor.

    Of several such paths, the one that takes the first input and the outermost tap. () where the field has no ends:
    nothing is seen, or the table is not known. Raises Undecidable.
    """
    every = {**dict.fromkeys(graph.inputs, (Field(),) * graph.rank), **fields}
    path: list[Adds] = []
    while node not in graph.inputs:
        found = _before(graph.by_name[node], shapes, every, axis, index, side)
        if found is None:
            return ()
        source, reads, window = found
        path.append(Adds(node, index, _adds(window, every[source][axis].stride, index, reads, side)))
        node, index = source, reads
    return (Adds(node, index), *reversed(path))


def _before(
    node: Node, shapes: Mapping[str, Shape], fields: Mapping[str, Fields], axis: int, index: int, side: Side
) -> tuple[str, int, Window] | None:
    """An input of the node, and an index of it that output `index` reads and that sees the same end of the field."""
    end = _end(fields[node.name], axis, index, side)
    if end is None:
        return None
    sizes = sizes_along(node, axis, shapes)
    for position, name in enumerate(node.inputs):
        window, chains = node.op.window_on(axis, sizes, position), node.op.chains(axis, sizes, position)
        indices = sorted({read for chain in chains for read in reads(chain, index)}, reverse=side == "high")
        for read in indices:
            if window is not None and _end(fields[name], axis, read, side) == end:
                return name, read, window
    return None


def _end(fields: Fields, axis: int, index: int, side: Side) -> int | None:
    seen = fields[axis].at(index) if fields[axis].sets else None
    return None if seen is None else seen.low if side == "low" else seen.high


def _adds(window: Window, stride: Fraction | None, index: int, reads: int, side: Side) -> Fraction | None:
    """How far the index that is read lies outside the middle of the window, in input pixels."""
    if stride is None:
        return None
    middle = window.stride * index + centre(window)
    outside = stride * (window.upsample * reads - middle) / window.upsample
    return outside if side == "high" else -outside
