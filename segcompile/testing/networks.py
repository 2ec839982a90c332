"""Graphs made smaller, so that they run in no time: fewer channels, a small image, only linear ops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from math import gcd
from typing import Any

from segcompile.backend import BuildRequest
from segcompile.checks.shared import misshapen
from segcompile.compiler import analyse_graph
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.network.splice import leading_to
from segcompile.network.training import Training
from segcompile.ops import (
    AdaptivePool,
    Add,
    GlobalPool,
    Init,
    Op,
    PadChannels,
    PixelShuffle,
    Pool,
    Scale,
    Shape,
    Slice,
    Token,
)
from segcompile.text.errors import Findings, SegcompileError

SMALL = 24  # pixels along a side: what most networks leave something of
FURTHER = 512  # pixels that are looked through for a size


def slim(graph: Graph, channels: int = 2) -> Graph:
    """The graph with so few channels everywhere, or as many times more as a pixel shuffle makes one of: the same
    geometry, cheaper."""
    shuffled = {
        graph.layer_of(node.inputs[0]): node.op.factor**graph.rank
        for node in graph.nodes
        if isinstance(node.op, PixelShuffle)
    }

    def thin(node: Node) -> Node:
        op, width = node.op, channels * shuffled.get(node.layer, 1)
        changes: dict[str, Any] = {op.main: width} if op.main in ("channels", "features") else {}
        if op.main == "channels":
            groups = width if (op.groups_of(width) or 1) > 1 else 1
            changes |= {"groups": groups, "init": Init(), "frozen": False}
        elif isinstance(op, PadChannels):
            changes = {"more": 0}
        elif isinstance(op, Slice):
            changes = {"part": (0, channels)}
        for split in ("groups", "heads"):  # of a norm, a shuffle, an attention
            if op.main != "channels" and hasattr(op, split):
                changes |= {split: gcd(getattr(op, split), width)}
        return replace(node, op=op.model_copy(update=changes))

    inputs = {name: Shape(channels, shape.size) for name, shape in graph.inputs.items()}
    scopes = tuple(replace(scope, takes=0) for scope in graph.scopes)  # what enters them has other channels, too
    return replace(graph, inputs=inputs, nodes=tuple(thin(node) for node in graph.nodes), scopes=scopes)


def narrow(graph: Graph, factor: int = 8) -> Graph:
    """The graph with so many times fewer channels in each layer that keeps two of them, the others as they are: for
    layers whose channels must stay the double of others', or those of the image."""

    def of(node: Node) -> Node:
        main = node.op.main
        if main not in ("channels", "features"):
            return node
        width = getattr(node.op, main)
        if width < 2 * factor or width % factor:
            return node
        return replace(node, op=node.op.model_copy(update={main: width // factor}))

    scopes = tuple(replace(scope, takes=0) for scope in graph.scopes)
    return replace(graph, nodes=tuple(map(of, graph.nodes)), scopes=scopes)


def sized(graph: Graph, *size: int) -> Graph:
    """The graph for images of another size."""
    return replace(graph, inputs={name: Shape(shape.channels, size) for name, shape in graph.inputs.items()})


def with_outputs(graph: Graph, nodes: Sequence[str]) -> Graph:
    """The part of the graph that leads to some nodes, with these for outputs."""
    names = {graph.by_name[node].layer.replace(".", "_") + "_out": node for node in nodes}
    return leading_to(graph, names)


def has_lists(graph: Graph) -> bool:
    """Whether it makes a list anywhere, which has no cells that a field or a count could be told of."""
    return any(isinstance(node.op, Token) for node in graph.nodes)


def every_layer(graph: Graph) -> Graph:
    """The graph with every layer as an output."""
    return with_outputs(graph, [nodes[-1].name for nodes in graph.layers.values()])


def linear(graph: Graph) -> Graph:
    """The graph with means for maxima and ones for norms and what is pointwise, which read no neighbours or whose local
    part is the pixel itself: what a window reads has a gradient that is not zero, whatever the values are."""

    def of(op: Op) -> Op:
        if op.pointwise or (op.whole_image and op.window_on(0, [1], 0) is not None):
            return Scale(factor=1.0)
        if isinstance(op, AdaptivePool) or (isinstance(op, Pool) and max(op.dilation) == 1):  # no mean can be dilated
            return op.model_copy(update={"kind": "avg"})
        if isinstance(op, GlobalPool):
            return op.model_copy(update={"kind": "global_avg"})
        return op.model_copy(update={"weights": ()}) if isinstance(op, Add) else op

    def as_one(node: Node) -> Node:
        op = of(node.op)
        return replace(node, op=op, inputs=node.inputs[: op.most_inputs])

    return replace(graph, nodes=tuple(map(as_one, graph.nodes)))


def small(graph: Graph, least: int = SMALL) -> Graph:
    """The graph for the smallest image of at least so many pixels a side that it takes, the last side not the others
    if that may be; at its own size if it takes none near."""
    if len({shape.size for shape in graph.inputs.values()}) > 1:
        return graph  # inputs that depend on each other
    fitting = (size for size in range(least, least + FURTHER) if _fits(sized(graph, *[size] * graph.rank)))
    side = next(fitting, None)
    if side is None:
        return graph
    others = [side] * (graph.rank - 1)
    last = next((size for size in range(side + 1, side + 65) if _fits(sized(graph, *others, size))), side)
    return sized(graph, *others, last)


def _fits(graph: Graph) -> bool:
    findings = Findings()
    shapes = infer_shapes(graph, findings)
    return not findings.has_errors and not any(misshapen(graph, shapes))


def thin(graph: Graph, widths: Sequence[int] = (2, 4)) -> Graph:
    """The graph for its own image, of the first of the widths that it takes; as it is if it takes none."""
    return next((found for channels in widths if _fits(found := slim(graph, channels))), graph)


def reductions(graph: Graph, widths: Sequence[int] = (2, 4)) -> Iterator[Graph]:
    """The graph small and of each of the widths in turn, then narrow; at last as it is, but small."""
    for found in (*(slim(graph, channels) for channels in widths), narrow(graph)):
        if _fits(found):
            yield small(found)
    yield small(graph)


def request_of(graph: Graph, model: str = "net") -> BuildRequest:
    """What a backend is asked to build of a graph. Raises SegcompileError where its shapes do not fit."""
    findings = Findings()
    found = analyse_graph(graph, findings)
    findings.stop_on_errors()
    return BuildRequest(model, "Net", f"{model}.yaml", "", {}, found.graph, found.facts, Training())


def reduced(graph: Graph, widths: Sequence[int] = (2, 4)) -> BuildRequest:
    """The first of the reductions that has no errors."""
    for candidate in reductions(graph, widths):
        with suppress(SegcompileError):
            return request_of(candidate)
    return request_of(small(graph))  # which has errors, and says them
