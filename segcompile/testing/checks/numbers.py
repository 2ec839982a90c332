"""What an emitted model computes: shapes, values, gradients, against the reference in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.network.graph import Graph
from segcompile.ops import Unpool
from segcompile.testing import reference
from segcompile.testing.bench import BATCH, Bench, Mismatch, Subject
from segcompile.testing.cases import Case
from segcompile.testing.parameters import by_node
from segcompile.testing.reference.windows import lead

Array = NDArray[Any]
IN_FLOAT32, IN_FLOAT64 = 1e-4, 1e-9  # of the largest value
TIE = 1e-5  # of the largest value: scores closer than this are equal in float32


def shapes(bench: Bench, case: Case) -> None:
    """Every output has the shape that the analysis says."""
    subject = bench.subject(case.request, double=False)
    compare_shapes(subject, subject.outputs())


def compare_shapes(subject: Subject, outputs: Mapping[str, Array]) -> None:
    """Raises Mismatch for an output that is missing, or of another shape than the analysis says."""
    heads = subject.request.graph.outputs
    if set(outputs) != set(heads):  # jax.jit sorts them
        raise Mismatch(f"the outputs are {', '.join(outputs)}, not {', '.join(heads)}")
    for head, node in heads.items():
        shape = subject.request.facts[node].shape
        found, want = outputs[head].shape, (BATCH, shape.channels, *shape.extents)
        if found != want:
            raise Mismatch(f"{head} is {found}, and the analysis says {want}")


def values_in_float32(bench: Bench, case: Case) -> None:
    """The outputs of random weights and images, in float32."""
    compare_values(bench.subject(case.request, double=False), IN_FLOAT32)


def values_in_float64(bench: Bench, case: Case) -> None:
    """The same in float64."""
    compare_values(bench.subject(case.request), IN_FLOAT64)


def compare_values(subject: Subject, tolerance: float) -> None:
    """Raises Mismatch for an output further from the reference than `tolerance` times the reference's largest."""
    found = subject.outputs()
    compare_shapes(subject, found)
    for head, want in _wanted(subject).items():
        apart = np.abs(found[head] - want)
        if not apart.max() <= tolerance * np.abs(want).max():
            where = np.unravel_index(apart.argmax(), apart.shape)
            at = ", ".join(str(int(index)) for index in where)
            raise Mismatch(f"{head}[{at}] is {found[head][where]:.10g}, and the reference says {want[where]:.10g}")


def classes(bench: Bench, case: Case) -> None:
    """The channel that scores best in float32, at each pixel, but for ties: two scores that the reference tells apart
    by less than 1e-5 of its largest."""
    subject = bench.subject(case.request, double=False)
    found = subject.outputs()
    for head, want in _wanted(subject).items():
        second, first = np.sort(want, axis=1)[:, -2:].swapaxes(0, 1)
        best, wanted = found[head].argmax(1), want.argmax(1)
        wrong = np.argwhere((best != wanted) & (first - second >= TIE * np.abs(want).max()))
        if wrong.size:
            at = tuple(wrong[0])
            where = ", ".join(map(str, at))
            raise Mismatch(f"{head}: channel {best[at]} scores best at [{where}], the reference's is {wanted[at]}")


def _wanted(subject: Subject) -> dict[str, Array]:
    """Head -> the reference's output."""
    return {head: subject.reference[node] for head, node in subject.request.graph.outputs.items()}


def undecided(graph: Graph, values: Mapping[str, Array]) -> str | None:
    """The first `unpool` that would put a value elsewhere if sums were rounded otherwise, and why; None if none would.

    `values`: node -> the reference's. Equal neighbours are common: a bilinear `resize` by 3 repeats the pixels at the
    border, and two programs round them apart.
    """
    for node in graph.nodes:
        if isinstance(node.op, Unpool):
            _, pool, before = node.inputs
            if (lead(node.op.pool, values[before]) < TIE * np.abs(values[before]).max()).any():
                asked, told = (graph.layer_of(name) for name in (pool, node.name))
                return f"{told} asks where {asked} has its maxima, and rounding decides between some that are equal"
    return None


def gradients(bench: Bench, case: Case) -> None:
    """The gradients to all inputs and trained tensors, in float64: their products with random directions are the
    slopes of the reference along these."""
    subject = bench.subject(case.request)
    rng = np.random.default_rng(3)
    cotangents = {head: rng.normal(size=value.shape) for head, value in subject.outputs().items()}
    to_inputs, to_tensors = subject.gradients(subject.inputs, cotangents)
    trained = {tensor.name: tensor for tensor in subject.tensors if tensor.trained}
    missing = [name for name in trained if name not in to_tensors]
    if missing:
        raise Mismatch(f"`{missing[0]}` has no gradient")
    along_inputs = {name: rng.normal(size=value.shape) for name, value in subject.inputs.items()}
    along = {name: rng.normal(size=tensor.parameter.shape) for name, tensor in trained.items()}
    parts = [(name, to_inputs[name], along_inputs[name]) for name in along_inputs]
    parts += [(name, to_tensors[name], along[name]) for name in along]
    if _apart(subject, cotangents, parts):
        wrong = next((part[0] for part in parts if _apart(subject, cotangents, [part])), "some")
        raise Mismatch(f"the gradient to `{wrong}` is not the slope of the reference")


def _apart(subject: Subject, cotangents: Mapping[str, Array], parts: list[tuple[str, Array, Array]]) -> bool:
    """Whether gradients (name, gradient, direction), together, are not the slope along these directions."""
    along = {name: direction for name, _, direction in parts}
    moved: dict[str, dict[str, Array]] = {}
    for tensor in subject.tensors:
        if tensor.name in along:
            moved.setdefault(tensor.node.name, {})[tensor.parameter.name] = along[tensor.name]
    images = {name: along[name] for name in subject.inputs if name in along}
    weights = by_node(subject.tensors, subject.values)
    slope = reference.slope(subject.request.graph, weights, subject.inputs, cotangents, (moved, images))
    products = [gradient * direction for _, gradient, direction in parts]
    scale = sum(np.abs(product).sum() for product in products)
    return not abs(sum(product.sum() for product in products) - slope) <= IN_FLOAT64 * max(scale, abs(slope))
