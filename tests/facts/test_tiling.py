"""Tiles are exact: networks run in NumPy whole and tiled, equal in float64 at every good output; one more is not."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings

from segcompile.compiler import analyse_graph
from segcompile.facts.tiling import AxisTiling, tile_axes, why_untiled
from segcompile.network.graph import Graph, Node
from segcompile.ops import AdaptivePool, Conv, Deconv, GlobalPool, InstanceNorm, Op, Pool, Resize, Shape
from segcompile.testing import reference
from segcompile.testing.networks import linear, sized
from segcompile.testing.parameters import by_node, drawn
from segcompile.testing.reference.arrays import Array
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings
from segcompile.weights.parameters import tensors

RATIO = "reads by a ratio that changes with the image's size"
LARGEST = 100  # pixels a side of an image that is run


def best(graph: Graph) -> tuple[AxisTiling, ...]:
    """The tiling along each axis; () where something forbids it."""
    along = [each.best for each in tile_axes(graph)]
    return tuple(each for each in along if each is not None) if None not in along else ()


def weights_of(graph: Graph, positive: bool = False) -> dict[str, dict[str, Array]]:
    found = analyse_graph(graph, Findings())
    values = by_node(wanted := list(tensors(found.graph, found.facts)), drawn(wanted, 3))
    if positive:
        values = {
            node: {name: np.abs(value) + 0.1 if name == "weight" else 0 * value for name, value in each.items()}
            for node, each in values.items()
        }
    return values


def runs(graph: Graph, tilings: tuple[AxisTiling, ...], tile: tuple[int, ...], size: tuple[int, ...], positive: bool):
    """The whole image's outputs, and with the origin of each tile those of the tile."""
    weights = weights_of(sized(graph, *tile), positive)
    rng = np.random.default_rng(7)
    ((name, shape),) = graph.inputs.items()
    image = (
        rng.uniform(0.5, 1.5, (1, shape.channels, *size)) if positive else rng.normal(size=(1, shape.channels, *size))
    )
    whole = reference.run(sized(graph, *size), weights, {name: image})
    yield (), whole
    origins = (found.origins(each, part) for found, each, part in zip(tilings, size, tile, strict=True))
    for origin in product(*origins):
        box = tuple(slice(start, start + part) for start, part in zip(origin, tile, strict=True))
        yield origin, reference.run(sized(graph, *tile), weights, {name: image[(..., *box)]})


