"""An image is continued as the spec says, and labels and predictions stay where they were: against brute force."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

SPEC = """segcompile: 1
model: net
input: {{channels: 3, size: 40}}
layers:
  - score: {{conv: 3, kernel: {kernel}, stride: {stride}, pad: {pad}}}
training: {{input_padding: {{{mode}: {padding}}}{more}}}
"""
NUMPY = {"reflect": "reflect", "edge": "edge", "zero": "constant"}
CASES = [  # kernel, pad, input padding: what the outputs need, more, less; more, under padding of the network
    (5, 0, (2, 2)), (5, 0, (6, 4)), (9, 0, (1, 3)), (5, 2, (3, 1)), (7, 1, (9, 40)), (1, 0, (4, 4)),
]  # fmt: skip


def spec(mode: str, padding: tuple[int, int], kernel: int, pad: int = 0, stride: int = 1, more: str = "") -> str:
    return SPEC.format(mode=mode, padding=list(padding), kernel=kernel, pad=pad, stride=stride, more=more)


@pytest.mark.parametrize("backend", ["torch", "jax"])
@pytest.mark.parametrize("mode", NUMPY)
@pytest.mark.parametrize(("kernel", "pad", "padding"), CASES)
def test_every_pixels_score_is_that_of_the_padded_image(
    built: Any, tmp_path: Path, backend: str, mode: str, kernel: int, pad: int, padding: tuple[int, int]
) -> None:
    side = built(backend, spec(mode, padding, kernel, pad))
    side.save(tmp_path / "w.safetensors", side.model())
    model = side.load(tmp_path / "w.safetensors")
    tensors = side.tensors(model)
    image = np.random.default_rng(0).integers(0, 256, (13, 11, 3)).astype(np.uint8)
    network = (image / 255 - side.modules.data.MEAN) / side.modules.data.STD
    reach = (kernel - 1) // 2 - pad  # pixels that the outputs need around the image
    height, width = (max(size, reach) for size in padding)
    network = np.pad(network, ((height, height), (width, width), (0, 0)), NUMPY[mode])  # as the spec says
    network = np.pad(network, ((pad, pad), (pad, pad), (0, 0)))  # as the network does
    windows = np.lib.stride_tricks.sliding_window_view(network, (kernel, kernel), (0, 1))
    outputs = np.einsum("hwcij,ocij->hwo", windows, tensors["score.weight"]) + tensors["score.bias"]
    expected = outputs[height - reach :, width - reach :][:13, :11]  # output p lies over padded pixel p + reach
    np.testing.assert_allclose(side.scores(model, image), expected, atol=1e-4)


@pytest.mark.parametrize("mode", NUMPY)
@pytest.mark.parametrize("padding", [(3, 3), (7, 4), (0, 9)])
def test_shift_and_stitch_is_of_the_padded_image(built: Any, mode: str, padding: tuple[int, int]) -> None:
    side = built("torch", spec(mode, padding, 7, stride=3))
    model, image = side.model(), np.random.default_rng(0).integers(0, 256, (13, 11, 3)).astype(np.uint8)
    kernel, bias = (tensor.numpy() for tensor in (model.score.weight.detach(), model.score.bias.detach()))

    def scores(part: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(side.modules.data.normalise(part))[None]
        return model(images)[0].detach().permute(1, 2, 0).numpy()

    network = (image / 255 - side.modules.data.MEAN) / side.modules.data.STD
    network = np.pad(network, ((3, 3), (3, 3), (0, 0)), NUMPY[mode])
    windows = np.lib.stride_tricks.sliding_window_view(network, (7, 7), (0, 1))
    expected = np.einsum("hwcij,ocij->hwo", windows, kernel) + bias
    np.testing.assert_allclose(side.modules.dense.shift_and_stitch(scores, image), expected, atol=1e-4)


def sampled(folder: Path, batches: Any, **fields: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Samples of an image whose channels are row, column and 1, with the number of each pixel for a label."""
    rows, columns = np.mgrid[:20, :24]
    np.save(folder / "image.npy", np.stack([rows, columns, np.ones_like(rows)], -1).astype(np.float32))
    np.save(folder / "mask.npy", 24 * rows + columns)
    reading = batches.Reading(480, (999,))
    made = batches.Batches([(folder / "image.npy", folder / "mask.npy")], 1, seed=3, reading=reading, **fields)
    return [made.sample(position) for position in range(300)]


