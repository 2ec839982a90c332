"""The shape of every node, for one size of the input (a number or any)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segcompile.facts.given import Of, given_values
from segcompile.facts.size_set import SizeSet
from segcompile.facts.sizes import find_sizes
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXIS_NAMES, CELL, MEDIUM, SYMBOLS, AnySize, Refusal, Shape, Size, Undecidable
from segcompile.text.errors import Findings, Label

LARGEST = 2**40  # channels, or pixels a side

Refused = tuple[Node, Refusal]


def infer_shapes(graph: Graph, findings: Findings, inputs: Mapping[str, Shape] | None = None) -> dict[str, Shape]:
    """Node or input name -> shape, without the batch.

    What an op refuses is added to `findings` (SC3xx) at the attribute it names; nodes behind it have no entry
    and are counted in a note instead of being reported one by one. `inputs` takes the place of the graph's.
    """
    shapes, refused = _walk(graph, inputs if inputs is not None else graph.inputs)
    unknown = len(graph.nodes) - (len(shapes) - len(graph.inputs)) - len(refused)
    if inputs is None and any(refusal.code == "SC302" for _, refusal in refused):
        refused = _at_other_sizes(graph, refused)
    for index, (node, reason) in enumerate(refused):
        notes = [*reason.notes, _not_checked(unknown)] if unknown and index == 0 else reason.notes
        origin = node.origin
        labels = [*_input_labels(graph, node), *_values_behind(graph, node, reason)]
        message = f"{node.layer}: {reason.message}"
        findings.add(reason.code, message, origin.at(reason.attribute), labels=labels, help=reason.help, notes=notes)
    return shapes


def shapes_at(graph: Graph, size: tuple[int, ...]) -> dict[str, Shape]:
    """The shapes of a network whose inputs have all this size, which it takes."""
    return infer_shapes(graph, Findings(), {name: replace(each, size=size) for name, each in graph.inputs.items()})


def _walk(graph: Graph, inputs: Mapping[str, Shape]) -> tuple[dict[str, Shape], list[Refused]]:
    """The shapes as far as they go, and what was refused."""
    shapes: dict[str, Shape] = dict(inputs)
    refused: list[Refused] = []
    for node in graph.nodes:
        if any(name not in shapes for name in node.inputs):
            continue
        try:
            shapes[node.name] = _shape(node, [shapes[name] for name in node.inputs])
        except Refusal as refusal:
            refused.append((node, _with_names(graph, node, refusal)))
    return shapes, refused


def _with_names(graph: Graph, node: Node, refusal: Refusal) -> Refusal:
    """The refusal with the inputs' layers in its help, as they are called where the node's layer stands."""
    if refusal.help is not None and refusal.named:
        inputs = (node.inputs[index] for index in refusal.named)
        layers = (graph.by_name[name].layer if name in graph.by_name else name for name in inputs)
        scope = node.layer.rpartition(".")[0]
        refusal.help = refusal.help.format(*(layer.removeprefix(f"{scope}.") for layer in layers))
    return refusal


def _not_checked(count: int) -> str:
    if count == 1:
        return "1 later node depends on this and was not checked"
    return f"{count} later nodes depend on this and were not checked"


def _shape(node: Node, inputs: list[Shape]) -> Shape:
    node.op.check_form(inputs, node.inputs)
    rank, axes = node.op.rank, len(inputs[0].size)
    if rank not in (None, axes) and not (inputs[0].tokens and not axes):
        raise Refusal("SC316", f"{node.op.spelling} speaks of {rank} axes, and {node.inputs[0]} has {axes}")
    try:
        return _within_bounds(node.op.result(inputs))
    except Undecidable as why:
        message = f"the size cannot be stated for any {MEDIUM.get(axes, 'input')}: {why}"
        raise Refusal("SC310", message, None, "give the input a size") from None


def _within_bounds(shape: Shape) -> Shape:
    """The shape, if its numbers are such as a network could have; they would grow without end otherwise."""
    numbers = [shape.channels]
    for size in shape.size:
        numbers += [size] if isinstance(size, int) else [size.step, abs(size.plus)]
    if max(numbers) > LARGEST:
        cells = f" or {CELL[len(shape.size)]}s a side" if shape.size else ""
        raise Refusal("SC111", f"a result of more than {LARGEST:,} channels{cells}", None)
    return shape


def _input_labels(graph: Graph, node: Node) -> list[Label]:
    """For a join, where its inputs come from."""
    if len(node.inputs) < 2:
        return []
    layers = [graph.by_name[name].layer for name in dict.fromkeys(node.inputs) if name in graph.by_name]
    heads = [graph.layers[layer][0].origin.span for layer in layers]  # not where a default says what the layer carries
    return [Label(span, layer) for layer, span in zip(layers, heads, strict=True) if span is not None]


_OF_CHANNELS = frozenset({"SC301", "SC308", "SC315", "SC319"})  # what is refused whatever the size


def _values_behind(graph: Graph, node: Node, reason: Refusal) -> list[Label]:
    """Where values are given elsewhere that lead to a refusal: at its own attribute, and before it."""
    at = node.origin.at(reason.attribute)
    own = [] if at is None else at.values
    parts = Of.CHANNELS if reason.code in _OF_CHANNELS else Of.SIZE
    return [*own, *given_values(graph, (node.name,) if parts is Of.SIZE else node.inputs, parts)]


# --- a join that fits at other sizes ---------------------------------------------------------------------------------


def _at_other_sizes(graph: Graph, refused: list[Refused]) -> list[Refused]:
    """The refusals, with SC304 for the first join or crop that would fit at another size of the image; the others of
    that kind are counted in a note."""
    shapes, _ = _walk(graph, of_any_size(graph).inputs)
    told = _nearest_sizes(graph, shapes)
    unfit = [(node, reason) for node, reason in refused if reason.code == "SC302" and node.name in shapes]
    if told is None or not unfit:
        return refused
    first, reason = unfit[0]
    others = [note for note in (_not_fitting(len(unfit) - 1),) if note]
    help = f"one of these sizes, or {reason.help}" if reason.help else "one of these sizes"
    better = Refusal("SC304", told, reason.attribute, help, (reason.message, *others))
    return [(first, better) if item == unfit[0] else item for item in refused if item not in unfit[1:]]


def _not_fitting(count: int) -> str:
    if count < 2:
        return "1 more join does not fit at this size" if count else ""
    return f"{count} more joins do not fit at this size"


def of_any_size(graph: Graph) -> Graph:
    """The same layers for inputs of any size, along each axis that is as long in all of them."""

    def free(shape: Shape, axis: int) -> Size:
        alike = all(other.size[axis] == shape.size[axis] for other in graph.inputs.values())
        return AnySize(SYMBOLS[graph.rank][axis]) if alike else shape.size[axis]

    inputs = {
        name: Shape(shape.channels, tuple(free(shape, axis) for axis in range(graph.rank)))
        for name, shape in graph.inputs.items()
    }
    return replace(graph, inputs=inputs)


def _nearest_sizes(graph: Graph, shapes: Mapping[str, Shape]) -> str | None:
    """Which sizes are not the network's, and the nearest that are; None if it is not that."""
    findings = Findings()
    sizes, extents = find_sizes(graph, shapes, findings), next(iter(graph.inputs.values())).size
    if findings.has_errors:
        return None
    told: list[tuple[str, int, SizeSet]] = []
    for word, extent, found in zip(AXIS_NAMES[graph.rank], extents, sizes, strict=True):
        if isinstance(extent, int) and found is not None and not found.legal.legal(extent):
            told.append((word, extent, found.legal))
    if len(told) == graph.rank > 1 and len({(extent, legal.least) for _, extent, legal in told}) == 1:
        told = [("size", *told[0][1:])]
    return " and ".join(_not_taken(*each) for each in told) or None


def _not_taken(word: str, extent: int, legal: SizeSet) -> str:
    nearest = [str(size) for size in legal.nearest(extent) if size is not None]
    which = f"the nearest are {nearest[0]} and {nearest[1]}" if len(nearest) == 2 else f"the nearest is {nearest[0]}"
    return f"{extent} is not a {word} this network takes: {legal}; {which}"
