"""Where the spec leaves the size open, one file takes every size: what depends on it is computed in the graph."""

from __future__ import annotations

import numpy as np
import pytest

from segcompile.backend import load_backend
from segcompile.testing import ranks, reference
from segcompile.testing.bench import Bench
from segcompile.testing.cases import HEAD, JOINED, LAYERS, LISTED, UNPOOLED, compiled
from segcompile.testing.checks.numbers import IN_FLOAT32
from segcompile.testing.parameters import by_node

IMAGE, PAIR = "{channels: 4, size: any}", "{a: {channels: 4, size: any}, b: {channels: 4, size: any}}"
SIZES = {1: ((9,), (4,)), 2: ((9, 14), (4, 5)), 3: ((4, 6, 8), (5, 4, 6))}
# A map of another size, which is now above that of the image and now below.
OF_TWO_SIZES = (
    "add: [input, fine], align: center_crop",
    "concat: [input, fine, input], align: pad",
    "crop: input, from: fine, offset: [1, 0]",
    "resize: input, from: coarse",
    "resize: coarse, from: input, mode: cubic",
    "resize: input, from: coarse, mode: nearest",
    "resize: fine, from: input, mode: nearest_exact",
    "resize: input, from: coarse, mode: bilinear, align_corners: yes",
    "attention: 2, from: input, keys: coarse",
)
BEFORE = "  - coarse: {pool: max, kernel: 2}\n  - fine: {deconv: 4, kernel: 4, stride: 2}\n"
POOL = "  - pool: {{{}}}\n  - deep: {{conv: 4, kernel: 1}}\n"


def _spec(layer: str, image: str = IMAGE, before: str = "") -> str:
    return HEAD.format(input=image, layers=f"{before}  - layer: {{{layer}}}")


def _of_rank(rank: int) -> dict[str, str]:
    image = {1: "{channels: 4, size: [any]}", 3: "{channels: 8, size: [any, any, any]}"}[rank]
    layers = ranks.LAYERS[{1: ranks.SIGNAL, 3: ranks.VOLUME}[rank]]
    return {f"{layer}, of {rank} axes": _spec(layer, image) for layer in layers}


ANY = {layer: _spec(layer) for layer in LAYERS}
ANY |= {layer: _spec(layer, PAIR) for layer, images in JOINED.items() if " c" not in images and "crop" not in layer}
ANY |= {layer: _spec(layer, IMAGE, BEFORE) for layer in OF_TWO_SIZES}
ANY |= {f"{layer}, of a list": _spec(layer, IMAGE, "  - list: {token: 3}\n") for layer in LISTED}
ANY |= {f"unpool of {pool}": _spec("unpool: pool", IMAGE, POOL.format(pool)) for pool in UNPOOLED}
ANY |= _of_rank(1) | _of_rank(3)
FIXED = ("linear",)  # what a spec of any size may not hold


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(load_backend("onnx"))


@pytest.mark.parametrize("name", [name for name in ANY if not name.startswith(FIXED)])
def test_one_file_computes_what_the_reference_does_at_two_sizes(name: str, bench: Bench) -> None:
    subject = bench.subject(compiled(ANY[name])[1], double=False)
    graph, rng = subject.request.graph, np.random.default_rng(2)
    for wanted in SIZES[graph.rank]:
        pairs = zip(subject.request.sizes(), wanted, strict=True)
        size = [axis.legal.nearest(extent)[1] or extent for axis, extent in pairs if axis is not None]
        images = {each: rng.normal(size=(2, shape.channels, *size)) for each, shape in graph.inputs.items()}
        values = reference.trace(graph, by_node(subject.tensors, subject.values), images)
        for head, found in subject.outputs(images).items():
            want = values[graph.outputs[head]]
            assert found.shape == want.shape
            assert np.abs(found - want).max() <= IN_FLOAT32 * np.abs(want).max(), size


@pytest.mark.parametrize("mode", ["nearest", "nearest_exact"])
@pytest.mark.parametrize("ratio", [3, 7, 13])
def test_a_whole_ratio_repeats_each_of_many_pixels_exactly(ratio: int, mode: str, bench: Bench) -> None:
    text = _spec(f"resize: {ratio}, mode: {mode}", "{channels: 1, size: [any]}")
    line = np.arange(50_000, dtype=np.float32)
    (found,) = bench.subject(compiled(text)[1], double=False).outputs({"input": line[None, None]}).values()
    assert np.array_equal(found[0, 0], np.repeat(line, ratio))
