"""The shapes in a network that is being edited, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.network.graph import Graph, Node
from segcompile.ops import Refusal, Shape, Undecidable
from segcompile.passes.unpools import pair_unpools
from segcompile.text.errors import Findings

Known = Shape | Refusal  # a shape, or why there is none


def shapes_while_edited(graph: Graph) -> Mapping[str, Known]:
    """Node or input -> the shape of its result; where there is none, why."""
    shapes: dict[str, Known] = dict(graph.inputs)
    for node in pair_unpools(graph, Findings()).nodes:
        shapes[node.name] = result(node, shapes)
    return shapes


def result(node: Node, known: Mapping[str, Known]) -> Known:
    """The shape of a node's result, given those of what it reads."""
    found = [known[name] for name in node.inputs]
    shapes = [shape for shape in found if isinstance(shape, Shape)]
    if len(shapes) < len(found):
        return next(shape for shape in found if isinstance(shape, Refusal))
    if node.op.spatial and any(not shape.axes for shape in shapes):
        return Refusal("SC316", f"`{node.layer}` reads a vector")
    try:
        node.op.check_form(shapes, node.inputs)
        return node.op.result(shapes)
    except (Refusal, Undecidable) as error:
        return error if isinstance(error, Refusal) else Refusal("SC310", str(error))
