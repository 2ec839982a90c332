"""Images read and labelled some rows at a time: the scores of every pixel are those of the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 64}\nlayers:\n"
# Outputs that lie 4 x 2 pixels apart, and begin inside the image.
STRIDED = f"""{HEAD}
  - a: {{conv: 4, kernel: [3, 5], act: relu}}
  - p: {{pool: max, kernel: [2, 3], stride: [2, 1]}}
  - b: {{conv: 4, kernel: 3, stride: 2, act: relu}}
  - c: {{conv: 3, kernel: [3, 4]}}
"""
# A gate and a norm over the image, between strides and an interpolation.
CUT = f"""{HEAD}
  - a: {{conv: 8, kernel: 3, pad: same, stride: 2, norm: {{group: 4}}, act: relu}}
  - p: {{pool: global_avg}}
  - g: {{conv: 8, kernel: 1, act: sigmoid}}
  - m: {{mul: [a, g]}}
  - c: {{conv: 3, kernel: 3, pad: same}}
  - up: {{resize: input}}
"""
CONTINUED = f"""{HEAD}
  - a: {{conv: 4, kernel: 5, stride: 2, act: relu}}
  - c: {{conv: 3, kernel: 3}}
training: {{input_padding: {{zero: 11}}}}
"""


class Rows:
    """An image as raster.py has it."""

    def __init__(self, image: np.ndarray) -> None:
        self.image, self.size, self.held = image, image.shape[:-1], 0

    def read(self, start: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
        return self.image[tuple(slice(first, first + count) for first, count in zip(start, size, strict=True))]


def scores_in_rows(side: Any, model: Any, image: np.ndarray, block: int, spill: Path | None) -> np.ndarray:
    made = list(side.modules.rows.scores_in_rows(model, Rows(image), side.modules.data.HEAD, block, spill))
    assert [first for first, _ in made] == [sum(each.shape[1] for _, each in made[:at]) for at in range(len(made))]
    return np.concatenate([np.asarray(scores) for _, scores in made], 1)


@pytest.mark.parametrize("spec", [STRIDED, CUT, CONTINUED], ids=["strided", "cut", "continued"])
@pytest.mark.parametrize(("size", "block"), [((50, 37), 7), ((3, 80), 64)])
def test_scores_of_rows_are_those_of_the_image(
    built: Any, tmp_path: Path, spec: str, size: tuple[int, int], block: int
) -> None:
    side = built("torch", spec)
    model, image = side.model(), np.random.default_rng(0).normal(size=(*size, 3)).astype(np.float32)
    expected = np.asarray(side.modules.predict.scores_of(model, image))
    for spill in (None, tmp_path):
        found = scores_in_rows(side, model, image, block, spill)
        np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spec", [STRIDED, CUT], ids=["strided", "cut"])
def test_predict_by_rows_writes_the_labels_of_the_whole(built: Any, tmp_path: Path, spec: str) -> None:
    side, rng = built("torch", spec), np.random.default_rng(0)
    side.save(tmp_path / "net.pt", side.model())
    np.save(tmp_path / "a.npy", rng.normal(size=(53, 31, 3)).astype(np.float32))
    Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / "b.png")
    flags = [str(tmp_path / "a.npy"), str(tmp_path / "b.png"), "--weights", str(tmp_path / "net.pt"), "--out"]
    by_rows = ["--stream", "--block", "9", *(["--spill", str(tmp_path)] if spec == CUT else [])]
    before = {path.name for path in tmp_path.iterdir()}
    assert side.modules.predict.main([*flags, str(tmp_path / "whole")]) == 0
    assert side.modules.predict.main([*flags, str(tmp_path / "rows"), *by_rows]) == 0
    for name in ("a.png", "b.png"):
        whole, rows = (np.asarray(Image.open(tmp_path / folder / name)) for folder in ("whole", "rows"))
        assert np.array_equal(whole, rows) and len(np.unique(whole)) > 1
    assert {path.name for path in tmp_path.iterdir()} == before | {"whole", "rows"}
    assert not list((tmp_path / "rows").glob(".*"))


def test_predict_by_rows_refuses_no_rows(built: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        built("torch", STRIDED).modules.predict.main(["a.png", "--weights", "b", "--out", "c", "--block", "0"])
    assert "argument --block: `0` is not a number of rows" in capsys.readouterr().err
