"""What always happens to a network: the passes of NORMAL, each alone and all in their order, each followed by `verify`.

A folder holds specs and the graphs that its pass alone makes of them, written flat. `python -m
tests.passes.normal.test_normal` writes these anew; read the difference before you commit it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from segcompile import passes
from segcompile.language.derive import read_document
from segcompile.language.spec import read_spec
from segcompile.language.write import write_spec
from segcompile.library import locate
from segcompile.network.graph import Graph, Node
from segcompile.ops import Conv, Shape
from segcompile.passes import NORMAL, normalise
from segcompile.text.errors import Findings, SegcompileError

HERE = Path(__file__).parent
CASES = sorted(path for path in HERE.glob("*/*.yaml") if not path.name.endswith(".after.yaml"))
BY_NAME = {each.__name__: each for each in NORMAL}  # type: ignore[attr-defined]
CONV = Conv(channels=4, kernel=(3, 3))
GRAPH = Graph(
    "net",
    {"input": Shape(4, (16, 16))},
    (Node("a", CONV, ("input",), "a"), Node("b", CONV, ("a",), "b"), Node("idle", CONV, ("a",), "idle")),
    {"output": "b"},
)


def before(path: Path) -> Graph:
    return read_spec(read_document(path, None, locate, Findings()), {}, locate, Findings()).graph


def after(path: Path) -> str:
    return write_spec(BY_NAME[path.parent.name](before(path), Findings()).verify())


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_network_after_the_pass_is_this(path: Path) -> None:
    assert after(path) == path.with_suffix(".after.yaml").read_text()


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_is_left_to_do(path: Path) -> None:
    once = normalise(before(path), Findings())
    assert normalise(once, Findings()) == once


def test_every_pass_has_a_folder() -> None:
    assert {path.parent.name for path in CASES} == set(BY_NAME)


def test_what_is_needed_stays_and_the_rest_is_told() -> None:
    findings = Findings()
    assert [node.name for node in normalise(GRAPH, findings).nodes] == ["a", "b"]
    assert [found.message for found in findings.diagnostics] == ["no output depends on `idle`; it is left out"]


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


if __name__ == "__main__":
    for case in CASES:
        case.with_suffix(".after.yaml").write_text(after(case))
