"""A size at which a network of any size is looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from segcompile.facts.alignment import window_of
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.sizes import Sizes
from segcompile.network.graph import Graph
from segcompile.ops import Window
from segcompile.text.errors import Findings

_USUAL = 256  # pixels along an axis whose size the network leaves open


def usual_size(graph: Graph, sizes: Sizes) -> Graph:
    """The network at the spec's own size; where that is any, at the first size from 256 on that it takes. Where some
    stride does not divide the map that it reads there, it is the first size at which none rounds, if there is one."""
    legal, exact = (_from_usual(graph, sizes, which) for which in ("legal", "exact"))
    size = exact if exact is not None and (legal is None or not _divides(_sized(graph, legal))) else legal
    return graph if size is None else _sized(graph, size)


def _sized(graph: Graph, size: tuple[int, ...]) -> Graph:
    inputs = {name: replace(each, size=size) for name, each in graph.inputs.items() if each.size}
    return replace(graph, inputs={**graph.inputs, **inputs})


def _divides(graph: Graph) -> bool:
    """Whether every stride divides the map that it reads: then each map is a whole part of the image."""
    shapes = infer_shapes(graph, Findings())
    read = ((node, axis, size) for node in graph.nodes for axis, size in enumerate(shapes[node.inputs[0]].size))
    return not any(
        size % _stride(window_of(node, axis, shapes, 0)) for node, axis, size in read if isinstance(size, int)
    )


def _stride(window: Window | None) -> int:
    return window.stride if window is not None and window.upsample == 1 and window.stride else 1


def _from_usual(graph: Graph, sizes: Sizes, which: Literal["legal", "exact"]) -> tuple[int, ...] | None:
    """The first of some sizes from 256 on along each axis that is any; None where there is none, or no axis is any."""
    given = next((shape.size for shape in graph.inputs.values() if shape.size), ())
    found = []
    for size, axis in zip(given, sizes, strict=True):
        among = getattr(axis, which) if axis is not None else None
        pixels = size if isinstance(size, int) else among.nearest(_USUAL)[1] if among is not None else None
        if pixels is None:
            return None
        found.append(pixels)
    return tuple(found) if graph.takes_any_size else None
