"""Prediction of whole images: alignment, sizes, palette, files."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image


def image_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 100 + width).normal(size=(height, width, 3)).astype(np.float32)


@pytest.mark.parametrize(("kernel", "offset"), [(1, 0), (3, 1), (9, 4), (9, 8), (9, 0)])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3), (13, 22)])
def test_scores_lie_over_their_pixels(tap: Any, kernel: int, offset: int, size: tuple[int, int]) -> None:
    harness, image = tap(kernel, 1, offset), image_of(*size)
    scores = harness.predict.scores_of(harness.model.StandIn().eval(), image)
    assert np.array_equal(scores.numpy(), image.transpose(2, 0, 1))


@pytest.mark.parametrize(("kernel", "stride", "offset"), [(2, 2, 0), (4, 4, 1), (8, 4, 3), (19, 8, 9)])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 17), (31, 22)])
def test_coarse_scores_are_bilinear_between_their_pixels(
    tap: Any, kernel: int, stride: int, offset: int, size: tuple[int, int]
) -> None:
    harness, image = tap(kernel, stride, offset), image_of(*size)
    scores = harness.predict.scores_of(harness.model.StandIn().eval(), image).numpy().transpose(1, 2, 0)
    assert scores.shape == image.shape
    first = offset - harness.data.OFFSET[0]  # the pixel of the image that output 0 taps
    assert scores[first::stride, first::stride] == pytest.approx(image[first::stride, first::stride], abs=1e-6)
    if size[0] > first and size[1] > first + stride:
        middle = (image[first, first] + image[first, first + stride]) / 2
        assert scores[first, first + stride // 2] == pytest.approx(middle, abs=1e-6)


def test_palette_is_pascal_vocs(harness: SimpleNamespace) -> None:
    palette = harness.pictures.palette()
    voc = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128], [0, 128, 128]]
    voc += [[128, 128, 128], [64, 0, 0], [192, 0, 0], [64, 128, 0], [192, 128, 0], [64, 0, 128]]
    voc += [[192, 0, 128], [64, 128, 128], [192, 128, 128], [0, 64, 0], [128, 64, 0], [0, 192, 0]]
    voc += [[128, 192, 0], [0, 64, 128]]
    assert palette[:21].tolist() == voc
    assert palette[255].tolist() == [224, 224, 192]
    assert len({tuple(colour) for colour in palette.tolist()}) == 256


@pytest.fixture
def saved(harness: SimpleNamespace, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    harness.weights.save(tmp_path / "w.safetensors", harness.model.StandIn().state_dict())
    return tmp_path / "w.safetensors"


def test_files(harness: SimpleNamespace, saved: Path, dataset: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", image_of(7, 5))
    Image.new("RGB", (1, 1), (9, 9, 9)).save(tmp_path / "one.jpg")
    images = [str(dataset / "images/0.png"), str(tmp_path / "array.npy"), str(tmp_path / "one.jpg")]
    assert harness.predict.main([*images, "--weights", str(saved), "--out", str(tmp_path / "out")]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0.png", "0_overlay.png", "array.png", "one.png", "one_overlay.png"]
    with Image.open(tmp_path / "out/0.png") as labels, Image.open(tmp_path / "out/0_overlay.png") as overlay:
        assert labels.mode == "P" and labels.size == (24, 20) and overlay.mode == "RGB"
        assert labels.getpalette() == harness.pictures.palette().flatten().tolist()
        image = harness.images.read_image(dataset / "images/0.png", harness.reading.Reading())
        model = harness.model.StandIn()
        harness.weights.load(saved, model)
        assert np.array_equal(np.array(labels), harness.predict.labels_of(model.eval(), image))
        expected = (image.astype(int) + np.array(labels.convert("RGB"))) // 2
        expected[np.array(labels) == 0] = image[np.array(labels) == 0]
        assert np.array_equal(np.array(overlay)[:20, :24], expected)


def test_no_prediction_overwrites_another_or_an_image(
    harness: SimpleNamespace, saved: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, a, b = tmp_path / "out", dataset / "images/0.png", tmp_path / "0.jpg"
    Image.new("RGB", (3, 3)).save(b)
    assert harness.predict.main([str(a), str(b), "--weights", str(saved), "--out", str(out)]) == 1
    assert capsys.readouterr().err == f"error: {b}: its {out}/0.png would overwrite that of {a}\n"
    c = tmp_path / "0_overlay.png"
    assert harness.predict.main([str(a), str(c), "--weights", str(saved), "--out", str(out)]) == 1
    assert capsys.readouterr().err == f"error: {c}: its {out}/0_overlay.png would overwrite that of {a}\n"
    assert harness.predict.main([str(a), "--weights", str(saved), "--out", str(a.parent)]) == 1
    assert capsys.readouterr().err == f"error: {a}: its {a} would overwrite an input image\n"
    assert not out.exists()


def test_bad_input(harness: SimpleNamespace, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main, out = harness.predict.main, str(tmp_path / "out")
    (tmp_path / "x.png").write_bytes(b"")
    assert main([str(tmp_path / "x.png"), "--weights", str(saved), "--out", out]) == 1
    assert main([str(tmp_path / "y.png"), "--weights", str(saved), "--out", out]) == 1
    assert main([str(tmp_path / "x.png"), "--weights", str(tmp_path / "none.pt"), "--out", out]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/x.png: cannot be read: cannot identify image file\n"
        f"error: {tmp_path}/y.png: no such file\n"
        f"error: {tmp_path}/none.pt: no such file\n"
    )
    assert not (tmp_path / "out").exists()


def test_heads(special: Any, tmp_path: Path) -> None:
    two = """
import torch
from torch import Tensor, nn

class StandIn(nn.Conv2d):
    def __init__(self) -> None:
        super().__init__(3, 3, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"semantic": super().forward(image), "geometric": -super().forward(image)}
"""
    harness = special(network=two, heads={"semantic": 3, "geometric": 3})
    model, image = harness.model.StandIn().eval(), image_of(3, 4)
    default = harness.predict.scores_of(model, image)
    assert torch.equal(default, harness.predict.scores_of(model, image, "semantic"))
    assert torch.equal(default, -harness.predict.scores_of(model, image, "geometric"))


def test_more_classes_than_a_palette_has_are_written_as_grey_labels(special: Any) -> None:
    harness = special(heads={"output": 300})
    assert np.array(harness.pictures.label_image(np.array([[0, 299]]), 300)).tolist() == [[0, 299]]


def test_a_link_to_itself_is_one_line(harness: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = tmp_path / "loop.png"
    loop.symlink_to(loop)
    harness.weights.save(tmp_path / "w.pt", harness.model.StandIn().state_dict())
    assert harness.predict.main(["--weights", str(tmp_path / "w.pt"), str(loop), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == f"error: {loop}: cannot be read: Too many levels of symbolic links\n"


def test_predict_says_what_it_wrote(harness: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harness.weights.save(dataset / "w.pt", harness.model.StandIn().state_dict())
    image, out = str(dataset / "images/0.png"), dataset / "out"
    assert harness.predict.main(["--weights", str(dataset / "w.pt"), image, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}/0.png\n"
