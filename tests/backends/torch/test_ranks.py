"""Signals and volumes in PyTorch: every op, and random networks, give what the NumPy reference gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from segcompile_torch import BACKEND

from segcompile.network.graph import Graph
from segcompile.ops import ALL_OPS, Op, Pool
from segcompile.testing.checks.numbers import undecided
from segcompile.testing.op_graphs import op_graphs
from segcompile.testing.reference import trace
from segcompile.testing.strategies import along, graph_of, graphs
from segcompile.text.errors import SegcompileError

SETTINGS = settings(phases=(Phase.explicit, Phase.generate))
SIDES = {1: (16, 40), 3: (5, 9)}  # of an image, by its rank: the least and the most pixels
GRAPHS = {rank: op_graphs(along(4, 9, rank), rank) for rank in SIDES}


def check_values(nets: SimpleNamespace, graph: Graph) -> None:
    """Every output of the emitted model, where PyTorch takes it, is that of the reference, in float64.

    Equal maxima that an unpooling asks for are left out: rounding decides between them.
    """
    if any(BACKEND.refuses(node.op) for node in graph.nodes):
        return
    net = nets.emitted(graph)
    parameters: dict[str, dict[str, np.ndarray]] = {}
    for name, value in net.model.state_dict().items():
        node, _, tensor = name.partition(".")
        parameters.setdefault(node, {})[tensor] = value.numpy()
    inputs = net.inputs()
    values = trace(net.graph, parameters, dict(zip(net.graph.inputs, (x.numpy() for x in inputs), strict=True)))
    if undecided(net.graph, values) is not None:
        return
    expected = {head: values[node] for head, node in net.graph.outputs.items()}
    with torch.no_grad():
        for head, value in net.outputs(*inputs).items():
            assert value.shape == expected[head].shape and np.allclose(value, expected[head], rtol=1e-9, atol=1e-9), (
                f"{head}\n{net.source}"
            )


@pytest.mark.parametrize(("rank", "op"), [(rank, op) for op in ALL_OPS for rank in SIDES if op in GRAPHS[rank]])
@settings(SETTINGS, max_examples=15)
@given(data=st.data())
def test_an_op_gives_what_its_definition_gives(
    nets: SimpleNamespace, data: st.DataObject, op: type[Op], rank: int
) -> None:
    try:
        check_values(nets, data.draw(GRAPHS[rank][op]))
    except SegcompileError:
        assume(False)


@pytest.mark.parametrize("rank", SIDES)
@settings(SETTINGS, max_examples=40)
@given(data=st.data())
def test_a_random_network_gives_what_its_definitions_give(
    nets: SimpleNamespace, data: st.DataObject, rank: int
) -> None:
    check_values(nets, data.draw(graphs(8, *SIDES[rank], rank)))


@pytest.mark.long
@pytest.mark.parametrize("rank", SIDES)
@settings(SETTINGS, max_examples=1000, derandomize=False)
@given(data=st.data())
def test_a_thousand_random_networks_give_what_their_definitions_give(
    nets: SimpleNamespace, data: st.DataObject, rank: int
) -> None:
    check_values(nets, data.draw(graphs(9, *SIDES[rank], rank)))


@settings(SETTINGS, max_examples=60)
@given(data=st.data())
def test_a_mean_that_rounds_up_over_a_volume_smaller_than_its_kernel(
    nets: SimpleNamespace, data: st.DataObject
) -> None:
    """F.avg_pool3d refuses it as it is said."""
    size = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    kernel = data.draw(st.tuples(*[st.integers(2, 5)] * 3))
    pad = tuple(data.draw(st.tuples(st.integers(0, taps // 2), st.integers(0, taps // 2))) for taps in kernel)
    pool = Pool(kind="avg", kernel=kernel, stride=data.draw(st.tuples(*[st.integers(1, 3)] * 3)), pad=pad, round="ceil")
    assume(any(taps > extent for taps, extent in zip(kernel, size, strict=True)))
    try:
        check_values(nets, graph_of(pool, size, channels=2))
    except SegcompileError:
        assume(False)


SPEC = """\
segcompile: 1
model: net
input: {channels: 3, size: SIZE}
layers:
  - a:    {conv: 3, kernel: 3, pad: same, init: {identity: {groups: 3}}, act: relu}
  - down: {pool: max, kernel: 2}
  - up:   {deconv: 3, kernel: 4, stride: 2, pad: 1, groups: 3, bias: no, init: bilinear}
  - cut:  {crop: up, from: input}
  - sum:  {add: [cut, up]}
"""


@pytest.mark.parametrize("size", ["[8]", "[8, 8, 8]"])
def test_initial_weights_pass_maps_on_and_interpolate_in_every_rank(
    nets: SimpleNamespace, tmp_path: Path, size: str
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace("SIZE", size))
    net = nets.emitted(nets.compiled(path).graph)
    constant = torch.ones_like(net.inputs()[0])
    inside = (slice(None), slice(None), *[slice(2, -2)] * (constant.dim() - 2))
    assert torch.equal(net.outputs(constant)["output"][inside], 2 * constant[inside])


@pytest.mark.parametrize(("size", "line"), [
    ((2, 4, 4), "return F.avg_pool3d(F.pad(features, (1, 1, 1, 1, 1, 1)), 3, 1)"),
    ((3, 4, 4), "return F.avg_pool3d(features, 3, 1, padding=1)"),
])  # fmt: skip
def test_a_mean_over_more_than_a_volume_holds_is_padded_before(
    nets: SimpleNamespace, size: tuple[int, ...], line: str
) -> None:
    graph = graph_of(Pool(kind="avg", kernel=(3, 3, 3), stride=(1, 1, 1), pad=((1, 1),)), size)
    source = nets.emitted(graph).source.replace("in0", "features")
    assert line in nets.unbroken(source)
    check_values(nets, graph)


BEHIND_A_NORM = """\
segcompile: 1
model: net
input: {{channels: 4, size: {size}}}
layers:
  - norm:  {{norm: layer}}
  - up:    {{conv: 4, kernel: 1, act: gelu}}
  - down:  {{conv: 4, kernel: 1, bias: no}}
  - sum:   {{add: [down, norm]}}
  - again: {{norm: layer}}
  - same:  {{conv: 4, kernel: 1, bias: no, share: down, from: sum}}
  - next:  {{conv: 4, kernel: 1}}
  - less:  {{conv: 4, kernel: 1, stride: 2, from: again}}
  - wide:  {{conv: 4, kernel: 3, pad: 1, from: again}}
outputs: {{less: less, wide: wide, next: next}}
"""


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_convolutions_of_a_pixel_behind_a_layer_norm_are_products_and_give_what_any_gives(
    nets: SimpleNamespace, tmp_path: Path, rank: int
) -> None:
    """A sum's channels need not be last in memory."""
    spec = tmp_path / "net.yaml"
    spec.write_text(BEHIND_A_NORM.format(size=[5, 4, 3][:rank]))
    graph = nets.compiled(spec).graph
    check_values(nets, graph)
    model = nets.emitted(graph).module.Net()
    assert [name for name, module in model.named_modules() if type(module).__name__ == "Pointwise"] == ["up", "down"]
    assert {type(getattr(model, name)).__name__ for name in ("next", "less", "wide")} == {f"Conv{rank}d"}
    assert model.up.weight.shape == (4, 4, *[1] * rank) and model.down.bias is None
