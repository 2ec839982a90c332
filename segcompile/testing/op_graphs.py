"""Hypothesis strategies: every op with any attributes, by itself on inputs of any size."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from segcompile.network.graph import Graph
from segcompile.ops import Add, Concat, Crop, Linear, Mul, Op, Resize, Unpool
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


def op_graphs(sizes: Sizes, rank: int = 2) -> dict[type[Op], SearchStrategy[Graph]]:
    """Op -> graphs of it alone, on inputs of `rank` axes; some of them are refused."""
    linear = st.builds(Linear, features=st.integers(1, 5), bias=st.booleans())
    unary = {**{kind: draw(rank) for kind, draw in MOVING.items()}, **POINTWISE, **MIXING}
    alone: dict[type[Op], SearchStrategy[Graph]] = {kind: st.builds(graph_of, op, sizes) for kind, op in unary.items()}
    return alone | {
        Linear: st.builds(graph_of, linear, sizes),
        Unpool: st.builds(strategies.unpooled, strategies.unpools(rank), sizes),
        Resize: alone[Resize] | joined(strategies.resizes(rank, by_factor=False), sizes),
        Crop: joined(st.builds(Crop, offset=strategies.along(0, 4, rank)), sizes),
        Add: joined(st.builds(Add, align=ALIGN, weights=st.sampled_from([(), (0.25, 2.0)])), sizes),
        Mul: joined(st.builds(Mul, align=ALIGN), sizes),
        Concat: joined(st.builds(Concat, align=ALIGN), sizes),
    }
