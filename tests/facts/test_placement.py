"""Where the outputs of a network lie over its image, and over which sizes of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import Phase, assume, given, reject, settings

from segcompile.facts.placement import NoPlacement, Placement, place_outputs
from segcompile.network.graph import Graph
from segcompile.ops import GroupNorm, InstanceNorm
from segcompile.testing.strategies import graphs

HEAD = (
    "segcompile: 1\nmodel: net\ninput: {channels: 3, size: SIZE}\ndefaults: {conv: {kernel: 3, pad: same}}\nlayers:\n"
)
ENCODER = (
    "  - a: {conv: 4, stride: 2, act: relu}\n  - b: {conv: 4, stride: 2, act: relu}\n  - c: {conv: 2, kernel: 1}\n"
)
UP = "  - up: {resize: input}\n"


def placement(nets: SimpleNamespace, folder: Path, layers: str, size: str = "64") -> Placement:
    path = folder / "net.yaml"
    path.write_text(layers if layers.startswith("segcompile") else HEAD.replace("SIZE", size) + layers)
    return place_outputs(nets.compiled(path).graph)


@pytest.mark.parametrize("size", ["64", "65", "66", "any", "[65, 130]"])
def test_an_output_resized_to_the_input_lies_pixel_on_pixel(nets: SimpleNamespace, tmp_path: Path, size: str) -> None:
    found = placement(nets, tmp_path, ENCODER + UP, size)
    assert found.output == found.size
    assert (found.stride, found.offset, found.centre) == ((1, 1), (0, 0), (0, 0))
    assert found.multiple == (1, 1), "any size fits"
    assert size != "any" or found.size == (257, 257), "where no stride rounds"


def test_the_sizes_that_fit_are_those_whose_joins_fit(nets: SimpleNamespace, tmp_path: Path) -> None:
    joined = ENCODER + "  - d: {deconv: 4, kernel: 2, stride: 2}\n  - e: {add: [a, d]}\n" + UP
    assert placement(nets, tmp_path, joined, "64").multiple == (4, 4)
    assert placement(nets, tmp_path, ENCODER, "65").multiple == (4, 4), "the strides', though 65 is none of theirs"


def test_a_resize_by_a_factor_is_an_upsampling_by_it(nets: SimpleNamespace, tmp_path: Path) -> None:
    for corners in ("yes", "no"):
        net = ENCODER + f"  - up: {{resize: 4, align_corners: {corners}}}\n"
        assert placement(nets, tmp_path, net, "64").multiple == (4, 4)


def test_fcns_padding_and_crop_take_any_image(nets: SimpleNamespace) -> None:
    compiled = nets.compiled(nets.root / "tests/data/valid/fcn8s_layers.yaml")
    found = place_outputs(compiled.graph)
    assert found == Placement((500, 500), (500, 500), (1, 1), (0, 0), (0.0, 0.0), (1, 1), (1, 1))


FRONT = """segcompile: 1
model: front_end
input: {channels: 3, size: SIZE}
defaults: {conv: {kernel: 3}, pool: {kernel: 2}}
blocks: {stage: {args: [n, d], layers: ["conv{i}": {conv: 2, dilation: d, repeat: n}]}}
layers:
  - s1: {block: stage, n: 2, d: 1}
  - {pool: max}
  - s2: {block: stage, n: 2, d: 1}
  - {pool: max}
  - s3: {block: stage, n: 3, d: 1}
  - {pool: max}
  - s4: {block: stage, n: 3, d: 1}
  - s5: {block: stage, n: 3, d: 2}
  - fc6: {conv: 2, kernel: 7, dilation: 4}
  - final: {conv: 21, kernel: 1}
claims: {final: {receptive_field: 380, stride: 8, margin: 186}}
"""


def test_the_front_end_of_dilatednet_has_the_published_offset_and_stride(nets: SimpleNamespace, tmp_path: Path) -> None:
    found = placement(nets, tmp_path, FRONT.replace("SIZE", "900"))
    assert found == Placement((900, 900), (66, 66), (8, 8), (186, 186), (189.5, 189.5), (8, 8), (380, 380))


def test_a_free_size_is_one_that_leaves_an_output(nets: SimpleNamespace, tmp_path: Path) -> None:
    found = placement(nets, tmp_path, FRONT.replace("SIZE", "any"))
    assert (found.size, found.output) == ((508, 508), (17, 17))


def test_no_branch_vanishes_at_the_least_size(nets: SimpleNamespace, tmp_path: Path) -> None:
    """`wide` has no output below 31 pixels, though `sum` has as many as the image."""
    wide = (
        "  - near: {conv: 2, kernel: 1}\n  - wide: {conv: 2, kernel: 31, pad: 0, from: input}\n"
        "  - back: {resize: input}\n  - sum: {add: [near, back]}\n"
    )
    for size in ("64", "any"):
        found = placement(nets, tmp_path, wide, size)
        assert (found.multiple, found.least) == ((1, 1), (31, 31))


@settings(max_examples=80, phases=(Phase.explicit, Phase.generate))
@given(graph=graphs())
def test_a_model_runs_at_the_least_size_and_a_step_on(nets: SimpleNamespace, graph: Graph) -> None:
    assume(not any(isinstance(node.op, GroupNorm | InstanceNorm) for node in graph.nodes))  # none of a single pixel
    net = nets.emitted(replace(graph, outputs=dict([[*graph.outputs.items()][-1]])))
    assume(net.facts[net.graph.nodes[-1].name].shape.size)
    try:
        found = place_outputs(net.graph)
    except NoPlacement:
        reject()
    for more in (0, 1):
        size = [found.least[axis] + more * found.multiple[axis] for axis in (0, 1)]
        assume(max(size) < 300)
        (result,) = net.outputs(torch.rand(1, next(iter(graph.inputs.values())).channels, *size).double()).values()
        steps = [(size[axis] - found.size[axis]) // found.stride[axis] for axis in (0, 1)]
        assert [*result.shape[2:]] == [found.output[axis] + steps[axis] for axis in (0, 1)], net.source
