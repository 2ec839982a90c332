"""What is asked of the layers of signals and volumes: the same answers as of images, with the axes that there are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import segcompile
from segcompile.cli import cli

SIGNAL = """segcompile: 1
model: signal
input: {channels: 1, size: [40]}
layers:
  - a: {conv: 4, kernel: 3, dilation: 3, pad: same, stride: 2}
  - b: {deconv: 4, kernel: 2, stride: 2}
  - c: {conv: 2, kernel: 1}
"""
VOLUME = """segcompile: 1
model: volume
input: {channels: 1, size: [24, 30, 36]}
layers:
  - a: {conv: 4, kernel: 3, dilation: [1, 3, 3], pad: same, stride: [1, 2, 2]}
  - b: {conv: 4, kernel: 3, dilation: 5, pad: same, from: a}
  - d: {conv: 4, kernel: 3, pad: same, from: a}
  - c: {add: [b, d]}
  - e: {deconv: 2, kernel: [1, 2, 2], stride: [1, 2, 2]}
"""
SPECS = {1: SIGNAL, 3: VOLUME}


def rf(folder: Path, rank: int, *arguments: str) -> str:
    """What is printed before the warnings."""
    path = folder / "net.yaml"
    path.write_text(SPECS[rank])
    result = CliRunner().invoke(cli, ["rf", str(path), *arguments], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.output.partition("\n\nwarning")[0]


@pytest.mark.parametrize(("rank", "arguments", "said"), [
    (1, "--layer b", """\
b: deconv, 4 x 40
receptive field 7, stride 1
7 on all 2 phases
sees padding: the first 4 and the last 2 of 40 samples; 34 outputs see none

b at phase 0 sees 3 of the 7 samples that it spans (0.429)
paths: 50% within 7, 90% within 7, 99% within 7"""),
    (1, "--phases", """\
c, length: repeats every 2 outputs, 2 input samples further on
7 on all 2 phases
phase  first  last  field  touched
    0     -3     3      7        3
    1     -3     3      7        3"""),
    (1, "--coverage", """\
c at phase 0 sees 3 of the 7 samples that it spans (0.429)
paths: 50% within 7, 90% within 7, 99% within 7

▀  ▀  ▀"""),
    (1, "--why c", """\
c at phase 0: who reaches which input sample, and how many samples each layer adds

start -3
  input -> a +3 -> b -0.5 -> c

end 3
  input -> a +3 -> b +0.5 -> c"""),
    (1, "--phase 1", "c at phase 1 sees 7: samples -3 to 3 (3 of 7)"),
    (1, "--touches 5", """\
c: sample 5 touches 4 outputs: samples 2 to 9 (4 of 8)
repeats every 2 input samples, 2 outputs further on, borders aside"""),
    (1, "--touches 5:9", """\
c: samples 5 to 9 touch 12 outputs: samples 2 to 13
repeats every 2 input samples, 2 outputs further on, borders aside"""),
    (3, "--layer e", """\
e: deconv, 2 x 24 x 30 x 36
receptive field 13x27x27, stride 1
depth: 13 on the only phase
height: 27 on all 2 phases
width: 27 on all 2 phases
sees padding: the first 6 and the last 6 of 24 slices, the first 14 and the last 12 of 30 rows, \
the first 14 and the last 12 of 36 columns; 12 x 4 x 10 outputs see none

e at phase 0,0,0 sees 1,107 of the 13 x 27 x 27 voxels that it spans (0.117): \
11 of 13 slices, 15 of 27 rows, 15 of 27 columns
0.45 of the product of its projections: branches see different voxels
paths: 50% within 11 x 11 x 11, 90% within 13 x 27 x 27, 99% within 13 x 27 x 27"""),
    (3, "--why e", """\
e at phase 0,0,0: who reaches which input voxel, and how many voxels each layer adds

front -6, back 6
  input -> a +1 -> b +5 -> c -> e

top -13, left -13
  input -> a +3 -> b +10 -> c -> e -0.5

bottom 13, right 13
  input -> a +3 -> b +10 -> c -> e +0.5"""),
    (3, "--phase 0,1,0",
     "e at phase 0,1,0 sees 13x27x27: slices -6 to 6 (11 of 13), rows -13 to 13 (15 of 27), "
     "columns -13 to 13 (15 of 27)"),
    (3, "--touches 5,6,7:9,9,9", """\
