"""How the cost of receptive fields grows: with layers, with phases, and memory with the width of the field."""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Mapping
from statistics import median

from segcompile.facts.coverage.reach import reach
from segcompile.facts.receptive_field import Fields, trace_fields
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import Add, Conv, Deconv, Op, Shape
from segcompile.text.errors import Findings

LAYERS = (50, 100, 200, 400)
PERIODS = (1, 4, 16, 64)
WIDTHS = (1_000, 4_000, 16_000)


def table(graph: Graph) -> tuple[Mapping[str, Shape], Mapping[str, Fields]]:
    """From a graph to the full phase table of every layer."""
    shapes = infer_shapes(graph, Findings())
    return shapes, trace_fields(graph, shapes)


class _Chain:
    """A graph while it grows."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, op: Op, *inputs: str) -> str:
        """The name of a new last node; it reads the one before if nothing is said."""
        name = f"n{len(self.nodes)}"
        before = self.nodes[-1].name if self.nodes else "input"
        self.nodes.append(Node(name, op, inputs or (before,), name))
        return name

    def conv(self, dilation: int = 1) -> str:
        """A convolution that keeps the size."""
        return self.add(Conv(channels=1, kernel=(3, 3), dilation=(dilation, dilation), pad=("same",)))

    def graph(self, size: int = 4096) -> Graph:
        return Graph(
            "net", {"input": Shape(1, (size, size))}, tuple(self.nodes), {"output": self.nodes[-1].name}
        ).verify()


def residual(layers: int, period: int) -> Graph:
    """Residual blocks at stride `period`, upsampling by `period`, and as many layers again at full size."""
    chain = _Chain()
    chain.add(Conv(channels=1, kernel=(period, period), stride=(period, period)))
    before = chain.nodes[-1].name
    for index in range(layers // 4):
        before = chain.add(Add(), chain.conv(index % 3 + 1), before)
    chain.add(Deconv(channels=1, kernel=(2 * period, 2 * period), stride=(period, period)))
    for _ in range(layers // 2):
        chain.conv()
    return chain.graph()


def wide(extent: int, holes: bool, period: int = 16) -> Graph:
    """Dilations 1, 2, 4, .. at stride `period`, thrice as large if holes shall stay, and upsampling by `period`."""
    chain, dilation = _Chain(), 3 if holes else 1
    chain.add(Conv(channels=1, kernel=(period, period), stride=(period, period)))
    reached = 1
    while 2 * dilation <= extent // period - reached:
        chain.conv(dilation)
        reached, dilation = reached + 2 * dilation, 2 * dilation
    for _ in range(max(0, extent // period - reached) // 2 // (3 if holes else 1)):
        chain.conv(3 if holes else 1)
    chain.add(Deconv(channels=1, kernel=(2 * period, 2 * period), stride=(period, period)))
    return chain.graph(2**15)


def print_growth(runs: int = 5) -> None:
    """Print both."""
    print("\nMilliseconds to the phase table of every layer: residual blocks at a stride, upsampling, as many layers")
    print(f"{'':>12}" + "".join(f"{period:>7} phases" for period in PERIODS))
    for layers in LAYERS:
        times = []
        for period in PERIODS:
            graph = residual(layers, period)
            assert table(graph)[1][graph.nodes[-1].name][0].period == period
            times.append(median(_seconds(graph) for _ in range(runs)))
        print(f"{layers:>5} layers" + "".join(f"{1e3 * value:>14.1f}" for value in times))
    print(
        "\nPeak memory (tracemalloc), 16 phases: the table of every layer, and one output's exact set in two dimensions"
    )
    for extent in WIDTHS:
        for holes in (False, True):
            print(_memory(wide(extent, holes)))


def _seconds(graph: Graph) -> float:
    start = time.process_time()
    table(graph)
    return time.process_time() - start


def _memory(graph: Graph) -> str:
    tracemalloc.start()
    shapes, fields = table(graph)
    first = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    region = reach(graph, shapes, graph.nodes[-1].name, (2**14, 2**14)).regions["input"]
    second = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    field = fields[graph.nodes[-1].name][0]
    share = region.count / math.prod(factor.width for factor in region.along)
    return (
        f"  {field.size:>6} pixels wide, {100 * share:>5.1f} % filled   {len(graph.nodes):>4} layers"
        f"   {first / 2**10:>8.0f} KiB   {second / 2**10:>8.0f} KiB"
    )
