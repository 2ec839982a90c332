"""What is equal by a rule: each pair is proved, and its neighbour that is not equal is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from segcompile.network.graph import Graph
from segcompile.prove import Answer, prove

# rule -> (two networks that are equal by it, and one that is not equal to the first)
RULES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "relu twice": (
        ["c: {conv: 4}", "a: {act: relu}", "b: {act: relu}"],
        ["c: {conv: 4}", "a: {act: relu}"],
        ["c: {conv: 4}", "a: {act: relu}", "b: {act: relu6}"],
    ),
    "relu behind a maximum": (
        ["a: {act: relu}", "p: {pool: max, kernel: 3, stride: 2}"],
        ["p: {pool: max, kernel: 3, stride: 2}", "a: {act: relu}"],
        ["p: {pool: avg, kernel: 3, stride: 2}", "a: {act: relu}"],
    ),
    "relu behind a maximum, with a crop, a pad and a concat between": (
        ["a: {act: relu}", "d: {space_to_depth: 2}", "c: {concat: [d, d]}", "p: {pool: global_max}"],
        ["d: {space_to_depth: 2}", "c: {concat: [d, d]}", "p: {pool: global_max}", "a: {act: relu}"],
        ["d: {space_to_depth: 2}", "c: {concat: [d, d]}", "p: {pool: global_avg}", "a: {act: relu}"],
    ),
    "maxima of maxima": (
        ["a: {pool: max, kernel: 5, stride: 1, pad: 2}", "b: {pool: max, kernel: 5, stride: 1, pad: 2}"],
        ["a: {pool: max, kernel: 9, stride: 1, pad: 4}"],
        ["a: {pool: max, kernel: 7, stride: 1, pad: 3}"],
    ),
    "a maximum counts no value twice": (
        ["e: {pad: 1, mode: edge}", "p: {pool: max, kernel: 3, stride: 1}"],
        ["p: {pool: max, kernel: 3, stride: 1, pad: 1}"],
        ["e: {pad: 1}", "p: {pool: max, kernel: 3, stride: 1}"],
    ),
    "a maximum of one value": (
        ["p: {pool: max, kernel: 1, stride: 2}"],
        ["p: {pool: avg, kernel: 1, stride: 2}"],
        ["p: {pool: avg, kernel: 2, stride: 2}"],
    ),
    "a softmax is shifted": (
        ["m: {conv: 1}", "s: {add: [input, m]}", "p: {softmax: channels}"],
        ["p: {softmax: channels}"],
        ["m: {conv: 1}", "s: {mul: [input, m]}", "p: {softmax: channels}"],
    ),
    "a sigmoid is odd about one half": (
        ["n: {scale: -1}", "a: {act: sigmoid}", "b: {act: sigmoid, from: input}", "s: {add: [a, b]}"],
        ["n: {scale: -2}", "a: {act: sigmoid}", "t: {scale: 2, from: input}", "b: {act: sigmoid}", "s: {add: [a, b]}"],
        ["n: {scale: -2}", "a: {act: sigmoid}", "b: {act: sigmoid, from: input}", "s: {add: [a, b]}"],
    ),
    "tanh by sigmoids": (
        ["t: {act: tanh}", "a: {act: sigmoid, from: input}", "n: {scale: -1, from: input}", "b: {act: sigmoid}",
         "s: {add: [t, a, b]}"],
        ["d: {scale: 2}", "a: {act: sigmoid}", "s: {scale: 2}"],
        ["d: {scale: 2}", "a: {act: sigmoid}", "s: {scale: 1.9}"],
    ),
    "silu": (
        ["a: {act: silu}"],
        ["s: {act: sigmoid}", "m: {mul: [s, input]}"],
        ["s: {act: hard_sigmoid}", "m: {mul: [s, input]}"],
    ),
    "hard_swish": (
        ["a: {act: hard_swish}"],
        ["s: {act: hard_sigmoid}", "m: {mul: [s, input]}"],
        ["s: {act: sigmoid}", "m: {mul: [s, input]}"],
    ),
    "relu6 is a clip": (
        ["a: {act: relu6}"],
        ["a: {act: {clip: {min: 0, max: 6}}}"],
        ["a: {act: {clip: {min: 0, max: 5}}}"],
    ),
    "a leaky relu by a relu": (
        ["a: {act: {leaky_relu: {slope: 0.25}}}"],
        ["r: {act: relu}", "a: {add: [input, r], weights: [0.25, 0.75]}"],
        ["r: {act: relu}", "a: {add: [input, r], weights: [0.25, 0.5]}"],
    ),
    "selu by elu": (
        ["a: {act: selu}"],
        ["e: {act: {elu: {alpha: 1.6732632423543772}}}", "a: {scale: 1.0507009873554805}"],
        ["e: {act: {elu: {alpha: 1.6732632423543772}}}", "a: {scale: 1.05}"],
    ),
    "softplus and gelu of x and of -x differ by x": (
        ["n: {scale: -1}", "a: {act: softplus}", "b: {act: softplus, from: input}",
         "s: {add: [b, a], weights: [1, -1]}"],
        ["n: {scale: -1}", "a: {act: gelu}", "b: {act: gelu, from: input}", "s: {add: [b, a], weights: [1, -1]}"],
        ["n: {scale: -1}", "a: {act: silu}", "b: {act: silu, from: input}", "s: {add: [b, a], weights: [1, 1]}"],
    ),
    "norms are algebra": (
        ["n: {norm: instance}"],
        ["n: {norm: {group: 4}}"],
        ["n: {norm: {group: 2}}"],
    ),
    "nothing is dropped at evaluation": (
        ["c: {conv: 4, drop: 0.5}"],
        ["c: {conv: 4}"],
        ["c: {conv: 4}", "s: {scale: 0.5}"],
    ),
    "a padding is split": (
        ["p: {pad: [1, 2]}", "q: {pad: [1, 0]}", "c: {conv: 4, pad: 0}"],
        ["c: {conv: 4, pad: [2, 2]}"],
        ["c: {conv: 4, pad: [2, 3]}"],
    ),
    "shuffles undo each other": (
        ["d: {space_to_depth: 2}", "s: {pixel_shuffle: 2}", "a: {slice: [0, 2]}", "b: {slice: [2, 4], from: s}",
         "c: {concat: [a, b]}", "h: {channel_shuffle: 2}"],
        ["h: {channel_shuffle: 2}"],
        ["s: {scale: 1}"],
    ),
    "a mean is a bilinear resize by one half": (
        ["p: {pool: avg, kernel: 2}"],
        ["r: {resize: 1/2, mode: bilinear}"],
        ["r: {resize: 1/2, mode: nearest}"],
    ),
    "a frozen bilinear kernel is a resize": (
        ["p: {pad: 1, mode: edge}",
         "u: {deconv: 4, kernel: 4, stride: 2, pad: 3, groups: 4, bias: no, init: bilinear, frozen: yes}"],
        ["r: {resize: 2, mode: bilinear}"],
        ["u: {deconv: 4, kernel: 4, stride: 2, pad: 1, groups: 4, bias: no, init: bilinear, frozen: yes}"],
    ),
    "a gate is spread, or resized": (
        ["g: {pool: global_avg}", "w: {act: sigmoid}", "m: {mul: [input, w]}"],
        ["g: {pool: avg, bins: 1}", "w: {act: sigmoid}", "r: {resize: input, mode: nearest}", "m: {mul: [input, r]}"],
        ["g: {pool: avg, bins: 2}", "w: {act: sigmoid}", "r: {resize: input, mode: nearest}", "m: {mul: [input, r]}"],
    ),
    "every other output of a dilated network is that of a strided one": (
        ["a: {conv: 4, stride: 2, pad: 0}", "b: {conv: 4, pad: 0}"],
        ["a: {conv: 4, pad: 0}", "b: {conv: 4, pad: 0, dilation: 2}", "s: {pool: max, kernel: 1, stride: 2}"],
        ["a: {conv: 4, pad: 0}", "b: {conv: 4, pad: 1, dilation: 2}", "s: {pool: max, kernel: 1, stride: 2}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_proves_its_pair_and_no_other(rule: str, net: Callable[..., Graph]) -> None:
    first, second, other = (net(layers) for layers in RULES[rule])
    found = prove(first, second)
    assert found.answer is Answer.PROVED
    assert found.bound < 1e-9
    assert prove(first, other).answer is Answer.REFUTED


# Equal, and not shown to be: no rule says so.
UNKNOWN = {
    "a factor leaves a relu": (["s: {scale: 2}", "a: {act: relu}"], ["a: {act: relu}", "s: {scale: 2}"]),
    "a shift leaves a maximum": (
        ["f: {affine: channels}", "p: {pool: max, kernel: 2}"],
        ["p: {pool: max, kernel: 2}", "f: {affine: channels}"],
    ),
    "a relu of x less one of -x": (
        ["n: {scale: -1}", "a: {act: relu}", "b: {act: relu, from: input}", "s: {add: [b, a], weights: [1, -1]}"],
        ["s: {scale: 1}"],
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_no_rule_says_is_not_decided(name: str, net: Callable[..., Graph]) -> None:
    first, second = (net(layers) for layers in UNKNOWN[name])
    found = prove(first, second)
    if name == "a shift leaves a maximum":  # a negative factor makes the maximum a minimum
        assert found.answer is Answer.REFUTED
    else:
        assert found.answer is Answer.UNDECIDED
        assert found.witness is None
