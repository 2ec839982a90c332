"""The harness of signals and volumes, which are .npy files: read, cropped, mirrored, scaled, trained on, drawn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

BACKENDS = pytest.mark.parametrize("backend", ["torch", "jax"])
RANKS = pytest.mark.parametrize("rank", [1, 3])
TORCH = """
from torch import nn

class StandIn(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv{rank}d(1, 8, 3, padding=1), nn.BatchNorm{rank}d(8), nn.ReLU(), nn.Dropout(0.1),
            nn.Conv{rank}d(8, 3, 1),
        )
"""
FLAX = """
import jax
from flax import nnx


class StandIn(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.hidden = nnx.Conv(1, 8, {kernel}, rngs=rngs)
        self.score = nnx.Conv(8, 3, {point}, rngs=rngs)

    def __call__(self, image: jax.Array) -> jax.Array:
        x: jax.Array = self.score(jax.nn.relu(self.hidden(image)))
        return x
"""
# One tap of a convolution without padding: the scores of an output are the channels of the pixel it lies over.
TAP = """
import torch
from torch import Tensor, nn

class StandIn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tap = nn.Conv{rank}d(1, 2, {kernel}, stride={stride}, bias=False)
        nn.init.zeros_(self.tap.weight)
        with torch.no_grad():
            self.tap.weight[(0, 0, *({offset},) * {rank})] = 1

    def forward(self, image: Tensor) -> Tensor:
        return self.tap(image)
"""


def network(rank: int, backend: str) -> str:
    return {"torch": TORCH, "jax": FLAX}[backend].format(rank=rank, kernel=(3,) * rank, point=(1,) * rank)


def along(value: Any, rank: int) -> tuple[Any, ...]:
    return (value,) * rank


@pytest.fixture(scope="session")
def arrays(special: Callable[..., SimpleNamespace]) -> Callable[..., SimpleNamespace]:
    """The harness of a network on one grey channel, by its rank and backend, with other variables."""

    def build(rank: int, backend: str = "torch", **changes: Any) -> SimpleNamespace:
        usual = {
            "network": network(rank, backend), "size": along(8, rank), "output": along(8, rank), "channels": 1,
            "stride": along(1, rank), "offset": along(0, rank), "centre": along(0.0, rank),
            "multiple": along(1, rank), "least": along(1, rank),
        }  # fmt: skip
        return special(backend=backend, **{**usual, **changes})

    return build


def pair(folder: Path, name: str, rank: int, seed: int = 0) -> Path:
    """A noisy signal or volume of two levels on nothing, and its mask; 255 in a corner. The length of axis a is
    10 + a."""
    rng = np.random.default_rng(seed)
    size = tuple(10 + a for a in range(rank))
    labels = np.zeros(size, np.uint8)
    labels[(slice(2, 6),) * rank] = 1
    labels[(slice(6, 9),) * rank] = 2
    image = labels + rng.normal(0, 0.1, size)
    labels[(0,) * rank] = 255
    np.save(folder / f"{name}.npy", image[..., None].astype(np.float32))
    np.save(folder / f"{name}_mask.npy", labels)
    return folder / f"{name}.npy"


@pytest.fixture
def data(tmp_path: Path) -> Callable[[int], Path]:
    """A list of four pairs."""

    def write(rank: int) -> Path:
        for number in range(4):
            pair(tmp_path, str(number), rank, number)
        (tmp_path / "list.txt").write_text("".join(f"{i}.npy {i}_mask.npy\n" for i in range(4)))
        return tmp_path / "list.txt"

    return write


@BACKENDS
@RANKS
def test_a_signal_or_a_volume_is_trained_evaluated_predicted_and_drawn(
    arrays: Callable[..., SimpleNamespace],
    data: Callable[[int], Path],
    backend: str,
    rank: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    harness, path = arrays(rank, backend), data(rank)
    last = {"torch": "last.pt", "jax": "last"}[backend]
    mirrors = [f"--mirror-{axis}" for axis in (["length"] if rank == 1 else ["depth", "height", "width"])]
    flags = ["--list", str(path), "--val", str(path), "--device", "cpu", "--scale", "0.9", "1.1", *mirrors]
    flags += ["--schedule", "fixed", "--lr", "0.1", "--out", str(path.parent / "run")]
    assert harness.train.main([*flags, "--steps", "60"]) == 0
    printed = capsys.readouterr().out
    size = " x ".join("8" * rank)
    assert re.search(f"\ncrop: {size}, of which [0-9]+ % is image\n", printed)
    unit = {1: "sample", 3: "voxel"}[rank]
    assert f"list.txt: 4 masks, {4 * np.prod([10 + a for a in range(rank)])} {unit}s\n" in printed
    weights = str(path.parent / "run" / last)
    assert harness.evaluate.main(["--weights", weights, "--list", str(path), "--device", "cpu"]) == 0
    table = capsys.readouterr().out
    assert float(re.search(r"mean IU +([0-9.]+)", table)[1]) > 80
    out = path.parent / "out"
    images = [str(path.parent / f"{i}.npy") for i in (0, 1)]
    assert harness.predict.main(["--weights", weights, *images, "--out", str(out), "--device", "cpu"]) == 0
    labels, mask = np.load(out / "0_labels.npy"), np.load(path.parent / "0_mask.npy")
    assert labels.shape == mask.shape and labels.dtype == np.uint8
    assert (labels == mask)[mask != 255].mean() > 0.9
    with Image.open(out / "0_labels.png") as picture:
        colours = {tuple(colour) for colour in np.array(picture.convert("RGB")).reshape(-1, 3)}
        assert len(colours) > 4
        if rank == 3:  # slices of 11 x 12, 10 x 12 and 10 x 11, framed, twice, over the legend
            assert picture.width == (12 + 4) + (12 + 4) + (11 + 4) or picture.width > 47
            assert picture.height > 2 * (11 + 4)


@RANKS
@pytest.mark.parametrize(("mode", "numpys"), [("reflect", "reflect"), ("edge", "edge"), ("zero", "constant")])
def test_a_window_is_what_numpy_pads(arrays: Callable[..., SimpleNamespace], rank: int, mode: str, numpys: Any) -> None:
    window = arrays(rank, training={"padding_mode": mode}).data.window
    array = np.random.default_rng(0).integers(1, 9, (5, 4, 3)[:rank])

    @given(st.data())
    def check(draw: st.DataObject) -> None:
        start = tuple(draw.draw(st.integers(-9, 9)) for _ in range(rank))
        size = tuple(draw.draw(st.integers(1, 9)) for _ in range(rank))
        around = np.pad(array, 20, mode=numpys)
        part = tuple(slice(20 + first, 20 + first + count) for first, count in zip(start, size, strict=True))
        np.testing.assert_array_equal(window(array, start, size), around[part])
        filled = np.pad(array, 20, constant_values=7)
        np.testing.assert_array_equal(window(array, start, size, 7), filled[part])

    check()


@RANKS
def test_a_scaled_crop_is_linear_between_the_samples_and_its_labels_are_the_nearest(
    arrays: Callable[..., SimpleNamespace], rank: int
) -> None:
    resize = arrays(rank).batches.resize
    places = np.stack(np.meshgrid(*[np.arange(n) for n in (6, 4, 8)[:rank]], indexing="ij"), -1).astype(np.float32)
    image, labels = resize(places, places[..., 0].astype(np.int64), along(12, rank))
    assert labels.shape == along(12, rank) and image.shape == (*along(12, rank), rank)
    for a, length in enumerate((6, 4, 8)[:rank]):
        wanted = np.clip((np.arange(12) + 0.5) * length / 12 - 0.5, 0, length - 1)
        line = np.moveaxis(image[..., a], a, -1).reshape(-1, 12)
        np.testing.assert_allclose(line, np.broadcast_to(wanted, line.shape), atol=1e-6)
    assert (labels == np.arange(12).reshape(-1, *[1] * (rank - 1)) // 2).all()
    bytes_ = resize(places.astype(np.uint8), labels[along(slice(1), rank)], along(3, rank))[0]
    assert bytes_.dtype == np.uint8


def test_each_axis_is_mirrored_by_a_flag_of_its_own(
    arrays: Callable[..., SimpleNamespace], data: Callable[[int], Path]
) -> None:
    harness, path = arrays(3), data(3)
    reading = harness.reading.Reading()
    image = np.arange(8**3).reshape(8, 8, 8, 1)
    for mirror in itertools.product([False, True], repeat=3):
        batches = harness.batches.Batches([(path, path)], 1, (8, 8, 8), 0, reading, mirror)
        seen = set()
        for seed in range(99):
            crop, labels = batches.augment(image, image[..., 0], np.random.default_rng(seed))
            assert (crop[..., 0] == labels).all()
            seen.add(int(crop[0, 0, 0, 0]))
        corners = itertools.product(
            *[(0, 7 * step) if on else (0,) for on, step in zip(mirror, (64, 8, 1), strict=True)]
        )
        assert seen == {sum(corner) for corner in corners}


@RANKS
@pytest.mark.parametrize(("kernel", "stride", "offset"), [(1, 1, 0), (5, 2, 2), (4, 4, 1), (7, 1, 3)])
@pytest.mark.parametrize("padded", [False, True])
def test_a_prediction_lies_on_its_image(
    arrays: Callable[..., SimpleNamespace], rank: int, kernel: int, stride: int, offset: int, padded: bool
) -> None:
    """Where an output is centred on a pixel, its score is that pixel's value, by interpolation and by shifts."""
    size, first = kernel + 3 * stride, max(0, offset - stride // 2)
    harness = arrays(
        rank, network=TAP.format(rank=rank, kernel=kernel, stride=stride, offset=offset), size=along(size, rank),
        output=along(4, rank), stride=along(stride, rank), offset=along(first, rank),
        centre=along(float(offset), rank), multiple=along(stride, rank), least=along(size, rank),
        padding=along(first + 3, rank) if padded else None, dense=True, shifts=stride**rank, heads={"output": 2},
    )  # fmt: skip
    model = harness.model.StandIn().eval()
    image = np.random.default_rng(0).normal(size=(*(9, 6, 7)[:rank], 1)).astype(np.float32)
    scores = harness.predict.scores_of(model, image)[0].numpy()
    assert scores.shape == image.shape[:-1]
    on = tuple(slice((offset - first) % stride if padded else offset - first, None, stride) for _ in range(rank))
    if padded and stride > 1:  # the image starts `padding - first` pixels under the outputs
        on = tuple(slice((offset - first - 3) % stride, None, stride) for _ in range(rank))
    np.testing.assert_allclose(scores[on], image[..., 0][on], atol=1e-6)

    def own(part: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return model(torch.from_numpy(harness.data.normalise(part))[None])[0].movedim(0, -1).numpy()

    dense = harness.dense.shift_and_stitch(own, image)
    np.testing.assert_allclose(dense[..., 0], image[..., 0], atol=1e-6)


EXPECTED = "expected numbers (depth, height, width, 1), found float32"
WRONG = {
    "channels": (np.zeros((10, 11, 12, 2), np.float32), None, f"{EXPECTED} (10, 11, 12, 2)"),
    "axes": (np.zeros((10, 11, 1), np.float32), None, f"{EXPECTED} (10, 11, 1)"),
    "infinite": (np.full((10, 11, 12, 1), np.inf), None, "holds a value that is not finite in 32 bits"),
    "deep": (
        np.full((10, 11, 12, 1), 900, np.int16), None,
        "its samples have more than 8 bits, and they go from 900 to 900; say how many they use: --bits 10, "
        "or save them as floats",
    ),
    "label": (
        None, np.full((10, 11, 12), 7),
        "label 7 (slice 0, row 0, column 0) is neither a class, 0 to 2, nor the ignored label, 255",
    ),
    "floats": (
        None, np.zeros((10, 11, 12)),
        "expected whole numbers (depth, height, width), found float64 (10, 11, 12)",
    ),
    "size": (
        None, np.zeros((10, 12, 11), int),
        "the mask is 10 x 12 x 11 (depth x height x width), its image {image} is 10 x 11 x 12",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_volume_is_said(arrays: Callable[..., SimpleNamespace], tmp_path: Path, case: str) -> None:
    harness, image = arrays(3), pair(tmp_path, "a", 3)
    mask, (wrong_image, wrong_mask, message) = tmp_path / "a_mask.npy", WRONG[case]
    for path, array in ((image, wrong_image), (mask, wrong_mask)):
        if array is not None:
            np.save(path, array)
    at = mask if wrong_image is None else image
    with pytest.raises(harness.files.InputError) as error:
        harness.pairs.read_pair((image, mask), harness.reading.Reading())
    assert str(error.value) == f"{at}: {message.format(image=image)}"


def test_a_volume_is_an_npy_file_and_its_map_names_labels(
    arrays: Callable[..., SimpleNamespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness = arrays(3)
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(harness.files.InputError, match=r"a\.png: images and masks of this network are \.npy arrays"):
        harness.images.read_image(tmp_path / "a.png", harness.reading.Reading())
    mapping = harness.reading.mapping
    assert mapping("255:1, 7:2", 3, (255,)) == ((255, 1), (7, 2))
    with pytest.raises(harness.files.InputError, match=r'--map "#ff0000:1": "#ff0000:1" is not like 255:1'):
        mapping("#ff0000:1", 3, (255,))
    (tmp_path / "list.txt").write_text("a.png a.png\n")
    for crop in (["8", "8"], ["40000"]):
        with pytest.raises(SystemExit):
            harness.flags.arguments_of(["--out", str(tmp_path / "o"), "--crop", *crop])
        told = capsys.readouterr().err.splitlines()[-1]
        wanted = "--crop: give one number, or depth, height and width, of at most 32768 voxels"
        assert told.endswith(f"error: {wanted}")
