"""What a training harness must know of a network's geometry: which labels its outputs stand for, which sizes fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, lcm

from segcompile.analysis.alignment import Coordinates, Place, place_nodes
from segcompile.analysis.facts import Facts
from segcompile.analysis.shapes import infer_shapes
from segcompile.analysis.sizes import AxisSizes, Sizes
from segcompile.errors import Findings
from segcompile.graph import Graph
from segcompile.ops import AXES, AnySize, Shape, Size

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


def harness_geometry(graph: Graph, facts: Facts, sizes: Sizes) -> Geometry | None:
    """The geometry of a network from one image to maps of one size; None for any other (a classifier, two images,
    an output finer than the input).

    Where the input is of any size, it is that of one size and all that differ from it by whole periods of the network:
    one at which no stride rounds, or else a multiple of all strides.
    """
    if len(graph.inputs) != 1:
        return None
    ((name, source),) = graph.inputs.items()
    shapes = {name: source, **{node: fact.shape for node, fact in facts.items()}}
    places = {node: fact.place for node, fact in facts.items()}
    multiples = [_multiple(axis, shapes, places, sizes[axis]) for axis in AXES]
    if sizes == (None, None):
        return _geometry(graph, shapes, places, multiples)
    for size in zip(*map(_candidates, source.size, sizes, multiples), strict=True):
        fixed = replace(graph, inputs={name: Shape(source.channels, size)})
        shapes = infer_shapes(fixed, Findings())
        maps = place_nodes(fixed, shapes)
        places = {node: (height.first, width.first) for node, (height, width) in maps.items()}
        found = _geometry(fixed, shapes, places, multiples)
        if found is not None:
            return found
    return None


def _candidates(size: Size, sizes: AxisSizes | None, multiple: int) -> tuple[Size, Size]:
    """Sizes to work at, along one axis."""
    if isinstance(size, int) or sizes is None:
        return size, size
    exact = sizes.exact.nearest(_LEAST_FREE_SIZE)[1] if sizes.exact is not None else None
    whole = sizes.legal.nearest(-(-_LEAST_FREE_SIZE // multiple) * multiple)[1] or size
    return exact or whole, whole


def _geometry(
    graph: Graph, shapes: Mapping[str, Shape], places: Mapping[str, Place], multiples: list[int]
) -> Geometry | None:
    heads = {(shapes[name].size, places[name]) for name in graph.outputs.values()}
    (source,), (extents, place) = graph.inputs.values(), next(iter(heads))
    maps = [axis for axis in place if axis is not None and axis.scale.denominator == 1]
    if len(heads) != 1 or len(extents) != 2 or len(maps) != 2:
        return None
    height, width = (_axis(source.size[axis], extents[axis], maps[axis], multiples[axis]) for axis in AXES)
    return Geometry(*zip(height, width, strict=True))


def _axis(source: Size, output: Size, place: Coordinates, multiple: int) -> tuple[int, int, int, int, int]:
    """Size, output, stride, offset and multiple along one axis."""
    assert isinstance(source, int) and isinstance(output, int)
    stride = int(place.scale)
    return source, output, stride, _offset(place, source - stride * output), multiple


def _offset(place: Coordinates, most: int) -> int:
    """The first of the input pixels that output 0 stands for: they lie around the centre of its field.

    Labels end where the image ends: an offset that would leave it (a padded network whose maps are half a pixel off)
    is brought back, between 0 and `most`.
    """
    return max(0, min(floor(place.shift - Fraction(place.scale - 1, 2)), most))


def _multiple(axis: int, shapes: Mapping[str, Shape], places: Mapping[str, Place], sizes: AxisSizes | None) -> int:
    """Steps of the input size after which every layer's size has grown by whole pixels and a legal size is legal again:
    the least common multiple of all strides and, of symbolic sizes, of all periods."""
    scales = [found.scale for place in places.values() if (found := place[axis]) is not None]
    extents = [shape.size[axis] for shape in shapes.values() if shape.size]
    periods = {extent.period for extent in extents if isinstance(extent, AnySize)}
    if sizes is not None:
        periods |= {sizes.legal.modulus, 1 if sizes.exact is None else sizes.exact.modulus}
    return lcm(1, *(scale.numerator for scale in scales if scale > 0), *periods)
