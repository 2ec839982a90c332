"""Random networks: what is said of them is what the emitted model does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from hypothesis import Phase, assume, given, settings

from segcompile.facts.coverage.path_counts import count_paths
from segcompile.network.graph import Graph
from segcompile.ops import AdaptivePool, Op, Resize
from segcompile.testing.networks import has_lists
from segcompile.testing.strategies import graphs

# Shrinking a network of emitted code takes longer than reading it.
SETTINGS = settings(phases=(Phase.explicit, Phase.generate))


def check(nets: SimpleNamespace, graph: Graph) -> None:
    net = nets.emitted(graph)
    for head, value in net.outputs().items():
        shape = net.shapes[net.graph.outputs[head]]
        assert tuple(value.shape[1:]) == (shape.channels, *shape.size), f"{head}\n{net.source}"
    said = sum(fact.parameter_count for fact in net.facts.values())
    assert said == sum(value.numel() for value in net.model.parameters())
    nets.check_fields((net if nets.mixed(graph) is graph else nets.emitted(nets.mixed(graph))).made_linear())


@settings(SETTINGS, max_examples=60)
@given(graph=graphs())
def test_shapes_parameters_and_fields_are_those_of_the_emitted_model(nets: SimpleNamespace, graph: Graph) -> None:
    check(nets, graph)


@pytest.mark.long
@settings(SETTINGS, max_examples=1000, derandomize=False)
@given(graph=graphs(most=9, high=48))
def test_a_thousand_graphs(nets: SimpleNamespace, graph: Graph) -> None:
    check(nets, graph)


def is_no_sum(op: Op) -> bool:
    """Whether an op is a choice, a mean over bins of unequal sizes, or has weights that are no ones."""
    cubic = isinstance(op, Resize) and op.mode == "cubic"
    return op.data_dependent or isinstance(op, AdaptivePool) or cubic


def check_counts(nets: SimpleNamespace, graph: Graph, most: int | None = None) -> int:
    """Path counts against the gradient of the emitted network with all weights one; the number of cells measured."""
    net = nets.emitted(nets.skeleton(graph)).made_ones()
    measured = 0
    for node, _, cell, found in nets.measured_cells(net, most):
        said = count_paths(net.graph, net.shapes, node, cell)
        expected = torch.zeros_like(found)
        if said is not None:
            (top, left), (height, width) = said.start, said.counts.shape
            rows, columns = slice(top, top + height), slice(left, left + width)
            expected[rows, columns] = torch.from_numpy(said.counts.copy())
            assert said.exact
        assert found.equal(expected), f"{node} at {cell}\n{net.source}"
        measured += 1
    return measured


@settings(SETTINGS, max_examples=40)
@given(graph=graphs())
def test_path_counts_are_the_gradient_of_the_network_of_ones(nets: SimpleNamespace, graph: Graph) -> None:
    assume(not has_lists(graph) and not any(is_no_sum(node.op) for node in graph.nodes))
    check_counts(nets, graph, most=4)


@pytest.mark.long
@settings(SETTINGS, max_examples=1000, derandomize=False)
@given(graph=graphs(most=9, high=48))
def test_a_thousand_graphs_have_the_path_counts_of_their_gradients(nets: SimpleNamespace, graph: Graph) -> None:
    assume(not has_lists(graph) and not any(is_no_sum(node.op) for node in graph.nodes))
    check_counts(nets, graph)
