"""`segcompile sizes --dims torch`: every size that the code admits is one that the network takes."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.cli import cli
from segcompile.facts.fit import fit
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.size_set import size_set
from segcompile.network.graph import Graph
from segcompile.ops import Shape
from segcompile.show.dims import dims_text
from segcompile.testing.strategies import free_graphs
from segcompile.text.errors import Findings, SegcompileError

LINE = re.compile(r"^\w+ = (?:(\d+) \* )?Dim\(\"\w+\", min=(\d+)\)(?: \+ (\d+))?  # (\d+), (\d+), \.\.\.", re.MULTILINE)
TOLD = 20  # sizes that are tried of those that a line admits


def admitted(code: str) -> list[list[int]]:
    """The first sizes that each line of the code admits."""
    found = []
    for step, least, rest, first, second in LINE.findall(code):
        sizes = [int(step or 1) * (int(least) + turn) + int(rest or 0) for turn in range(TOLD)]
        assert sizes[:2] == [int(first), int(second)]
        found.append(sizes)
    return found


@pytest.mark.long
@settings(max_examples=100, derandomize=False)
@given(graph=free_graphs(most=5))
def test_the_network_takes_every_size_that_the_code_admits(graph: Graph) -> None:
    try:
        _, sizes = fit(graph, Findings())
    except SegcompileError:
        return
    channels = graph.inputs["input"].channels
    for size in zip(*admitted(dims_text(graph, sizes)), strict=True):
        findings = Findings()
        infer_shapes(graph, findings, {"input": Shape(channels, size)})
        assert not findings.has_errors, (size, [found.message for found in findings.diagnostics])


@given(least=st.lists(st.one_of(st.none(), st.integers(1, 40)), min_size=1, max_size=6).filter(any))
def test_residues_that_begin_at_unequal_sizes_are_all_legal(least: list[int | None]) -> None:
    from segcompile.show.dims import _dim, _least

    starts = [each and each + (residue - each) % len(least) for residue, each in enumerate(least)]
    legal = size_set("H", starts)
    ((*sizes,),) = admitted(_dim("height", legal, _least(legal, [])))
    assert all(map(legal.legal, sizes))


def test_the_code_stands_in_the_json_too_and_not_beside_one_size() -> None:
    told = json.loads(CliRunner().invoke(cli, ("sizes", "unet", "--dims", "torch", "--format", "json")).output)
    assert told["dims"]["torch"].endswith("dynamic_shapes = ({2: height, 3: width},)")
    assert told["axes"]["height"]["legal"]["text"] == "H ≥ 188"
    result = CliRunner().invoke(cli, ("sizes", "unet", "--dims", "torch", "--at", "572"))
    assert result.exit_code == 2 and "--dims is code for all sizes, and --at looks at one" in result.output
    assert "dims" not in json.loads(CliRunner().invoke(cli, ("sizes", "unet", "--format", "json")).output)
