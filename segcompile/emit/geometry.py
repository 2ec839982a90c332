"""What a training harness must know of a network's geometry: which labels its outputs stand for, which sizes fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from segcompile.emit.legal_sizes import at_any_size, at_numbers
from segcompile.facts.alignment import Coordinates, place_nodes
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXES, AnySize, Shape, Size
from segcompile.text.errors import Findings, SegcompileError


@dataclass(frozen=True, slots=True)
class Geometry:
    """All as (height, width), in pixels of the input unless said otherwise.

    The centre of output pixel p lies over input pixel centre + stride * p. It stands for the `stride` pixels around
    that; those of output 0 start at `offset`, or before the image. Input sizes size + k * multiple fit, for negative k
    down to `least`; `output` is the output's size at `size`. For the front end of Yu & Koltun (2016) that is stride 8
    and offset 186, as in their release, and centre 189.5.
    """

    size: tuple[int, int]
    output: tuple[int, int]
    stride: tuple[int, int]
    offset: tuple[int, int]
    centre: tuple[float, float]
    multiple: tuple[int, int]
    least: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where an output lies along one axis: its pixels, its step, where they start, the centre of the first."""

    output: int
    stride: int = 1
    offset: int = 0
    centre: float = 0.0


class _NoHarness(Exception):
    """Why a network has none; the node to point at."""

    def __init__(self, reason: str, node: Node) -> None:
        super().__init__(reason)
        self.node = node


def harness_geometry(graph: Graph, facts: Facts, findings: Findings) -> Geometry | None:
    """The geometry of a network that can be trained from one image to maps of one size, none finer than the image.

    None for any other, and SC608 says why.
    """
    try:
        _check_kind(graph, facts)
        return _geometry(graph)
    except _NoHarness as why:
        help = "model.py and weights.py are whole; a training loop around them is yours to write"
        origin = why.node.origin
        findings.add("SC608", f"there is no training harness: {why}", origin.span, help=help)
        return None


def mixes_image(graph: Graph) -> str | None:
    """The first layer that mixes the whole image: what it gives is another for every shift of the image."""
    return next((node.layer for node in graph.nodes if node.op.whole_image), None)


def _geometry(graph: Graph) -> Geometry:
    """At the spec's size; where that is any, at the first of some legal ones at which the outputs lie whole steps
    apart."""
    (name,), main = graph.inputs, graph.by_name[next(iter(graph.outputs.values()))]
    try:
        free = at_any_size(graph)
    except SegcompileError as error:
        why = error.diagnostics[0].message
        raise _NoHarness(f"which sizes of images fit is not known: {why}", main) from error
    reason = _NoHarness("no usual size fits the network; give the input a size", main)
    for fixed, shapes in at_numbers(graph, free):
        try:
            height, width = _lies(fixed, shapes)
            _check_steps((height, width), free.shapes[main.name], main)
        except _NoHarness as unfit:
            reason = unfit
            continue
        top, left = shapes[name].size
        assert isinstance(top, int) and isinstance(left, int)
        down, right = (free.from_size((top, left), axis) for axis in AXES)
        return Geometry(
            size=(top, left),
            output=(height.output, width.output),
            stride=(height.stride, width.stride),
            offset=(height.offset, width.offset),
            centre=(height.centre, width.centre),
            multiple=(down.step, right.step),
            least=(down.least, right.least),
        )
    raise reason


def _lies(graph: Graph, shapes: Mapping[str, Shape]) -> tuple[_Axis, _Axis]:
    """How the outputs, all alike, lie over the image."""
    heads, places = {head: graph.by_name[name] for head, name in graph.outputs.items()}, place_nodes(graph, shapes)
    (image,), (main, *others) = (shapes[name].size for name in graph.inputs), heads
    lies = {
        head: tuple(_axis(node, shapes[node.name].size[a], image[a], places[node.name][a].first) for a in AXES)
        for head, node in heads.items()
    }
    for head in others:
        if lies[head] != lies[main]:
            raise _NoHarness(f"the outputs `{main}` and `{head}` do not lie over each other", heads[head])
    height, width = lies[main]
    return height, width


def _check_steps(lies: tuple[_Axis, _Axis], shape: Shape, node: Node) -> None:
    """Raise _NoHarness where an output does not grow with the image as its steps would have it."""
    for lie, size in zip(lies, shape.size, strict=True):
        if not isinstance(size, AnySize) or size.slope * lie.stride != 1:
            raise _NoHarness(f"`{node.layer}` does not lie evenly over the image: it joins maps of unequal steps", node)


def _check_kind(graph: Graph, facts: Facts) -> None:
    """Raise _NoHarness unless the network has one image, trained weights, and maps for outputs."""
    outputs = [graph.by_name[name] for name in graph.outputs.values()]
    for name in list(graph.inputs)[1:]:
        readers = [node for node in graph.nodes if name in node.inputs] or outputs
        raise _NoHarness(f"`{name}` is a second input, and the harness reads one image", readers[0])
    for node in outputs:
        if not facts[node.name].shape.size:
            raise _NoHarness(f"`{node.layer}` gives a vector, and the harness trains maps", node)
    if all(parameter.frozen for fact in facts.values() for parameter in fact.parameters):
        raise _NoHarness("the network has no weights to train", outputs[0])


def _axis(node: Node, output: Size, source: Size, place: Coordinates | None) -> _Axis:
    """How an output lies over the image. One of the image's size, which a resize or a crop gave it, lies pixel on
    pixel, whatever the strides before: their coordinates are a fraction of a stride off."""
    assert isinstance(output, int)
    if output == source and (place is None or Fraction(1, 2) < place.scale < 2):
        return _Axis(output)
    if place is None:
        raise _NoHarness(f"where `{node.layer}` lies over the image is not known", node)
    if place.scale < 1 or place.scale.denominator != 1:
        raise _NoHarness(f"a step of `{node.layer}` is {place.scale} pixels of the image, not a whole number", node)
    first = floor(place.shift - (place.scale - 1) / 2)
    return _Axis(output, int(place.scale), max(0, first), float(place.shift))
