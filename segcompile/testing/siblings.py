"""Models that two backends emit of one network compute the same gradients, not only along some directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.testing.bench import Mismatch, Subject
from segcompile.testing.checks.numbers import IN_FLOAT32

Array = NDArray[Any]
SHIFT = 4e-6  # of an image's values: what float32 makes of them in a few layers


def compare_gradients(one: Subject, other: Subject, tolerance: float) -> None:
    """Raises Mismatch for a gradient that differs by more than `tolerance` of the largest value of all of them."""
    wanted, found = _gradients(one, one.inputs), _gradients(other, other.inputs)
    if set(found) != set(wanted):
        raise Mismatch(f"only one of the models has gradients to {', '.join(sorted(set(found) ^ set(wanted)))}")
    largest = _largest(wanted)
    for name, want in wanted.items():
        apart = _largest({name: found[name] - want})
        if not apart <= tolerance * largest:
            raise Mismatch(f"the gradients to `{name}` are {apart:.3g} apart, and the largest of all is {largest:.3g}")


def is_steady(subject: Subject) -> bool:
    """Whether the gradients of a model in float64 hardly change with its images: near a kink of an activation, or where
    two maxima are almost equal, float32 may find another one, and is not wrong."""
    noise = np.random.default_rng(6)
    shifts = {name: SHIFT * noise.normal(size=value.shape) for name, value in subject.inputs.items()}
    here = _gradients(subject, subject.inputs)
    for sign in (1, -1):
        there = _gradients(subject, {name: value + sign * shifts[name] for name, value in subject.inputs.items()})
        if _largest({name: there[name] - here[name] for name in here}) > IN_FLOAT32 / 2 * _largest(here):
            return False
    return True


def _gradients(subject: Subject, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Input or tensor -> the gradient of a random sum of all outputs."""
    rng, graph, facts = np.random.default_rng(5), subject.request.graph, subject.request.facts
    batch = next(iter(inputs.values())).shape[0]
    extents: dict[str, Any] = {head: facts[node].shape for head, node in graph.outputs.items()}
    cotangents = {head: rng.normal(size=(batch, shape.channels, *shape.size)) for head, shape in extents.items()}
    to_inputs, to_tensors = subject.gradients(inputs, cotangents)
    return {**to_inputs, **to_tensors}


def _largest(values: Mapping[str, Array]) -> float:
    return max((float(np.abs(value).max(initial=0)) for value in values.values()), default=0.0)
