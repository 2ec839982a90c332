"""Pictures of fields: the same bytes each time, of every kind of field, and what is said when there is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from segcompile.cli import cli

ROOT = Path(__file__).resolve().parents[2]


def rf(*arguments: str) -> tuple[int, str]:
    """Exit code, and all that is printed."""
    result = CliRunner().invoke(cli, ("rf", *arguments), standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value, result.output


def write(folder: Path, layers: str, size: str = "40") -> str:
    """A spec of one channel, with its layers on line 4."""
    path = folder / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: {size}}}\nlayers: {layers}\n")
    return str(path)


def test_an_image_smaller_than_the_field_is_a_warning_beside_its_picture(tmp_path: Path) -> None:
    spec, target = write(tmp_path, "[c: {conv: 1, kernel: 45, pad: same}]"), tmp_path / "a.svg"
    assert rf(spec, "--coverage")[0] == 0 and "SC408" not in rf(spec, "--coverage")[1]
    assert rf(spec, "--plot", str(target)) == (0, f"""\
drew c into {target}

warning[SC408 field-exceeds-input]: c sees 45 pixels; an input of 40 never holds all of them
  --> {spec}:4:10
 4 | layers: [c: {{conv: 1, kernel: 45, pad: same}}]
   |          ^
   = help: an input of 45 pixels, for the picture of a whole field
""")  # fmt: skip
    assert "an image of 40 x 40 never holds all of them" in target.read_text(encoding="utf-8")


DRAW = "from segcompile.cli import cli; [cli.main(['rf', 'aspp', '--plot', at], standalone_mode=False) for at in {!r}]"


def test_pictures_are_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nlines.linewidth: 9\n")  # someone's own taste
    names = ("a.svg", "a.png"), ("b.svg", "b.PNG")
    for seed, (where, files) in enumerate(zip((ROOT, tmp_path), names, strict=True)):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", DRAW.format([str(tmp_path / name) for name in files])]
        subprocess.run(command, cwd=where, env=environment, capture_output=True, check=True)
    drawn = [(tmp_path / name).read_bytes() for files in names for name in files]
    assert drawn[0] == drawn[2] and drawn[1] == drawn[3]
    assert b"<svg" in drawn[0] and b"aspp: receptive field by layer" in drawn[0]
    assert b"one pixel of logits sees 25 of 37 x 37" in drawn[0] and b"90%: 37 x 37" in drawn[0]
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (2000, 720)


@pytest.mark.parametrize("layers", [
    "[c: {conv: 1, kernel: 1}]",
    "[c: {conv: 1, kernel: [1, 5], pad: same}, d: {conv: 1, kernel: 3, stride: [1, 2]}]",
    "[p: {pool: max, kernel: 2}, u: {unpool: p}]",
    "[g: {pool: global_avg}, r: {resize: input, mode: nearest}, s: {add: [input, r]}]",
    "[c: {conv: 1, kernel: 3, stride: 3}, a_layer_whose_name_is_long_enough_for_two: {resize: input, mode: bilinear}]",
])  # fmt: skip
@pytest.mark.parametrize("size", ["12", "[12, 30]"])
def test_every_kind_of_field_can_be_drawn(layers: str, size: str, tmp_path: Path) -> None:
    status, text = rf(write(tmp_path, layers, size), "--plot", str(tmp_path / "a.svg"))
    assert status == 0, text
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_without_matplotlib_a_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert rf("unet", "--plot", str(tmp_path / "a.svg")) == (1, """\
error[SC410 field-request]: drawing needs matplotlib
   = help: pip install 'segcompile[plot]'
""")  # fmt: skip


def test_the_picture_in_the_readme_says_what_would_be_drawn(tmp_path: Path) -> None:
    """Its words: the pixels in it are compressed, which differs between machines."""
    rf("unet", "--plot", str(tmp_path / "a.svg"))
    drawn, shown = (
        re.findall(r">([^<>\s][^<>]*)</text>", path.read_text(encoding="utf-8"))
        for path in (tmp_path / "a.svg", ROOT / "docs/unet_field.svg")
    )
    assert drawn == shown and "one pixel of logits sees 204 x 204" in shown


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "a.svg"
    said = f"error[SC013 unwritable-place]: `{target}` cannot be written: No such file or directory\n"
    assert rf("unet", "--plot", str(target)) == (1, said)
