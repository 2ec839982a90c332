"""Layers and their attributes: each op, each spelling of a value, defaults, and what a layer carries."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("layer", "attributes"),
    [
        ("{conv: 4, kernel: 3}", {"channels": 4, "kernel": (3, 3), "stride": (1, 1), "pad": ((0, 0), (0, 0))}),
        ("{conv: 4, kernel: 3x5}", {"kernel": (3, 5)}),
        ("{conv: 4, kernel: 1×7}", {"kernel": (1, 7)}),
        ("{conv: 4, kernel: [1, 7]}", {"kernel": (1, 7)}),
        ("{conv: 4, kernel: 3, stride: 2, dilation: [2, 1]}", {"stride": (2, 2), "dilation": (2, 1)}),
        ("{conv: 4, kernel: 3, pad: 1}", {"pad": ((1, 1), (1, 1))}),
        ("{conv: 4, kernel: 3, pad: [1, 2]}", {"pad": ((1, 1), (2, 2))}),
        ("{conv: 4, kernel: 3, pad: [0, 1, 2, 3]}", {"pad": ((0, 1), (2, 3))}),
        ("{conv: 4, kernel: 3, pad: same, mode: reflect}", {"pad": ((1, 1), (1, 1)), "mode": "reflect"}),
        ("{conv: 4, kernel: 3, groups: 2, bias: no, frozen: yes}", {"groups": 2, "bias": False, "frozen": True}),
        ("{conv: 4, kernel: 3, bias: false, frozen: true}", {"bias": False, "frozen": True}),
        ("{kernel: 3, pad: 1, conv: 4}", {"channels": 4, "pad": ((1, 1), (1, 1))}),
        ("{deconv: 4, kernel: 2*stride, stride: 4}", {"kernel": (8, 8), "stride": (4, 4)}),
        ("{deconv: 4, kernel: 2*stride, stride: [2, 4]}", {"kernel": (4, 8)}),
        ("{deconv: 4, kernel: 3, stride: 2, output_pad: 1, dilation: 2}", {"output_pad": (1, 1), "dilation": (2, 2)}),
        ("{linear: 10, bias: no}", {"features": 10, "bias": False}),
        ("{pool: max, kernel: 3, stride: 2, pad: 1, round: ceil}", {"kind": "max", "round": "ceil", "stride": (2, 2)}),
        ("{pool: avg, kernel: 2}", {"kind": "avg", "stride": None}),
        ("{pool: global_max}", {"kind": "global_max"}),
        ("{add: [conv1, conv1], weights: [1, 1e-2]}", {"weights": (1.0, 0.01)}),
        ("{mul: [conv1, conv1]}", {}),
        ("{concat: [conv1, input], align: center_crop}", {"align": "center_crop"}),
        ("{crop: input, offset: [0, 0]}", {"offset": (0, 0)}),
        ("{pad: 3, mode: edge}", {"amount": ((3, 3), (3, 3)), "mode": "edge"}),
        ("{resize: 2, mode: nearest}", {"factor": (2, 2), "mode": "nearest"}),
        ("{resize: [2, 3]}", {"factor": (2, 3)}),
        ("{resize: input, align_corners: yes}", {"factor": None, "align_corners": True}),
        ("{norm: batch}", {"eps": 1e-5}),
        ("{norm: {batch: {eps: 1e-3, momentum: .01}}}", {"eps": 1e-3, "momentum": 0.01}),
        ("{act: relu}", {"kind": "relu"}),
        ("{act: {leaky_relu: 0.2}}", {"slope": 0.2}),
        ("{act: {leaky_relu: {slope: 0.2}}}", {"slope": 0.2}),
        ("{act: prelu}", {"kind": "prelu"}),
        ("{drop: 0.5}", {"rate": 0.5}),
        ("{dropout: 0.5}", {"rate": 0.5}),
        ("{scale: 1e-2}", {"factor": 0.01}),
        ("{softmax: channels}", {"kind": "channels"}),
    ],
)  # fmt: skip
def test_a_body_says_this_op(bench: Any, layer: str, attributes: dict[str, object]) -> None:
    op = bench.op(layer)
    assert {name: getattr(op, name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("init", "scheme", "groups", "std"),
    [
        ("zeros", "zeros", None, None), ("he", "he", None, None), ("xavier", "xavier", None, None),
        ("{normal: 0.001}", "normal", None, 0.001), ("{normal: {std: 1e-3}}", "normal", None, 0.001),
        ("identity", "identity", None, None), ("{identity: 4}", "identity", 4, None),
        ("{identity: {groups: 8, std: 0.1}}", "identity", 8, 0.1), ("bilinear", "bilinear", None, None),
    ],
)  # fmt: skip
def test_an_initialisation_is_this(bench: Any, init: str, scheme: str, groups: int | None, std: float | None) -> None:
    found = bench.op(f"{{conv: 8, kernel: 3, init: {init}}}").init
    assert (found.scheme, found.groups, found.std) == (scheme, groups, std)


def carried(bench: Any, text: str, layer: str = "x", **options: object) -> list[str]:
    return [node.op.title for node in bench.compile(text, **options).graph.layers[layer]]


def test_norm_act_and_drop_follow_in_that_order(bench: Any) -> None:
    assert carried(bench, "layers: [x: {drop: 0.5, act: relu, norm: batch, conv: 8, kernel: 1}]") == [
        "conv", "batch norm", "relu", "dropout",
    ]  # fmt: skip


def test_norm_and_act_alone_make_a_layer(bench: Any) -> None:
    text = "layers: [c: {conv: 8, kernel: 1}, x: {norm: batch, act: prelu}]"
    assert carried(bench, text) == ["batch norm", "prelu"]


def test_none_takes_a_default_away(bench: Any) -> None:
    text = """
    defaults: {conv: {kernel: 1, norm: batch, act: relu, drop: 0.1}}
    layers: [a: {conv: 8}, x: {conv: 8, norm: none, drop: none}]
    """
    assert carried(bench, text, "a") == ["conv", "batch norm", "relu", "dropout"]
    assert carried(bench, text, "x") == ["conv", "relu"]


def test_a_layers_own_init_wins_over_the_networks(bench: Any) -> None:
    text = "init: zeros\nlayers: [a: {conv: 8, kernel: 1}, b: {conv: 8, kernel: 1, init: {normal: 0.1}}]"
    graph = bench.compile(text).graph
    assert [graph.layers[name][0].op.init.scheme for name in ("a", "b")] == ["zeros", "normal"]


def test_defaults_of_norms_reach_those_that_layers_carry(bench: Any) -> None:
    text = "defaults: {norm: {eps: 1e-3}}\nlayers: [x: {conv: 8, kernel: 1, norm: batch}]"
    assert bench.compile(text).graph.layers["x"][1].op.eps == 1e-3


def test_names_in_defaults_mean_parameters_whatever_a_block_calls_its_arguments(bench: Any) -> None:
    text = """
    params: {k: 3}
    defaults: {conv: {kernel: k, pad: same}}
    blocks: {b: {args: [k], layers: [c: {conv: k}]}}
    layers: [x: {block: b, k: 5}]
    """
    op = bench.compile(text).graph.layers["x.c"][0].op
    assert (op.channels, op.kernel) == (5, (3, 3))


def test_layers_without_a_name_are_named_by_their_op(bench: Any) -> None:
    text = "layers: [{conv: 8, kernel: 1}, pool: {conv: 8, kernel: 1}, {pool: max, kernel: 2}, act: relu, act: relu]"
    assert list(bench.shapes(text)) == ["conv", "pool", "pool2", "act", "act2"]


def test_a_layer_may_have_the_name_of_an_op(bench: Any) -> None:
    assert list(bench.shapes("layers: [pool: {pool: max, kernel: 2}, add: {add: [pool, pool]}]")) == ["pool", "add"]


def test_from_reads_another_layer_than_the_one_above(bench: Any) -> None:
    text = "layers: [a: {conv: 4, kernel: 3}, b: {conv: 8, kernel: 3, from: input}, c: {concat: [a, b]}]"
    assert bench.shapes(text)["c"] == "12 x 62 x 62"


def test_a_stack_starts_at_its_from_and_goes_on_from_there(bench: Any) -> None:
    text = 'layers: [a: {conv: 4, kernel: 3}, "b{i}": {conv: 4, kernel: 3, from: a, repeat: 3}]'
    assert bench.shapes(text)["b3"] == "4 x 56 x 56"


def test_a_from_that_says_i_is_each_ones_own(bench: Any) -> None:
    text = """
    layers:
      - "a{i}": {conv: 4, kernel: 3, repeat: 3}
      - "b{i}": {conv: 4, kernel: 3, from: "a{i}", repeat: 3}
      - sum: {add: [b1, b2, b3], align: center_crop}
    """
    shapes = bench.shapes(text)
    assert [shapes[f"b{i}"] for i in (1, 2, 3)] == ["4 x 60 x 60", "4 x 58 x 58", "4 x 56 x 56"]


def test_a_from_that_says_a_loops_variable_is_where_the_stack_starts(bench: Any) -> None:
    text = """
    layers:
      - a1: {conv: 4, kernel: 3}
      - for: {n: [1]}
        layers: ["b{i}": {conv: 4, kernel: 3, from: "a{n}", repeat: 3}]
    """
    assert bench.shapes(text)["b3"] == "4 x 56 x 56"


def test_the_same_mistake_in_a_loop_is_told_once(bench: Any) -> None:
    text = """
    layers:
      - for: {d: [1, 2, 3]}
        layers:
          - "a{d}": {conv: 8, kernel: 3, dilatoin: d}
    """
    assert bench.errors(text) == ["SC003 conv has no attribute `dilatoin`"]


def test_a_hundred_mistakes_are_enough(bench: Any) -> None:
    text = "layers:\n" + "".join(f"  - a{i}: {{conv: X, kernel: 1}}\n" for i in range(300))
    assert len(bench.errors(text)) == 100


def test_a_variable_and_an_argument_may_be_called_as_python_calls_its_own(bench: Any) -> None:
    shapes = bench.shapes(
        """
        blocks: {one: {args: [self], layers: [c: {conv: self, kernel: 1}]}}
        layers:
          - for: {self: [1, 2]}
            layers: ["a{self}": {conv: self, kernel: 1}]
          - b: {block: one, self: 3}
        """
    )
    assert shapes == {"a1": "1 x 64 x 64", "a2": "2 x 64 x 64", "b.c": "3 x 64 x 64"}


def test_a_resize_by_a_word_is_told_where_the_word_stands(bench: Any) -> None:
    (found,) = bench.findings("layers:\n  - a: {conv: 4, kernel: 1}\n  - b: {resize: bilinear}\n")
    assert found.code.code == "SC102"
    assert found.help == "the way to interpolate stands beside the factor: `resize: 2, mode: bilinear`"
