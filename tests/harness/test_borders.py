"""What padding does to scores: the region of the loss, the report by distance, the split of one image."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

# Stride 2, a dilated layer whose padding is not the same at both ends, a resize of the scores.
NET = """segcompile: 1
model: net
input: {channels: 3, size: 48}
layers:
  - a: {conv: 4, kernel: 3, pad: same, act: relu, norm: batch}
  - p: {pool: avg, kernel: 2, stride: 2}
  - b: {conv: 4, kernel: 3, pad: [3, 1, 1, 3], dilation: 2, act: tanh}
  - score: {conv: 2, kernel: 1}
  - up: {resize: 2}
"""
COARSE = NET.replace("  - up: {resize: 2}\n", "").replace("pad: [3, 1, 1, 3]", "pad: 0")
CASES = pytest.mark.parametrize("text", [NET, COARSE], ids=["resized", "coarse"])


def scores(net: SimpleNamespace, image: np.ndarray) -> np.ndarray:
    """At every pixel under the output (H, W, C), in float64, of a model of random weights."""
    import torch

    torch.manual_seed(0)
    model = net.model.Net().eval().double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    under = net.batches.under_output(np.zeros(image.shape[:2])).shape
    with torch.inference_mode():
        found = net.predict.at_pixels(model(torch.from_numpy(image.transpose(2, 0, 1))[None]), under)
    return found[0].permute(1, 2, 0).numpy()


@CASES
@pytest.mark.parametrize("crop", [(48, 48), (56, 50)])
def test_a_clean_score_is_the_same_in_a_larger_image_and_its_neighbours_are_not(
    built: Any, text: str, crop: tuple[int, int]
) -> None:
    net = built("torch", text).modules
    image, (top, left) = np.random.default_rng(0).random((120, 120, 3)), (32, 36)
    part = scores(net, image[top : top + crop[0], left : left + crop[1]])
    whole = scores(net, image)[top : top + part.shape[0], left : left + part.shape[1]]
    same = np.abs(part - whole).max(2) < 1e-6  # at_pixels interpolates in float32
    spans = net.field.clean_spans(crop, ((0, crop[0]), (0, crop[1])))
    rows, columns = (
        slice(first - net.data.OFFSET[a], end - net.data.OFFSET[a]) for a, (first, end) in enumerate(spans)
    )
    clean = np.zeros_like(same)
    clean[rows, columns] = True
    assert clean.any() and same[clean].all()
    assert not same[~clean].any()


@CASES
def test_a_clean_score_sees_nothing_of_what_lies_around_the_image(built: Any, text: str) -> None:
    net, rng = built("torch", text).modules, np.random.default_rng(0)
    crop, inside = (64, 64), ((11, 64), (0, 57))
    one, other = rng.random((*crop, 3)), rng.random((*crop, 3))
    within = (slice(*inside[0]), slice(*inside[1]))
    other[within] = one[within]
    same = np.abs(scores(net, one) - scores(net, other)).max(2) < 1e-6
    labels = net.batches.under_output(net.field.keep_clean(np.zeros(crop, np.int64), inside, 255))
    assert (labels == 0).any() and same[labels == 0].all()


def test_a_mirrored_crop_leaves_out_what_sees_around_the_mirrored_image(built: Any, tmp_path: Path) -> None:
    net = built("torch", NET).modules
    Image.fromarray(np.zeros((60, 40, 3), np.uint8)).save(tmp_path / "i.png")
    Image.fromarray(np.ones((60, 40), np.uint8)).save(tmp_path / "m.png")
    pairs = [(tmp_path / "i.png", tmp_path / "m.png")]
    whole, clean = (
        net.batches.Batches(pairs, 1, (48, 48), 0, net.reading.Reading(), clean=clean) for clean in (False, True)
    )
    for step in range(8):  # of which some are mirrored
        labels = whole[step][1][0]
        columns = (labels == 1).any(0).nonzero()[0]  # where the crop is image; its rows all are
        inside = (0, 48), (int(columns[0]), int(columns[-1]) + 1)
        assert np.array_equal(clean[step][1][0], net.field.keep_clean(labels, inside, 255))


def test_the_rings_of_a_border_report_sum_to_the_whole_confusion_matrix(built: Any) -> None:
    net, rng = built("torch", NET).modules, np.random.default_rng(0)
    truth, labels = rng.integers(0, 2, (2, 90, 70))
    reading = net.reading.Reading()
    n = net.rings.confusion_by_ring(truth, labels, net.rings.RINGS, reading)
    assert len(n) == len(net.rings.RINGS) + 1 and n.sum((1, 2)).all()
    assert np.array_equal(n.sum(0), net.metrics.confusion(truth, labels, 2, 255))
    far = net.rings.FARTHEST
    inside = net.metrics.confusion(truth[far:-far, far:-far], labels[far:-far, far:-far], 2, 255)
    assert np.array_equal(n[-1], inside)


def test_evaluate_prints_the_report_and_the_same_metrics_as_without(
    side: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, model = np.random.default_rng(0), side.model()
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "i.png")
    Image.fromarray(rng.integers(0, 3, (20, 30), np.uint8)).save(tmp_path / "m.png")
    (tmp_path / "l.txt").write_text("i.png m.png\n")
    side.save(tmp_path / "w.safetensors", model)
    flags = ["--weights", str(tmp_path / "w.safetensors"), "--list", str(tmp_path / "l.txt"), "--device", "cpu"]
    assert side.modules.evaluate.main(flags) == 0
    plain = capsys.readouterr().out
    assert side.modules.evaluate.main([*flags, "--border-report"]) == 0
    table, report = capsys.readouterr().out.split("\n\ndistance from border")
    assert table.strip() == plain.strip()
    assert [int(line.split()[-3]) for line in report.splitlines()[1:-1]] == [96, 504]
    assert report.splitlines()[-1] == "from 1 pixels on no score sees what lies around the image"


def split(net: SimpleNamespace, folder: Path, size: tuple[int, int], *flags: str) -> int:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / "i.png")
    Image.fromarray(rng.integers(0, 2, size, np.uint8)).save(folder / "m.png")
    return net.scan.main(["split", str(folder / "i.png"), str(folder / "m.png"), "--out", str(folder / "out"), *flags])


@pytest.mark.parametrize("size", [(160, 60), (60, 160)])
def test_no_score_that_is_tested_sees_a_pixel_that_is_trained_on(
    built: Any, tmp_path: Path, size: tuple[int, int]
) -> None:
    net = built("torch", NET).modules
    assert split(net, tmp_path, size, "--test", "0.4") == 0
    reading = net.reading.Reading()
    (train,) = net.pairs.read_list(tmp_path / "out/train.txt", reading)
    (test,) = net.pairs.read_list(tmp_path / "out/test.txt", reading)
    (image, _), (tested, counted) = net.pairs.read_pair(train, reading), net.pairs.read_pair(test, reading)
    axis = int(np.argmax(size))
    whole = np.concatenate([image, tested], axis).astype(np.float64)
    assert np.array_equal(whole, np.asarray(Image.open(tmp_path / "i.png")))
    other = whole.copy()
    np.moveaxis(other, axis, 0)[: image.shape[axis]] = 7.0  # what was trained on
    same = np.abs(scores(net, whole) - scores(net, other)).max(2) < 1e-9
    same = np.moveaxis(same, axis, 0)[image.shape[axis] :]
    counted = np.moveaxis(counted, axis, 0) != 255
    assert same[counted].all() and counted.sum() > 0.3 * counted.size
    assert not same[~counted].all()  # a smaller buffer would not do


def test_a_split_is_not_written_over_a_folder_nor_without_room(
    built: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = built("torch", NET).modules
    assert split(net, tmp_path, (60, 30), "--buffer", "60") == 1
    assert "60 rows are too few for a buffer of 60 between two parts" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert split(net, tmp_path, (60, 30), "--buffer", "none") == 1
    assert "--buffer none: give a number of pixels, or auto" in capsys.readouterr().err
    assert split(net, tmp_path, (60, 30)) == 0
    assert split(net, tmp_path, (60, 30)) == 1
    assert "is there already; name a new folder" in capsys.readouterr().err
