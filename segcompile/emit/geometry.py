"""What a training harness must know of a network's geometry: which labels its outputs stand for, which sizes fit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm

from segcompile.analysis.alignment import Coordinates
from segcompile.analysis.facts import Facts
from segcompile.graph import Graph
from segcompile.ops import AXES
from segcompile.ops.size import AnySize, Size

_LEAST_FREE_SIZE = 256  # where the spec leaves the size open: a training crop that most networks can take


@dataclass(frozen=True, slots=True)
class Geometry:
    """All as (height, width), in pixels of the input unless said otherwise.

    Output pixel p stands for the `stride` input pixels from offset + stride * p on. Input sizes size + k * multiple
    fit for every k that leaves an output; `output` is the output's size at `size`.
    """

    size: tuple[int, int]
    output: tuple[int, int]
    stride: tuple[int, int]
    offset: tuple[int, int]
    multiple: tuple[int, int]


def harness_geometry(graph: Graph, facts: Facts) -> Geometry | None:
    """The geometry of a network from one image to maps of one size; None for any other (a classifier, two images,
    an output finer than the input)."""
    heads = {(facts[name].shape.size, facts[name].place) for name in graph.outputs.values()}
    if len(graph.inputs) != 1 or len(heads) != 1:
        return None
    (sizes, places), (source,) = heads.pop(), graph.inputs.values()
    maps = [place for place in places if place is not None and place.scale.denominator == 1]
    if len(sizes) != 2 or len(maps) != 2:
        return None
    multiple = tuple(_multiple(facts, axis) for axis in AXES)
    size = tuple(_concrete(source.size[axis], multiple[axis]) for axis in AXES)
    output = tuple(_at(sizes[axis], size[axis]) for axis in AXES)
    return Geometry(
        _two(size), _two(output), _two(int(place.scale) for place in maps), _two(_offset(place) for place in maps), _two(multiple)
    )


def _offset(place: Coordinates) -> int:
    """The first of the input pixels that output 0 stands for: they lie around the centre of its field."""
    return floor(place.shift - Fraction(place.scale - 1, 2))


def _multiple(facts: Facts, axis: int) -> int:
    """Steps of the input size that keep every layer's size whole: the least common multiple of all strides."""
    scales = [place.scale for fact in facts.values() if (place := fact.place[axis]) is not None]
    return lcm(1, *(scale.numerator for scale in scales if scale > 0))


def _concrete(size: Size, multiple: int) -> int:
    return size if isinstance(size, int) else -(-_LEAST_FREE_SIZE // multiple) * multiple


def _at(size: Size, source: int) -> int:
    return size.at(source) if isinstance(size, AnySize) else size


def _two(values: object) -> tuple[int, int]:
    first, second = values  # type: ignore[misc]  # both callers hand over exactly two
    return first, second
