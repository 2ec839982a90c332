"""demo/balls.py, and the network that docs/signals_and_volumes.md trains on what it makes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segcompile.cli import cli

ROOT = Path(__file__).resolve().parents[1]


def test_each_volume_has_the_balls_that_it_says_and_the_same_each_time() -> None:
    made = runpy.run_path(str(ROOT / "demo/balls.py"))
    image, mask = made["ball_volume"](np.random.default_rng(0))
    again, _ = made["ball_volume"](np.random.default_rng(0))
    assert image.dtype == np.float32 and image.shape == mask.shape == (80, 80, 80) and np.array_equal(image, again)
    grid = np.indices((25, 25, 25)) - 12
    for label, (radius, count) in enumerate(zip(made["RADII"], made["EACH"], strict=True), 1):
        assert (mask == label).sum() == count * ((grid**2).sum(0) <= radius**2).sum()
    inside = image[mask > 0].mean(), image[mask == 0].mean()
    assert inside == pytest.approx((made["BRIGHTNESS"], 0), abs=0.01) and image[mask == 0].std() == pytest.approx(
        made["NOISE"], rel=0.01
    )


def test_the_command_and_the_network_of_the_page_fit_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["balls.py", str(tmp_path)])
    runpy.run_path(str(ROOT / "demo/balls.py"), run_name="__main__")
    assert capsys.readouterr().out == f"{tmp_path}: 24 training volumes, 4 held-out volumes of 80 x 80 x 80 voxels\n"
    lines = (tmp_path / "val.txt").read_text().splitlines()
    assert lines[0] == "val/00.npy val_masks/00.npy" and len(lines) == 4
    image, mask = (np.load(tmp_path / name, mmap_mode="r") for name in lines[0].split())
    assert (image.shape, mask.shape, mask.dtype) == ((80, 80, 80, 1), (80, 80, 80), np.uint8)
    settings = [word for text in ("W=8", "P=1", "C=1", "K=4") for word in ("--set", text)]
    told = CliRunner().invoke(cli, ["build", "unet3d", *settings, "--backend", "torch", "--out", str(tmp_path / "net")])
    assert told.exit_code == 0
    data = (tmp_path / "net/data.py").read_text()
    assert "MULTIPLE = (8, 8, 8)" in data and "SIZE = (128, 128, 128)" in data  # crops of 64 are legal
