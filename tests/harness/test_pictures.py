"""Overlays: what is background stays clear, and a legend tells the classes; folders of images in prediction."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

LABELS = np.array([[0, 1], [2, 0]]).repeat(40, 0).repeat(60, 1)  # 80 x 120
GREY = np.full((80, 120, 3), 100, np.uint8)


def test_the_background_of_an_overlay_is_the_image(harness: SimpleNamespace) -> None:
    picture = np.array(harness.pictures.overlay(GREY, LABELS))[:80]
    assert (picture[LABELS == 0] == 100).all()
    assert picture[0, 60].tolist() == [(100 + 128) // 2, 50, 50] and picture[40, 0].tolist() == [
        50,
        (100 + 128) // 2,
        50,
    ]
    other = np.array(harness.pictures.overlay(GREY, LABELS, 2))[:80]
    assert other[0, 0].tolist() == [50, 50, 50] and other[40, 0].tolist() == [100, 100, 100]
    every = np.array(harness.pictures.overlay(GREY, LABELS, None))[:80]
    assert every[0, 0].tolist() == [50, 50, 50] and every[40, 0].tolist() == [50, 114, 50]


def test_the_legend_has_the_colours_and_numbers_of_the_classes_that_occur(harness: SimpleNamespace) -> None:
    legend = np.array(harness.pictures.overlay(GREY, LABELS))[80:]
    colours = {tuple(colour) for colour in legend.reshape(-1, 3).tolist()}
    assert {(128, 0, 0), (0, 128, 0), (255, 255, 255)} <= colours and (128, 128, 0) not in colours
    seven = np.array(harness.pictures.with_legend(Image.new("RGB", (44, 1)), [7]))[1:, 20:]
    eight = np.array(harness.pictures.with_legend(Image.new("RGB", (44, 1)), [8]))[1:, 20:]
    assert (seven < 128).any() and not np.array_equal(seven, eight), "a number stands beside the patch"


@pytest.mark.parametrize("width", [1, 60, 120, 401, 2000])
def test_a_legend_hides_no_pixel_and_has_room_for_all_classes(harness: SimpleNamespace, width: int) -> None:
    image = np.full((3, width, 3), 7, np.uint8)
    whole = harness.pictures.with_legend(Image.fromarray(image), range(30))
    assert whole.width >= width and np.array_equal(np.array(whole)[:3, :width], image)
    below = np.array(whole)[3:].reshape(-1, 3)
    colours = {tuple(colour) for colour in below.tolist()}
    assert {tuple(colour) for colour in harness.pictures.palette()[:30].tolist()} <= colours


def test_an_overlay_without_a_coloured_class_is_the_image(harness: SimpleNamespace) -> None:
    assert np.array_equal(np.array(harness.pictures.overlay(GREY, LABELS * 0)), GREY)


@pytest.fixture
def command(side: Any, dataset: Path) -> Any:
    """predict.py of either backend, on some inputs."""
    side.save(dataset / "w.safetensors", side.model())
    common = ["--weights", str(dataset / "w.safetensors"), "--out", str(dataset / "out"), "--device", "cpu"]
    return lambda *inputs: side.modules.predict.main([*map(str, inputs), *common])


def test_a_folder_is_all_its_images_and_not_those_of_folders_inside(
    command: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "images/inner").mkdir()
    Image.new("RGB", (4, 4)).save(dataset / "images/inner/6.png")
    (dataset / "images/notes.txt").write_text("no image")
    Image.new("RGB", (4, 4)).save(dataset / "7.png")
    assert command(dataset / "images", dataset / "7.png", "--clear", "none") == 0
    assert capsys.readouterr().out == f"wrote the labels of 7 images to {dataset}/out\n"
    stems = {path.stem for path in (dataset / "out").iterdir() if "overlay" not in path.stem}
    assert stems == {"0", "1", "2", "3", "4", "5", "7"}


def test_folders_without_images_and_with_one_stem_twice_are_errors(
    command: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "empty").mkdir()
    assert command(dataset / "empty") == 1
    assert capsys.readouterr().err == f"error: {dataset}/empty: there is no image in this folder\n"
    (dataset / "more").mkdir()
    Image.new("RGB", (4, 4)).save(dataset / "more/0.bmp")
    assert command(dataset / "images", dataset / "more") == 1
    first, again = dataset / "images/0.png", dataset / "more/0.bmp"
    assert capsys.readouterr().err == (f"error: {again}: its {dataset}/out/0.png would overwrite that of {first}\n")
    assert not (dataset / "out").exists()
