"""Backwards through a graph: which cells of every tensor reach one output cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from segcompile.facts.coverage.region import Product, Region, unite
from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape, Window


@dataclass(frozen=True, slots=True)
class Reach:
    """What reaches one output cell.

    regions: tensor -> its cells that do so, none if absent; they run on into the padding.
    whole: tensors of which every cell does so, by way of an op that mixes the whole image.
    """

    regions: Mapping[str, Region]
    whole: frozenset[str]


def reach(graph: Graph, shapes: Mapping[str, Shape], node: str, cell: tuple[int, ...]) -> Reach:
    """What reaches `cell`, one index an axis, of the map that `node` gives. Raises Undecidable where that depends on a
    size that is symbolic, TooWide where it is beyond any network's field."""
    found: dict[str, list[Product]] = {node: list(Region.cell(cell).products)}
    regions: dict[str, Region] = {}
    whole: set[str] = set()
    for name in backwards(graph, node):
        region = unite(found.pop(name, ()))
        current = graph.by_name.get(name)
        if current is not None and (name in whole or (region and mixes(current, shapes))):
            whole.update(current.read)
        if region is None:
            continue
        regions[name] = region
        for source, windows in windows_of(current, shapes) if current is not None else ():
            read = region.read_by(windows)
            if read is not None:
                found.setdefault(source, []).extend(read.products)
    return Reach(regions, frozenset(whole))


def backwards(graph: Graph, node: str) -> Iterator[str]:
    """`node` and all that it depends on: readers before what they read, inputs last."""
    needed = graph.ancestors([node])
    yield from (item.name for item in reversed(graph.nodes) if item.name in needed)
    yield from (name for name in graph.inputs if name in needed)


def mixes(node: Node, shapes: Mapping[str, Shape]) -> bool:
    """Whether an output depends on every cell of the inputs."""
    return node.op.whole_image or not shapes[node.name].size


def windows_of(node: Node, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, tuple[Window, ...]]]:
    """Each input whose values the node's outputs read through windows, with these, one an axis. None of an op that
    mixes the whole image. Raises Undecidable."""
    sizes = [shapes[name].size for name in node.inputs]
    if mixes(node, shapes) or not all(sizes):
        return
    along = list(zip(*sizes, strict=True))
    for index, name in enumerate(node.inputs):
        windows = tuple(node.op.window(axis, each, index) for axis, each in enumerate(along))
        known = tuple(window for window in windows if window is not None)
        if len(known) == len(windows):
            yield name, known
