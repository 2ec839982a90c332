"""What `segcompile rf` answers about fields: texts word for word, and the same as data."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import segcompile
from segcompile.cli import cli
from segcompile.cli.outcome import guarded
from segcompile.show.why import grouped

ROOT = Path(__file__).resolve().parents[2]
LANGUAGE = ROOT / "tests/data/cases/language"
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


def write(folder: Path, layers: str, size: str = "40") -> str:
    """A spec of one channel, with its layers on line 4."""
    path = folder / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: {size}}}\nlayers: {layers}\n")
    return str(path)


def test_a_layer_with_its_phases() -> None:
    assert rf(FCN8S, "--layer", "score") == (0, """score: crop, 21 x 500 x 500
receptive field 468, stride 1
436 on 8 of 32 phases, 468 on 24
sees padding: the first 217 and the last 243 of 500 rows and columns; 40 x 40 outputs see none

score at phase 1,1 sees all of the 468 x 468 pixels that it spans
paths: 50% within 166 x 166, 90% within 266 x 266, 99% within 338 x 338
""")  # fmt: skip


def test_the_table_of_phases_of_unet() -> None:
    rows = [(phase, 188 if phase < 4 else 204) for phase in range(16)]
    table = "".join(f"{phase:>5}{0:>7}{size - 1:>6}{size:>7}{size:>9}\n" for phase, size in rows)
    assert rf("unet", "--phases") == (0, f"""\
logits, height and width alike: repeats every 16 outputs, 16 input pixels further on
188 on 4 of 16 phases, 204 on 12
phase  first  last  field  touched
{table}""")  # fmt: skip


def test_axes_that_differ_have_a_table_each(tmp_path: Path) -> None:
    spec = write(
        tmp_path, "[c: {conv: 1, kernel: 3, stride: [1, 2], pad: 1}, up: {deconv: 1, kernel: [3, 4], stride: [1, 2]}]"
    )
    assert rf(spec, "--layer", "up", "--phases")[1] == """\
up: deconv, 1 x 42 x 42
receptive field 5, stride 1
height: 5 on the only phase
width: 5 on all 2 phases
sees padding: the first 3 and the last 3 of 42 rows, the first 4 and the last 2 of 42 columns; 36 x 36 outputs see none

up, height: repeats every output, input pixel further on
5 on the only phase
phase  first  last  field  touched
    0     -3     1      5        5

up, width: repeats every 2 outputs, 2 input pixels further on
5 on all 2 phases
phase  first  last  field  touched
    0     -3     1      5        5
    1     -3     1      5        5

up at phase 0,0 sees all of the 5 x 5 pixels that it spans
paths: 50% within 3 x 3, 90% within 5 x 5, 99% within 5 x 5
"""  # fmt: skip


def test_one_phase() -> None:
    said = "logits at phase 3,4 sees 188x204: rows 0 to 187, columns 0 to 203\n"
    assert rf("unet", "--phase", "3,4") == (0, said)


def test_the_outputs_that_a_pixel_touches() -> None:
    assert rf("unet", "--touches", "100,100") == (0, """\
logits: pixel 100,100 touches 12,544 outputs: rows 0 to 111, columns 0 to 111
repeats every 16 input pixels, 16 outputs further on, borders aside
""")  # fmt: skip
    assert rf("unet", "--touches", "300,300", "--layer", "enc2.conv1") == (0, """\
enc2.conv1: conv, 256 x 138 x 138
receptive field 24, stride 4
sees no padding

enc2.conv1 at phase 0,0 sees all of the 24 x 24 pixels that it spans
paths: 50% within 10 x 10, 90% within 18 x 18, 99% within 22 x 22

enc2.conv1: pixel 300,300 touches 36 outputs: rows 70 to 75, columns 70 to 75
repeats every 4 input pixels, 1 output further on, borders aside
""")  # fmt: skip


def test_the_outputs_that_a_rectangle_touches_where_branches_meet_and_by_the_whole_image() -> None:
    assert rf("aspp", "--touches", "0,0:3,9") == (0, """\
