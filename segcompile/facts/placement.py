"""Where a network's outputs lie over its image, and the sizes of images over which they lie like that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor, lcm

from segcompile.facts.alignment import Coordinates, place_nodes
from segcompile.facts.fit import fit
from segcompile.facts.shapes import infer_shapes, of_any_size
from segcompile.facts.sizes import AxisSizes, Sizes
from segcompile.network.graph import Graph, Node
from segcompile.ops import CELL, MEDIUM, AnySize, Shape, Size
from segcompile.text.errors import Findings, SegcompileError

_USUAL_SIZES = (256, 512, 1024, 2048)  # where the spec leaves the size open: training crops, the smallest first
_ROOM = 128  # pixels more than the smallest size, if that is large


@dataclass(frozen=True, slots=True)
class Placement:
    """All one number an axis, in pixels of the input unless said otherwise.

    The centre of output pixel p lies over input pixel centre + stride * p. It stands for the `stride` pixels around
    that; those of output 0 start at `offset`, or before the image. Input sizes size + k * multiple fit, for negative k
    down to `least`; `output` is the output's size at `size`. For the front end of Yu & Koltun (2016) that is stride 8
    and offset 186, as in their release, and centre 189.5.
    """

    size: tuple[int, ...]
    output: tuple[int, ...]
    stride: tuple[int, ...]
    offset: tuple[int, ...]
    centre: tuple[float, ...]
    multiple: tuple[int, ...]
    least: tuple[int, ...]


class NoPlacement(Exception):
    """Why the outputs have none; the node to point at."""

    def __init__(self, reason: str, node: Node) -> None:
        super().__init__(reason)
        self.node = node


def place_outputs(graph: Graph) -> Placement:
    """How the maps that a network with one input gives, all alike, lie over its image: at the spec's size; where that
    is any, at the first of some usual ones at which they lie whole steps apart. Raises NoPlacement."""
    main = graph.by_name[next(iter(graph.outputs.values()))]
    try:
        free, sizes = fit(of_any_size(graph), Findings())
    except SegcompileError as error:
        why = error.diagnostics[0].message
        raise NoPlacement(f"which sizes of {MEDIUM[graph.rank]}s fit is not known: {why}", main) from error
    reason = NoPlacement("no usual size fits the network; give the input a size", main)
    for shapes in _at_numbers(graph, sizes):
        try:
            along = _lies(graph, shapes)
            _check_steps(along, free[main.name], main)
        except NoPlacement as unfit:
            reason = unfit
            continue
        steps = [_step_and_least(graph, free, sizes, shapes, axis) for axis in range(graph.rank)]
        return Placement(
            size=tuple(axis.size for axis in along),
            output=tuple(axis.output for axis in along),
            stride=tuple(axis.stride for axis in along),
            offset=tuple(axis.offset for axis in along),
            centre=tuple(axis.centre for axis in along),
            multiple=tuple(step for step, _ in steps),
            least=tuple(least for _, least in steps),
        )
    raise reason


# --- where the outputs lie -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Axis:
    """Along one axis: the pixels of the image and of an output, its step, where it starts, the centre of its first."""

    size: int
    output: int
    stride: int = 1
    offset: int = 0
    centre: float = 0.0


def _lies(graph: Graph, shapes: Mapping[str, Shape]) -> tuple[_Axis, ...]:
    """How the outputs, all alike, lie over the image."""
    heads, places = {head: graph.by_name[name] for head, name in graph.outputs.items()}, place_nodes(graph, shapes)
    (image,), (main, *others) = (shapes[name].size for name in graph.inputs), heads
    lies = {
        head: tuple(
            _axis(graph.rank, node, size, output, maps.first)
            for size, output, maps in zip(image, shapes[node.name].size, places[node.name], strict=True)
        )
        for head, node in heads.items()
    }
    for head in others:
        if lies[head] != lies[main]:
            raise NoPlacement(f"the outputs `{main}` and `{head}` do not lie over each other", heads[head])
    return lies[main]


def _axis(rank: int, node: Node, size: Size, output: Size, place: Coordinates | None) -> _Axis:
    """How an output lies over the image. One of the image's size, which a resize or a crop gave it, lies pixel on
    pixel, whatever the strides before: their coordinates are a fraction of a stride off."""
    assert isinstance(size, int) and isinstance(output, int)
    medium = MEDIUM[rank]
    if output == size and (place is None or Fraction(1, 2) < place.scale < 2):
        return _Axis(size, output)
    if place is None:
        raise NoPlacement(f"where `{node.layer}` lies over the {medium} is not known", node)
    if place.scale < 1 or place.scale.denominator != 1:
        step = f"a step of `{node.layer}` is {place.scale} {CELL[rank]}s of the {medium}"
        raise NoPlacement(f"{step}, not a whole number", node)
    first = floor(place.shift - (place.scale - 1) / 2)
    return _Axis(size, output, int(place.scale), max(0, first), float(place.shift))


def _check_steps(lies: tuple[_Axis, ...], shape: Shape, node: Node) -> None:
    """Raise NoPlacement where an output does not grow with the image as its steps would have it."""
    for lie, size in zip(lies, shape.size, strict=True):
        if not isinstance(size, AnySize) or size.slope * lie.stride != 1:
            reason = f"`{node.layer}` does not lie evenly over the {MEDIUM[len(lies)]}: it joins maps of unequal steps"
            raise NoPlacement(reason, node)


# --- sizes of the image ----------------------------------------------------------------------------------------------


def _at_numbers(graph: Graph, sizes: Sizes) -> Iterator[dict[str, Shape]]:
    """The shapes at the spec's own size; where that is any, at usual sizes: those at which no stride rounds first."""
    ((name, source),) = graph.inputs.items()
    axes = zip(source.size, sizes, strict=True)
    for size in dict.fromkeys(product(*(_candidates(extent, found) for extent, found in axes))):
        findings = Findings()
        shapes = infer_shapes(graph, findings, {name: Shape(source.channels, size)})
        if not findings.has_errors:
            yield shapes


def _candidates(size: Size, sizes: AxisSizes | None) -> list[int]:
    if isinstance(size, int):
        return [size]
    assert sizes is not None
    sets = [found for found in (sizes.exact, sizes.legal) if found is not None]
    smallest = sets[-1].nearest(1)[1] or 1
    room = 0 if smallest <= _USUAL_SIZES[0] else smallest + _ROOM  # an output of more than one pixel
    nearest = [found.nearest(max(least, room))[1] for least in _USUAL_SIZES for found in sets]
    return [found for found in nearest if found is not None]


def _step_and_least(
    graph: Graph, free: Mapping[str, Shape], sizes: Sizes, shapes: Mapping[str, Shape], axis: int
) -> tuple[int, int]:
    """The step from the image's size, along one axis, to others that are legal, and the least of them.

    They are of one residue, so that each step gives every layer as many pixels more, unless all outputs are of the
    image's size.
    """
    (name,), along = graph.inputs, sizes[axis]
    size = shapes[name].size[axis]
    assert along is not None and isinstance(size, int)
    outputs = {free[output].size[axis] for output in graph.outputs.values()}
    layers = [] if outputs == {free[name].size[axis]} else free.values()
    extents = [shape.size[axis] for shape in layers if shape.size]
    step = lcm(along.legal.modulus, *(extent.period for extent in extents if isinstance(extent, AnySize)))
    least = along.legal.least[size % along.legal.modulus]
    assert least is not None, "the size is none of the legal ones"
    return step, size - (size - least) // step * step
