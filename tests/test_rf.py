"""What `segcompile rf` answers about fields: texts word for word, and the same as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from segcompile.cli import _guarded, cli

ROOT = Path(__file__).resolve().parents[1]
FCN8S = str(ROOT / "tests/data/valid/fcn8s_layers.yaml")
GRIDDED = """segcompile: 1
model: gridded
input: {channels: 1, size: 40}
layers:
  - "c{i}": {conv: 1, kernel: 3, dilation: 2, pad: same, repeat: 3}
  - flat: {conv: 1, kernel: 1x3, pad: same}
"""


def rf(*arguments: str) -> tuple[int, str]:
    """Exit code, and all that is printed."""
    result = CliRunner().invoke(cli, ("rf", *arguments), standalone_mode=False)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.return_value, result.output


@pytest.fixture
def gridded(tmp_path: Path) -> str:
    path = tmp_path / "net.yaml"
    path.write_text(GRIDDED)
    return str(path)


def test_a_layer_with_its_phases() -> None:
    assert rf(FCN8S, "--layer", "score") == (0, """score: crop, 21 x 500 x 500
receptive field 468, stride 1
436 on 8 of 32 phases, 468 on 24
""")  # fmt: skip


def test_the_table_of_phases_of_a_strided_path() -> None:
    status, text = rf("unet", "--layer", "up0", "--phases")
    assert (status, text) == (0, """up0: deconv, 64 x 392 x 392
receptive field 204, stride 1
188 on 8 of 16 phases, 204 on 8

up0, height and width alike: repeats every 16 outputs, 16 input pixels further on
phase  first  last  field  touched
""" + text.partition("touched\n")[2])  # fmt: skip
    assert len(text.splitlines()) == 5 + 1 + 16


def test_coverage_with_holes_is_drawn(gridded: str) -> None:
    status, text = rf(gridded, "--layer", "c3", "--coverage")
    assert (status, text.partition("\n\nwarning")[0]) == (0, """c3: conv, 1 x 40 x 40
receptive field 13, stride 1

c3 at phase 0,0 sees 49 of the 13 x 13 pixels that it spans (0.29): 7 rows, 7 columns
50% of all paths within 9 x 9 pixels
90% of all paths within 13 x 13 pixels
99% of all paths within 13 x 13 pixels

""" + "\n".join(["▀ ▀ ▀ ▀ ▀ ▀ ▀"] * 7))  # fmt: skip


def test_coverage_of_branches_and_of_the_whole_image() -> None:
    status, text = rf("aspp", "--layer", "aspp", "--coverage")
    assert status == 0
    assert "sees 25 of the 37 x 37 pixels that it spans (0.02): 7 rows, 7 columns\n0.51 of the product" in text
    assert "and, through an op that mixes the whole image, every other pixel" in text


def test_why_names_who_adds_what() -> None:
    assert rf("dilated_large", "--why", "layer8") == (0, """\
layer8 at phase 0,0: who reaches which input pixel, and how many pixels each layer adds

top -33, bottom 33, left -33, right 33
  input -> layer1 +1 -> layer2 +1 -> layer3 +2 -> layer4 +4 -> layer5 +8 -> layer6 +16 -> layer7 +1 -> layer8
""")  # fmt: skip


def test_holes_are_in_the_table(gridded: str) -> None:
    rows = {line.split()[0]: line for line in rf(gridded)[1].splitlines() if line.startswith(("c", "flat"))}
    assert rows["c3"].rstrip().endswith("13 (7)           10") or " 13 (7) " in rows["c3"]
    assert " 13x15 (7x15) " in rows["flat"]


def test_all_of_it_is_data_too(gridded: str) -> None:
    status, text = rf(gridded, "--phases", "--coverage", "--why", "c3", "--format", "json")
    data = json.loads(text)
    assert status == 0 and [layer["name"] for layer in data["layers"]] == ["c1", "c2", "c3", "flat"]
    flat, c3 = data["asked"]["flat"], data["asked"]["c3"]
    rows = [[low, low] for low in range(-6, 7, 2)]
    assert flat["coverage"]["bands"] == [{"rows": rows, "columns": [[-7, 7]]}]
    assert flat["coverage"]["fill"] == pytest.approx(7 / 13) and flat["coverage"]["count"] == 7 * 15
    assert flat["coverage"]["path_counts"]["exact"] is True
    assert flat["phases"]["height"] == {
        "period": 1, "step": 1, "fields": [{"first": -6, "last": 6, "size": 13, "touched": 7}]
    }  # fmt: skip
    assert c3["why"]["bottom"] == [
        {"layer": "input", "index": 6, "adds": 0}, {"layer": "c1", "index": 4, "adds": 2},
        {"layer": "c2", "index": 2, "adds": 2}, {"layer": "c3", "index": 0, "adds": 2},
    ]  # fmt: skip


ABSURD = [
    (("unet", "--layer", "logit"),
     "error[SC102 unknown-layer]: there is no layer `logit` in unet\n   = help: did you mean `logits`?\n"),
    (("unet", "--why", "x"),
     "error[SC102 unknown-layer]: there is no layer `x` in unet\n   = help: `segcompile rf SPEC` lists the layers\n"),
    (("unet", "--coverage", "--phase", "16,0"),
     "error[SC410 field-request]: `logits` has no phase 16 vertically: its fields repeat after 16\n"
     "   = help: 0 to 15\n"),
    (("unet", "--plot", "field.gif"),
     "error[SC410 field-request]: `field.gif` is neither a .png nor a .svg file\n   = help: field.svg, for example\n"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), ABSURD)
def test_absurd_requests(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(lambda: cli.main(["rf", *arguments], standalone_mode=False)) == 1
    assert capsys.readouterr() == ("", said)
    status, text = rf(*arguments, "--format", "json")
    data = json.loads(text)
    assert status == 1 and len(data["layers"]) == 31 and data["diagnostics"][0]["code"] in said


@pytest.mark.parametrize("phase", ["1", "a,b", "1,2,3", "-1,0", "1,99999999999"])
def test_a_phase_is_two_numbers(phase: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _guarded(lambda: cli.main(["rf", "unet", "--phase", phase], standalone_mode=False)) == 2
    assert f"`{phase}` is not Y,X" in capsys.readouterr().err


def test_pictures_are_the_same_each_time(tmp_path: Path, gridded: str) -> None:
    drawn = []
    for name in ("a.svg", "b.svg", "a.png", "b.png"):
        status, text = rf(gridded, "--plot", str(tmp_path / name))
        assert status == 0 and f"drew flat into {tmp_path / name}" in text
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1] and drawn[2] == drawn[3]
    assert b"<svg" in drawn[0] and b"gridded: receptive field by layer" in drawn[0]
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (2000, 680)


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "missing" / "a.svg"
    assert _guarded(lambda: cli.main(["rf", "unet", "--plot", str(target)], standalone_mode=False)) == 1
    assert f"error[SC009 unreadable-file]: cannot write `{target}`" in capsys.readouterr().err
