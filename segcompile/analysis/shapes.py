"""The shape of every node, for one size of the input (a number or any)."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.errors import Findings, Label
from segcompile.graph import Graph, Node
from segcompile.ops import Refusal, Shape, Undecidable


def infer_shapes(graph: Graph, findings: Findings, inputs: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
    """Node or input name -> shape (channels, height, width), without the batch.

    What an op refuses is added to `findings` (SC3xx) at the attribute it names; nodes behind it have no entry
    and are counted in a note instead of being reported one by one.
    """
    shapes: dict[str, Shape] = dict(inputs if inputs is not None else graph.inputs)
    refused: list[tuple[Node, Refusal]] = []
    for node in graph.nodes:
        if any(name not in shapes for name in node.inputs):
            continue
        try:
            shapes[node.name] = _shape(node, [shapes[name] for name in node.inputs])
        except Refusal as refusal:
            refused.append((node, refusal))
    unknown = len(graph.nodes) - (len(shapes) - len(graph.inputs)) - len(refused)
    for index, (node, refusal) in enumerate(refused):
        notes = [f"{unknown} later nodes depend on this and were not checked"] if unknown and index == 0 else []
        origin = node.origin
        labels = (*_input_labels(graph, node), *origin.calls)
        message = f"{node.layer}: {refusal.message}"
        findings.add(refusal.code, message, origin.at(refusal.attribute), labels=labels, help=refusal.help, notes=notes)
    return shapes


def _shape(node: Node, inputs: list[Shape]) -> Shape:
    if node.op.spatial and not inputs[0].size:
        raise Refusal("SC302", f"{node.op.spelling} needs a feature map, and {node.inputs[0]} is a vector")
    try:
        return node.op.output(inputs)
    except Undecidable as why:
        message = f"the size cannot be stated for any image: {why}"
        raise Refusal("SC310", message, None, "give the input a size") from None


def _input_labels(graph: Graph, node: Node) -> list[Label]:
    """For a join, where its inputs come from."""
    if len(node.inputs) < 2:
        return []
    sources = [graph.by_name[name] for name in node.inputs if name in graph.by_name]
    return [Label(source.origin.span, source.layer) for source in sources if source.origin.span is not None]
