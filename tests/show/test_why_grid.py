"""`segcompile why-grid`: where a grid comes from, and the edit that takes it away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

SPEC = """\
segcompile: 1
model: net
input: {channels: 1, size: 64}
layers:
  - down: {conv: 8, kernel: 3, stride: 2, pad: 1, act: relu}
  - up: {deconv: 4, kernel: 3, stride: 2, pad: 1, output_pad: 1}
  - out: {conv: 2, kernel: 1}
"""
TEXT = """\
grids of net

output along the height and the width
  outputs repeat every 2: of a constant image they are not equal
    phase 0: weight 0.667 of the mean, sees 3 of 3
    phase 1: weight 1.333 of the mean, sees 5 of 5
    made by `up` (deconv): a kernel of 3 is no whole number of strides of 2
    smallest edit that makes them equal (1 tried): kernel 4x4 and pad 1 before and 2 behind in `up` (now kernel 3x3)
  pixels of the image are not read alike: weights of the mean 0.667, 1.333, repeating every 2
    made by `down` (conv): a kernel of 3 is no whole number of strides of 2
    smallest edit that makes them equal (1 tried): kernel 4x4 and pad 1 before and 2 behind in `down` (now kernel 3x3)
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return str(path)


def why_grid(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ("why-grid", *arguments), standalone_mode=False)
    assert result.exception is None and result.return_value == 0
    return result.output


def test_a_checkerboard_is_explained_and_mended(spec: str) -> None:
    assert why_grid(spec) == TEXT


def test_the_edit_that_it_names_takes_the_grid_away(spec: str) -> None:
    now, edited = "deconv: 4, kernel: 3, stride: 2, pad: 1,", "deconv: 4, kernel: 4, stride: 2, pad: [1, 2, 1, 2],"
    Path(spec).write_text(SPEC.replace(now, edited))
    assert "  no grid: as much weight leads to every output\n" in why_grid(spec)


def test_the_same_as_data(spec: str) -> None:
    height = json.loads(why_grid(spec, "--format", "json"))["outputs"]["output"]["axes"]["height"]
    edit = {"steps": ["kernel 4x4 and pad 1 before and 2 behind in `up` (now kernel 3x3)"], "sizes_kept": True}
    assert height["outputs"] == {"weights": ["3", "6"], "made_by": ["up"], "edit": edit, "tried": 1}
    assert height["pixels"]["weights"] == ["3", "6"] and height["fields"] == [[-1, 1, 3], [-1, 3, 5]]


def test_equal_weights_are_not_the_same_ones() -> None:
    text = why_grid("unet")
    assert "  no grid: as much weight leads to every output\n" in text
    assert "each is made by taps of its own in `up3` (deconv)" in text


def test_what_dilations_leave_out_is_told_beside(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    layers = "[{a: {conv: 2, kernel: 3, pad: same, dilation: 2}}, {b: {conv: 2, kernel: 3, pad: same, dilation: 2}}]"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: 64}}\nlayers: {layers}\n")
    assert "\nSC407: a, b leave holes: b sees 5 of the 9 rows" in why_grid(str(path)).replace("`", "")


def test_a_classifier_has_no_grid(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("""\
segcompile: 1
model: net
input: {channels: 1, size: 64}
layers:
  - all: {pool: global_avg}
  - out: {linear: 2}
""")
    answer = CliRunner().invoke(cli, ["why-grid", str(path)])
    assert answer.output == "grids of net\n\nnone: no output is a map, each is one value for the whole image\n"


@pytest.mark.parametrize("command", ["why-grid", "certify", "sizes"])
def test_what_is_refused_is_json_for_programs(command: str, tmp_path: Path) -> None:
    answer = CliRunner().invoke(cli, [command, str(tmp_path / "none.yaml"), "--format", "json"], standalone_mode=False)
    assert answer.return_value == 1
    assert [each["code"] for each in json.loads(answer.output)["diagnostics"]] == ["SC009"]
