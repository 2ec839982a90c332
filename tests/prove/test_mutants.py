"""No mutant of a network is proved equal to it, but those that mathematics says are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from segcompile.network.graph import Graph, Node
from segcompile.ops import Op
from segcompile.prove import Answer, prove
from segcompile.text.errors import SegcompileError

COLOUR = "{channels: 3, size: any}"
IN_SHORT = 12  # every so manieth

LAYERS = {
    "plain": [
        "c1: {conv: 6, norm: batch, act: relu}",
        "p1: {pool: max, kernel: 2, stride: 2}",
        "c2: {conv: 6, dilation: 2, pad: 2, groups: 2, act: relu6}",
        "up: {deconv: 6, kernel: 4, stride: 2, pad: 1}",
        "join: {add: [c1, up], align: center_crop}",
        "score: {conv: 2, kernel: 1, pad: 0}",
    ],
    "padded": [
        "c1: {conv: 4, mode: reflect, act: {leaky_relu: {slope: 0.1}}}",
        "a1: {pool: avg, kernel: 3, stride: 2, pad: 1, count_pad: no}",
        "e1: {pad: [1, 2], mode: edge}",
        "c2: {conv: 4, stride: 2, pad: [1, 0, 2, 1], act: elu}",
        "m1: {pool: max, kernel: 3, stride: 1, pad: 1, round: ceil}",
        "r1: {resize: 2, mode: bilinear}",
        "r2: {resize: 3/2, mode: nearest}",
    ],
    "normed": [
        "c1: {conv: 8, norm: {group: 2}, act: silu}",
        "c2: {conv: 8, norm: instance, act: hard_swish}",
        "c3: {conv: 8, norm: layer, act: gelu}",
        "l1: {norm: lrn}",
        "s1: {affine: channels}",
        "sh: {channel_shuffle: 2}",
        "sl: {slice: [1, 5]}",
        "pr: {act: prelu}",
        "so: {softmax: channels}",
    ],
    "gated": [
        "c1: {conv: 4, act: mish}",
        "g: {pool: global_avg}",
        "w: {conv: 4, kernel: 1, pad: 0, act: sigmoid}",
        "m: {mul: [c1, w]}",
        "x: {pool: global_max, from: c1}",
        "c: {concat: [m, c1]}",
        "d: {space_to_depth: 2}",
        "s: {pixel_shuffle: 2}",
        "f: {resize: 1/2, mode: bilinear, align_corners: no}",
        "b: {resize: network.input, mode: bilinear, align_corners: yes}",
    ],
}


# Mutants that are equal, and why.
EQUAL = {
    r"(score|w) dilation: .*": "a kernel of one pixel has no dilation",
    r"(score|w) mode: .*": "nothing is padded",
    r"w stride: .*": "of a map of one pixel a stride leaves out nothing",
    r"(join|m) inputs exchanged": "sums and products know no order",
    r"join align: center_crop -> none": "at the sizes that both take nothing is cropped",
    r"c align: none -> .*": "inputs of one size are not aligned",
    r"m1 round: ceil -> floor": "at a stride of one nothing is rounded",
    r"x kind: global_max -> global_avg": "no output depends on it",
}


@dataclass(frozen=True)
class Mutant:
    net: str
    change: str
    graph: Graph


def mutants(name: str, graph: Graph) -> Iterator[Mutant]:
    """Every mutant of a network that is a network: one attribute one more, one less, or another word; two inputs
    exchanged; a node left out."""
    for node in graph.nodes:
        for change, op in _changed(node.op):
            yield Mutant(name, f"{node.name} {change}", _with(graph, replace(node, op=op)))
        for first, second in pairwise(range(len(node.inputs))):
            inputs = list(node.inputs)
            inputs[first], inputs[second] = inputs[second], inputs[first]
            if not node.op.lends_size and inputs != list(node.inputs):
                yield Mutant(name, f"{node.name} inputs exchanged", _with(graph, replace(node, inputs=tuple(inputs))))


def _with(graph: Graph, node: Node) -> Graph:
    return replace(graph, nodes=tuple(node if each.name == node.name else each for each in graph.nodes))


def _changed(op: Op) -> Iterator[tuple[str, Op]]:
    for name, field in type(op).model_fields.items():
        value = getattr(op, name)
        if name in ("init", "frozen", "momentum", "rate", "channels", "bias"):
            continue
        for other in _others(value, field.annotation):
            try:
                made = type(op).model_validate({**dict(op), name: other})
            except (ValidationError, ValueError):
                continue
            if made != op:
                yield f"{name}: {value} -> {other}", made


def _others(value: object, annotation: object) -> Iterator[object]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        if get_origin(annotation) is Literal:
            yield from (word for word in get_args(annotation) if word != value)
    elif isinstance(value, int):
        yield from (value - 1, value + 1)
    elif isinstance(value, float):
        yield from (value * 2, value * 10)
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            for other in _others(each, None):
                yield (*value[:index], other, *value[index + 1 :])


def judged(net: Callable[..., Graph], step: int) -> Counter[str]:
    """How often each answer was given to every `step`-th mutant; proved ones are in EQUAL."""
    found: Counter[str] = Counter()
    for name, layers in LAYERS.items():
        graph = net(layers, COLOUR)
        for mutant in list(mutants(name, graph))[::step]:
            try:
                answer = prove(graph, mutant.graph).answer
            except SegcompileError:  # it is no network, at any size
                continue
            equal = any(re.fullmatch(pattern, mutant.change) for pattern in EQUAL)
            assert (answer is Answer.PROVED) == equal, (mutant.net, mutant.change, answer)
            found[answer] += 1
    return found


def test_some_mutants_are_refuted(net: Callable[..., Graph]) -> None:
    found = judged(net, IN_SHORT)
    assert found[Answer.REFUTED] > 20
    assert found[Answer.UNDECIDED] == 0


@pytest.mark.long
def test_every_mutant_is_refuted_but_those_that_are_equal(net: Callable[..., Graph]) -> None:
    found = judged(net, 1)
    assert found[Answer.REFUTED] > 300
    assert found[Answer.UNDECIDED] == 0
