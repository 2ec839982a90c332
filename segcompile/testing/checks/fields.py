"""The receptive field of an emitted model, measured by gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.analysis.facts import shapes_in
from segcompile.analysis.receptive_field import Field
from segcompile.backend import BuildRequest
from segcompile.ops import Pool, Resize
from segcompile.testing.bench import Bench, Mismatch, Subject
from segcompile.testing.cases import Case
from segcompile.testing.fields import mask, probes
from segcompile.testing.networks import every_layer, linear, request_of, small

Array = NDArray[Any]
CELLS = 3  # of each output, in different phases
LARGEST = 2048  # pixels along a side of an image, unless a caller has less time


def receptive_field(bench: Bench, case: Case) -> None:
    """The input pixels that a gradient reaches from some cells of each output are those that the analysis names; of
    the network with positive weights, without activations, and with means for maxima."""
    request = measurable(case.request)
    if request is not None:
        compare_fields(bench.subject(request))


def measurable(request: BuildRequest, largest: int = LARGEST) -> BuildRequest | None:
    """The network made linear, on an image in which some cells see no padding; with every layer for an output if its
    own have a field of the whole image. None if no layer has a field that can be measured, of more than a pixel; of
    dilated maxima, for which there is no mean, only values can be compared."""
    graph = linear(request.graph)
    maxima = any(isinstance(node.op, Pool) and node.op.kind == "max" for node in graph.nodes)
    depends = maxima or any(node.op.data_dependent for node in graph.nodes)
    if depends or len({shape.size for shape in graph.inputs.values()}) > 1:
        return None
    found = request_of(graph)
    if not _heads(found):
        found = request_of(every_layer(graph))
    fields = [field for head in _heads(found) for field in found.facts[head].fields]
    room = max(((field.size or 0) + 2 * field.period + 4 for field in fields), default=0)
    own = min((size for shape in graph.inputs.values() for size in shape.size if isinstance(size, int)), default=0)
    if all(field == Field() for field in fields) or room > largest:  # each output sees its own pixel: nothing to say
        return None
    return request_of(small(found.graph, room)) if room > own else found


def _heads(request: BuildRequest) -> list[str]:
    """The nodes of the outputs whose field is known and not the whole image."""
    nodes = request.graph.outputs.values()
    return [n for n in nodes if all(field.sets and not field.whole for field in request.facts[n].fields)]


def compare_fields(subject: Subject) -> None:
    """Raises Mismatch for a cell that sees another set of pixels than the analysis says."""
    request, rng = subject.request, np.random.default_rng(4)
    graph, facts = request.graph, request.facts
    shapes = shapes_in(graph, facts)
    subject.assign({tensor.name: rng.uniform(0.5, 1.5, tensor.parameter.shape) for tensor in subject.tensors})
    images = {name: rng.uniform(0.5, 1.5, value.shape) for name, value in subject.inputs.items()}
    outputs = subject.outputs(images)
    rounded = any(isinstance(node.op, Resize) for node in graph.nodes)
    for head, node in graph.outputs.items():
        if node not in _heads(request):
            continue
        everything = _seen(subject, images, head, np.ones_like(outputs[head]))
        for cell in probes(graph, shapes, facts, node, CELLS):
            one = np.zeros_like(outputs[head])
            one[:, :, cell[0], cell[1]] = 1
            # Weights of an interpolation are rounded: what should be 0 may be 1e-15 of what other cells see.
            found = _seen(subject, images, head, one) > (1e-13 * everything.max() if rounded else 0)
            said = mask(graph, shapes, node, cell)
            if not np.array_equal(found, said):
                raise Mismatch(f"{head} at {cell} sees {_told(found)}, and the analysis says {_told(said)}")


def _seen(subject: Subject, images: Mapping[str, Array], head: str, cotangent: Array) -> Array:
    """How much each pixel of the inputs, which are of one size, adds: (height, width)."""
    to_inputs, _ = subject.gradients(images, {head: cotangent})
    found: Array = np.sum([np.abs(gradient).sum((0, 1)) for gradient in to_inputs.values()], axis=0)
    return found


def _told(seen: Array) -> str:
    rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
    if not rows.size:
        return "nothing"
    return f"{seen.sum()} pixels in rows {rows[0]}..{rows[-1]}, columns {columns[0]}..{columns[-1]}"
