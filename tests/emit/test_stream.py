"""The network in rows: stream.py gives what the whole image gives, at every pixel, and computes nothing twice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from segcompile.compiler import analyse_graph
from segcompile.network.graph import Graph, Node
from segcompile.network.splice import leading_to
from segcompile.ops import (
    Activation,
    AdaptivePool,
    Add,
    Concat,
    Conv,
    Deconv,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    Mul,
    Op,
    Pool,
    PositionSoftmax,
    Resize,
    Shape,
)
from segcompile.testing.networks import narrow, sized, slim
from segcompile.testing.strategies import CHANNELS, along, graphs, unary_ops
from segcompile.text.errors import Findings, SegcompileError

EXACT = 1e-10  # of the largest value, in float64
BLOCKS = st.sampled_from([1, 2, 3, 8, 64])
Emit = Callable[..., dict[str, str]]


def executed(name: str, source: str, **others: ModuleType) -> ModuleType:
    """A generated file as a module, which imports `others` by their names."""
    module = ModuleType(name)
    before = {each: sys.modules.get(each) for each in (name, *others)}
    sys.modules |= {**others, name: module}
    try:
        exec(compile(source, f"<{name}>", "exec"), vars(module))
    finally:
        for each, was in before.items():
            sys.modules.pop(each)
            sys.modules |= {each: was} if was is not None else {}
    return module


class Net:
    """A graph as PyTorch has it, whole and, if it can be run so, in rows; with values of one size in every layer."""

    def __init__(self, emit: Emit, graph: Graph) -> None:
        found = analyse_graph(graph, Findings())
        self.graph, files = found.graph, emit(found.graph, found.facts)
        model = executed("model", files["model.py"])
        self.rows: Any = None
        if "stream.py" in files:
            schedule = executed("schedule", files["schedule.py"])
            self.rows = executed("stream", files["stream.py"], model=model, schedule=schedule)
        torch.manual_seed(0)
        self.model = model.Net().double().eval()
        for value in self.model.state_dict().values():
            if value.dim() > 1:
                value.copy_(torch.randn_like(value) * (2 / value[0].numel()) ** 0.5)
            elif value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.5)
        (shape,) = graph.inputs.values()
        self.image = torch.randn(1, shape.channels, *shape.size, dtype=torch.float64)

    def whole(self) -> dict[str, Tensor]:
        with torch.inference_mode():
            found = self.model(self.image)
        return found if isinstance(found, dict) else {next(iter(self.graph.outputs)): found}

    def in_rows(self, head: str, block: int, spill: Path | None = None) -> Tensor:
        """The output that rows make, one after another."""
        output, size = self.rows.OUTPUTS[head], tuple(self.image.shape[2:])
        made = list(self.rows.stream(self.model, lambda p, q: self.image[:, :, p:q], size, output, block, spill))
        assert [first for first, _ in made] == [sum(rows.shape[2] for _, rows in made[:at]) for at in range(len(made))]
        return torch.cat([rows for _, rows in made], 2)

    def check(self, block: int, spill: Path | None = None) -> None:
        """All rows of all heads are those of the whole image."""
        for head, whole in self.whole().items():
            found = self.in_rows(head, block, spill)
            assert found.shape == whole.shape
            assert (found - whole).abs().max() <= EXACT * whole.abs().max(), head


@st.composite
def last_of(draw: DrawFn, rank: int = 2) -> Graph:
    """A drawn network, of whose layers all are outputs, or the last one alone."""
    graph = draw(graphs(most=6, low=10, high=22, rank=rank))
    return graph if draw(st.booleans()) else leading_to(graph, {"output": list(graph.outputs.values())[-1]})


@st.composite
def mixing(draw: DrawFn, rank: int = 2) -> Graph:
    """A network that has to know whole maps: norms over them, gates, pools in bins, each behind others."""
    shapes, nodes = {"input": Shape(CHANNELS, draw(along(8, 18, rank)))}, list[Node]()

    def add(op: Op, *inputs: str) -> str:
        name = f"n{len(nodes)}"
        shapes[name] = op.result([shapes[each] for each in inputs])
        nodes.append(Node(name, op, inputs, name))
        return name

    def try_one(last: str) -> str:
        op = draw(unary_ops(rank))
        try:
            return add(op, last) if max(op.result([shapes[last]]).size) < 40 else last
        except Exception:  # it refuses its input
            return last

    last = "input"
    for _ in range(draw(st.integers(1, 3))):
        last, kind = try_one(last), draw(st.sampled_from(["norm", "gate", "bins"]))
        if kind == "norm" and max(shapes[last].size) > 1:
            groups = draw(st.sampled_from([1, 2])) if shapes[last].channels % 2 == 0 else 1
            norms = [InstanceNorm(), GroupNorm(groups=groups), PositionSoftmax(kind="positions")]
            last = add(draw(st.sampled_from(norms)), last)
        elif kind == "gate":
            gate = add(GlobalPool(kind=draw(st.sampled_from(["global_avg", "global_max"]))), last)
            gate = add(Conv(channels=shapes[last].channels, kernel=(1,) * rank), gate)
            last = add(Mul(), last, add(Activation(kind="sigmoid"), gate))
        elif kind == "bins":
            bins = add(AdaptivePool(kind=draw(st.sampled_from(["avg", "max"])), bins=draw(along(1, 4, rank))), last)
            last = add(Concat(), last, add(Resize(mode=draw(st.sampled_from(["bilinear", "nearest"]))), bins, last))
    last = add(Activation(kind="tanh"), last)
    return Graph("net", {"input": shapes["input"]}, tuple(nodes), {"output": last}).verify()


def check_drawn(nets: SimpleNamespace, folder: Path, graph: SearchStrategy[Graph], **said: Any) -> int:
    """Check some drawn networks in blocks, with what later runs read stored or not. How many could be run so."""
    count = 0

    @settings(**said)
    @given(graph=graph, block=BLOCKS, store=st.booleans())
    def run(graph: Graph, block: int, store: bool) -> None:
        nonlocal count
        net = Net(nets.source_of, graph)
        if net.rows is not None:
            net.check(block, folder if store else None)
            count += 1

    run()
    assert not list(folder.iterdir())
    return count


def test_random_networks_in_rows_are_the_whole(nets: SimpleNamespace, tmp_path: Path) -> None:
    assert check_drawn(nets, tmp_path, last_of(), max_examples=25) > 8


def test_networks_that_mix_the_image_in_rows_are_the_whole(nets: SimpleNamespace, tmp_path: Path) -> None:
    assert check_drawn(nets, tmp_path, mixing(), max_examples=15) > 8


@pytest.mark.long
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("drawn", [last_of, mixing])
def test_many_networks_in_rows_are_the_whole(nets: SimpleNamespace, tmp_path: Path, drawn: Any, rank: int) -> None:
    assert check_drawn(nets, tmp_path, drawn(rank), max_examples=400, derandomize=False) > 100


# --- a network with every kind of layer -------------------------------------------------------------------------------


def sample() -> Graph:
    """Strides, dilations, a pool that rounds up, reflected rows, skips, transposed convolutions, a mean, interpolation:
    all in whole numbers."""
    same = {"pad": ((1, 1), (1, 1))}
    nodes = (
        Node("stem", Conv(channels=4, kernel=(3, 3), stride=(2, 2), **same), ("input",), "stem"),
        Node("act", Activation(kind="relu"), ("stem",), "act"),
        Node(
            "wide", Conv(channels=4, kernel=(3, 3), dilation=(4, 4), pad=((4, 4),) * 2, mode="reflect"), ("act",), "w"
        ),
        Node("pool", Pool(kind="max", kernel=(3, 3), stride=(2, 2), pad=((1, 1),) * 2, round="ceil"), ("wide",), "p"),
        Node("mean", Pool(kind="avg", kernel=(2, 2), stride=(1, 1), pad=((0, 1),) * 2), ("pool",), "mean"),
        Node("up", Deconv(channels=4, kernel=(4, 4), stride=(2, 2), **same), ("mean",), "up"),
        Node("cat", Concat(align="center_crop"), ("act", "up"), "cat"),
        Node("low", Conv(channels=4, kernel=(1, 1), stride=(2, 2)), ("cat",), "low"),
        Node("near", Resize(mode="nearest"), ("low", "wide"), "near"),
        Node("sum", Add(align="pad"), ("near", "cat_"), "sum"),
        Node("out", Deconv(channels=2, kernel=(2, 2), stride=(2, 2)), ("sum",), "out"),
    )
    fewer = Node("cat_", Conv(channels=4, kernel=(1, 1)), ("cat",), "cat_")
    return Graph("net", {"input": Shape(3, (37, 22))}, (*nodes[:7], fewer, *nodes[7:]), {"output": "out"}).verify()


@pytest.fixture(scope="module")
def whole_numbers(nets: SimpleNamespace) -> Net:
    net = Net(nets.source_of, sample())
    for value in (net.image, *net.model.state_dict().values()):
        value.copy_((4 * value).round())
    return net


@pytest.mark.parametrize("block", [1, 3, 8, 100])
def test_whole_numbers_are_equal_to_the_last_bit(whole_numbers: Net, block: int) -> None:
    assert torch.equal(whole_numbers.in_rows("output", block), whole_numbers.whole()["output"])


def test_one_row_fewer_in_any_buffer_is_noticed(whole_numbers: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, whole = whole_numbers.rows, whole_numbers.whole()["output"]
    plan, dry = rows.passes_of(rows.network(whole_numbers.model), "out", False), rows.Schedule.dry
    kept = [name for name in (*plan[0].sources, *plan[0].layers) if name != "out"]
    for short in kept:
        monkeypatch.setattr(
            rows.Schedule, "dry", lambda it, short=short: {name: n - (name == short) for name, n in dry(it).items()}
        )
        try:
            found = whole_numbers.in_rows("output", 8)
        except (AssertionError, RuntimeError, ZeroDivisionError, IndexError):
            continue
        assert not torch.equal(found, whole), short


def test_nothing_is_computed_twice(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = Net(nets.source_of, normed(slim(sized(nets.compiled("unet.yaml").graph, 204, 188), 4)))
    with FlopCounterMode(display=False) as of_whole:
        whole = net.whole()["output"]
    with FlopCounterMode(display=False) as of_rows:
        found = net.in_rows("output", 16, tmp_path)
    assert (found - whole).abs().max() <= EXACT * whole.abs().max()
    assert of_rows.get_total_flops() == of_whole.get_total_flops()


def normed(graph: Graph) -> Graph:
    """The graph with a group norm behind each convolution of 3 x 3 pixels."""
    nodes, names = list[Node](), dict[str, str]()
    for node in graph.nodes:
        inputs = tuple(names.get(name, name) for name in node.inputs)
        nodes.append(replace(node, inputs=inputs))
        if isinstance(node.op, Conv) and node.op.kernel == (3, 3):
            name = f"{node.name}_norm".replace(".", "_")
            nodes.append(Node(name, GroupNorm(groups=2), (node.name,), name))
            names[node.name] = name
    layers = {node.name: node.name.replace(".", "_").replace(":", "_") for node in nodes}
    alone = tuple(
        Node(layers[node.name], node.op, tuple(layers.get(each, each) for each in node.inputs), layers[node.name])
        for node in nodes
    )
    return Graph("net", graph.inputs, alone, {"output": alone[-1].name}).verify()


# --- published networks -----------------------------------------------------------------------------------------------


def published(nets: SimpleNamespace, spec: str, variant: str | None, size: int) -> Net:
    return Net(nets.source_of, sized(nets.compiled(spec, variant=variant).graph, size, size))


def test_fcn8s_in_rows_is_the_whole(nets: SimpleNamespace) -> None:
    graph = narrow(nets.compiled("fcn8s.yaml").graph, 64)
    Net(nets.source_of, sized(graph, 40, 60)).check(16)


@pytest.mark.long
@pytest.mark.parametrize(
    ("spec", "variant"),
    [("unet.yaml", None), ("deeplabv3_r101.yaml", "os8"), ("effnet_b0_unet.yaml", None), ("fcn8s.yaml", None)],
)
def test_published_networks_in_rows_are_the_whole(
    nets: SimpleNamespace, tmp_path: Path, spec: str, variant: str | None
) -> None:
    net = published(nets, spec, variant, 604 if spec == "unet.yaml" else 608 if "effnet" in spec else 600)
    net.check(128, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_unet_with_group_norms_in_rows_is_the_whole(nets: SimpleNamespace, tmp_path: Path) -> None:
    graph = normed(sized(nets.compiled("unet.yaml").graph, 604, 604))
    Net(nets.source_of, graph).check(128, tmp_path)


@pytest.mark.long
def test_every_published_network_is_refused_or_is_the_whole(nets: SimpleNamespace, tmp_path: Path) -> None:
    count = 0
    for path in sorted((nets.root / "specs").glob("*.yaml")):
        try:
            found = nets.compiled(path.name)
        except SegcompileError:  # it has variants
            continue
        if found.graph.rank != 2 or len(found.graph.inputs) > 1:
            continue
        net = Net(nets.source_of, found.graph) if not found.graph.takes_any_size else None
        if net is not None and net.rows is not None and max(net.image.shape[2:]) <= 600:
            net.check(64, tmp_path)
            count += 1
    assert count > 20
