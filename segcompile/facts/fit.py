"""Which images a network takes, and the shapes that it makes of them."""

from __future__ import annotations

from dataclasses import replace

from segcompile.facts.plainest import on_legal_sizes
from segcompile.facts.shapes import infer_shapes, made_symbolic
from segcompile.facts.sizes import Sizes, find_sizes
from segcompile.network.graph import Graph
from segcompile.ops import Shape
from segcompile.text.errors import Findings


def fit(graph: Graph, findings: Findings) -> tuple[dict[str, Shape], Sizes]:
    """The shapes of inputs and nodes, and where they are symbolic the sizes at which they hold. Raises
    SegcompileError."""
    shapes = infer_shapes(graph, findings)
    findings.stop_on_errors()
    sizes = find_sizes(graph, shapes, findings)
    findings.stop_on_errors()
    return on_legal_sizes(shapes, sizes), sizes


def for_any_image(graph: Graph) -> Graph:
    """The graph for images of any size, along each axis that is as long in all inputs."""
    return replace(graph, inputs=made_symbolic(graph))
