"""A network as a spec that a person could have written: few lines, and the same network when it is read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from segcompile.compiler import Compiled, analyse_graph, compile_spec
from segcompile.diff.pairing import isomorphism
from segcompile.language.derive import variants_of
from segcompile.language.telling import Modules
from segcompile.library import bundled, locate
from segcompile.network.graph import Graph, Node, Role
from segcompile.ops import Activation, Add, Conv, Op, Shape
from segcompile.restate import readable, restate
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings

RESNET_50 = """\
segcompile: 1
model: resnet50
input: {channels: 3, size: 224}
defaults: {conv: {kernel: 1, pad: same, bias: no, norm: batch, act: relu}, add: {act: relu}}
blocks:
  residual: {layers: [conv1: {conv: channels//4}, conv2: {conv: channels, kernel: 3},
                      conv3: {conv: 4channels, act: none}, {add: [conv3, input]}]}
  stage:
    args: [w: channels//2, s: 2, n: 2]
    layers:
      - conv1:          {conv: w}
      - conv2:          {conv: w, kernel: 3, stride: s}
      - conv3:          {conv: 4w, act: none}
      - conv4:          {conv: 4w, stride: s, act: none, from: input}
      - sum:            {add: [conv3, conv4]}
      - "residual_{i}": {block: residual, repeat: n}
layers:
  - conv:   {conv: 64, kernel: 7, stride: 2}
  - pool1:  {pool: max, kernel: 3, stride: 2, pad: same}
  - for: {n: 1..4, w: [64, 128, 256, 512], s: [1, 2, 2, 2], n2: [2, 3, 5, 2]}
    layers: ["stage{n}": {block: stage, w: w, s: s, n: n2}]
  - pool2:  {pool: global_avg}
  - fc:     {linear: 1000}
"""
UNET = """\
segcompile: 1
model: unet
input: {channels: 1, size: 572}
defaults: {conv: {kernel: 3, act: relu}, pool: {kernel: 2}, deconv: {kernel: 2, stride: 2, pad: same},
    concat: {align: center_crop}}
layers:
  - "conv1_{i}":   {conv: 64, repeat: 2}
  - for: {n: 1..4, w: [128, 256, 512, 1024]}
    layers: ["pool{n}": {pool: max}, "conv2_{n}_{i}": {conv: w, repeat: 2}]
  - for: {n: 1..4, w: [512, 256, 128, 64], of: [conv2_3_2, conv2_2_2, conv2_1_2, conv1_2]}
    layers: ["up{n}": {deconv: w}, "cat{n}": {concat: [of, "up{n}"]}, "conv3_{n}_{i}": {conv: w, repeat: 2}]
  - conv4:         {conv: 2, kernel: 1, pad: same, act: none}
"""
# The lines that a whole spec may have: of the networks that the issue names, and of others that are like them.
AT_MOST = {
    "esrgan_slim": 20, "resnet50": 40, "ppocr_det": 120, "effnet_b0_unet": 120, "lraspp": 80, "deeplabv3_r101": 60,
    "hrnet_w18": 120, "unet": 22,
}  # fmt: skip


def _compiled(name: str, variant: str | None = None) -> Compiled:
    return compile_spec(bundled()[name], Findings(), variant=variant)


def _variants(name: str) -> Iterator[str | None]:
    yield from variants_of(bundled()[name], locate) or (None,)


@pytest.mark.parametrize(("name", "text"), [("resnet50", RESNET_50), ("unet", UNET)])
def test_what_is_found_again_is_written_once(name: str, text: str) -> None:
    found = _compiled(name)
    assert readable(found.graph, found.facts) == text


def _check_whole(name: str, folder: Path) -> None:
    """Each variant of a bundled spec, without scopes, becomes a spec of the same network, weights and outputs."""
    for variant in _variants(name):
        found = _compiled(name, variant)
        stated = restate(found.graph, found.facts, folder / f"{name}_{variant}.yaml")
        assert isomorphism(found.graph, stated.compiled.graph) == stated.nodes
        assert found.cost(found.graph.nodes) == stated.compiled.cost(stated.compiled.graph.nodes)
        assert len(stated.text.splitlines()) <= AT_MOST.get(name, 120)
        assert max(map(len, stated.text.splitlines())) <= 120


@pytest.mark.parametrize("name", ["attention_unet", "ccnet", "esrgan_slim", "ppocr_det", "unetpp"])
def test_a_bundled_spec_that_lost_its_blocks_is_the_same_network_in_few_lines(name: str, tmp_path: Path) -> None:
    _check_whole(name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(bundled()))
def test_every_bundled_spec_that_lost_its_blocks_is_the_same_network(name: str, tmp_path: Path) -> None:
    _check_whole(name, tmp_path)


def _check_again(graph: Graph, folder: Path) -> None:
    subject = analyse_graph(graph, Findings())
    stated = restate(subject.graph, subject.facts, folder / "net.yaml")
    assert isomorphism(subject.graph, stated.compiled.graph) is not None


@settings(max_examples=12, phases=[Phase.generate])
@given(graphs())
def test_a_random_network_is_read_again(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    _check_again(graph, tmp_path_factory.mktemp("net"))


@st.composite
def repeating(draw: DrawFn) -> Graph:
    """A network in which a few lines come again and again, with other numbers, and with other lines between them."""
    convs = st.builds(
        lambda kernel, dilation: Conv(
            channels=8, kernel=(kernel, kernel), pad=("same", "same"), dilation=(dilation,) * 2
        ),
        st.sampled_from([1, 3]),
        st.sampled_from([1, 1, 2]),
    )
    shapes = draw(st.lists(st.sampled_from(["conv", "act", "add", "add far"]), min_size=1, max_size=5))
    nodes: list[Node] = []

    def last(back: int) -> str:
        return nodes[-back].name if back <= len(nodes) else "input"

    def put(op: Op, *inputs: str) -> None:
        name = f"n{len(nodes)}"
        nodes.append(Node(name, op, inputs, name))

    for _ in range(draw(st.integers(1, 5))):
        for shape in shapes:
            if shape == "conv":
                put(draw(convs), last(draw(st.sampled_from([1, 1, 1, 3]))))
            elif shape == "act":
                put(Activation(kind=draw(st.sampled_from(["relu", "relu", "silu"]))), last(1))
            else:
                put(Add(), last(1), last(len(shapes) if shape == "add" else draw(st.integers(1, 12))))
        if draw(st.booleans()):
            put(draw(convs), last(1))
    read = {name: None for node in nodes for name in node.inputs}
    ends = {f"out_{node.name}": node.name for node in nodes if node.name not in read}
    return Graph("net", {"input": Shape(8, (16, 16))}, tuple(nodes), ends, end=nodes[-1].name)


@settings(max_examples=30)
@given(repeating())
def test_a_network_that_repeats_itself_is_read_again(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    _check_again(graph, tmp_path_factory.mktemp("net"))


_WORDS = ["conv1", "conv2", "layer1", "block", "0", "1", "w", "n2", "of", "skip", "input", "_pre_", "no", "pass", "é"]
_PATHS = st.lists(st.sampled_from(_WORDS), max_size=3).map(".".join)


@st.composite
def told(draw: DrawFn) -> tuple[Graph, Modules]:
    """A network whose layers were modules of any names and classes."""
    graph = draw(repeating())
    paths = {layer: draw(_PATHS) for layer in graph.layers}
    classes = st.sampled_from(["Sequential", "BasicBlock", "Stage", "ConvBNReLU", "Input", "B"])
    return graph, Modules(paths, {path: draw(classes) for path in sorted({*paths.values()})})


@settings(max_examples=12, phases=[Phase.generate])
@given(told())
def test_whatever_modules_are_called_the_network_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, found: tuple[Graph, Modules]
) -> None:
    subject = analyse_graph(found[0], Findings())
    out = tmp_path_factory.mktemp("net") / "net.yaml"
    stated = restate(subject.graph, subject.facts, out, modules=found[1])
    assert isomorphism(subject.graph, stated.compiled.graph) is not None


@pytest.mark.long
@settings(max_examples=2000, derandomize=False)
@given(repeating())
def test_many_networks_that_repeat_themselves_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, graph: Graph
) -> None:
    _check_again(graph, tmp_path_factory.mktemp("net"))


def _deep(units: int) -> Graph:
    """A chain of residual units of five layers each, no two neighbours alike."""
    nodes: list[Node] = []
    for unit in range(units):
        enters = nodes[-1].name if nodes else "input"
        for part in range(4):
            kernel = 1 + 2 * ((unit * part) % 3)
            conv = Conv(channels=8, kernel=(kernel, kernel), pad=("same", "same"))
            name = f"u{unit}_{part}"
            nodes.append(Node(name, conv, (nodes[-1].name if nodes else "input",), name))
            nodes.append(Node(f"{name}:act", Activation(kind="relu"), (name,), name, role=Role.ACT))
        nodes.append(Node(f"u{unit}", Add(), (nodes[-1].name, enters), f"u{unit}"))
    return Graph("deep", {"input": Shape(8, (32, 32))}, tuple(nodes), {"output": nodes[-1].name}, end=nodes[-1].name)


@pytest.mark.parametrize("units", [20, pytest.param(200, marks=pytest.mark.long)])
def test_many_layers_are_few_lines(units: int) -> None:
    subject = analyse_graph(_deep(units), Findings())
    text = readable(subject.graph, subject.facts)
    assert text == readable(subject.graph, subject.facts)
    assert len(text.splitlines()) < 40


def _names(graph: Graph) -> Mapping[str, None]:
    return dict.fromkeys(graph.layers)


def test_the_names_of_the_source_do_not_matter() -> None:
    found = _compiled("unet")
    other = {name: f"x{index}" for index, name in enumerate(_names(found.graph))}

    def named(name: str) -> str:
        layer, colon, role = name.partition(":")
        return f"{other.get(layer, layer)}{colon}{role}"

    nodes = tuple(
        Node(named(node.name), node.op, tuple(map(named, node.inputs)), other[node.layer], role=node.role)
        for node in found.graph.nodes
    )
    outputs = {head: named(name) for head, name in found.graph.outputs.items()}
    anonymous = Graph("unet", found.graph.inputs, nodes, outputs, end=named(found.graph.end)).verify()
    subject = analyse_graph(anonymous, Findings())
    assert readable(subject.graph, subject.facts) == UNET
