"""weights/maps/: the files that bring other libraries' weights in name each layer of the network that they are for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec, find_spec
from segcompile.text.errors import Findings
from segcompile.weights.naming import read_names
from segcompile.weights.parameters import tensors

MAPS = sorted((Path(__file__).parents[2] / "weights/maps").glob("*.txt"))


def covered(place: str, names: set[str]) -> set[str]:
    """Those of some names to which a place can lead."""
    text = re.sub(r"\\\{\\\*[^}]*\\\}", "[0-9]+", re.escape(place)).replace(r"\*", ".+")
    return {name for name in names if re.fullmatch(text, name)}


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_a_map_names_all_layers_of_its_network_and_no_others(path: Path) -> None:
    said = path.read_text(encoding="utf-8").partition("\n")[0]  # its first line ends with its networks
    spec, _, variant = said.rpartition(": ")[2].split(", ")[0].partition("@")
    compiled = compile_spec(find_spec(spec), Findings(), variant=variant or None)
    wanted = {tensor.name for tensor in tensors(compiled.graph, compiled.facts)}
    layers = {name.rpartition(".")[0] for name in wanted}
    found = {rename.place: covered(rename.place, layers | wanted) for rename in read_names(path)}
    assert [place for place, names in found.items() if not names] == []
    reached = set().union(*found.values())
    assert layers - reached - {name.rpartition(".")[0] for name in reached & wanted} == set()


def test_there_are_maps() -> None:
    assert len(MAPS) == 16