logits: pixels 0,0 to 3,9 touch 336 outputs: rows 0 to 21 (16 of 22), columns 0 to 27
0.75 of the product of its projections: branches lead to different outputs
and, through an op that mixes the whole image, 753 others
repeats every input pixel, 1 output further on, borders aside
""")  # fmt: skip
    assert rf("aspp", "--touches", "5,5", "--layer", "aspp.image.pool")[1].endswith(
        "\n\naspp.image.pool: pixel 5,5 touches 1 output, through an op that mixes the whole image\n"
    )


def test_the_outputs_that_a_pixel_touches_on_maps_of_any_size_or_not_at_all(tmp_path: Path) -> None:
    layers = "[c: {conv: 1, kernel: 3, stride: [2, 1], pad: 1}, p: {pool: max, kernel: 2}, v: {unpool: p}"
    layers += ", n: {norm: instance}]"
    spec = write(tmp_path, layers, "any")
    assert rf(spec, "--touches", "9,0", "--layer", "v")[1].partition("\n\n")[2].partition("\n\n")[2] == """\
v: pixel 9,0 may touch 8 outputs: rows 4 to 5, columns -2 to 1
repeats every 4 input pixels, 2 outputs further on, along the height; every 2 input pixels, 2 outputs further on, \
along the width, borders aside
of a map of any size: its borders are not looked at, and indices may be negative
"""  # fmt: skip
    said = "n: pixel 9,0 may touch every output, through an op that mixes the whole image\n"
    assert rf(spec, "--touches", "9,0") == (0, said)
    spec = write(tmp_path, "[c: {conv: 1, kernel: 1, stride: 3}]")
    assert rf(spec, "--touches", "4,3") == (0, "c: pixel 4,3 touches no output\n")


def test_what_a_pixel_touches_is_data_too() -> None:
    data = json.loads(rf("aspp", "--touches", "16,16", "--format", "json")[1])["asked"]["logits"]
    assert list(data) == ["touches"]
    bands = data["touches"].pop("bands")
    assert data["touches"] == {
        "pixels": {"rows": [16, 16], "columns": [16, 16]}, "count": 17, "size": [25, 25], "start": [4, 4],
        "touched": [5, 5], "whole_image": True, "others": 1072, "data_dependent": False, "bordered": [True, True],
        "repeats": {"pixels": [1, 1], "outputs": [1, 1]},
    }  # fmt: skip
    assert {(row, column) for band in bands for row, _ in band["rows"] for column, _ in band["columns"]} == {
        (16 + a * d, 16 + b * d) for d in (6, 12) for a in (-1, 0, 1) for b in (-1, 0, 1)
    }


@pytest.mark.parametrize("pixels", ["a,b", "1,2,3,4", "-1,0", "1,99999999999", "1,2:", "1,2:3,4:5,6", "1,٣", ""])
def test_a_touching_pixel_is_one_to_three_numbers(pixels: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: cli.main(["rf", "unet", f"--touches={pixels}"], standalone_mode=False)) == 2
    assert f"`{pixels}` is not Y,X or Y,X:Y,X" in capsys.readouterr().err


def test_a_box_has_two_ends_of_the_same_axes(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: cli.main(["rf", "unet", "--touches=1,2:3"], standalone_mode=False)) == 2
    assert "`1,2:3` has ends of unequal lengths" in capsys.readouterr().err


def test_a_rectangle_that_ends_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: cli.main(["rf", "unet", "--touches", "5,5:6,4"], standalone_mode=False)) == 2
    assert "`5,5:6,4` ends before it begins" in capsys.readouterr().err


def test_coverage_with_holes_is_drawn(gridded: str) -> None:
    status, text = rf(gridded, "--layer", "c3", "--coverage")
    assert (status, text.partition("\n\nwarning")[0]) == (0, """c3: conv, 1 x 40 x 40
receptive field 13, stride 1
sees padding: the first 6 and the last 6 of 40 rows and columns; 28 x 28 outputs see none

c3 at phase 0,0 sees 49 of the 13 x 13 pixels that it spans (0.29): 7 of 13 rows, 7 of 13 columns
paths: 50% within 9 x 9, 90% within 13 x 13, 99% within 13 x 13

""" + "\n".join(["▀ ▀ ▀ ▀ ▀ ▀ ▀"] * 7))  # fmt: skip


def test_coverage_of_branches_and_of_the_whole_image() -> None:
    assert rf("aspp", "--layer", "aspp") == (0, """\
aspp: concat, 1280 x 33 x 33
receptive field: the whole image, 37 without the global path, stride 1
every output depends on the image's borders: an op mixes the whole image

aspp at phase 0,0 sees 25 of the 37 x 37 pixels that it spans (0.0183): 7 of 37 rows, 7 of 37 columns
0.51 of the product of its projections: branches see different pixels
and, through an op that mixes the whole image, every other pixel
paths: 50% within 25 x 25, 90% within 37 x 37, 99% within 37 x 37
""")  # fmt: skip


def test_a_layer_that_only_sees_the_whole_image_answers_too() -> None:
    assert rf("aspp", "--layer", "aspp.image.conv", "--phases", "--coverage", "--why", "aspp.image.conv") == (0, """\
