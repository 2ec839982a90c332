"""Where networks that differ in padding agree: held against both emitted models, with the same weights."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from segcompile.compiler import analyse_graph
from segcompile.diff.agreement import disputed_borders
from segcompile.facts.any_border import AnyBorder
from segcompile.network.graph import Graph, Node
from segcompile.network.splice import leading_to
from segcompile.ops import Activation, Conv, Deconv, GlobalPool, Op, Pad, Resize, Shape
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings, SegcompileError

SETTINGS = settings(max_examples=60)


def differing(nets: SimpleNamespace, a: Graph, b: Graph) -> Any:
    """Where the outputs (height, width) of both models differ for one image, with the weights of the first."""
    one, other = nets.emitted(a), nets.emitted(b)
    other.model.load_state_dict(dict(zip(other.model.state_dict(), one.model.state_dict().values(), strict=True)))
    (first,), (second,) = one.outputs().values(), other.outputs(*one.inputs()).values()
    return ((first - second).abs() > 1e-9 * first.abs().max()).any(1)[0]


def disputed(nets: SimpleNamespace, a: Graph, b: Graph) -> tuple[tuple[AnyBorder, AnyBorder], Any]:
    """What can differ of the only output, and a mask of it."""
    found = disputed_borders(analyse_graph(a, Findings()), analyse_graph(b, Findings()))
    assert found is not None
    (axes,), (node,) = found.values(), a.outputs.values()
    sides = []
    for axis, size in zip(axes, nets.emitted(a).shapes[node].size, strict=True):
        side = torch.zeros(size, dtype=torch.bool)
        side[: axis.before[0]] = True
        side[max(0, size - axis.after[0]) :] = True
        sides.append(side)
    return axes, sides[0][:, None] | sides[1]


def chain(*ops: Op, size: int = 100) -> Graph:
    """One op behind another, on two channels."""
    nodes = [Node(f"layer{i}", op, (f"layer{i - 1}",), f"layer{i}") for i, op in enumerate(ops, 1)]
    return Graph("net", {"layer0": Shape(2, (size, size))}, tuple(nodes), {"output": nodes[-1].name}).verify()


def conv(pad: int = 0, stride: int = 1, dilation: int = 1, mode: Literal["zero", "reflect", "edge"] = "zero") -> Conv:
    both = (dilation, dilation)
    return Conv(channels=2, kernel=(3, 3), stride=(stride, stride), dilation=both, pad=((pad, pad),), mode=mode)


def padding(amount: int, mode: Literal["zero", "reflect", "edge"] = "zero") -> Pad:
    return Pad(amount=((amount, amount),) * 2, mode=mode)


@pytest.mark.parametrize("size", [64, 100, 101])
def test_the_two_paddings_of_the_context_network(nets: SimpleNamespace, size: int) -> None:
    """Of both, 33 outputs a side see padding; but what the first layers have made of the image is the same, so that
    32 differ, and every one of them does."""
    dilations = [1, 1, 2, 4, 8, 16, 1]
    each = chain(*(conv(d, dilation=d) for d in dilations), size=size)
    once = chain(*(conv(p, dilation=d) for d, p in zip(dilations, [33, 0, 0, 0, 0, 0, 0], strict=True)), size=size)
    found, mask = disputed(nets, each, once)
    assert [(axis.before, axis.after) for axis in found] == [((32,), (32,))] * 2
    assert torch.equal(differing(nets, each, once), mask)


PADDED = {
    "another mode": (chain(conv(1), conv(1)), chain(conv(1), conv(1, mode="reflect")), 1),
    "another mode, earlier": (chain(conv(1), conv(1)), chain(conv(1, mode="edge"), conv(1)), 2),
    "before a stride": (chain(conv(2), conv(0, stride=2)), chain(conv(0), conv(2, stride=2)), 1),
    "between pad layers": (chain(padding(2), conv(), conv()), chain(padding(1), conv(), padding(1), conv()), 1),
    "a pad layer for a pad": (chain(padding(1), conv()), chain(conv(1)), 0),
    "and of another mode": (chain(padding(1, "edge"), conv()), chain(conv(1)), 1),
    "zeros around zeros": (chain(padding(1), conv(2)), chain(padding(2), conv(1)), 0),
    "zeros that are not": (
        chain(padding(1), Activation(kind="sigmoid"), conv(2)),
        chain(padding(2), Activation(kind="sigmoid"), conv(1)),
        2,
    ),
    "behind what mixes the image": (
        chain(GlobalPool(kind="global_avg"), Resize(factor=(9, 9)), conv(1)),
        chain(GlobalPool(kind="global_avg"), Resize(factor=(9, 9)), conv(1, mode="edge")),
        1,
    ),
}


@pytest.mark.parametrize("case", PADDED)
def test_every_disputed_pixel_differs_and_no_other(nets: SimpleNamespace, case: str) -> None:
    one, other, rows = PADDED[case]
    found, mask = disputed(nets, one, other)
    assert found[0].before == (rows,)
    assert torch.equal(differing(nets, one, other), mask)


NO_INTERIOR = {
    "the image moves": (chain(conv(), padding(1)), chain(padding(1), conv(0, stride=1), padding(0), conv(1))),
    "strides pick other pixels": (
        chain(Pad(amount=((1, 1), (1, 1))), conv(1, stride=2), Deconv(channels=2, kernel=(2, 2), stride=(2, 2))),
        chain(conv(1, stride=2), Deconv(channels=2, kernel=(2, 2), stride=(2, 2)), Pad(amount=((1, 1), (1, 1)))),
    ),
    "all of the image is mixed": (
        chain(conv(1), GlobalPool(kind="global_avg")),
        chain(conv(1, mode="edge"), GlobalPool(kind="global_avg")),
    ),
    "one-sided": (
        chain(Conv(channels=2, kernel=(2, 2), pad=((1, 0), (1, 0)))),
        chain(Conv(channels=2, kernel=(2, 2), pad=((0, 1), (0, 1)))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_INTERIOR)
def test_networks_without_an_interior_that_agrees(case: str) -> None:
    one, other = (analyse_graph(graph, Findings()) for graph in NO_INTERIOR[case])
    assert disputed_borders(one, other) is None


@st.composite
def repadded(draw: st.DrawFn, graph: Graph) -> Graph:
    """Other padding of the same amounts: of another mode, as a layer of its own, or later instead of earlier."""
    nodes: list[Node] = []
    for node in graph.nodes:
        op, way = node.op, draw(st.sampled_from(["keep", "mode", "layer"]))
        if isinstance(op, Conv) and way != "keep":
            mode = draw(st.sampled_from(["zero", "reflect", "edge", "circular"]))
            if way == "mode":
                node = replace(node, op=op.model_copy(update={"mode": mode}))
            else:
                (top, bottom), (left, right) = (op.pads(axis) for axis in range(2))
                pad = Pad(amount=((top, bottom), (left, right)), mode=mode)
                nodes.append(Node(f"before_{node.name}", pad, node.inputs, f"before_{node.name}"))
                bare = op.model_copy(update={"pad": ((0, 0), (0, 0))})
                node = replace(node, op=bare, inputs=(nodes[-1].name,))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes)).verify()


def test_random_networks_agree_where_they_should(nets: SimpleNamespace) -> None:
    held: list[bool] = []

    @SETTINGS
    @given(data=st.data(), graph=graphs(most=5, high=24))
    def check(data: st.DataObject, graph: Graph) -> None:
        whole = replace(graph, outputs={"output": graph.nodes[-1].name})
        one = leading_to(whole, whole.outputs)
        assume(any(isinstance(node.op, Conv) and any(node.op.pads(0)) for node in one.nodes))
        other = data.draw(repadded(one))
        try:
            a, b = analyse_graph(one, Findings()), analyse_graph(other, Findings())
        except SegcompileError:
            return  # too small to be reflected
        found = disputed_borders(a, b)
        if found is not None and one != other:
            _, mask = disputed(nets, one, other)
            wrong = differing(nets, one, other)
            assert not (wrong & ~mask).any(), f"{one.nodes}\n{other.nodes}"
            held.append(bool(wrong.any()))

    check()
    assert len(held) > 24 and sum(held) > 9, "the networks drawn show too little"
