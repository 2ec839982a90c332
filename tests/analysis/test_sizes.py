"""Networks on images of any size: every shape as a function of the size, and which sizes they take."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings

from segcompile.analysis.plainest import on_legal_sizes
from segcompile.analysis.shapes import infer_shapes
from segcompile.analysis.sizes import Sizes, find_sizes
from segcompile.errors import Findings
from segcompile.graph import Graph
from segcompile.ops import Shape
from segcompile.testing.strategies import free_graphs

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
RANGE = range(1, 65)


def solved(graph: Graph) -> tuple[dict[str, Shape], Sizes, Findings]:
    findings = Findings()
    shapes = infer_shapes(graph, findings)
    return shapes, find_sizes(graph, shapes, findings), findings


def concrete(graph: Graph, height: int, width: int) -> dict[str, Shape] | None:
    """The shapes at one size; None if something is refused."""
    findings = Findings()
    shapes = infer_shapes(graph, findings, {n: Shape(s.channels, (height, width)) for n, s in graph.inputs.items()})
    return None if findings.has_errors else shapes


def check(graph: Graph) -> None:
    """The sizes along one axis, with a legal one along the other, are legal if nothing is refused; the shapes are those
    of each size, and so are the plainest ones."""
    shapes, sizes, findings = solved(graph)
    assume(not findings.has_errors)
    plain = on_legal_sizes(shapes, sizes)
    height, width = (found.legal for found in sizes if found is not None)
    tall, wide = height.nearest(40)[1], width.nearest(40)[1]
    for size, legal in [((n, wide), height.legal(n)) for n in RANGE] + [((tall, n), width.legal(n)) for n in RANGE]:
        found = concrete(graph, *size)
        assert (found is not None) == legal, (size, str(height), str(width))
        for name, shape in (found or {}).items():
            assert values(shapes[name], size) == values(plain[name], size) == shape.size, (name, size)


def values(shape: Shape, size: tuple[int, int]) -> tuple[int, ...]:
    return tuple(form if isinstance(form, int) else form.at(n) for form, n in zip(shape.size, size, strict=True))


@settings(SETTINGS, max_examples=100)
@given(graph=free_graphs())
def test_shapes_and_legal_sizes_of_any_network_are_those_of_each_size(graph: Graph) -> None:
    check(graph)


@pytest.mark.long
@settings(SETTINGS, max_examples=2000, derandomize=False)
@given(graph=free_graphs(most=10))
def test_two_thousand_networks(graph: Graph) -> None:
    check(graph)
