"""The shape of every node, for one size of the input (a number or any)."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.errors import Findings, Label
from segcompile.graph import Graph, Node
from segcompile.ops import Refusal, Shape, Undecidable

LARGEST = 2**40  # channels, or pixels a side


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
    for index, (node, reason) in enumerate(refused):
        notes = [_not_checked(unknown)] if unknown and index == 0 else []
        origin = node.origin
        labels = (*_input_labels(graph, node), *origin.calls)
        message = f"{node.layer}: {reason.message}"
        findings.add(reason.code, message, origin.at(reason.attribute), labels=labels, help=reason.help, notes=notes)
    return shapes


def _not_checked(count: int) -> str:
    if count == 1:
        return "1 later node depends on this and was not checked"
    return f"{count} later nodes depend on this and were not checked"


def _shape(node: Node, inputs: list[Shape]) -> Shape:
    if node.op.spatial and not inputs[0].size:
        raise Refusal("SC302", f"{node.op.spelling} needs a feature map, and {node.inputs[0]} is a vector")
    try:
        return _within_bounds(node.op.output(inputs))
    except Undecidable as why:
        message = f"the size cannot be stated for any image: {why}"
        raise Refusal("SC310", message, None, "give the input a size") from None


def _within_bounds(shape: Shape) -> Shape:
    """The shape, if its numbers are such as a network could have; they would grow without end otherwise."""
    numbers = [shape.channels]
    for size in shape.size:
        numbers += [size] if isinstance(size, int) else [size.up, size.down, abs(size.plus)]
    if max(numbers) > LARGEST:
        raise Refusal("SC111", f"a result of more than {LARGEST:,} channels or pixels a side", None)
    return shape


def _input_labels(graph: Graph, node: Node) -> list[Label]:
    """For a join, where its inputs come from."""
    if len(node.inputs) < 2:
        return []
    sources = [graph.by_name[name] for name in dict.fromkeys(node.inputs) if name in graph.by_name]
    return [Label(source.origin.span, source.layer) for source in sources if source.origin.span is not None]
