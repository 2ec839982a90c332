"""Which images a network takes, and the shapes that it makes of them."""

from __future__ import annotations

from segcompile.facts.plainest import on_legal_sizes
from segcompile.facts.shapes import infer_shapes
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


def sizes_of(graph: Graph) -> Sizes:
    """The sizes that a graph without errors takes, where its inputs are of any size."""
    return fit(graph, Findings())[1] if graph.takes_any_size else (None,) * graph.rank
