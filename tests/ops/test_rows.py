"""How an op's output lies over its inputs in rows: as many as it has, and they read what its window holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segcompile.compiler import analyse_graph
from segcompile.facts.facts import shapes_in
from segcompile.ops import Chain, Refusal, Undecidable, Window
from segcompile.testing.op_graphs import op_graphs
from segcompile.testing.strategies import along
from segcompile.text.errors import Findings, SegcompileError

SIZES = along(1, 14)
OPS = op_graphs(SIZES)


def read_by(chain: Chain, p: int, size: int) -> set[int]:
    """The indices that output p reads through a chain of windows, the one on the input first."""
    wanted = {p}
    for index, window in enumerate(reversed(chain)):
        bound = size if index == len(chain) - 1 else 10**6
        wanted = {i for q in wanted for i in _of(window, q) if 0 <= i < bound}
    return wanted


def _of(window: Window, p: int) -> list[int]:
    places = (window.stride * p + window.dilation * t - window.offset for t in range(window.taps))
    return [place // window.upsample for place in places if place % window.upsample == 0]


def check(graph) -> None:
    try:
        found = analyse_graph(graph, Findings())
    except SegcompileError:
        return
    shapes = shapes_in(found.graph, found.facts)
    for node in found.graph.nodes:
        for axis in range(len(shapes[node.name].size)):
            grid = node.op.grid(axis)
            if grid is None or shapes[node.name].tokens:
                continue
            sizes = [shapes[name].size[axis] for name in node.inputs]
            rows = shapes[node.name].size[axis]
            assert grid.rows(sizes) == rows, node
            for index in range(len(sizes)):
                if grid.reads(index) and (not node.op.reads_whole(axis, index, len(sizes)) or node.op.gathers(1)[0]):
                    check_reads(node.op, axis, sizes, index, rows, grid)


def check_reads(op, axis, sizes, index, rows, grid) -> None:
    """What each row reads lies where the schedule asks for it, before and behind."""
    try:
        chains = op.chains(axis, sizes, index)
    except (Undecidable, Refusal):
        return
    seen = [set().union(*(read_by(chain, p, sizes[index]) for chain in chains)) for p in range(rows)]
    if op.surroundings == "circular" and any(op.pads(axis)):
        return  # read along a whole axis, which is none of rows
    for p in range(rows):
        if seen[p] and type(grid).__name__ != "Transpose":
            assert grid.first(p, sizes, index) <= min(min(each, default=99) for each in seen[p:])
        if seen[p]:
            assert grid.end(p + 1, sizes, index) >= max(seen[p]) + 1
        if type(grid).__name__ == "Transpose":  # a row of the input is read once, by all that it adds to
            made = grid.made(p + 1, sizes)
            later = [each for each in seen[made:] if each]
            carried = -(-grid.carried // grid.stride)
            assert made >= p + 1 and all(min(each) >= grid.first(made, sizes, index) - carried for each in later)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_rows_of_every_op(op) -> None:
    @settings(max_examples=12)
    @given(graph=OPS[op])
    def run(graph) -> None:
        check(graph)

    run()


@pytest.mark.long
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_rows_of_every_op_at_length(op) -> None:
    @settings(max_examples=400, derandomize=False)
    @given(data=st.data())
    def run(data) -> None:
        rank = data.draw(st.sampled_from([1, 2, 3]))
        strategies = op_graphs(along(1, 9, rank), rank)
        if op in strategies:
            check(data.draw(strategies[op]))

    run()
