"""Which outputs see padding, for images of any size: the borders of every size in one period of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import lcm

from segcompile.facts.alignment import place_nodes
from segcompile.facts.border import Border, trace_borders
from segcompile.facts.fit import sizes_of
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.sizes import AxisSizes
from segcompile.facts.unknown import undecided
from segcompile.network.graph import Graph
from segcompile.ops import AnySize, Shape
from segcompile.text.errors import Findings

MOST_SIZES = 128  # of the image, that are looked at for one of any size
_LARGE = 2**12  # pixels of the first of them, or the least that the network takes of each residue


@dataclass(frozen=True, slots=True)
class AnyBorder:
    """The borders of a tensor over all images that the network takes, along one axis: every value that occurs.

    One value of `before`, and one of `after` where no stride leaves a remainder that the size decides. `proven` says
    that all sizes were covered; otherwise (a period beyond MOST_SIZES, a resize whose ratio depends on the image) the
    values are those of some, or none.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    proven: bool


def borders_of_any_size(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, tuple[AnyBorder | None, ...]]:
    """Node or input name -> its borders along each axis, for inputs with symbolic sizes; None: everything.

    The image's size is taken through one period of the network's strides, along all axes at once, leaving out the
    sizes that the network does not take.
    """
    images, proven = images_of_one_period(graph, shapes)
    seen = [trace_borders(graph, image) for image in images]
    return {
        name: tuple(_gathered([borders[name][axis] for borders in seen], proven) for axis in range(graph.rank))
        for name in (*graph.inputs, *graph.by_name)
    }


def images_of_one_period(graph: Graph, shapes: Mapping[str, Shape]) -> tuple[list[dict[str, Shape]], bool]:
    """The shapes of inputs and nodes for images of each size in one period, and whether these stand for all sizes."""
    period = period_of(graph, shapes)
    along = [_one_period(found, period) for found in sizes_of(graph)]
    count = max(map(len, along))
    images: list[dict[str, Shape]] = []
    for turn in range(min(count, MOST_SIZES)):
        image = tuple(sizes[turn % len(sizes)] for sizes in along)
        findings = Findings()
        at = infer_shapes(graph, findings, {name: _at(shape, image) for name, shape in graph.inputs.items()})
        if not findings.has_errors:
            images.append(at)
    return images, len(images) == count and _is_even(graph, shapes)


def _one_period(sizes: AxisSizes | None, period: int) -> Sequence[int]:
    """The sizes along one axis that the network takes, from a large one on, at most one more than are looked at; any
    one where the axis has a number."""
    if sizes is None:
        return (_LARGE,)
    legal = sizes.legal
    start = max(_LARGE, *(legal.least[residue] or 0 for residue in legal.residues))
    every = (size for size in range(start, start + lcm(period, legal.modulus)) if legal.legal(size))
    return list(islice(every, MOST_SIZES + 1))


def _at(shape: Shape, image: tuple[int, ...]) -> Shape:
    sides = zip(shape.size, image, strict=False)  # a vector has none
    return replace(shape, size=tuple(size if isinstance(side, AnySize) else side for side, size in sides))


def period_of(graph: Graph, shapes: Mapping[str, Shape]) -> int:
    """By how many pixels an image may grow so that every tensor grows by whole pixels."""
    places = place_nodes(graph, shapes).values()
    return lcm(1, *(item.scale.numerator for each in places for maps in each for item in maps.every))


def _is_even(graph: Graph, shapes: Mapping[str, Shape]) -> bool:
    """Whether every window is the same for every image."""
    on_maps = (node for node in graph.nodes if all(shapes[name].size for name in node.inputs))
    return all(undecided(node, axis, shapes) is None for node in on_maps for axis in range(graph.rank))


def _gathered(borders: Sequence[Border | None], proven: bool) -> AnyBorder | None:
    known = [border for border in borders if border is not None]
    if len(known) < len(borders):
        return None
    before, after = ({border.before for border in known}, {border.after for border in known})
    return AnyBorder(tuple(sorted(before)), tuple(sorted(after)), proven)
