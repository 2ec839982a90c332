"""Training on whole images: the gradient by tiles is that of the whole at once."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segcompile.compiler import analyse_graph
from segcompile.text.errors import Findings

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
DROPPED = (
    HEAD.replace("SIZE", "32")
    + """
  - a: {conv: 4, kernel: 3, pad: same, norm: batch, act: relu, drop: 0.3}
  - p: {pool: max, kernel: 2, stride: 2}
  - b: {conv: 4, kernel: 3, pad: same, drop: {spatial: 0.4}}
  - c: {conv: 4, kernel: 3, pad: same}
  - d: {dropout: {path: 0.5}}
  - sum: {add: [b, d]}
  - e: {conv: 8, kernel: 3, pad: same, act: relu, drop: 0.5}
  - score: {conv: 2, kernel: 1}
"""
)
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


def random(shape: tuple[int, ...], name: str) -> np.ndarray:
    """A weight, or the scale of a norm."""
    found = np.random.default_rng(len(name)).normal(0.0, 0.3, shape)
    return found + 1 if "scale" in name or name.endswith("norm.weight") else found


class OfTorch:
    """A model of random weights in float64, and its gradients."""

    def __init__(self, side: Any, frozen: bool) -> None:
        import torch

        self.net, self.model = side.modules, side.modules.model.Net().double()
        for name, parameter in self.model.named_parameters():
            parameter.data = torch.from_numpy(random(tuple(parameter.shape), name))
        self.model.train(not frozen)

    def found(self, loss: Any) -> tuple[float, dict[str, np.ndarray]]:
        grads = {name: parameter.grad.numpy() for name, parameter in self.model.named_parameters()}
        return float(loss.detach()), grads | {name: buffer.numpy() for name, buffer in self.model.named_buffers()}

    def by_tiles(self, images: list[Any], room: float) -> tuple[float, dict[str, np.ndarray]]:
        batches = self.net.batches.Batches([], len(images), (0, 0), 7, self.net.reading.Reading())
        taken = 4 * sum(parameter.nbytes for parameter in self.model.parameters())
        run = self.net.whole_image.WholeImages(self.model, batches, self.net.data.HEAD, room + taken)
        return self.found(run.backward(images, 3))

    def at_once(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        import torch

        outputs = self.model(torch.from_numpy(images).double())
        scores = self.net.predict.at_pixels(self.net.predict.head_of(outputs, self.net.data.HEAD), labels.shape[1:])
        loss = self.net.losses.loss_of(scores, torch.from_numpy(labels), 255)
        loss.backward()
        return self.found(loss)


class OfJax:
    """The same in JAX, within `enable_x64`."""

    def __init__(self, side: Any, frozen: bool) -> None:
        import jax.numpy as jnp
        from flax import nnx

        self.net, self.model = side.modules, side.modules.model.Net(rngs=nnx.Rngs(0))
        self.model.eval() if frozen else self.model.train()
        for path, variable in nnx.to_flat_state(nnx.state(self.model, (nnx.Param, nnx.BatchStat))):
            name = ".".join(map(str, path))
            start = random(variable.shape, name) if isinstance(variable, nnx.Param) else np.asarray(variable[...])
            variable.set_value(jnp.asarray(start, np.float64))
        self.parts = nnx.split(self.model, nnx.Param, nnx.BatchStat, ...)

    def found(self, loss: Any, *states: Any) -> tuple[float, dict[str, np.ndarray]]:
        from flax import nnx

        flat = {path: variable for state in states for path, variable in nnx.to_flat_state(state)}
        kinds = {"mean": "running", "var": "running"}
        named = {".".join(map(str, [*path, kinds.get(path[-1], "")])): value[...] for path, value in flat.items()}
        return float(loss), {name: np.asarray(value) for name, value in named.items()}

    def by_tiles(self, images: list[Any], room: float) -> tuple[float, dict[str, np.ndarray]]:
        import jax
        import optax

        graph, weights, statistics, rest = self.parts
        batches = self.net.batches.Batches([], len(images), (0, 0), 7, self.net.reading.Reading())
        taken = 4 * sum(leaf.nbytes for leaf in jax.tree.leaves(weights))
        run = self.net.whole_image.WholeImages(graph, batches, optax.sgd(1.0), self.net.data.HEAD, room + taken)
        return self.found(*run.gradient(weights, statistics, rest, images, 3))

    def at_once(self, images: np.ndarray, labels: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        import jax
        from flax import nnx

        graph, weights, statistics, rest = self.parts

        def loss(weights: Any) -> Any:
            model = nnx.merge(graph, weights, statistics, rest, copy=True)
            outputs = model(np.moveaxis(images, 1, -1).astype(np.float64))
            scores = self.net.predict.at_pixels(outputs, labels.shape[1:])
            return self.net.losses.loss_of(scores, labels, 255), nnx.state(model, nnx.BatchStat)

        (value, after), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
        return self.found(value, gradient, after)


@contextmanager
def in_float64(backend: str) -> Iterator[None]:
    """Arrays of JAX may have 64 bits meanwhile."""
    if backend == "torch":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], least: float = 1e-12) -> None:
    """To a part of the largest number of all gradients, or of all statistics, of each tensor."""
    assert a.keys() == b.keys()
    largest = max(np.abs(value).max() for name, value in b.items() if "running" not in name and "tracked" not in name)
    for name, value in b.items():
        assert np.abs(a[name] - value).max() <= least * max(largest, np.abs(value).max()), name


@pytest.mark.parametrize("backend", [OfTorch, pytest.param(OfJax, marks=pytest.mark.long)])
@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("name", SHORT)
def test_the_gradient_by_tiles_is_that_of_the_whole_at_once(
    built: Any, tmp_path: Path, name: str, frozen: bool, backend: Any
) -> None:
    side = built({OfTorch: "torch", OfJax: "jax"}[backend], NETWORKS[name])
    net = side.modules
    made = pairs(tmp_path, net.data.CLASSES, (70, 90), (70, 90))
    images = net.batches.Batches(made, 2, (0, 0), 0, net.reading.Reading()).whole(0)
    whole = net.sweeps.whole_size((70, 90))
    room = smallest(net, whole)
    assert len(net.sweeps.plan(whole, net.sweeps.window_of(whole, room))) >= 6
    (tile,) = net.sweeps.plan(whole, whole)
    x = np.stack([net.data.normalise(net.sweeps.read_tile(image, tile)) for image, _ in images])
    with in_float64(side.backend):
        loss, found = backend(side, frozen).by_tiles(images, room)
        expected, wanted = backend(side, frozen).at_once(x, np.stack([labels for _, labels in images]))
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
        if len(net.sweeps.plan(whole, window)) < 13:
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


@pytest.mark.parametrize("backend", [OfTorch, pytest.param(OfJax, marks=pytest.mark.long)])
def test_dropout_draws_a_place_alike_in_all_tiles(built: Any, tmp_path: Path, backend: Any) -> None:
    side = built({OfTorch: "torch", OfJax: "jax"}[backend], DROPPED)
    net = side.modules
    batches = net.batches.Batches(pairs(tmp_path, 2, (70, 90), (50, 60)), 2, (0, 0), 0, net.reading.Reading())
    images, room = batches.whole(0), smallest(net, net.sweeps.whole_size((70, 90)))
    with in_float64(side.backend):
        loss, found = backend(side, frozen=False).by_tiles(images, room)
        whole_loss, whole = backend(side, frozen=False).by_tiles(images, math.inf)
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


# Published networks of few channels, and images of several tiles. Batch norm is trained in the first, whose 14 lie one
# behind another.
PUBLISHED = {
    "unet3d": ((40, 48, 56), False), "segnet": ((360, 384), True), "unet": ((420, 460), True),
    "unetpp": ((300, 340), True), "attention_unet": ((360, 400), True), "fcn8s": ((520, 700), True),
    "hed": ((300, 340), True), "linknet": ((700, 760), True), "drn_c26": ((800, 880), True),
    "dilated8_voc": ((700, 900), True), "tcn": ((9000,), True),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_have_the_gradient_of_the_whole(nets: Any, tmp_path: Path, name: str) -> None:
    size, frozen = PUBLISHED[name]
    graph = nets.thin(nets.compiled(Path(__file__).parents[2] / f"specs/{name}.yaml").graph)
    found = analyse_graph(graph, Findings())
    for file, text in nets.source_of(found.graph, found.facts).items():
        (tmp_path / file).write_text(text)
    net, rng = nets.imported(tmp_path), np.random.default_rng(0)
    labels = np.where(rng.random(size) < 0.1, 255, rng.integers(0, net.data.CLASSES, size))
    image = rng.normal(size=(*size, net.data.CHANNELS)).astype(np.float32)
    images = [(image, net.sweeps.labels_under(labels, 255, False))]
    whole = net.sweeps.whole_size(size)
    room = smallest(net, whole)
    assert len(net.sweeps.plan(whole, net.sweeps.window_of(whole, room))) > 1
    (tile,) = net.sweeps.plan(whole, whole)
    x = net.data.normalise(net.sweeps.read_tile(image, tile))[None]
    side = SimpleNamespace(modules=net)
    loss, gradient = OfTorch(side, frozen).by_tiles(images, room)
    expected, wanted = OfTorch(side, frozen).at_once(x, images[0][1][None])
    assert math.isclose(loss, expected, rel_tol=1e-12)
    assert_same(gradient, wanted)
