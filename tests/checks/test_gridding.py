"""SC407 over all phases: what one phase shares with an earlier one is not looked at again, and nothing is missed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from segcompile.checks.gridding import MOST_STEPS, Gridding, find_gridding
from segcompile.compiler import analyse_graph, compile_spec
from segcompile.facts.coverage.reach import backwards, reach, windows_of
from segcompile.facts.facts import fields_in, shapes_in
from segcompile.network.graph import Graph
from segcompile.ops import Shape, Window
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings


def resamples(window: Window) -> bool:
    return window.stride != 1 or window.upsample != 1


def skips(window: Window) -> bool:
    return (window.dilation > 1 and window.taps > 1) or window.stride > window.taps


def each_phase_by_itself(
    graph: Graph, shapes: Mapping[str, Shape], head: str, phases: int
) -> tuple[str, int, int, tuple[str, ...]] | None:
    """(start, axis, phase, chain) of the first phase with holes, written down from the definition."""
    for phase in range(phases):
        reached = reach(graph, shapes, head, (phase,) * graph.rank)
        for start in backwards(graph, head):
            if start not in reached.regions or start in reached.whole:
                continue
            node = graph.by_name.get(start)
            read = (
                [w for _, each in windows_of(node, shapes) for chain in each for w in chain] if node is not None else []
            )
            if node is not None and not any(map(resamples, read)):
                continue
            for axis, cells in enumerate(reached.regions[start].along):
                stage, chain = {start}, []
                for item in graph.nodes:
                    if item.name in reached.regions:
                        windows = [w for name, each in windows_of(item, shapes) if name in stage for w in each[axis]]
                        chain += [item.name] if any(map(skips, windows)) else []
                        if windows and not any(map(resamples, windows)):
                            stage.add(item.name)
                if cells.holes and (len(chain) > 1 or (chain and start in graph.inputs)):
                    return start, axis, phase, tuple(chain)
    return None


def told(found: Gridding | None) -> tuple[str, int, int, tuple[str, ...]] | None:
    return found and (found.start, found.axis, found.phase, tuple(node.name for node in found.chain))


@settings(phases=(Phase.explicit, Phase.generate), max_examples=60)
@given(data=st.data(), rank=st.sampled_from([1, 2, 2, 3]))
def test_what_is_found_is_what_looking_at_every_phase_finds(data: st.DataObject, rank: int) -> None:
    graph = data.draw(graphs(9, 12, 40 if rank < 3 else 14, rank))
    facts = analyse_graph(graph, Findings()).facts
    shapes, fields = shapes_in(graph, facts), fields_in(facts)
    for head in dict.fromkeys(graph.outputs.values()):
        steps = [field.period for field in fields[head] if field.step is not None]
        assume(max(steps, default=1) * len(graph.nodes) < MOST_STEPS)
        found = told(find_gridding(graph, shapes, fields, head))
        assert found == each_phase_by_itself(graph, shapes, head, 2 * max(steps, default=1)), head


BESIDE = """
  - c1: {conv: 1, kernel: 3, dilation: 2, pad: same}
  - c2: {conv: 1, kernel: 3, dilation: 2, pad: same}
  - v: {deconv: 1, kernel: 3, stride: 2}  # even outputs read two neighbours, and see all of the input; odd ones do not
  - p: {pool: avg, kernel: 3, stride: 1, pad: 1, from: input}
  - u: {resize: 2, mode: nearest}  # two neighbours read the same cell
  - w: {crop: u, from: v, offset: 0}
  - s: {add: [w, u]}
"""
BEHIND = """
  - p: {pool: avg, kernel: 2}
  - z: {conv: 1, kernel: 3, dilation: 2, pad: same}
  - t: {conv: 1, kernel: 1}
  - around: {pad: 2}
  - before: {crop: t, from: around, offset: 0}
  - behind: {crop: t, from: around, offset: 4}
  - x: {add: [before, t, behind]}  # what a dilated kernel would read, and leaves nothing out itself
  - even: {deconv: 1, kernel: 1, stride: 2, output_pad: 1, from: x}
  - y: {conv: 1, kernel: 3, dilation: 2, pad: same, from: t}
  - others: {deconv: 1, kernel: 1, stride: 2, from: y}
  - odd: {pad: [[1, 0]]}
  - s: {add: [even, odd]}
"""


@pytest.mark.parametrize(
    ("layers", "expected"),
    [(BESIDE, ("input", 0, 1, ("c1", "c2"))), (BEHIND, ("p", 0, 1, ("z", "y")))],
    ids=["beside", "behind"],
)
def test_a_phase_that_shares_cells_with_an_earlier_one_may_still_have_holes(
    tmp_path: Path, layers: str, expected: tuple[str, int, int, tuple[str, ...]]
) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: [24]}}\nlayers:{layers}")
    compiled = compile_spec(path, Findings())
    graph, shapes = compiled.graph, shapes_in(compiled.graph, compiled.facts)
    assert told(find_gridding(graph, shapes, fields_in(compiled.facts), "s")) == expected
    assert each_phase_by_itself(graph, shapes, "s", 2) == expected
