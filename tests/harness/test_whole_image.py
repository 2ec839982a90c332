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
DROPPED = HEAD.replace("SIZE", "32") + """
  - a: {conv: 4, kernel: 3, pad: same, norm: batch, act: relu, drop: 0.3}
  - p: {pool: max, kernel: 2, stride: 2}
  - b: {conv: 4, kernel: 3, pad: same, drop: {spatial: 0.4}}
  - c: {conv: 4, kernel: 3, pad: same}
  - d: {dropout: {path: 0.5}}
  - sum: {add: [b, d]}
  - e: {conv: 8, kernel: 3, pad: same, act: relu, drop: 0.5}
  - score: {conv: 2, kernel: 1}
"""
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
    room = smallest(net, whole) + 4 * sum(parameter.nbytes for parameter in model.parameters())
    run = net.whole_image.WholeImages(model, batches, net.data.HEAD, room if tiled else math.inf)
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


def smallest(net: Any, whole: tuple[int, int]) -> float:
    """The bytes of about the smallest tiles of which each gives much."""
    room = 0.0
    while True:
        room += 2**14
        try:
            window = net.sweeps.window_of(whole, room)
        except net.files.InputError:
            continue
        if len(net.sweeps.plan(whole, window)) < 30:
            return room


@pytest.mark.parametrize("name", SHORT)
def test_each_position_of_each_map_is_one_tiles_own(built: Any, name: str) -> None:
    net = built("torch", NETWORKS[name]).modules
    whole = net.sweeps.whole_size((70, 90))
    tiles = net.sweeps.plan(whole, net.sweeps.window_of(whole, smallest(net, whole)))
    grids = [net.sweeps.SCORES, *(norm.grid for norm in net.sweeps.NORMS)]
    for grid in grids[1:]:
        seen = np.zeros([grid.extent(a, whole[a]) for a in (0, 1)], int)
        for tile in tiles:
            spans = zip(tile.own(grid), map(grid.moved, (0, 1), tile.origin), strict=True)
            seen[tuple(slice(span.start + first, span.stop + first) for span, first in spans)] += 1
        assert (seen == 1).all()
    labels = np.arange(math.prod(net.sweeps.under(whole))).reshape(net.sweeps.under(whole))
    own = np.concatenate([tile.own_labels(labels).ravel() for tile in tiles])
    assert np.array_equal(np.sort(own), labels.ravel())


def test_dropout_draws_a_place_alike_in_all_tiles(built: Any, tmp_path: Path) -> None:
    side = built("torch", DROPPED)
    net = side.modules
    batches = net.batches.Batches(pairs(tmp_path, 2, (70, 90), (50, 60)), 2, (0, 0), 0, net.reading.Reading())
    images = batches.whole(0)
    loss, found, tiles = step_of(side, images, frozen=False)
    whole_loss, whole, one = step_of(side, images, frozen=False, tiled=False)
    assert tiles >= 6 and one == 1
    assert math.isclose(loss, whole_loss, rel_tol=1e-13)
    assert_same(found, whole)


def test_dropout_draws_evenly_and_otherwise_for_other_keys(built: Any) -> None:
    import torch

    net = built("torch", DROPPED).modules
    spans = [range(64), range(5, 69)]
    one, other = (net.on_tile.draws(key, 8, spans, torch.device("cpu")) for key in (1, 2))
    assert one.shape == (8, 64, 64)
    for found in (one, other):
        assert abs(float((found < 0.3).double().mean()) - 0.3) < 0.0076  # three standard deviations
    both = float(((one < 0.3) & (other < 0.3)).double().mean())
    beside = float(((one[:, :, 1:] < 0.3) & (one[:, :, :-1] < 0.3)).double().mean())
    assert abs(both - 0.09) < 0.005 and abs(beside - 0.09) < 0.005
