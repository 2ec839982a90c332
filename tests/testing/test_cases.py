"""The kit's cases reach every op and every corner, and its reference stands on formulas that are checked by hand."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from segcompile.backend import load_backend
from segcompile.library import bundled
from segcompile.network.graph import Graph, Node
from segcompile.ops import ALL_OPS, Conv, Init, Op, Pool, Shape
from segcompile.testing import cases, reference
from segcompile.testing.bench import Bench
from segcompile.testing.checks.numbers import undecided
from segcompile.testing.checks.weights import compare_names
from segcompile.testing.networks import reduced
from segcompile.text.errors import SegcompileError
from segcompile.weights.parameters import tensors

NODES = [node.op for case in (*cases.ops(), *cases.starts()) for node in case.request.graph.nodes]


@pytest.mark.parametrize("kind", ALL_OPS, ids=lambda kind: kind.__name__)
def test_every_op_has_a_formula_and_a_case_and_every_word_of_its_attributes_too(kind: type[Op]) -> None:
    assert kind in reference.FORMULAS
    found = [op for op in NODES if type(op) is kind]
    for name, field in kind.model_fields.items():
        words = [word for word in get_args(field.annotation) if isinstance(word, str)]
        assert {getattr(op, name) for op in found} >= {*words}, name
    assert found


def test_every_initialisation_has_a_case() -> None:
    schemes = {op.init.scheme for op in NODES if hasattr(op, "init")}
    assert schemes == {*get_args(Init.model_fields["scheme"].annotation)}


def test_no_two_cases_have_one_name() -> None:
    sources = (cases.ops, cases.starts, cases.trained)
    names = [case.name for source in sources for case in source()] + [case.name for case in cases.specs()]
    assert len({*names}) == len(names)


@pytest.mark.long
def test_every_bundled_spec_is_a_case_that_is_small() -> None:
    assert {case.name.partition(" ")[0] for case in cases.specs()} == {*bundled()}
    images = {case.name: image for case in cases.small_specs() for image in case.request.graph.inputs.values()}
    assert all(isinstance(size, int) and size < 400 for image in images.values() for size in image.size)
    wide = {name.partition(" ")[0] for name, image in images.items() if image.channels != 2}
    assert wide == {"enet", "erfnet", "espnetv2", "vnet"}  # their sums of joined maps fit at no one width


def test_a_network_that_few_channels_do_not_fit_keeps_its_own() -> None:
    text = cases.HEAD.format(input="{channels: 9, size: 8}", layers="  - up: {pixel_shuffle: 3}")
    assert reduced(cases.compiled(text)[1].graph).graph.inputs["input"].channels == 9
    with pytest.raises(SegcompileError):
        cases.compiled(text.replace("9", "8"))


def test_few_channels_leave_a_shuffle_its_patches_and_a_norm_its_groups() -> None:
    layers = """\
  - wide:  {conv: 64, kernel: 1, norm: {group: 16}}
  - up:    {pixel_shuffle: 4}
  - score: {conv: 9, kernel: 1, norm: {group: 3}}"""
    graph = reduced(cases.compiled(cases.HEAD.format(input="{channels: 9, size: 8}", layers=layers))[1].graph).graph
    found = {node.layer: (node.op.channels, graph.layers[node.layer][1].op.groups) for node in graph.nodes[::3]}  # type: ignore[attr-defined]
    assert found == {"wide": (32, 16), "score": (2, 1)}


def test_tensors_are_named_by_their_scopes() -> None:
    text = """segcompile: 1
model: net
input: {channels: 4, size: 8}
blocks: {pair: {args: [w], layers: ["conv{i}": {conv: w, kernel: 1, bias: no, norm: batch, act: prelu, repeat: 2}]}}
layers:
  - one: {block: pair, w: 4}
  - fuse: {concat: [{a: {conv: 2, kernel: 1, bias: no}}, {b: {conv: 2, kernel: 1, bias: no}}], act: prelu}
"""
    layer = ["", "_norm", "_norm", "_norm", "_norm", "_act"]
    own = [".weight", ".weight", ".bias", ".running_mean", ".running_var", ".weight"]
    wanted = [f"one.conv{i}{kind}{name}" for i in (1, 2) for kind, name in zip(layer, own, strict=True)]
    request = cases.compiled(text)[1]
    found = [tensor.name for tensor in tensors(request.graph, request.facts)]
    assert found == [*wanted, "fuse.a.weight", "fuse.b.weight", "fuse.fuse_act.weight"]
    compare_names(Bench(load_backend("torch")).subject(request, fresh=True))  # and so does the backend call them


# --- the reference ---------------------------------------------------------------------------------------------------


def layer(op: Op, size: int = 3) -> Graph:
    return Graph("net", {"x": Shape(1, (size, size))}, (Node("y", op, ("x",), "y"),), {"output": "y"}).verify()


def test_a_convolution_by_hand() -> None:
    x, weight = np.arange(9.0).reshape(1, 1, 3, 3), np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    found = reference.run(layer(Conv(channels=1, kernel=(2, 2), bias=False)), {"y": {"weight": weight}}, {"x": x})
    assert found["output"].tolist() == [[[[27.0, 37.0], [57.0, 67.0]]]]  # 0 + 2*1 + 3*3 + 4*4, ...


def test_a_mean_does_not_count_what_overhangs_the_padding() -> None:
    pool = Pool(kind="avg", kernel=(2, 2), pad=((1, 1), (1, 1)), round="ceil")
    found = reference.run(layer(pool, 2), {}, {"x": np.ones((1, 1, 2, 2))})
    assert found["output"].tolist() == [[[[0.25, 0.25], [0.25, 0.25]]]]
    found = reference.run(layer(pool.model_copy(update={"pad": ((0, 0), (0, 0))})), {}, {"x": np.ones((1, 1, 3, 3))})
    assert found["output"].tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]


TIES = {
    "resize: [1, 3], mode: bilinear": "u asks where p has its maxima, and rounding decides between some that are equal",
    "pad: 3, mode: edge": "u asks where p has its maxima, and rounding decides between some that are equal",
    "act: relu": None,  # zeros are equal however they come about
    "conv: 4, kernel: 3": None,
}


@pytest.mark.parametrize("before", TIES)
def test_maxima_that_rounding_decides_are_found(before: str) -> None:
    layers = f"  - a: {{{before}}}\n  - p: {{pool: max, kernel: 2}}\n  - u: {{unpool: p}}"
    subject = Bench(load_backend("torch")).subject(
        cases.compiled(cases.HEAD.format(input=cases.IMAGE, layers=layers))[1]
    )
    assert undecided(subject.request.graph, subject.reference) == TIES[before]


@pytest.mark.parametrize("kind", reference.values.ACTIVATIONS)
def test_a_slope_is_the_limit_of_differences(kind: str) -> None:
    from segcompile.ops import Activation

    graph, rng, h = layer(Activation(kind=kind)), np.random.default_rng(0), 1e-6
    x, along, cotangent = (rng.normal(size=(1, 1, 3, 3)) for _ in range(3))
    found = reference.slope(graph, {}, {"x": x}, {"output": cotangent}, ({}, {"x": along}))
    high, low = (reference.run(graph, {}, {"x": x + step * along})["output"] for step in (h, -h))
    assert found == pytest.approx(float(((high - low) / (2 * h) * cotangent).sum()), rel=1e-7)
