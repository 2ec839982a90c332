"""What always happens to a network: the passes of NORMAL, in this order, each followed by `verify`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segcompile import passes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv, Shape
from segcompile.passes import NORMAL, normalise
from segcompile.text.errors import Findings, SegcompileError

CONV = Conv(channels=4, kernel=(3, 3))
GRAPH = Graph(
    "net",
    {"input": Shape(4, (16, 16))},
    (Node("a", CONV, ("input",), "a"), Node("b", CONV, ("a",), "b"), Node("idle", CONV, ("a",), "idle")),
    {"output": "b"},
)


def test_what_is_needed_stays_and_the_rest_is_told() -> None:
    findings = Findings()
    assert [node.name for node in normalise(GRAPH, findings).nodes] == ["a", "b"]
    assert [found.message for found in findings.diagnostics] == ["no output depends on `idle`; it is left out"]


def test_it_is_done_once() -> None:
    once = normalise(GRAPH, Findings())
    again = Findings()
    assert normalise(once, again) == once and again.diagnostics == []


def test_a_pass_that_breaks_a_graph_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: Graph, findings: Findings) -> Graph:
        return replace(graph, nodes=graph.nodes[1:])

    monkeypatch.setattr(passes, "NORMAL", (broken, *NORMAL))
    with pytest.raises(ValueError, match="b reads a, which does not come before it"):
        normalise(GRAPH, Findings())


def test_no_pass_goes_on_from_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: Graph, findings: Findings) -> Graph:
        findings.add("SC315", "an unpool of a convolution")
        return graph

    monkeypatch.setattr(passes, "NORMAL", (wrong, *NORMAL))
    with pytest.raises(SegcompileError, match=r"^SC315 an unpool of a convolution$"):
        normalise(GRAPH, Findings())
