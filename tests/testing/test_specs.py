"""Whole specs, drawn as text: the emitted model is the reference's, and all that the analysis says of it is so."""

from __future__ import annotations

import io

import pytest
from hypothesis import Phase, assume, event, example, given, settings
from ruamel.yaml import YAML

from segcompile.backend import load_backend
from segcompile.ops import Attending
from segcompile.testing.bench import Bench, Subject
from segcompile.testing.cases import Case, compiled
from segcompile.testing.checks import fields, numbers, weights
from segcompile.testing.siblings import compare_gradients, is_steady
from segcompile.testing.specs import specs
from segcompile.text.errors import SegcompileError

SETTINGS = settings(phases=(Phase.explicit, Phase.generate))  # as in test_random_graphs

# Of which XLA alone computes gradients in float32 that are wrong by orders of magnitude: openxla/xla#48713.
PADDED_FURTHER_THAN_THE_KERNEL = """
segcompile: 1
model: net
input: {channels: 3, size: 12}
layers:
  - far: {conv: 4, kernel: 3, pad: [5, 1, 5, 1]}
"""


def again(text: str) -> str:
    """The text that YAML writes of what YAML read."""
    yaml, out = YAML(typ="safe", pure=True), io.StringIO()
    yaml.dump(yaml.load(text), out)
    return out.getvalue()


def is_decided(subject: Subject) -> bool:
    """Whether its values, and gradients, are those of the reference however sums are rounded."""
    reason = numbers.undecided(subject.request.graph, subject.reference)
    event("a tie of maxima" if reason else "no tie")
    return reason is None


def check(text: str) -> None:
    try:
        found, request = compiled(text)
    except SegcompileError:
        event("refused")
        assume(False)
    bench = Bench(load_backend("torch"))
    assume(bench.declares(Case.of("drawn", request)))
    subject = bench.subject(request)
    assume(is_decided(subject))
    weights.compare_names(subject)
    numbers.compare_values(subject, numbers.IN_FLOAT64)
    numbers.compare_values(bench.subject(request, double=False), numbers.IN_FLOAT32)
    numbers.gradients(bench, Case.of("drawn", request))
    check_cost(subject, found.cost(found.graph.nodes))
    linear = fields.measurable(request, largest=96)
    if not isinstance(linear, str):
        fields.compare_fields(bench.subject(linear))
    nodes = [(node.name, node.op, node.inputs) for node in compiled(again(text))[0].graph.nodes]
    assert nodes == [(node.name, node.op, node.inputs) for node in found.graph.nodes]


def check_siblings(text: str) -> None:
    """JAX's outputs are the reference's; its gradients are PyTorch's, which have the slopes of the reference."""
    try:
        _, request = compiled(text)
    except SegcompileError:
        event("refused")
        assume(False)
    torch, jax = Bench(load_backend("torch")), Bench(load_backend("jax"))
    assume(torch.declares(Case.of("drawn", request)) and jax.declares(Case.of("drawn", request)))
    subject = torch.subject(request)
    assume(is_decided(subject))
    numbers.gradients(torch, Case.of("drawn", request))
    steady = is_steady(subject)
    event("steady" if steady else "near a kink")
    for double, tolerance in ((True, numbers.IN_FLOAT64), (False, numbers.IN_FLOAT32)):
        one, other = (bench.subject(request, double=double) for bench in (torch, jax))
        weights.compare_names(other)
        numbers.compare_values(other, tolerance)
        if double or steady:
            compare_gradients(one, other, tolerance)


def check_cost(subject, said: tuple[int, int | None]) -> None:
    """Parameters are those of the module, and MACs half of what PyTorch counts of convolutions and products."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module = subject.model.module
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*(torch.from_numpy(value[:1]) for value in subject.inputs.values()))
    uncounted = any(isinstance(node.op, Attending) for node in subject.request.graph.nodes)  # by PyTorch, on a CPU
    counted = said[1] if uncounted else counter.get_total_flops() // 2
    assert said == (sum(value.numel() for value in module.parameters()), counted)


@settings(SETTINGS, max_examples=24)
@given(text=specs())
def test_a_drawn_spec_becomes_the_model_that_the_analysis_describes(text: str) -> None:
    check(text)


@pytest.mark.long
@settings(SETTINGS, max_examples=500, derandomize=False)
@given(text=specs())
def test_five_hundred_drawn_specs(text: str) -> None:
    check(text)


@example(text=PADDED_FURTHER_THAN_THE_KERNEL)
@settings(SETTINGS, max_examples=3)
@given(text=specs())
def test_the_siblings_of_a_drawn_spec_agree(text: str) -> None:
    check_siblings(text)


@pytest.mark.long
@settings(SETTINGS, max_examples=200, derandomize=False)
@given(text=specs())
def test_the_siblings_of_two_hundred_drawn_specs_agree(text: str) -> None:
    check_siblings(text)