def piece(whole: Array, tilings, head: str, origin, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Where the outputs of a tile lie in those of the whole image."""
    starts = (found.moved(head, first) for found, first in zip(tilings, origin, strict=True))
    return tuple(slice(start, start + extent) for start, extent in zip(starts, shape, strict=True))


def check_tiles(graph: Graph, positive: bool = False) -> int:
    """Assert that the good outputs of all tiles are the whole image's and cover them; where a margin is claimed tight,
    and the network is linear and positive, that the outputs next to the good ones are not. The number of tiles."""
    tilings = best(graph)
    if not tilings:
        return 0
    tile = tuple(found.useful for found in tilings)
    size = tuple(part + found.step * (2 if found.step < 4 else 1) for found, part in zip(tilings, tile, strict=True))
    if max(size) > LARGEST:
        return 0
    found = runs(graph, tilings, tile, size, positive)
    _, whole = next(found)
    covered = {head: np.zeros(values.shape[2:], bool) for head, values in whole.items()}
    count = 0
    for origin, outputs in found:
        count += 1
        for head, values in outputs.items():
            there = piece(whole[head], tilings, head, origin, values.shape[2:])
            good = [
                each.good(head, first, part, full)
                for each, first, part, full in zip(tilings, origin, tile, size, strict=True)
            ]
            same = (np.abs(values - whole[head][(..., *there)]) <= 1e-12 * np.abs(whole[head]).max()).all((0, 1))
            box = tuple(slice(each.start, each.stop) for each in good)
            assert same[box].all(), (head, origin, good)
            covered[head][there][box] = True
            if positive:
                seen = whole[head][(..., *there)].any((0, 1))  # 0 where nothing but padding is read
                check_tight(tilings, head, same & seen, good)
    assert all(every.all() for every in covered.values())
    return count


def check_tight(tilings, head: str, same, good) -> None:
    """Next to the good outputs is one that is not the whole image's."""
    for axis, (found, kept) in enumerate(zip(tilings, good, strict=True)):
        others = tuple(slice(each.start, each.stop) for each in good)
        for beside in (kept.start - 1, kept.stop):
            if found.heads[head].tight and 0 <= beside < same.shape[axis]:
                line = same[(*others[:axis], beside, *others[axis + 1 :])]
                assert line.size == 0 or not line.any(), (head, axis, beside)


@settings(max_examples=25)
@given(graph=graphs(most=6, low=16, high=24))
def test_good_outputs_of_tiles_are_those_of_the_whole_image(graph: Graph) -> None:
    check_tiles(graph)


@settings(max_examples=25)
@given(graph=graphs(most=6, low=16, high=24))
def test_the_output_next_to_the_good_ones_is_another(graph: Graph) -> None:
    # An unpooling has no linear form, nor has a padding by a number.
    if not any(node.op.data_dependent or node.op.value_around for node in graph.nodes):
        check_tiles(linear(graph), positive=True)


@pytest.mark.long
@settings(max_examples=1500, derandomize=False)
@given(graph=graphs(most=8, low=16, high=30))
def test_fifteen_hundred_graphs_have_exact_tiles(graph: Graph) -> None:
    check_tiles(graph)
    if not any(node.op.data_dependent or node.op.value_around for node in graph.nodes):
        check_tiles(linear(graph), positive=True)


@pytest.mark.parametrize("rank", [1, 3])
def test_tiles_of_signals_and_volumes_are_exact(rank: int) -> None:
    layers = (
        Node(
            "down", Conv(channels=2, kernel=(3,) * rank, stride=(2,) * rank, pad=((1, 1),) * rank), ("input",), "down"
        ),
        Node("wide", Conv(channels=2, kernel=(3,) * rank, pad=((2, 0),) * rank), ("down",), "wide"),
        Node("up", Deconv(channels=2, kernel=(4,) * rank, stride=(2,) * rank, pad=((1, 1),) * rank), ("wide",), "up"),
    )
    graph = Graph("net", {"input": Shape(2, (16,) * rank)}, layers, {"out": "up"}).verify()
    assert [(each.step, each.rest, each.halo) for each in best(graph)] == [(2, 0, (7, 1))] * rank
    assert check_tiles(graph) >= 2**rank
    assert check_tiles(linear(graph), positive=True) >= 2**rank


def test_an_origin_that_is_off_by_one_gives_other_outputs() -> None:
    layers = (
        Node("pool", Pool(kind="max", kernel=(2, 2)), ("input",), "pool"),
        Node("up", Resize(factor=(2, 2), mode="nearest"), ("pool",), "up"),
    )
    graph = Graph("net", {"input": Shape(1, (16, 16))}, layers, {"out": "up"}).verify()
    assert [(each.step, each.halo) for each in best(graph)] == [(2, (0, 0))] * 2
    image = np.arange(256.0).reshape(1, 1, 16, 16)
    whole = reference.run(graph, {}, {"input": image})["out"]
    for origin, same in ((4, True), (5, False)):
        part = slice(origin, origin + 8)
        tile = reference.run(sized(graph, 8, 8), {}, {"input": image[..., part, part]})["out"]
        assert np.array_equal(tile, whole[..., part, part]) is same


@pytest.mark.parametrize(
    ("spec", "step", "rest", "least", "halo"),
    [
        ("unet.yaml", 16, 12, 188, (92, 92)),  # Ronneberger et al. (2015), figure 2: 572 -> 388
        ("fcn8s.yaml", 32, 26, 218, (217, 217)),
        ("dilated_frontend.yaml", 8, 4, 380, (186, 186)),  # Yu & Koltun (2016): the margin of their release
        ("dilated_large.yaml", 1, 0, 34, (33, 33)),
        ("hed.yaml", 16, 0, 112, (104, 104)),  # a resize to the image's size, whose ratio is 16 at these sizes alone
    ],
)
def test_the_halo_of_a_published_network(
    nets: SimpleNamespace, spec: str, step: int, rest: int, least: int, halo
) -> None:
    for each in best(nets.compiled(spec).graph):
        assert (each.step, each.rest, each.least, each.halo) == (step, rest, least, halo)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (GlobalPool(kind="global_avg"), "mixes the whole image"),
        (InstanceNorm(), "mixes the whole image"),
        (
            AdaptivePool(kind="avg", bins=(3, 3)),
            "reads by a ratio that changes with the image's size: dividing H into 3",
        ),
        (Resize(factor=(2, 2), align_corners=True), "reads by a ratio that changes with the image's size: resizing"),
        (Conv(channels=2, kernel=(3, 3), pad=("same",), mode="circular"), "pads each end of the image by the other"),
        (Resize(size=(32, 32)), "reads by a ratio that changes with the image's size: resizing"),
    ],
)
def test_what_forbids_tiles_is_named(layer: Op, why: str) -> None:
    graph = Graph("net", {"input": Shape(2, (16, 16))}, (Node("it", layer, ("input",), "it"),), {"out": "it"}).verify()
    for each in tile_axes(graph):
        assert each.forbidden is not None and each.forbidden.node.name == "it"
        assert each.forbidden.reason.replace("W", "H").startswith(why)


def test_a_network_of_one_size_has_no_tiles(nets: SimpleNamespace) -> None:
    graph = nets.compiled("alexnet.yaml").graph
    assert tile_axes(graph) == ()
    assert why_untiled(graph).startswith("fc6: a fully connected layer needs a fixed input")