@pytest.mark.parametrize("mode", NUMPY)
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(5, 1, (2, 2)), (7, 2, (5, 3)), (4, 4, (3, 6)), (9, 1, (0, 2))]
)
def test_labels_are_those_of_the_pixels_under_the_output(
    built: Any, tmp_path: Path, mode: str, kernel: int, stride: int, padding: tuple[int, int]
) -> None:
    """Every crop of the padded image comes up; its labels are the image's, and none counts in the padding."""
    modules = built("torch", spec(mode, padding, kernel, stride=stride)).modules
    crop = modules.data.legal_size((17, 14))
    (top, left), starts = modules.data.OFFSET, set()
    for image, labels in sampled(tmp_path, modules.batches, crop=crop, mirror=False):
        assert image.shape == (3, *crop)
        under = image[:, top : top + labels.shape[0], left : left + labels.shape[1]]
        seen = labels != 999
        np.testing.assert_array_equal(labels[seen], (24 * under[0] + under[1])[seen])
        assert seen.any()
        row, column = np.argwhere(seen)[0]
        start = labels[row, column] // 24 - row - top, labels[row, column] % 24 - column - left
        starts.add(start)
        places = [np.arange(crop[a]) + start[a] for a in (0, 1)]
        inside = [(place >= 0) & (place < size) for place, size in zip(places, (20, 24), strict=True)]
        there = np.outer(*inside)
        np.testing.assert_array_equal(seen, there[top : top + seen.shape[0], left : left + seen.shape[1]])
        if mode == "zero":
            np.testing.assert_array_equal(image[2] == 1, there)
        elif mode == "edge":
            rows = np.broadcast_to(places[0].clip(0, 19)[:, None], crop)
            np.testing.assert_array_equal(image[0], rows)
    for axis in (0, 1):
        pad = max(padding[axis], modules.data.OFFSET[axis])
        assert {start[axis] for start in starts} == set(range(-pad, (20, 24)[axis] + pad - crop[axis] + 1))


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_summed_loss_is_the_mean_times_the_pixels_that_count(built: Any, dataset: Path, backend: str) -> None:
    side = built(backend, spec("edge", (2, 2), 3, more=", loss: {cross_entropy: {reduction: sum}}"))
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(2, 4, 5, 3)).astype(np.float32), rng.integers(0, 3, (2, 4, 5))
    labels[0, :2] = 255
    assert side.loss(scores, labels, "sum") == pytest.approx(30 * side.loss(scores, labels, "mean"))
    assert side.loss(scores, np.full((2, 4, 5), 255), "sum") == 0
    assert side.modules.flags.arguments_of(["--out", "x"]).reduction == "sum"
    assert side.train(dataset, "a", "--steps", "1", "--lr", "1e-6") == 0
    assert side.train(dataset, "b", "--steps", "1", "--lr", "1e-6", "--reduction", "mean") == 0
    first, second = (side.learnt(dataset, out)["score.bias"] for out in "ab")
    assert not np.array_equal(first, second)


def test_a_sampled_loss_leaves_out_whole_output_pixels(built: Any, tmp_path: Path) -> None:
    more = ", loss: {cross_entropy: {keep: 0.3}}"
    modules = built("torch", spec("reflect", (0, 0), 4, stride=4, more=more)).modules
    fields = {"crop": (16, 20), "mirror": False}
    every = sampled(tmp_path, modules.batches, **fields)
    some = sampled(tmp_path, modules.batches, keep=0.3, **fields)
    kept = []
    for (image, labels), (same, fewer) in zip(every, some, strict=True):
        np.testing.assert_array_equal(image, same)
        blocks = (fewer != 999).reshape(4, 4, 5, 4)
        np.testing.assert_array_equal(blocks.all((1, 3)), blocks.any((1, 3)))
        np.testing.assert_array_equal(np.where(fewer != 999, labels, 999), fewer)
        kept.append(blocks.mean())
    assert np.mean(kept) == pytest.approx(0.3, abs=0.05) and np.ptp(kept) > 0
    assert modules.flags.arguments_of(["--out", "x"]).keep == 0.3
    for share in ("0", "1.1", "nan"):
        with pytest.raises(SystemExit, match="2"):
            modules.flags.arguments_of(["--out", "x", "--keep", share])


def test_a_padding_of_nothing_chooses_how_images_are_continued(built: Any) -> None:
    data: SimpleNamespace = built("torch", spec("edge", (0, 0), 5)).modules.data
    assert not hasattr(data, "PADDING")
    assert data.window(np.arange(3.0)[:, None], -2, 0, (7, 1))[:, 0].tolist() == [0, 0, 0, 1, 2, 2, 2]