aspp.image.conv: no path to tell, receptive field: the whole image

aspp.image.conv: conv, 256 x 1 x 1
receptive field: the whole image
every output depends on the image's borders: an op mixes the whole image

aspp.image.conv: no table of phases, receptive field: the whole image

aspp.image.conv at phase 0,0 sees the whole image
""")  # fmt: skip


def test_a_field_that_depends_on_the_data_is_a_bound(tmp_path: Path) -> None:
    spec = write(tmp_path, "[p: {pool: max, kernel: 2}, u: {unpool: p}, s: {conv: 1, kernel: 3, pad: same}]")
    assert rf(spec, "--layer", "s")[1] == """\
s: conv, 1 x 40 x 40
receptive field at most 4, stride 1
data-dependent: the values decide which part of the field counts
4 on all 2 phases
sees padding: at most the first 1 and the last 1 of 40 rows and columns; at least 38 x 38 outputs see none

s at phase 0,0 may see all of the 4 x 4 pixels that it spans
paths (data-dependent: of all that the values may choose): 50% within 3 x 3, 90% within 4 x 4, 99% within 4 x 4
"""  # fmt: skip
    assert rf(spec, "--phase", "0,1")[1] == "s at phase 0,1 may see 4: rows -2 to 1, columns 0 to 3\n"
    asked = json.loads(rf(spec, "--coverage", "--format", "json")[1])["asked"]["s"]
    assert asked["path_counts"]["data_dependent"] is True
    table = rf(spec)[1]
    assert " ≤ 4 " in table and table.endswith("\n≤ 2: a bound; the values decide which part of it counts\n")
    layers = json.loads(rf(spec, "--format", "json")[1])["layers"]
    assert [layer.get("data_dependent", False) for layer in layers] == [False, True, True]


def test_more_phases_than_a_table_holds_are_not_listed(tmp_path: Path) -> None:
    up = "{deconv: 1, kernel: 3, stride: 2, pad: 1, output_pad: 1, repeat: 14}"
    spec = write(tmp_path, f'["up{{i}}": {up}]', "2")
    assert "  not listed  " in rf(spec)[1].splitlines()[-5]
    assert "\nnot listed: the field is too wide, or has too many phases, to be listed\n" in rf(spec)[1]
    assert rf(spec, "--phases") == (0, """\
up14: no table of phases, receptive field is too wide, or has too many phases, to be listed
""")  # fmt: skip
    text = rf(spec, "--layer", "up14", "--phase", "0,0")[1]
    assert "up14 at phase 0,0 sees all of the 1 x 1 pixels that it spans" in text
    assert "`up14` has no phases: its field is too wide, or has too many phases, to be listed" in text
    data = json.loads(rf(spec, "--format", "json")[1])
    assert data["outputs"]["up14"]["phases"] == []


def test_pairs_of_phases_are_data_while_there_are_not_too_many(tmp_path: Path) -> None:
    layers = "[c: {conv: 1, kernel: 3, stride: 3}, r: {resize: input, mode: bilinear}]"
    pairs = {}
    for size in ("40", "401"):
        spec = write(tmp_path, layers, size)
        found = json.loads(rf(spec, "--phases", "--format", "json")[1])
        pairs[len(found["asked"]["r"]["phases"]["height"]["fields"])] = len(found["outputs"]["r"]["phases"])
    assert pairs == {40: 1600, 401: 0}


def test_a_field_that_depends_on_a_symbolic_size_says_so(tmp_path: Path) -> None:
    spec = write(tmp_path, "[p: {pool: max, kernel: 2}, r: {resize: input, mode: bilinear}]", "any")
    assert rf(spec, "--layer", "r")[1].splitlines()[1] == (
        "receptive field depends on the image's size, from `r` on: resizing ⌊H/2⌋ to H"
    )
    assert "\nvaries: the field depends on the image's size, from `r` on: resizing ⌊H/2⌋ to H\n" in rf(spec)[1]
    status, text = rf(spec, "--layer", "p", "--coverage")
    assert status == 0 and "p at phase 0,0 sees all of the 2 x 2 pixels that it spans" in text
    status, text = rf(spec, "--coverage")
    assert (status, text.partition("\n\n")[2]) == (1, """\
