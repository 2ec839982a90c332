"""An update equals the full run, label for label, wherever the edit lies; and computes no more than it reaches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.harness.test_tiles import BACKENDS, NONE, PADDED, SIGNAL, STRIDED, VOLUME, Job

EDGES = STRIDED + "training: {input_padding: {edge: 11}}\n"


def folder_with(side: Any, place: Path, image: np.ndarray) -> dict[str, Path]:
    """Weights, and an image in a folder, with the names of both."""
    found = {"weights": place / "w.safetensors", "image": place / "a.npy", "out": place / "out"}
    if not found["weights"].exists():
        side.save(found["weights"], side.model())
    np.save(found["image"], image)
    return found


def labels_of(side: Any, place: Path, image: np.ndarray, *flags: str) -> np.ndarray:
    """What predict.py writes as .npy."""
    names = folder_with(side, place, image)
    given = ["--weights", str(names["weights"]), str(names["image"]), "--out", str(names["out"]), "--device", "cpu"]
    assert side.modules.predict.main([*given, "--as", "npy", *flags]) == 0
    (written,) = names["out"].glob("*.npy")
    return np.load(written)


def check_update(side: Any, place: Path, size: tuple[int, ...], part: list[tuple[int, int]], *flags: str) -> None:
    """Assert that the labels of an edited image are those of a run of the whole."""
    random = np.random.default_rng(len(size))
    before = random.normal(size=(*size, side.modules.data.CHANNELS)).astype(np.float32)
    edited = before.copy()
    inside = tuple(slice(*ends) for ends in part)
    edited[inside] = 3 * random.normal(size=edited[inside].shape)
    np.save(place / "previous.npy", labels_of(side, place, before))
    whole = labels_of(side, place, edited)
    text = ",".join(f"{first}:{end}" for first, end in part)
    found = labels_of(side, place, edited, "--update", text, "--previous", str(place / "previous.npy"), *flags)
    assert np.array_equal(found, whole)


@st.composite
def parts(draw: st.DrawFn, size: tuple[int, ...]) -> list[tuple[int, int]]:
    """Parts of an image: many of them small, or at its borders."""
    firsts = [draw(st.integers(0, extent - 1)) for extent in size]
    return [(first, min(extent, first + draw(st.integers(1, 12)))) for first, extent in zip(firsts, size, strict=True)]


@pytest.mark.parametrize("text", [STRIDED, PADDED, EDGES], ids=["strided", "zero", "edge"])
def test_an_update_equals_the_full_run(built: Any, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    side = built("torch", text)

    @settings(max_examples=6)
    @given(parts((70, 90)))
    def check(part: list[tuple[int, int]]) -> None:
        check_update(side, tmp_path_factory.mktemp("update"), (70, 90), part)

    check()


@pytest.mark.parametrize("part", [[(0, 3), (88, 90)], [(69, 70), (0, 90)], [(0, 70), (0, 90)], [(30, 31), (40, 41)]])
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_update_at_each_border(built: Any, tmp_path: Path, backend: str, part: list[tuple[int, int]]) -> None:
    check_update(built(backend, PADDED), tmp_path, (70, 90), part)


def test_an_update_in_tiles(built: Any, tmp_path: Path) -> None:
    check_update(built("torch", STRIDED), tmp_path, (70, 90), [(10, 60), (20, 80)], "--tile", "48")


@pytest.mark.parametrize(
    ("text", "size", "part"), [(SIGNAL, (57,), [(20, 23)]), (VOLUME, (13, 10, 11), [(4, 5), (0, 2), (9, 11)])]
)
def test_of_signals_and_volumes(built: Any, tmp_path: Path, text: str, size: Any, part: Any) -> None:
    check_update(built("torch", text), tmp_path, size, part)


def test_one_pixel_of_a_large_image_costs_little(built: Any) -> None:
    update = built("torch", STRIDED).modules.update
    plan = update.plan_update((4000, 4000), ((2000, 2001), (2000, 2001)), 0)
    assert len(plan.tiles) == 1
    assert plan.cost < 2e-4


def test_what_an_edit_reaches_is_tight(built: Any) -> None:
    """A step further in, some label depends on the edit: of positive weights, each score that sees it is larger."""
    side = built("torch", STRIDED)
    model, data, step = side.model(), side.modules.data, side.modules.tiles.STEP[0]
    for each in model.parameters():
        each.data.abs_().add_(0.01)
    image = np.ones((90, 90, 3), np.float32)
    edited = image.copy()
    edited[45:46, 47:48] += 1
    apart = np.argwhere((side.scores(model, edited) != side.scores(model, image)).any(-1))
    for a, first in enumerate((45, 47)):
        low, high = side.modules.update.reach(a, 90, data.continued_size((90, 90))[a], first, first + 1)
        assert low <= apart[:, a].min() < low + step
        assert high - step <= apart[:, a].max() + 1 <= high


def test_a_network_without_tiles_is_not_updated(built: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(built("torch", NONE), tmp_path)
    assert job.predict(out="whole") == 0
    assert job.predict("--update", "0:2,0:2", "--previous", str(tmp_path / "whole/a.png")) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: --update: there are no exact tiles: `norm` (instance norm) mixes the whole image; run the whole image"
    )


def test_what_an_update_cannot_take_is_said(built: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(built("torch", STRIDED), tmp_path)
    Image.fromarray(np.zeros((70, 91), np.uint8)).save(tmp_path / "wide.png")
    Image.fromarray(np.zeros((70, 90), np.uint8)).save(tmp_path / "right.png")
    wide, right = ("--previous", str(tmp_path / "wide.png")), ("--previous", str(tmp_path / "right.png"))
    for flags, told in [
        (("--update", "0:71,0:2", *right), "--update 0:71: is no part of the image, whose size is 70 x 90"),
        (("--update", "5:5,0:2", *right), "--update 5:5: is no part of the image, whose size is 70 x 90"),
        (
            ("--update", "0:2,0:2", *wide),
            f"{tmp_path}/wide.png: has labels of 70 x 91 pixels, and the image has 70 x 90",
        ),
        (("--update", "0:2,0:2"), "--update and --previous: give both, or none"),
        (right, "--update and --previous: give both, or none"),
    ]:
        assert job.predict(*flags) == 1
        assert capsys.readouterr().err.splitlines()[-1] == f"error: {told}"
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit):
        job.predict("--update", "5", *right)
    assert "5 is not like 100:200,40:80, rows and columns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--dense", "--tile", "48"), "--dense and --tile"),
        (("--dense", "--memory-limit", "2GiB"), "--dense and --tile"),
        (("--dense", "--update", "0:2,0:2"), "--dense and --update"),
    ],
)
def test_two_ways_at_once_are_refused(
    built: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: Any, told: str
) -> None:
    assert Job(built("torch", STRIDED), tmp_path).predict(*flags) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {told}: are two ways to run the model; give one of them"
    )
