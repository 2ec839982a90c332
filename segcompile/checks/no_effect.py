"""What is allowed, and probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from segcompile.checks.subject import Subject
from segcompile.facts.pairs import show
from segcompile.network.graph import Node
from segcompile.ops import CELL, Crop
from segcompile.ops.base import Sliding
from segcompile.text.errors import Diagnostic, Span, finding
from segcompile.text.listing import first_few


def check_effects(subject: Subject) -> Iterator[Diagnostic]:
    """SC409: numbers in the spec that change nothing, once for each place in it."""
    shapes = subject.shapes
    places: dict[Span | None, list[tuple[Node, Sliding]]] = {}
    for node in subject.graph.nodes:
        window = node.op.sliding
        if window is not None and _dilates_nothing(window):
            places.setdefault(node.origin.at("dilation"), []).append((node, window))
        if isinstance(node.op, Crop) and node.op.offset is not None and not any(node.op.offset):
            source, reference = (shapes[name].size for name in node.inputs)
            if source == reference:
                message = f"{node.layer} cuts nothing off: both have {shapes[node.name]}"
                yield finding("SC409", message, node.origin.span)
    for span, ((node, window), *others) in places.items():
        kernel, dilation = "x".join(map(str, window.kernel)), show(window.dilation)
        message = f"{node.layer}: a dilation of {dilation} changes nothing on a {kernel} kernel"
        notes = [f"nor does it at {first_few([other.layer for other, _ in others])}"] if others else []
        yield finding("SC409", message, span, help="dilation 1, or a larger kernel", notes=notes)


def _dilates_nothing(window: Sliding) -> bool:
    """A dilation that is written, and stands along no axis at more than one tap."""
    dilated = [kernel for kernel, dilation in zip(window.kernel, window.dilation, strict=True) if dilation > 1]
    return bool(dilated) and all(kernel == 1 for kernel in dilated)


def check_fields(subject: Subject) -> Iterator[Diagnostic]:
    """SC408, once an axis, for the first layer of which a part of the field can never lie on the input.

    A field whose middle lies on an image of n pixels reaches over at most n - 1 of them to either side: 2 n - 1. A
    classifier, which gives vectors, is built to see all of its image.
    """
    graph, shapes, fields = subject.graph, subject.shapes, subject.fields
    if not any(shapes[name].size for name in graph.outputs.values()):
        return
    said: list[Node] = []
    for axis in range(graph.rank):
        sizes = [shape.size[axis] for shape in graph.inputs.values() if shape.size]
        known = [size for size in sizes if isinstance(size, int)]
        if not known or len(known) < len(sizes):
            continue
        most = 2 * max(known) - 1
        found = ((node, fields[node.name][axis].size or 0) for node in graph.nodes)
        node, size = next((pair for pair in found if pair[1] > most), (None, 0))
        if node is not None and node not in said:
            said.append(node)
            sees = f"{node.layer} sees {size} {CELL[graph.rank]}s across"
            message = f"{sees}; on an input of {max(known)} its outermost taps meet only padding"
            help = f"give it an input of {size // 2 + 1} or more, or make a kernel, a dilation or a stride smaller"
            yield finding("SC408", message, node.origin.span, help=help)
