"""Training on whole images: the gradient by tiles is that of the whole at once."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: SIZE}\nlayers:\n"
NETWORKS = {
    "batch": HEAD.replace("SIZE", "32") + """
  - a: {conv: 4, kernel: 3, pad: same, bias: no, norm: batch, act: relu}
  - p: {pool: max, kernel: 2, stride: 2}
  - b: {conv: 4, kernel: 3, pad: 2, dilation: 2, bias: no, norm: batch, act: relu}
  - c: {conv: 4, kernel: 3, pad: same, bias: no, norm: batch, act: tanh, from: p}
  - sum: {add: [b, c]}
  - d: {conv: 4, kernel: 3, pad: same, bias: no, norm: batch, act: relu}
  - score: {conv: 2, kernel: 1}
  - up: {resize: input}
""",
    "group": HEAD.replace("SIZE", "32") + """
  - a: {conv: 4, kernel: 3, pad: same, norm: {group: 2}, act: relu}
  - p: {pool: avg, kernel: 2, stride: 2}
  - b: {conv: 6, kernel: 3, pad: same, norm: instance, act: relu}
  - up: {deconv: 4, kernel: 2, stride: 2}
  - skip: {concat: [up, a]}
  - score: {conv: 2, kernel: 3, pad: same}
""",
    "coarse": HEAD.replace("SIZE", "46") + """
  - a: {conv: 4, kernel: 5, stride: 2, act: relu}
  - p: {pool: max, kernel: 3, stride: 2, pad: 1}
  - b: {conv: 4, kernel: 3, act: relu}
  - score: {conv: 3, kernel: 1}
""",
}  # fmt: skip
SHORT = ("batch", "group", "coarse")


def pairs(folder: Path, classes: int, *sizes: tuple[int, int]) -> list[tuple[Path, Path]]:
    """Images of noise, and masks of noise of which a tenth is ignored."""
    rng = np.random.default_rng(0)
    found = []
    for i, size in enumerate(sizes):
        mask = np.where(rng.random(size) < 0.1, 255, rng.integers(0, classes, size)).astype(np.uint8)
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{i}.png")
        Image.fromarray(mask).save(folder / f"m{i}.png")
        found.append((folder / f"{i}.png", folder / f"m{i}.png"))
    return found


def step_of(side: Any, images: list[Any], frozen: bool, tiled: bool = True) -> tuple[float, dict[str, np.ndarray], int]:
    """The loss of a step, the gradient by each weight with the running statistics after it, and the tiles."""
    import torch

    net = side.modules
    torch.manual_seed(0)
    model = net.model.Net().double()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if name.endswith("norm.weight") else 0.0, 0.3)
    model.train(not frozen)
    batches = net.batches.Batches([], len(images), (0, 0), 7, net.reading.Reading())
    whole = net.sweeps.whole_size(images[0][0].shape[:2])
    bytes_ = net.sweeps.BYTES * math.prod(smallest(net, whole)) + 4 * sum(p.nbytes for p in model.parameters())
    run = net.whole_image.WholeImages(model, batches, net.data.HEAD, bytes_ if tiled else math.inf)
    loss = run.backward(images, 3)
    found = {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}
    found |= {name: buffer.numpy() for name, buffer in model.named_buffers()}
    return float(loss), found, len(run.tiles(images[0][0]))


def at_once(side: Any, images: list[Any], frozen: bool) -> tuple[float, dict[str, np.ndarray]]:
    """The same by the model's own pass over the whole images of a batch, all of one size."""
    import torch

    net = side.modules
    torch.manual_seed(0)
    model = net.model.Net().double()
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, 1.0 if name.endswith("norm.weight") else 0.0, 0.3)
    model.train(not frozen)
    whole = net.sweeps.whole_size(images[0][0].shape[:2])
    (tile,) = net.sweeps.plan(whole, whole)
    x = torch.from_numpy(np.stack([net.data.normalise(net.sweeps.read_tile(image, tile)) for image, _ in images]))
    labels = torch.from_numpy(np.stack([labels for _, labels in images]))
    scores = net.predict.at_pixels(model(x.double()), net.sweeps.under(whole))
    loss = net.losses.loss_of(scores, labels, 255)
    loss.backward()
    found = {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}
    return float(loss.detach()), found | {name: buffer.numpy() for name, buffer in model.named_buffers()}


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], least: float = 1e-12) -> None:
    """To a part of the largest number of all gradients, or of all statistics, of each tensor."""
    assert a.keys() == b.keys()
    largest = max(np.abs(value).max() for name, value in b.items() if "running" not in name and "tracked" not in name)
    for name, value in b.items():
        assert np.abs(a[name] - value).max() <= least * max(largest, np.abs(value).max()), name


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("name", SHORT)
def test_the_gradient_by_tiles_is_that_of_the_whole_at_once(
    built: Any, tmp_path: Path, name: str, frozen: bool
) -> None:
    side = built("torch", NETWORKS[name])
    net = side.modules
    classes = net.data.CLASSES
    batches = net.batches.Batches(pairs(tmp_path, classes, (70, 90), (70, 90)), 2, (0, 0), 0, net.reading.Reading())
    images = batches.whole(0)
    loss, found, tiles = step_of(side, images, frozen)
    expected, wanted = at_once(side, images, frozen)
    assert tiles >= 6
    assert math.isclose(loss, expected, rel_tol=1e-13)
    assert_same(found, wanted)


def smallest(net: Any, whole: tuple[int, int]) -> tuple[int, int]:
    """About the smallest tiles of which each gives much."""
    room = 0.0
    while True:
        room += 64 * net.sweeps.BYTES
        try:
            window = net.sweeps.window_of(whole, room)
        except net.files.InputError:
            continue
        if len(net.sweeps.plan(whole, window)) < 30:
            return window