error[SC410 field-request]: the field of `r` depends on the image's size: resizing ⌊H/2⌋ to H
   = help: give the input a size
""")  # fmt: skip


def test_branches_of_unequal_stride_and_any_size_say_so(tmp_path: Path) -> None:
    layers = "[a: {conv: 1, kernel: 3, stride: 2, pad: 1}, b: {crop: a, from: input, offset: 0}, s: {add: [a, b]}]"
    said = rf(write(tmp_path, layers, "any"), "--layer", "s")[1].splitlines()[1]
    assert said == "receptive field depends on the image's size, from `s` on: branches of unequal stride meet"


def test_why_names_who_adds_what() -> None:
    assert rf("dilated_large", "--why", "layer8") == (0, """\
layer8 at phase 0,0: who reaches which input pixel, and how many pixels each layer adds

top -33, bottom 33, left -33, right 33
  input -> layer1 +1 -> layer2 +1 -> layer3 +2 -> layer4 +4 -> layer5 +8 -> layer6 +16 -> layer7 +1 -> layer8
""")  # fmt: skip


def test_long_chains_are_told_by_blocks() -> None:
    assert rf("unet", "--why", "logits") == (0, """\
logits at phase 4,4: who reaches which input pixel, and how many pixels each layer adds

top 0, left 0
  input -> enc0 +2 -> down0 +0.5 -> enc1 +4 -> down1 +1 -> enc2 +8 -> down2 +2 -> enc3 +16 -> down3 +4
    -> bottom +32 -> up3 -4 -> cat3 -> dec3 +16 -> up2 +2 -> cat2 -> dec2 +8 -> up1 -1 -> cat1 -> dec1 +4
    -> up0 -0.5 -> cat0 -> dec0 +2 -> logits

bottom 203, right 203
  input -> enc0 +2 -> down0 +0.5 -> enc1 +4 -> down1 +1 -> enc2 +8 -> down2 +2 -> enc3 +16 -> down3 +4
    -> bottom +32 -> up3 +4 -> cat3 -> dec3 +16 -> up2 +2 -> cat2 -> dec2 +8 -> up1 +1 -> cat1 -> dec1 +4
    -> up0 +0.5 -> cat0 -> dec0 +2 -> logits
""")  # fmt: skip


def test_equal_layers_in_a_row_are_told_once() -> None:
    assert rf(str(ROOT / "tests/data/valid/vgg16.yaml"), "--why", "pool5")[1].splitlines()[2:] == [
        "top -90, bottom 121, left -90, right 121",
        "  input -> conv1_1 +1 -> conv1_2 +1 -> pool1 +0.5 -> conv2_1 +2 -> conv2_2 +2 -> pool2 +1",
        "    -> conv3_1..conv3_3 +12 -> pool3 +2 -> conv4_1..conv4_3 +24 -> pool4 +4 -> conv5_1..conv5_3 +48",
        "    -> pool5 +8",
    ]


def test_the_table_shows_holes_and_the_fields_beside_a_global_path(gridded: str) -> None:
    table = rf(gridded)[1]
    rows = {line.split()[0]: line for line in table.splitlines() if line.startswith(("c", "flat"))}
    assert " 13 (7) " in rows["c3"] and " 13x15 (7x15) " in rows["flat"]
    assert "\n5 (3): of 5 pixels, 3 are seen\n" in table
    assert rf("aspp")[1].partition("\n\n13 (3)")[2] == """\
: of 13 pixels, 3 are seen
whole image (37): the paths that do not mix the image see 37

