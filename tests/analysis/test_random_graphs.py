"""Random networks: what is said of them is what the emitted model does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings

from segcompile.graph import Graph
from segcompile.testing.strategies import graphs

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def check(nets: SimpleNamespace, graph: Graph) -> None:
    net = nets.emitted(graph)
    for head, value in net.outputs().items():
        shape = net.shapes[net.graph.outputs[head]]
        assert tuple(value.shape[1:]) == (shape.channels, *shape.size), f"{head}\n{net.source}"
    said = sum(fact.parameter_count for fact in net.facts.values())
    assert said == sum(value.numel() for value in net.model.parameters())
    nets.check_fields(net.made_linear())


@settings(SETTINGS, max_examples=60)
@given(graph=graphs())
def test_shapes_parameters_and_fields_are_those_of_the_emitted_model(nets: SimpleNamespace, graph: Graph) -> None:
    check(nets, graph)


@pytest.mark.long
@settings(SETTINGS, max_examples=1000, derandomize=False)
@given(graph=graphs(most=9, high=48))
def test_a_thousand_graphs(nets: SimpleNamespace, graph: Graph) -> None:
    check(nets, graph)
