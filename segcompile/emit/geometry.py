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
    height, width = (_axis(axis, source.size[axis], sizes[axis], maps[axis], facts) for axis in AXES)
    return Geometry(*zip(height, width, strict=True))


def _axis(axis: int, source: Size, output: Size, place: Coordinates, facts: Facts) -> tuple[int, int, int, int, int]:
    """Size, output, stride, offset and multiple along one axis."""
    multiple, stride = _multiple(facts, axis), int(place.scale)
    size = source if isinstance(source, int) else -(-_LEAST_FREE_SIZE // multiple) * multiple
    extent = output.at(size) if isinstance(output, AnySize) else output
    return size, extent, stride, _offset(place, size - stride * extent), multiple


def _offset(place: Coordinates, most: int) -> int:
    """The first of the input pixels that output 0 stands for: they lie around the centre of its field.

    Labels end where the image ends: an offset that would leave it (a padded network whose maps are half a pixel off)
    is brought back, between 0 and `most`.
    """
    return max(0, min(floor(place.shift - Fraction(place.scale - 1, 2)), most))


def _multiple(facts: Facts, axis: int) -> int:
    """Steps of the input size that keep every layer's size whole: the least common multiple of all strides."""
    scales = [place.scale for fact in facts.values() if (place := fact.place[axis]) is not None]
    return lcm(1, *(scale.numerator for scale in scales if scale > 0))
