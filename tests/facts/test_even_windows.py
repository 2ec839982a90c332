"""Windows in even steps: laid and blended as MONAI does, they give the whole image."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from segcompile.facts.even_windows import NoWindows, whole_windows
from segcompile.facts.tiling import tile_axes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Concat, Conv, Pool, Resize, Shape
from segcompile.testing import reference
from segcompile.testing.networks import sized
from segcompile.testing.reference.arrays import Array

LAYERS = (
    Node("enc", Conv(channels=2, kernel=(3, 3), pad=("same",)), ("input",), "enc"),
    Node("down", Pool(kind="max", kernel=(2, 2)), ("enc",), "down"),
    Node("deep", Conv(channels=2, kernel=(3, 3), pad=("same",)), ("down",), "deep"),
    Node("up", Resize(factor=(2, 2)), ("deep",), "up"),
    Node("both", Concat(), ("enc", "up"), "both"),
)
NET = Graph("net", {"input": Shape(1, (64, 64))}, LAYERS, {"out": "both"}).verify()
RNG = np.random.default_rng(1)
WEIGHTS = {
    "enc": {"weight": RNG.normal(size=(2, 1, 3, 3)), "bias": RNG.normal(size=2)},
    "deep": {"weight": RNG.normal(size=(2, 2, 3, 3)), "bias": RNG.normal(size=2)},
}


def line(roi: int, before: int, after: int) -> Array:
    weights = np.ones(roi)
    weights[:before] = weights[roi - after :] = 2.0**-60
    return weights


def blended(image: Array, rois: tuple[int, ...], intervals: tuple[int, ...], halos) -> Array:
    """As `sliding_window_inference` of MONAI 1.6: origins `dense_patch_slices`, one weight map, sum over sum."""
    size = image.shape[2:]
    total, count = np.zeros((1, 4, *size)), np.zeros(size)
    weights = np.multiply.outer(*(line(roi, *halo) for roi, halo in zip(rois, halos, strict=True)))
    starts = []
    for extent, roi, interval in zip(size, rois, intervals, strict=True):
        every = range(0, extent, interval)
        last = next(index for index, start in enumerate(every) if start + roi >= extent)
        starts.append([start - max(start + roi - extent, 0) for start in every[: last + 1]])
    for origin in product(*starts):
        box = tuple(slice(start, start + roi) for start, roi in zip(origin, rois, strict=True))
        total[(..., *box)] += reference.run(sized(NET, *rois), WEIGHTS, {"input": image[(..., *box)]})["out"] * weights
        count[box] += weights
    return total / count


def test_windows_give_the_whole_image_and_one_pixel_less_of_any_halo_does_not() -> None:
    size = (64, 58)
    windows = whole_windows(tile_axes(NET), size, 30)
    assert [(each.roi, each.interval, each.count, each.halo) for each in windows] == [
        (28, 18, 3, (5, 5)),
        (26, 16, 3, (5, 5)),
    ]
    for each in windows:
        assert int(each.roi * (1 - each.overlap)) == each.interval
    image = RNG.normal(size=(1, 1, *size))
    whole = reference.run(sized(NET, *size), WEIGHTS, {"input": image})["out"]
    rois, intervals, halos = zip(*((each.roi, each.interval, each.halo) for each in windows), strict=True)
    assert np.abs(blended(image, rois, intervals, halos) - whole).max() <= 1e-12
    for axis, (before, after) in product(range(2), [(4, 5), (5, 4)]):
        less = [(before, after) if at == axis else halo for at, halo in enumerate(halos)]
        assert np.abs(blended(image, rois, intervals, less) - whole).max() > 1e-6


@pytest.mark.parametrize(
    ("size", "most", "why"),
    [
        (63, 30, "no tile of an image of H = 63 is exact"),
        (64, 12, "with halos of 5 and 5, windows of 12 do not move on evenly over 64: 16 pixels or more will do"),
        (
            20,
            18,
            "with halos of 5 and 5, windows of 18 do not move on evenly over 20: only the whole image is one window",
        ),
    ],
)
def test_why_there_are_no_windows(size: int, most: int, why: str) -> None:
    with pytest.raises(NoWindows) as caught:
        whole_windows(tile_axes(NET), (size, size), most)
    assert str(caught.value).endswith(why)


def test_outputs_that_do_not_cover_their_window_are_refused() -> None:
    graph = Graph(
        "net", NET.inputs, (Node("valid", Conv(channels=1, kernel=(3, 3)), ("input",), "valid"),), {"out": "valid"}
    )
    with pytest.raises(NoWindows, match="`out` does not cover the window that it is made of"):
        whole_windows(tile_axes(graph), (64, 64), 32)
