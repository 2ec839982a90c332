"""A network, written as a flat spec and read again, is the same network."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from segcompile.language.derive import read_document, variants_of
from segcompile.language.spec import read_spec
from segcompile.language.write import number, write_spec
from segcompile.library import bundled, locate
from segcompile.network.flat import flattened
from segcompile.network.graph import Graph
from segcompile.passes.lists import remember_maps
from segcompile.passes.unpools import pair_unpools
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings

from .conftest import Workbench


def raw(path: Path, variant: str | None = None) -> Graph:
    """The network of a spec as it is read, its crops and unpools as they are written."""
    return read_spec(read_document(path, variant, locate, Findings()), {}, locate, Findings()).graph


def told(graph: Graph) -> object:
    """All that a flat network is, but for where it is written."""
    nodes = [(node.name, node.op, node.inputs, node.layer, node.role) for node in graph.nodes]
    return graph.model, graph.inputs, nodes, graph.outputs


@pytest.mark.parametrize("name", sorted(bundled()))
def test_every_bundled_spec_is_read_again_as_it_was_written(name: str, bench: Workbench) -> None:
    path = bundled()[name]
    for variant in variants_of(path, locate) or (None,):
        graph = raw(path, variant)
        assert told(raw(bench.write(write_spec(graph)))) == told(flattened(graph))


@settings(max_examples=60)
@given(graphs())
def test_a_random_network_is_read_again(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("net") / "net.yaml"
    path.write_text(write_spec(graph))
    assert told(remember_maps(pair_unpools(raw(path), Findings()), Findings()))[1:] == told(flattened(graph))[1:]  # type: ignore[index]


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (1.0, "1"), (1e-05, "1e-05"), (-2.5, "-2.5"), (1e20, "1e+20"), (0.0, "0")]
)
def test_numbers_have_the_shortest_decimals(value: float, text: str) -> None:
    assert number(value) == text and float(text) == value