aspp channels 1280 ✓
logits size 33 ✓
"""  # fmt: skip


def test_all_of_it_is_data_too(gridded: str) -> None:
    status, text = rf(gridded, "--phases", "--coverage", "--why", "c3", "--format", "json")
    data = json.loads(text)
    assert status == 0 and [layer["name"] for layer in data["layers"]] == ["c1", "c2", "c3", "flat"]
    assert [layer["touched"] for layer in data["layers"]] == [[3, 3], [5, 5], [7, 7], [7, 15]]
    flat, c3 = data["asked"]["flat"], data["asked"]["c3"]
    rows = [[low, low] for low in range(-6, 7, 2)]
    assert flat["coverage"]["bands"] == [{"rows": rows, "columns": [[-7, 7]]}]
    assert flat["coverage"]["fill"] == pytest.approx(7 / 13) and flat["coverage"]["count"] == 7 * 15
    assert flat["path_counts"] == {
        "phase": [0, 0], "exact": True, "centre": [0, 0], "radius": {"0.5": 3, "0.9": 6, "0.99": 7}
    }  # fmt: skip
    assert flat["phases"]["height"] == {
        "period": 1, "step": 1, "fields": [{"first": -6, "last": 6, "size": 13, "touched": 7}]
    }  # fmt: skip
    assert c3["why"]["bottom"] == [
        {"layer": "input", "index": 6, "adds": 0}, {"layer": "c1", "index": 4, "adds": 2},
        {"layer": "c2", "index": 2, "adds": 2}, {"layer": "c3", "index": 0, "adds": 2},
    ]  # fmt: skip


def test_a_layer_and_a_phase_as_data() -> None:
    asked = json.loads(rf("unet", "--layer", "logits", "--phase", "3,4", "--format", "json")[1])["asked"]["logits"]
    assert asked["layer"] == {
        "op": "conv", "shape": [2, 388, 388], "receptive_field": [204, 204], "local_receptive_field": [204, 204],
        "whole_image": False, "data_dependent": False, "stride": [1, 1], "period": [16, 16], "exact": True,
        "sizes": {"height": [[188, 4], [204, 12]], "width": [[188, 4], [204, 12]]},
    }  # fmt: skip
    assert asked["phase"] == {
        "phase": [3, 4], "size": [188, 204], "start": [0, 0], "touched": [188, 204],
        "rows": [[0, 187]], "columns": [[0, 203]],
    }  # fmt: skip
    assert (asked["coverage"]["phase"], asked["path_counts"]["phase"]) == ([3, 4], [3, 4])


def test_the_local_field_beside_a_global_path_as_data() -> None:
    data = json.loads(rf("aspp", "--format", "json")[1])
    found = data["outputs"]["logits"]
    assert (found["receptive_field"], found["whole_image"], found["local_receptive_field"]) == (None, True, [37, 37])
    assert "asked" not in data  # nothing was


SPECS = ["dilated_large", "unet", "aspp", FCN8S, str(ROOT / "tests/data/valid/residual_example.yaml")]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("place", [-1, -2, -3])
def test_what_is_told_is_what_the_api_answers(spec: str, place: int) -> None:
    view = segcompile.receptive_field(spec)
    layer = list(view.layers.values())[place]
    _, text = rf(spec, "--layer", layer.name, "--phases", "--coverage", "--why", layer.name)
    rows = re.findall(r"^ +(\d+) +(\S+) +(\S+) +(\S+) +(\S+)$", text, re.MULTILINE)
    phases = [phase for phase in layer.phases() if phase.phase[1] == 0]
    expected = [(p.phase[0], p.along[0].low, p.along[0].high, p.size[0], p.touched[0]) for p in phases if p.along]
    assert [tuple(map(int, row)) for row in rows] == expected

    found, counts = layer.coverage(), layer.path_counts()
    told = re.search(r"sees (?:all|([\d,]+)) of the (\d+) x (\d+) pixels", text)
    assert told and int((told[1] or str(found.count)).replace(",", "")) == found.count
    assert (int(told[2]), int(told[3])) == found.size and (told[1] is None) == (found.fill == 1)
    squares = [(float(height), float(width)) for height, width in re.findall(r"% within ([\d.]+) x ([\d.]+)", text)]
    sides = [2 * counts.radius(share) + 1 for share in (0.5, 0.9, 0.99)]
    assert squares == [(min(side, counts.size[0]), min(side, counts.size[1])) for side in sides]

    ends = {side: int(end) for side, end in re.findall(r"(top|bottom|left|right) (-?\d+)", text)}
    seen = layer.phase(*layer.widest_phase).along
    assert seen is not None
    assert (ends["top"], ends["bottom"]) == (seen[0].low, seen[0].high)
    assert (ends["left"], ends["right"]) == (seen[1].low, seen[1].high)


@given(st.lists(st.tuples(st.sampled_from(["a1", "a2", "a3", "b.c1", "b.c2", "d"]), st.fractions(0, 9)), max_size=30))
def test_grouping_a_chain_keeps_its_sum(links: list[tuple[str, Fraction]]) -> None:
    told = grouped(list(links))
    assert sum(pixels or 0 for _, pixels in told) == sum(pixels for _, pixels in links)
    assert len(told) <= len(links)


ABSURD = [
    (("unet", "--layer", "logit"),
     "error[SC102 unknown-layer]: there is no layer `logit` in unet\n   = help: did you mean `logits`?\n"),
    (("unet", "--why", "x"),
     "error[SC102 unknown-layer]: there is no layer `x` in unet\n   = help: `segcompile rf SPEC` lists the layers\n"),
    (("unet", "--coverage", "--phase", "16,0"),
     "error[SC410 field-request]: `logits` has no phase 16 along the height: its fields repeat after 16\n"
     "   = help: 0 to 15\n"),
    (("unet", "--phase", "99,0"),
     "error[SC410 field-request]: `logits` has no phase 99 along the height: its fields repeat after 16\n"
     "   = help: 0 to 15\n"),
    (("aspp", "--phase", "0,1"),
     "error[SC410 field-request]: `logits` has no phase 1 along the width: its fields repeat after 1\n"
     "   = help: there is only phase 0\n"),
    (("unet", "--touches", "0,572"),
     "error[SC410 field-request]: `input` has no column 572: its width is 572\n   = help: columns 0 to 571\n"),
    (("unet", "--touches", "5,5:900,7"),
     "error[SC410 field-request]: `input` has no row 900: its height is 572\n   = help: rows 0 to 571\n"),
    ((str(ROOT / "tests/data/odd.yaml"), "--touches", "0,0"),
     "error[SC410 field-request]: odd has 2 inputs, x, y: of which of them is the pixel?\n"
     "   = help: in Python, `layer.touched_by(..., of='x')`\n"),
    (("unet", "--plot", "field.gif"),
     "error[SC410 field-request]: `field.gif` is neither a .png nor a .svg file\n   = help: field.svg, for example\n"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), ABSURD)
def test_absurd_requests(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: cli.main(["rf", *arguments], standalone_mode=False)) == 1
    assert capsys.readouterr() == ("", said)
    status, text = rf(*arguments, "--format", "json")
    data = json.loads(text)
    assert status == 1 and len(data["layers"]) >= 10 and data["diagnostics"][0]["code"] in said
    assert data["asked"] == {}


@pytest.mark.parametrize("phase", ["", "a,b", "1,2,3,4", "-1,0", "1,99999999999"])
def test_a_phase_is_one_to_three_numbers(phase: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: cli.main(["rf", "unet", "--phase", phase], standalone_mode=False)) == 2
    assert f"`{phase}` is not Y,X" in capsys.readouterr().err


def test_what_can_be_answered_is_told_beside_the_error(tmp_path: Path) -> None:
    spec = write(tmp_path, "[a: {conv: 1, kernel: 20001, pad: same}, c: {add: [a, input]}]", "20001")
    assert rf(spec, "--coverage", "--why", "x") == (1, """\
