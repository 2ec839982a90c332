"""Tiles of all bundled networks, and of random ones, give the whole image's scores and labels at every border."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.backend import BuildRequest, load_backend, run_backend
from segcompile.compiler import compile_spec
from segcompile.library import bundled
from segcompile.network.graph import Graph
from segcompile.network.training import Training
from segcompile.testing.networks import narrow, request_of, slim, with_outputs
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings, SegcompileError

VARIANTS = {"deeplabv3_r101": "os8", "esrgan_slim": "x2", "segformer": "b0", "u2net": "small"}
SHORT = ("blue_marble", "dilated_frontend", "unet")
SIDES = {1: (30, 60), 2: (16, 30), 3: (8, 14)}  # of a random network's image, by its rank
LARGEST = 6_000_000  # pixels of an image that is run
SPECS = [
    pytest.param(name, marks=[] if name in SHORT else pytest.mark.long)
    for name in sorted(path.stem for path in bundled().values())
]


def thin(name: str) -> BuildRequest | None:
    """A bundled network with few channels, and its padding of images; None for one of which that is not to be had."""
    path = {each.stem: each for each in bundled().values()}[name]
    try:
        compiled = compile_spec(path, Findings(), variant=VARIANTS.get(name))
    except SegcompileError:
        return None
    padding = compiled.spec.training.padding, compiled.spec.training.padding_mode
    for make in (lambda graph: slim(graph, 2), narrow):
        try:
            request = request_of(make(compiled.graph))
        except SegcompileError:
            continue
        return replace(request, training=replace(Training(), padding=padding[0], padding_mode=padding[1]))
    return None


def modules_of(request: BuildRequest, folder: Path, nets: Any) -> Any:
    """The modules of the folder that becomes of a network."""
    for name, text in run_backend(load_backend("torch"), request).files.items():
        (folder / name).write_text(str(text))
    return nets.imported(folder)


def sizes(modules: Any) -> Iterator[tuple[tuple[int, ...], int]]:
    """For each axis an image of a few tiles along it, and how large these are; small along the others."""
    data, tiles = modules.data, modules.tiles
    for axis in data.AXES:
        size = [1] * len(data.AXES)
        while True:
            whole = data.continued_size(tuple(size))[axis]
            if whole % tiles.STEP[axis] in tiles.MARGINS[axis]:
                least = tiles.least_along(axis, whole % tiles.STEP[axis])
                if whole > least + 2 * tiles.STEP[axis] + 2:
                    break
                size[axis] = max(size[axis], size[axis] + least - whole)
            size[axis] += 1
        if np.prod(data.continued_size(tuple(size))) <= LARGEST:
            yield tuple(size), least


def check(modules: Any, size: Sequence[int], most: int) -> int:
    """Assert that tiles give the whole image's scores, and its labels; how many tiles there were.

    The model computes in float64, so that the order of its sums is not seen; what it gives is float32.
    """
    predict, raster, tiles = modules.predict, modules.raster, modules.tiles
    model = filled(modules.model.Net())
    normalise = modules.data.normalise
    predict.normalise = lambda part: normalise(part).astype(np.float64)
    image = np.random.default_rng(1).normal(size=(*size, modules.data.CHANNELS)).astype(np.float32)
    whole = predict.scores_of(model, image).numpy()
    plan, found = tiles.plan_tiles(tuple(size), most), np.full_like(whole, np.nan)
    source = SimpleNamespace(size=tuple(size), read=lambda start, of: image[raster.box(start, of)])
    for tile in plan.tiles:
        part = raster.read_continued(source, tile.start, plan.window)
        scores = predict.scores_under(model, part, tiles.under(plan.window)).numpy()
        there = (slice(None), *raster.box(tile.first, tile.size))
        assert np.isnan(found[there]).all()
        found[there] = scores[(slice(None), *raster.box(tile.inside, tile.size))]
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-6 * np.abs(whole).max())
    assert np.array_equal(found.argmax(0), whole.argmax(0))
    return len(plan.tiles)


def filled(model: Any) -> Any:
    """A model whose weights are drawn, and none of which are zero."""
    torch.manual_seed(0)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.5)
    for value in model.buffers():
        if value.dtype.is_floating_point:
            value.uniform_(0.5, 1.5)
    return model.eval().double()


@pytest.mark.parametrize("name", SPECS)
def test_tiles_of_a_bundled_network(nets: Any, tmp_path: Path, name: str) -> None:
    request = thin(name)
    if request is None:
        pytest.skip("it has no few channels")
    modules = modules_of(request, tmp_path, nets)
    if not hasattr(modules, "tiles"):
        pytest.skip("it has no harness")
    if hasattr(modules.tiles, "WHY"):
        assert "`" in modules.tiles.WHY  # the layer's name
        return
    found = [check(modules, size, most) for size, most in sizes(modules)]
    assert found and min(found) > 2


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=3)
@given(data=st.data())
def test_tiles_of_random_networks(nets: Any, tmp_path_factory: Any, rank: int, data: st.DataObject) -> None:
    of_random(nets, tmp_path_factory.mktemp("net"), data.draw(graphs(4, *SIDES[rank], rank)))


@pytest.mark.long
@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=150, derandomize=False)
@given(data=st.data())
def test_tiles_of_many_random_networks(nets: Any, tmp_path_factory: Any, rank: int, data: st.DataObject) -> None:
    of_random(nets, tmp_path_factory.mktemp("net"), data.draw(graphs(7, *SIDES[rank], rank)))


def of_random(nets: Any, folder: Path, graph: Graph) -> None:
    """The tiles of a network, where it has a harness and exact tiles that are not too large."""
    first = next(iter(graph.outputs))
    alone = with_outputs(graph, [graph.outputs[first]])  # several would lie each in another way
    modules = modules_of(request_of(alone), folder, nets)
    if hasattr(modules, "tiles") and not hasattr(modules.tiles, "WHY"):
        for size, most in sizes(modules):
            if max(size) <= 200:
                check(modules, size, most)
