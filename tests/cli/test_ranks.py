"""Signals and volumes on the command line: random networks are written, read, told and compared, and nothing breaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for
from segcompile.cli import cli
from segcompile.compiler import analyse_graph, compile_spec
from segcompile.language.write import write_spec
from segcompile.network.graph import Graph
from segcompile.testing.strategies import free_graphs, graphs
from segcompile.text.errors import Findings, SegcompileError

SETTINGS = settings(phases=(Phase.explicit, Phase.generate))
SIDES = {1: (16, 40), 3: (5, 12)}


def says(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert found.exception is None, found.exception
    return found.return_value, found.output


def drawn(rank: int) -> st.SearchStrategy[Graph]:
    return graphs(8, *SIDES[rank], rank) | free_graphs(5, rank)


@pytest.mark.parametrize("rank", SIDES)
@settings(SETTINGS, max_examples=25)
@given(data=st.data())
def test_every_command_tells_of_any_network(tmp_path: Path, data: st.DataObject, rank: int) -> None:
    graph = data.draw(drawn(rank))
    try:
        analyse_graph(graph, Findings())
    except SegcompileError:
        return
    path, other = tmp_path / "net.yaml", tmp_path / "other.yaml"
    path.write_text(write_spec(graph))
    other.write_text(path.read_text().replace("mode: edge", "mode: reflect").replace("pad: [[0, ", "pad: [[1, "))
    status, _ = says("check", str(path))
    assert status in (0, 1), path.read_text()
    for command in (["rf"], ["rf", "--format", "json"], ["show", "--flat"]):
        says(*command, str(path))
    assert says("diff", str(path), str(path))[1].startswith("equal")
    says("diff", str(path), str(other))


VOLUME = """\
segcompile: 1
model: vol
input: {channels: 2, size: [8, 12, 16]}
layers:
  - c: {conv: 4, kernel: [1, 3, 5], pad: same}
  - p: {pool: max, kernel: 2}
"""


def test_a_backend_that_emits_images_refuses_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "vol.yaml"
    path.write_text(VOLUME)
    request = request_for(compile_spec(path, Findings()), path)
    with pytest.raises(SegcompileError) as error:
        run_backend(replace(load_backend("jax"), ranks=frozenset({2})), request)
    (told,) = error.value.diagnostics
    assert told.code.code == "SC604" and told.help == "it emits those of 2; `check` and `rf` know all"
    assert told.message == "backend `jax` cannot emit a network of maps of 3 axes"


def test_how_much_of_a_volume_another_padding_changes_is_told_along_every_axis(tmp_path: Path) -> None:
    path, other = tmp_path / "vol.yaml", tmp_path / "other.yaml"
    path.write_text(VOLUME)
    other.write_text(VOLUME.replace("pad: same", "pad: same, mode: edge"))
    _, told = says("diff", str(path), str(other))
    assert told.splitlines()[:2] == [
        "border: equal but for padding",
        "output: no slices, the first 1 and the last 1 of 6 rows, the first 1 and the last 1 of 8 columns can differ; "
        "4 x 4 x 6 pixels agree",
    ]
