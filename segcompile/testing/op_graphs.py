"""Hypothesis strategies: every op with any attributes, by itself on inputs of any size."""

from __future__ import annotations

from math import prod

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from segcompile.network.graph import Graph, Node
from segcompile.ops import (
    Add,
    Attention,
    AxialAttention,
    Concat,
    Crop,
    Linear,
    Map,
    MatMul,
    Mul,
    Op,
    Position,
    Reinterpret,
    Resize,
    Shape,
    Token,
    TokenMap,
    Tokens,
    Unpool,
)
from segcompile.testing import strategies
from segcompile.testing.strategies import MIXING, MOVING, POINTWISE, graph_of

Sizes = SearchStrategy[tuple[int, ...]]  # of an input
ALIGN = st.sampled_from(["none", "center_crop", "pad"])


@st.composite
def joined(draw: DrawFn, op: SearchStrategy[Op], sizes: Sizes) -> Graph:
    """An op of two tensors, which have one size or two; or one of them is one pixel along some axes."""
    first = draw(sizes)
    spread = st.tuples(*(st.sampled_from([1, extent]) for extent in first))
    return graph_of(draw(op), first, draw(st.just(first) | sizes | spread))


@st.composite
def listed(draw: DrawFn, op: SearchStrategy[Op], sizes: Sizes, *before: Op) -> Graph:
    """An op behind others behind a list of two tokens and an image, whose size it reads if it remembers that."""
    nodes = [Node("list", Token(count=2), ("in0",), "list")]
    for index, each in enumerate(before):
        nodes.append(Node(f"before{index}", each, (nodes[-1].name,), f"before{index}"))
    drawn, above = draw(op), nodes[-1].name
    nodes.append(Node("layer", drawn, (above, "in0") if drawn.remembers else (above,), "layer"))
    image = Shape(strategies.CHANNELS, draw(sizes))
    return Graph("net", {"in0": image}, tuple(nodes), {"output": "layer"}).verify()


@st.composite
def products(draw: DrawFn, sizes: Sizes) -> Graph:
    """A product over positions, and with its tokens another one over channels."""
    image = Shape(strategies.CHANNELS, draw(sizes))
    nodes = (
        Node("regions", MatMul(over="positions"), ("in0", "in1"), "regions"),
        Node("layer", MatMul(over="channels"), ("regions", "in0"), "layer"),
    )
    return Graph("net", {"in0": image, "in1": image}, nodes, {"output": "layer"}).verify()


def crossing(sizes: Sizes) -> SearchStrategy[Graph]:
    """Attention along lines, of three maps of one size."""

    def of(op: AxialAttention, size: tuple[int, ...]) -> Graph:
        return graph_of(op, size, size, size)

    return st.builds(of, strategies.axial_attentions().map(lambda op: op.model_copy(update={"bias": True})), sizes)


def reinterpreted(rank: int) -> SearchStrategy[Graph]:
    """A map of no more pixels than channels, of which each output then reads all."""
    sizes = st.tuples(*[st.integers(1, 2)] * rank).filter(lambda size: prod(size) <= strategies.CHANNELS)
    return st.builds(graph_of, st.just(Reinterpret(order="channels_last")), sizes)


@st.composite
def attending(draw: DrawFn, sizes: Sizes) -> Graph:
    """Attention of three maps as they are, each query over the keys or all pairs at once."""
    op, over = draw(strategies.attentions()), draw(st.sampled_from(["keys", "pairs"]))
    keys = draw(sizes)
    return graph_of(op.model_copy(update={"bias": True, "over": over}), draw(sizes), keys, keys)


def op_graphs(sizes: Sizes, rank: int = 2) -> dict[type[Op], SearchStrategy[Graph]]:
    """Op -> graphs of it alone, on inputs of `rank` axes, if it takes such; some of them are refused."""
    linear = st.builds(Linear, features=st.integers(1, 5), bias=st.booleans())
    unary = {**{kind: draw(rank) for kind, draw in MOVING.items()}, **POINTWISE, **MIXING}
    alone: dict[type[Op], SearchStrategy[Graph]] = {kind: st.builds(graph_of, op, sizes) for kind, op in unary.items()}
    of_images = {AxialAttention: st.builds(graph_of, strategies.axial_attentions(), sizes) | crossing(sizes)}
    return (
        (of_images if rank == 2 else {})
        | alone
        | {
            Linear: st.builds(graph_of, linear, sizes),
            Attention: alone[Attention] | joined(strategies.attentions(), sizes) | attending(sizes),
            MatMul: products(sizes),
            Reinterpret: reinterpreted(rank),
            Position: alone[Position] | listed(strategies.positions(rank), sizes),
            Token: st.builds(graph_of, st.builds(Token, count=st.integers(1, 3)), sizes),
            Map: listed(st.builds(Map), sizes),
            TokenMap: listed(st.builds(TokenMap, token=st.integers(0, 2)), sizes, Attention(heads=2)),
            Tokens: listed(strategies.parts_of_tokens(), sizes, Attention(heads=2)),
            Unpool: st.builds(strategies.unpooled, strategies.unpools(rank), sizes),
            Resize: alone[Resize] | joined(strategies.resizes(rank, by_factor=False), sizes),
            Crop: joined(st.builds(Crop, offset=strategies.along(0, 4, rank)), sizes),
            Add: joined(st.builds(Add, align=ALIGN, weights=st.sampled_from([(), (0.25, 2.0)])), sizes),
            Mul: joined(st.builds(Mul, align=ALIGN), sizes),
            Concat: joined(st.builds(Concat, align=ALIGN), sizes),
        }
    )
