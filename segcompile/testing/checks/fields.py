"""The receptive field of an emitted model, measured: which pixels reach some of its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.backend import BuildRequest
from segcompile.facts.facts import shapes_in
from segcompile.facts.receptive_field import Field
from segcompile.ops import LINES, Pool
from segcompile.testing.bench import Bench, Mismatch, Subject, Unasked
from segcompile.testing.cases import Case
from segcompile.testing.fields import extent, mask, probes
from segcompile.testing.networks import linear, request_of, small, with_outputs

Array = NDArray[Any]
CELLS = 3  # of each output, in different phases
LARGEST = 2048  # pixels along a side of an image, unless a caller has less time; a volume has no more pixels
MOST_TIMES = 3  # that an image is made larger
AT_ONCE = 2**21  # pixels of a batch of images

Probe = tuple[str, str, tuple[int, ...]]  # a head, its node, and a cell of its map


def receptive_field(bench: Bench, case: Case) -> None:
    """The input pixels that reach some cells of each output are those that the analysis names; of the network without
    activations, and with means for maxima."""
    request = measurable(case.request)
    if isinstance(request, str):
        raise Unasked(request)
    compare_fields(bench.subject(request))


def measurable(request: BuildRequest, largest: int = LARGEST) -> BuildRequest | str:
    """The network made linear, on an image in which some cells see no padding; with its last layers of a known field
    for outputs if its own have one of the whole image. Otherwise why no field of more than a pixel can be measured."""
    graph = linear(request.graph)
    if any(isinstance(node.op, Pool) and node.op.kind == "max" for node in graph.nodes):
        return "a dilated max pool has no mean to put in its place"
    if any(node.op.data_dependent for node in graph.nodes):
        return "the values decide what is read"
    if len({shape.size for shape in graph.inputs.values()}) > 1:
        return "the inputs differ in size"
    found = request_of(graph)
    if not _heads(found):
        known = _last_known(found)
        if not known:
            return "none is known that holds more than a pixel"
        found = request_of(with_outputs(graph, known))
    if all(field == Field() for field in _fields(found)):
        return "none is known that holds more than a pixel"
    most = min(largest, int(largest ** (2 / graph.rank)))
    for _ in range(MOST_TIMES):  # a window that covers a small map is one of many on a larger one, and shifted
        room = max(
            ((field.size or 0) + (field.step or 0) + 2 * field.period + 4 for field in _fields(found)), default=0
        )
        sides = [size for shape in found.graph.inputs.values() for size in shape.size if isinstance(size, int)]
        if room > most:
            return f"they want an image of {room:,} pixels a side, and {most:,} are the most"
        if room <= min(sides, default=0):
            break
        found = request_of(small(found.graph, room))
    return found


def _fields(request: BuildRequest) -> list[Field]:
    """Those of the outputs whose field is known."""
    return [field for head in _heads(request) for field in request.facts[head].fields]


def _is_known(request: BuildRequest, node: str) -> bool:
    """Whether the field of a node is known and not the whole image; of a list, which has no cells, it is not asked."""
    return not request.facts[node].shape.tokens and all(
        field.sets and not field.whole for field in request.facts[node].fields
    )


def _heads(request: BuildRequest) -> list[str]:
    """The nodes of the outputs whose field is known and not the whole image."""
    return [node for node in request.graph.outputs.values() if _is_known(request, node)]


def _last_known(request: BuildRequest) -> list[str]:
    """The nodes with a known field that no node with a known field reads."""
    known = [node for node in request.graph.nodes if _is_known(request, node.name)]
    read = {name for node in known for name in node.inputs}
    return [node.name for node in known if node.name not in read]


def compare_fields(subject: Subject) -> int:
    """How many cells see what the analysis says. Raises Mismatch for one that sees another set of pixels."""
    request, rng = subject.request, np.random.default_rng(4)
    graph, facts = request.graph, request.facts
    shapes = shapes_in(graph, facts)
    subject.assign({tensor.name: rng.uniform(0.5, 1.5, tensor.parameter.shape) for tensor in subject.tensors})
    measured = [
        (head, node, cell)
        for head, node in graph.outputs.items()
        if _is_known(request, node)
        for cell in probes(graph, shapes, facts, node, CELLS)
    ]
    for (head, node, cell), found in zip(measured, _seen(subject, measured), strict=True):
        said = mask(graph, shapes, node, cell)
        if not np.array_equal(found, said):
            raise Mismatch(f"{head} at {cell} sees {_told(found)}, and the analysis says {_told(said)}")
    return len(measured)


def _seen(subject: Subject, measured: Sequence[Probe]) -> Iterator[Array]:
    """For each probe, where on the inputs, which are of one size, its cell looks, as a map. As many probes are
    put to the model at once, an image each, as are not too large together."""
    facts = subject.request.facts
    image = extent(next(iter(subject.request.graph.inputs.values())))
    batch = max(1, min(len(measured), AT_ONCE // prod(image)))
    for start in range(0, len(measured), batch):
        part = measured[start : start + batch]
        shapes = {head: facts[node].shape for head, node, _ in measured}
        marks = {head: np.zeros((batch, shape.channels, *extent(shape))) for head, shape in shapes.items()}
        for index, (head, _, cell) in enumerate(part):
            np.moveaxis(marks[head], 1, -1)[(index, *cell)] = 1
        reached = [found.any(1) for found in subject.reaches(batch, marks).values()]
        yield from np.any(reached, axis=0)[: len(part)]


def _told(seen: Array) -> str:
    if not seen.any():
        return "nothing"
    along = zip(LINES[seen.ndim], np.nonzero(seen), strict=True)
    return f"{seen.sum()} pixels in " + ", ".join(f"{line} {found.min()}..{found.max()}" for line, found in along)