e: voxels 5,6,7 to 9,9,9 touch 9,216 outputs: slices 0 to 15, rows 0 to 23, columns 0 to 23
repeats every input voxel, 1 output further on, along the depth; every 2 input voxels, 2 outputs further on, \
along the height; every 2 input voxels, 2 outputs further on, along the width, borders aside"""),
])  # fmt: skip
def test_an_answer_has_the_axes_there_are(tmp_path: Path, rank: int, arguments: str, said: str) -> None:
    assert rf(tmp_path, rank, *arguments.split()) == said


def test_the_picture_of_a_volume_is_three_slices(tmp_path: Path) -> None:
    found = rf(tmp_path, 3, "--coverage")
    *_, second, third = found.split("\n\n")
    assert [line for line in found.splitlines() if line.endswith(":")] == [
        "height x width:", "depth x width:", "depth x height:"
    ]  # fmt: skip
    assert second.partition("\n")[2] == third.partition("\n")[2] == """\
█  █  █   █  █  █   █  █  █
▀  ▀  ▀   ▀  ▀  ▀   ▀  ▀  ▀
▄  ▄  ▄ █ ███████ █ ▄  ▄  ▄
█  █  █ █ ███████ █ █  █  █
        ▀ ▀▀▀▀▀▀▀ ▀
█  █  █   █  █  █   █  █  █
▀  ▀  ▀   ▀  ▀  ▀   ▀  ▀  ▀"""  # fmt: skip


@pytest.mark.parametrize("rank", [1, 3])
def test_a_field_is_drawn(tmp_path: Path, rank: int) -> None:
    target = tmp_path / "field.png"
    last = "c" if rank == 1 else "e"
    assert rf(tmp_path, rank, "--plot", str(target)) == f"drew {last} into {target}"
    picture = np.asarray(Image.open(target).convert("RGB"))
    blue = (abs(picture.astype(int) - (42, 122, 185)) <= 1).all(2)  # the cells that are seen
    assert 1000 < blue.sum() < blue.size / 4
    svg = tmp_path / "field.svg"
    rf(tmp_path, rank, "--plot", str(svg))
    text = svg.read_text(encoding="utf-8")
    assert f"in input {'samples' if rank == 1 else 'voxels'}" in text
    assert (">depth<" in text, ">height<" in text) == (rank == 3, rank == 3)


@pytest.mark.parametrize("rank", [1, 3])
def test_the_data_has_a_number_an_axis(tmp_path: Path, rank: int) -> None:
    asked = ["--layer", "b", "--phases", "--touches", ",".join("3" * rank), "--phase", ",".join("0" * rank)]
    data = json.loads(rf(tmp_path, rank, *asked, "--coverage", "--why", "b", "--format", "json"))
    assert data["outputs"].popitem()[1]["phases"] != []
    found = data["asked"]["b"]
    lines = {1: ["samples"], 3: ["slices", "rows", "columns"]}[rank]
    ends = {1: ["start", "end"], 3: ["front", "back", "top", "bottom", "left", "right"]}[rank]
    assert all(list(band) == lines for band in (*found["coverage"]["bands"], *found["touches"]["bands"]))
    assert list(found["touches"]["pixels"]) == lines
    assert [key for key in found["padding"] if key in ends] == ends and list(found["why"]) == ["phase", *ends]
    assert list(found["phases"]) == [*{1: ["length"], 3: ["depth", "height", "width"]}[rank], "exact"]
    for size in (found["coverage"]["size"], found["layer"]["receptive_field"], found["path_counts"]["centre"]):
        assert len(size) == rank


def test_the_objects_of_a_signal_and_a_volume(tmp_path: Path) -> None:
    for rank, last in ((1, "c"), (3, "e")):
        path = tmp_path / f"{rank}.yaml"
        path.write_text(SPECS[rank])
        layer = segcompile.receptive_field(path)[last]
        found, counts = layer.coverage(), layer.path_counts()
        assert layer.rank == rank and found.array().shape == counts.counts.shape == found.size
        assert ((counts.counts > 0) == found.array()).all() and counts.start == found.start
        assert layer.size == found.size == tuple(axis.size for axis in layer.fields)
        assert sum(1 for _ in layer.phases()) == np.prod(layer.period)
        cell = tuple(extent // 2 for extent in layer.shape.size if isinstance(extent, int))
        touched = layer.touched_by(*cell)
        assert touched.count > 0 and len(touched.pixels) == rank
    assert repr(segcompile.receptive_field("tcn")["score"].touched_by(4000)).startswith("<samples 4000 to 4000 touch")
