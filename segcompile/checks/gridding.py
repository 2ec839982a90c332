"""SC407: dilations that leave holes. Exact, where the usual rule of thumb (HDC: Wang et al., 2018) rejects dense ones.

A stage is what happens at one resolution. It grids if an output does not see every cell of the stage's first tensor
between the outermost two that it sees: what lies in the holes is lost to it, whatever came before. Inside a network one
sparse layer is not yet a chain of them; on the input itself it is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import lcm

from segcompile.checks.subject import Subject
from segcompile.facts.coverage.reach import Ways, reach
from segcompile.facts.coverage.region import Region
from segcompile.facts.index_set import IndexSet, TooWide
from segcompile.facts.receptive_field import Fields
from segcompile.network.graph import Graph, Node
from segcompile.ops import LINES, Chain, Shape, Undecidable
from segcompile.text.errors import Diagnostic, Label, finding

MOST_STEPS = 50_000  # nodes looked at for one head: phases x nodes
MOST_TRIED = 6  # layers of a network, one after another, as the one that closes every hole


@dataclass(frozen=True, slots=True)
class Gridding:
    """Along one axis, `cells` of the tensor `start` reach a cell of `head`, with holes between, by way of `chain`."""

    head: str
    start: str
    axis: int
    phase: int
    cells: IndexSet
    chain: tuple[Node, ...]


def check_dilations(subject: Subject) -> Iterator[Diagnostic]:
    """SC407 for every output whose last stage with holes has some; holes that follow from others are not said again."""
    graph, shapes = subject.graph, subject.shapes
    if not any(_leaves_holes(node) for node in graph.nodes):
        return
    said: set[str] = set()
    left = MOST_TRIED
    for head in dict.fromkeys(graph.outputs.values()):
        found = find_gridding(graph, shapes, subject.fields, head) if head in graph.by_name else None
        if found is None or found.chain[0].name in said:
            continue
        said.add(found.chain[0].name)
        help, tried = _remedy(graph, shapes, found, left)
        left -= tried
        yield _told(graph, found, help)


def find_gridding(
    graph: Graph, shapes: Mapping[str, Shape], fields: Mapping[str, Fields], head: str
) -> Gridding | None:
    """The last stage before `head` that grids, in the first phase in which one does; None if every one is dense.

    A tensor that the whole image reaches `head` from (by global pooling) has no holes.
    """
    period = lcm(*(max(1, field.period) for field in fields[head] if field.step is not None))
    phases = min(period, max(1, MOST_STEPS // len(graph.nodes)))
    ways = Ways(graph, shapes, head)
    try:
        seen: set[tuple[str, Region]] = set()
        found = (_in_stages(ways, phase, seen) for phase in range(phases))
        return next((one for one in found if one is not None), None)
    except (TooWide, Undecidable):
        return None


def _in_stages(ways: Ways, phase: int, seen: set[tuple[str, Region]]) -> Gridding | None:
    """The last stage that grids in this phase. `seen` are the cells of tensors that other phases, too, reach the input
    through: what comes before them is the same, and dense."""
    reached: dict[str, Region] = {}
    within: set[str] = set()  # tensors that some window of their own resolution reads: their stage goes on behind them
    for step in ways.back_from((phase,) * ways.graph.rank):
        if step.region is None:
            continue
        reached[step.name] = step.region
        if step.alone and step.name not in within:
            if (step.name, step.region) in seen:
                return None
            seen.add((step.name, step.region))
        read = ways.windows(step.name)
        within.update(source for source, windows in read if not all(map(_resamples, windows)))
        if step.whole or not (step.name in ways.graph.inputs or any(any(map(_resamples, each)) for _, each in read)):
            continue  # no stage starts here
        for axis, cells in enumerate(step.region.along):
            chain = _chain(ways, step.name, axis, reached) if cells.holes else ()
            if len(chain) > 1 or (chain and step.name in ways.graph.inputs):
                return Gridding(ways.node, step.name, axis, phase, cells, chain)
    return None


def _resamples(chain: Chain) -> bool:
    return any(window.stride != 1 or window.upsample != 1 for window in chain)


def _chain(ways: Ways, start: str, axis: int, reached: dict[str, Region]) -> tuple[Node, ...]:
    """The nodes of the stage behind `start` that leave out cells between those they read."""
    stage, chain = {start}, []
    for name in reversed(reached):
        windows = [along[axis] for source, along in ways.windows(name) if source in stage]
        if any(map(_skips, windows)):
            chain.append(ways.graph.by_name[name])
        if windows and not any(map(_resamples, windows)):
            stage.add(name)
    return tuple(chain)


def _skips(chain: Chain) -> bool:
    return any((window.dilation > 1 and window.taps > 1) or window.stride > window.taps for window in chain)


def _leaves_holes(node: Node) -> bool:
    window = node.op.sliding
    if window is None:
        return False
    axes = zip(window.kernel, window.stride, window.dilation, strict=True)
    return any(dilation > 1 < kernel or stride > kernel for kernel, stride, dilation in axes)


def _told(graph: Graph, found: Gridding, help: str) -> Diagnostic:
    first, *others = found.chain
    names = ", ".join(node.layer for node in found.chain[:4]) + (", ..." if len(found.chain) > 4 else "")
    verb = "leaves" if len(found.chain) == 1 else "leave"
    cells, side = found.cells, LINES[graph.rank][found.axis]
    message = (
        f"{names} {verb} holes: {graph.layer_of(found.head)} sees {cells.count} of the {cells.width} {side} "
        f"of `{graph.layer_of(found.start)}` that it spans"
    )
    spans = ((node, node.origin.at(_cause(node, found.axis))) for node in others[:3])
    labels = [Label(span, _numbers(node, found.axis)) for node, span in spans if span is not None]
    return finding(
        "SC407",
        message,
        first.origin.at(_cause(first, found.axis)),
        labels=labels,
        help=help,
    )


def _numbers(node: Node, axis: int) -> str:
    window = node.op.sliding
    if window is None:
        return node.op.title  # a resize to fewer pixels has no number
    cause = _cause(node, axis)
    return f"{cause} {(window.dilation if cause == 'dilation' else window.stride)[axis]}"


def _cause(node: Node, axis: int) -> str:
    """The attribute by which a node skips cells."""
    return "dilation" if _dilation(node, axis) > 1 else "stride"


def _dilation(node: Node, axis: int) -> int:
    return node.op.sliding.dilation[axis] if node.op.sliding is not None else 1


def _remedy(graph: Graph, shapes: Mapping[str, Shape], found: Gridding, most: int) -> tuple[str, int]:
    """One layer that closes every hole if it is not dilated, if there is one: tried, not guessed, in so many layers at
    most. And in how many it was."""
    transposed = {node.name for node in found.chain if node.op.sliding is not None and node.op.sliding.transposed}
    dilated = [node for node in found.chain if _dilation(node, found.axis) > 1 and node.name not in transposed]
    for tried, node in enumerate(dilated[:most], 1):
        if _closes(graph, shapes, found, node):
            return f"dilation 1 in {node.layer} closes every hole", tried
    if all(_cause(node, found.axis) == "stride" for node in found.chain):
        return "a kernel no smaller than the stride", 0
    help = "smaller dilations before larger ones"
    if len(dilated) > most > 0:
        help += f" (dilation 1 in any one of the first {most} of {len(dilated)} dilated layers is not enough)"
    return help, min(len(dilated), most)


def _closes(graph: Graph, shapes: Mapping[str, Shape], found: Gridding, node: Node) -> bool:
    undilated = replace(node, op=node.op.model_copy(update={"dilation": (1,) * graph.rank}))
    nodes = tuple(undilated if other is node else other for other in graph.nodes)
    reached = reach(replace(graph, nodes=nodes), shapes, found.head, (found.phase,) * graph.rank)
    region = reached.regions.get(found.start)
    return region is not None and not region.along[found.axis].holes
