"""One build held against its analysis: the very folder's tensors and shapes, and its network made small."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from segcompile.backend import Backend, BuildRequest
from segcompile.facts.shapes import of_any_size
from segcompile.network.graph import Graph
from segcompile.ops import AnySize, Shape
from segcompile.testing.bench import Bench, Mismatch, Subject
from segcompile.testing.cases import Case
from segcompile.testing.checks.fields import compare_fields, measurable
from segcompile.testing.checks.numbers import IN_FLOAT32, IN_FLOAT64, compare_values, undecided
from segcompile.testing.checks.proof import compare_code
from segcompile.testing.checks.weights import compare_names
from segcompile.testing.networks import SMALL, every_layer, reduced, request_of, thin
from segcompile.testing.runner import NoRunner
from segcompile.text.errors import SegcompileError, fail


def verify(backend: Backend, request: BuildRequest) -> Iterator[str]:
    """Build into a temporary place, run it, compare; one line for each thing that agrees.

    Raises SegcompileError: SC609 for the first thing that does not agree, or where nothing can be run.
    """
    try:
        yield from _agreements(Bench(backend), request)
    except (Mismatch, NoRunner) as reason:
        raise fail("SC609", f"what backend `{backend.name}` built is not verified: {reason}") from reason
    except SegcompileError:
        raise
    except Exception as cause:  # of the emitted code, or of the framework
        told = f"{type(cause).__name__}: {cause}".partition("\n")[0]
        raise fail("SC609", f"what backend `{backend.name}` built does not run: {told}") from cause


def _agreements(bench: Bench, request: BuildRequest) -> Iterator[str]:
    subject = bench.subject(request, double=False, fresh=True)
    compare_names(subject)
    count = sum(fact.parameter_count for fact in request.facts.values())
    yield f"{len(subject.tensors)} tensors, {count:,} parameters"
    yield f"shapes of all outputs, {_compare_shapes(subject)}"
    whole = request_of(every_layer(thin(request.graph)))
    if bench.declares(Case.of("layers", whole)):  # a row that is lost on the way may be made up for at the end
        found = bench.subject(whole, double=False, fresh=True)
        yield f"shapes of all layers, {_compare_shapes(found, of_layers=True)}"
    small = reduced(request.graph)
    if not bench.declares(Case.of("reduced", small)):
        return
    trains = bench.backend.trains
    tolerance = IN_FLOAT64 if trains else IN_FLOAT32  # in which a hundred layers round further than a fault may go
    coded = bench.subject(_freed(small) if request.graph.takes_any_size else small, double=trains)
    yield compare_code(coded, small.graph.inputs)
    yield f"values {_compared(bench.subject(small, double=trains), tolerance)}"
    yield f"receptive fields {_measured(bench, measurable(small))}"


def _freed(request: BuildRequest) -> BuildRequest:
    """For images of any size, where shapes can say it."""
    with suppress(SegcompileError):
        return request_of(of_any_size(request.graph))
    return request


def _compared(subject: Subject, tolerance: float) -> str:
    """To what they agree with the reference's, or why they need not. Raises Mismatch."""
    try:
        compare_values(subject, tolerance)
    except Mismatch:
        reason = undecided(subject.request.graph, subject.reference)
        if reason is None:
            raise
        return f"cannot be compared: {reason}"
    return f"to {tolerance:g} of the reference's, {_told(subject.request.graph)}"


def _measured(bench: Bench, linear: BuildRequest | str) -> str:
    """Of how many cells the field is what the analysis says, or why none is measured. Raises Mismatch."""
    if isinstance(linear, str):
        return f"are not measured: {linear}"
    if not bench.backend.trains:
        return "are not measured: the model has no gradients"
    if not bench.declares(Case.of("linear", linear)):
        return "are not measured: the backend does not declare the ops that take the place of those without a field"
    cells = compare_fields(bench.subject(linear))
    if not cells:
        return f"are not measured: every cell sees padding, {_told(linear.graph)}"
    return f"of {cells} cell{'s' if cells > 1 else ''}, {_told(linear.graph)}"


def _compare_shapes(subject: Subject, of_layers: bool = False) -> str:
    """For an image of the spec's size, a small one where it allows any. Raises Mismatch; tells of what image."""
    graph, found = subject.request.graph, subject.request.sizes()
    at = [axis.legal.nearest(SMALL)[1] or SMALL if axis is not None else SMALL for axis in found]
    images = {name: _extent(shape, at) for name, shape in graph.inputs.items()}
    outputs = subject.shapes({name: (1, *extent) for name, extent in images.items()})
    for head, node in graph.outputs.items():
        have, want = outputs[head][1:], _extent(subject.request.facts[node].shape, at)
        if have != want:
            name = graph.layer_of(node) if of_layers else head
            raise Mismatch(f"{name} is {have}, and the analysis says {want}")
    return "of " + " and ".join(" x ".join(map(str, extent)) for extent in images.values())


def _extent(shape: Shape, at: Sequence[int]) -> tuple[int, ...]:
    """Channels, height and width, or how many vectors a list has, for an image of size `at` where they depend on it."""
    pairs = zip(shape.size, at, strict=False)
    sizes = tuple(size.at(n) if isinstance(size, AnySize) else size for size, n in pairs)
    positions = Shape(shape.channels, sizes, shape.tokens).positions
    return (shape.channels, *((positions,) if shape.tokens and positions else sizes))


def _told(graph: Graph) -> str:
    """`of 2 x 24 x 25`: the network's images."""
    return "of " + " and ".join(map(str, graph.inputs.values()))
