"""Ours and TorchLens on the same networks: who is right, and how long each takes."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from statistics import median

from conftest import emitted
from fields.growth import table
from fields.nets import MOVES, NETS, drawn, moves, only
from fields.peer import Peer
from fields.verdicts import Truth, Verdicts, judge_ours, judge_peer, measured

from segcompile.facts.coverage.reach import reach
from segcompile.network.graph import Graph

RUNS = 5
PATIENCE = 30.0  # seconds for the runs of one network, after the third


@dataclass(frozen=True)
class Row:
    """One network: the truth, both verdicts, and the median seconds of each job."""

    name: str
    layers: int
    truth: Truth
    ours: Verdicts
    peers: Verdicts
    seconds: Mapping[str, float]

    def ratio(self, theirs: str, ours: str) -> str:
        """How many times as long TorchLens takes."""
        parts = [self.seconds.get(name) for name in theirs.split("+")]
        if None in parts:
            return "-"
        return f"{sum(part or 0 for part in parts) / self.seconds[ours]:,.0f} x"


def compare(name: str, graph: Graph, others: Mapping[str, Callable[[], object]] | None = None) -> Row | None:
    """One network with one output, timed together with `others` if there are any; None if it has no field that can be
    measured."""
    linear = emitted(graph).made_linear()
    truth = measured(linear)
    if truth is None:
        return None
    peer = Peer(emitted(graph))
    ours, theirs = judge_ours(linear, truth), judge_peer(peer, truth)
    (node,) = linear.graph.outputs.values()
    cell = next(iter(truth.maps))
    if others is None:
        return Row(name, len(graph.layers), truth, ours, theirs, {})
    jobs: dict[str, Callable[[], object]] = {
        "table": partial(table, linear.graph),
        "unit": partial(reach, linear.graph, linear.shapes, node, cell),
        **others,
        "their trace": peer.trace,
        "their table": peer.table,
    }
    if theirs.asked:
        jobs["their unit"] = partial(peer.hull, cell)
    return Row(name, len(graph.layers), truth, ours, theirs, medians(jobs))


def medians(jobs: Mapping[str, Callable[[], object]]) -> Mapping[str, float]:
    """The median CPU seconds of jobs that are run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    start = time.process_time()
    for run in range(RUNS):
        if run >= 3 and time.process_time() - start > PATIENCE:
            break
        gc.collect()
        gc.disable()  # one job's garbage is not another's time
        for name, job in jobs.items():
            begun = time.process_time()
            job()
            seconds[name].append(time.process_time() - begun)
        gc.enable()
    return {name: median(found) for name, found in seconds.items()}


def rows() -> list[Row]:
    """All named networks."""
    found = []
    for net in NETS:
        graph = net.graph()
        row = compare(net.name, only(graph, *graph.outputs.values()), {"file": net.compile})
        assert row is not None, net.name
        found.append(row)
    return found


VERDICTS = """
Size: the largest extent over all phases; `bound`, `whole`: too large, and said to be a bound, or to be the image.
Hulls: of the outputs measured, how many have first and last row and column right. Sets: how many have each pixel right,
holes and all, in two dimensions; TorchLens has hulls only. Fill: the part of the hull that is seen, in truth.

                        layers phases  truth  fill   ours         hulls    sets     TorchLens       hulls"""
TIMES = """
Milliseconds. Ours: from a graph to the phase table of every layer; one output's exact set; from the file of the spec,
with all analyses. TorchLens: tracing; the summary of every layer; one output's hull. Ratios: its summary to our table;
its tracing and summary to ours from the file; its hull to our set.

                           table    unit    file     traces   summary      unit      table     whole      unit"""


def print_nets(found: list[Row]) -> None:
    """Who is right, and how long it takes."""
    print(VERDICTS)
    for row in found:
        ours, peers = row.ours, row.peers
        print(
            f"{row.name:<24}{row.layers:>6}{row.truth.period:>7}{row.truth.size[0]:>7}{row.truth.fill:>6.2f}"
            f"   {ours.said:>5} {ours.size:<6}{ours.hulls:>4}/{ours.asked:<4}{ours.sets:>4}/{ours.asked:<4}"
            f"{peers.said:>6} {peers.size:<8}{peers.hulls:>4}/{peers.asked}"
        )
    print(TIMES)
    for row in found:
        ours_ms = "".join(f"{1e3 * row.seconds[name]:>8.1f}" for name in ("table", "unit", "file"))
        names = ("their trace", "their table", "their unit")
        peers_ms = "".join(
            f"{1e3 * row.seconds[name]:>10.1f}" if name in row.seconds else f"{'-':>10}" for name in names
        )
        ratios = (("their table", "table"), ("their trace+their table", "file"), ("their unit", "unit"))
        print(f"{row.name:<24}{ours_ms} {peers_ms}" + "".join(f"{row.ratio(*pair):>10}" for pair in ratios))


def print_drawn(count: int) -> None:
    """The last measurable layer of each of `count` random graphs; which of them we have wrong, if any."""
    found = list(islice(filter(None, map(_last, drawn())), count))
    print(
        f"\n{len(found)} random graphs; of each the last layer with a local field and a whole period inside the image"
    )
    tools = {"ours": [row.ours for row in found], "TorchLens": [row.peers for row in found]}
    for title, verdicts in tools.items():
        sizes = Counter(verdict.size for verdict in verdicts)
        said = ", ".join(f"{sizes[kind]} {kind}" for kind in ("right", "bound", "whole", "wrong", "refused"))
        hulls = sum(0 < verdict.asked == verdict.hulls for verdict in verdicts)
        sets = sum(0 < verdict.asked == verdict.sets for verdict in verdicts)
        refused = sum(verdict.asked == 0 for verdict in verdicts)
        print(f"  {title:<10} size {said};  hulls of all outputs right {hulls}, refused {refused};  sets right {sets}")
    for row in found:
        if row.ours.size != "right" or not row.ours.asked == row.ours.hulls == row.ours.sets:
            print(f"  ours is wrong: {row.name}: {row.ours}, in truth {row.truth.size}")


def _last(graph: Graph) -> Row | None:
    parts = (only(graph, node.name) for node in reversed(graph.nodes))
    return next(filter(None, (compare(str(part), part) for part in parts if moves(part) >= MOVES)), None)