c at phase 0,0 sees all of the 20001 x 20001 pixels that it spans

error[SC102 unknown-layer]: there is no layer `x` in net
   = help: `segcompile rf SPEC` lists the layers

error[SC410 field-request]: the field of `c` is too large for its pixels to be counted one by one
   = help: ask for a layer further in, or for the sizes alone
""")  # fmt: skip
    data = json.loads(rf(spec, "--coverage", "--why", "x", "--format", "json")[1])
    assert list(data["asked"]["c"]) == ["coverage"]
    assert [found["code"] for found in data["diagnostics"]] == ["SC102", "SC410"]


def test_the_data_is_complete_also_when_the_spec_is_none() -> None:
    status, text = rf("no_such_spec", "--layer", "c", "--format", "json")
    data = json.loads(text)
    assert (status, data["model"], data["layers"], data["asked"]) == (1, None, [], {})


def test_bug_paths_1d_of_language_is_within_one_row() -> None:
    status, text = rf(str(LANGUAGE / "bug_paths_1d.yaml"), "--coverage")
    assert status == 0 and "paths: 50% within 1 x 7, 90% within 1 x 15, 99% within 1 x 21\n" in f"{text}\n"


def test_who_shares_weights_says_whose_and_counts_what_it_has_besides(tmp_path: Path) -> None:
    layers = (
        "[a: {conv: 1, kernel: 3}, b: {conv: 1, kernel: 3, share: a}, c: {conv: 1, kernel: 3, share: b, norm: batch}]"
    )
    path = write(tmp_path, layers)
    rows = {row.split()[0]: row for row in rf(path)[1].splitlines() if row[:1] in ("a", "b", "c", "t")}
    assert "  = a  " in rows["b"] and "  = a + 2  " in rows["c"]
    found = json.loads(rf(path, "--format", "json")[1])
    assert [(layer["parameters"], layer.get("shares")) for layer in found["layers"]] == [(10, None), (0, "a"), (2, "a")]
    assert found["totals"]["parameters"] == 12
