"""A network run in rows along its first axis: its steps, the rows that each keeps, and what its cuts cost.

A step is an op and what is done to each value behind it. Where an op needs to know the whole map before it gives a row
(a norm over the image, a global pool), the run is cut: one run gathers sums, the next one goes on. What lies before the
cut is stored, or computed again. The schedule is that of `segcompile/rows.py`, run on whole numbers alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from segcompile.facts.shapes import shapes_at
from segcompile.network.graph import Graph, Node
from segcompile.ops import CELL, LINES, MEDIUM, Shape
from segcompile.rows import Grid, Layer, Pass, Schedule, Transpose, passes_of, sizes_of

BYTES = 4  # of a value, in float32


@dataclass(frozen=True, slots=True)
class Unstreamed:
    """The layer that cannot be run in rows, and why: ends a sentence that it begins."""

    node: Node | None
    reason: str


@dataclass(frozen=True, slots=True)
class Stream:
    """The steps of a network in rows: by the name of its first node what each makes, and all its nodes. `heads`: output
    -> step. `image`: the name of what is read."""

    graph: Graph
    image: str
    layers: Mapping[str, Layer]
    nodes: Mapping[str, tuple[Node, ...]]
    heads: Mapping[str, str]


def stream_of(graph: Graph, shapes: Mapping[str, Shape]) -> Stream | Unstreamed:
    """The steps of a network whose crops are resolved, or what forbids them. They are those of any size."""
    if len(graph.inputs) > 1 or not graph.rank:
        return Unstreamed(None, f"it does not read one {MEDIUM.get(graph.rank, 'map')}")
    needed = graph.ancestors(graph.outputs.values())
    for node in graph.nodes:
        reason = _forbids(node, graph, shapes) if node.name in needed else None
        if reason is not None:
            return Unstreamed(node, reason)
    (image,), chains = graph.inputs, _chains(graph, needed)
    names = {chain[-1].name: chain[0].name for chain in chains} | {image: image}
    layers = {names[chain[-1].name]: _layer(graph, chain, names, shapes) for chain in chains}
    nodes = {names[chain[-1].name]: chain for chain in chains}
    return Stream(graph, image, layers, nodes, {head: names[name] for head, name in graph.outputs.items()})


def _forbids(node: Node, graph: Graph, shapes: Mapping[str, Shape]) -> str | None:
    """Why a layer cannot be run in rows, if so."""
    op, medium, shape = node.op, MEDIUM[graph.rank], shapes[node.name]
    if op.positional:
        return f"treats each position of the {medium} otherwise"
    if op.surroundings == "circular" and any(op.pads(0)):
        return f"pads each end of the {medium} by the other"
    if op.switches is not None:
        return f"puts values where the maxima of another layer were, by their {CELL[graph.rank]}s in the whole map"
    if shape.tokens or any(shapes[name].tokens for name in node.inputs):
        return f"relates each position to all, and no sum over {_lines(graph)} tells it"
    if not shape.size:
        return "makes a vector of the map"
    if op.grid(0) is None:
        whole = any(op.reads_whole(0, index, len(node.inputs)) for index in range(len(node.inputs)))
        return f"relates all {_lines(graph)}, and no sum over them tells it" if whole else "has no form for rows"
    return None


def _lines(graph: Graph) -> str:
    """`rows`, of an image."""
    return LINES[graph.rank][0]


def _chains(graph: Graph, needed: frozenset[str]) -> list[tuple[Node, ...]]:
    """The nodes in steps: each begins with an op, and goes on with those of each value that alone read it."""
    readers: dict[str, int] = dict.fromkeys(graph.outputs.values(), 1)
    for node in graph.nodes:
        for name in node.inputs if node.name in needed else ():
            readers[name] = readers.get(name, 0) + 1
    chains: dict[str, list[Node]] = {}  # last node -> its chain
    for node in graph.nodes:
        if node.name in needed:
            before = chains.pop(node.inputs[0], None) if node.op.pointwise and readers[node.inputs[0]] == 1 else None
            chains[node.name] = [*(before or []), node]
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    return [tuple(chains[name]) for name in sorted(chains, key=order.__getitem__)]


def _layer(graph: Graph, chain: tuple[Node, ...], names: Mapping[str, str], shapes: Mapping[str, Shape]) -> Layer:
    node = chain[0]
    grids = [node.op.grid(axis) for axis in range(graph.rank)]
    grid = tuple(each for each in grids if each is not None)
    gathers, groups = node.op.gathers(shapes[node.inputs[0]].channels)
    inputs = tuple(names[name] for name in node.inputs)
    return Layer(inputs, grid, shapes[chain[-1].name].channels, gathers=gathers, groups=groups)


# --- what it keeps, and what it costs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """The buffer of a step in one run: its rows and their bytes in float32, with sums that are not done yet. `waits`:
    the rows of the image from its first one to the last that the step's first row needs."""

    rows: int
    bytes: int
    waits: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run over the image: its buffers, and the multiply-accumulates of its steps."""

    run: Pass
    kept: Mapping[str, Kept]
    macs: int

    @property
    def bytes(self) -> int:
        """Of all its buffers."""
        return sum(each.bytes for each in self.kept.values())


@dataclass(frozen=True, slots=True)
class Streaming:
    """The runs that give one output of an image of `size`, a block of `block` rows at a time. `whole` are the multiply-
    accumulates of the network on the whole image; `disk` the bytes that are stored at once, at most."""

    size: tuple[int, ...]
    block: int
    runs: tuple[Run, ...]
    whole: int
    disk: int

    @property
    def bytes(self) -> int:
        """Of the buffers of that run which needs most."""
        return max(run.bytes for run in self.runs)

    @property
    def macs(self) -> int:
        return sum(run.macs for run in self.runs)


def plan_stream(stream: Stream, size: tuple[int, ...], block: int, head: str, store: bool) -> Streaming:
    """What running in rows takes for one output of an image of `size`, which the network takes. `store`: what a later
    run reads is stored, and not computed again."""
    sizes = sizes_of(stream.layers, stream.image, size)
    passes = passes_of(stream.layers, stream.heads[head], store)
    costs = _costs(stream, size)
    runs = tuple(_run(stream, sizes, each, block, costs) for each in passes)
    needed = passes_of(stream.layers, stream.heads[head], True)
    whole = sum(costs[name] for each in needed for name in each.layers)
    return Streaming(size, block, runs, whole, _disk(stream, sizes, passes))


def _run(stream: Stream, sizes: Mapping[str, tuple[int, ...]], run: Pass, block: int, costs: Mapping[str, int]) -> Run:
    schedule = Schedule(stream.layers, sizes, run, stream.image, block)
    capacity, kept = schedule.dry(), dict[str, Kept]()
    for name in schedule.names:
        rows = capacity[name]
        grid = stream.layers[name].grid[0] if name in run.layers else None
        carried = grid.carried if isinstance(grid, Transpose) else 0
        held = (rows + carried) * _row(stream, sizes, name)
        kept[name] = Kept(rows, held, _waits(schedule, name))
    return Run(run, kept, sum(costs[name] for name in run.layers))


def _row(stream: Stream, sizes: Mapping[str, tuple[int, ...]], name: str) -> int:
    """The bytes of one row of a map."""
    channels = stream.layers[name].channels if name in stream.layers else stream.graph.inputs[stream.image].channels
    return channels * prod(sizes[name][1:]) * BYTES


def _waits(schedule: Schedule, name: str) -> int:
    """The rows of the image, or of what is stored in its rows, that must be there before a map's first row is."""
    ends, order = {name: 1}, {each: index for index, each in enumerate(schedule.names)}
    most = 0
    while ends:
        each = max(ends, key=order.__getitem__)
        end = ends.pop(each)
        if not schedule.inputs[each]:
            most = max(most, -(-end * schedule.rows[schedule.image] // schedule.rows[each]))
            continue
        layer = schedule.layers[each]
        for index, source in enumerate(layer.inputs):
            if layer.grid[0].reads(index):
                ends[source] = max(ends.get(source, 0), layer.grid[0].end(end, schedule.sizes[each], index))
    return most


def _costs(stream: Stream, size: tuple[int, ...]) -> dict[str, int]:
    """Step -> its multiply-accumulates, on an image of `size`."""
    shapes = shapes_at(stream.graph, size)

    def of(node: Node) -> int:
        return node.op.macs([shapes[name] for name in node.inputs], shapes[node.name]) or 0

    return {name: sum(map(of, nodes)) for name, nodes in stream.nodes.items()}


def _disk(stream: Stream, sizes: Mapping[str, tuple[int, ...]], passes: Sequence[Pass]) -> int:
    """The bytes of stored maps at the end of that run after which they are most; one that nobody reads any more is
    gone before the next run begins."""
    held, most = dict[str, int](), 0
    for number, each in enumerate(passes):
        held |= {name: sizes[name][0] * _row(stream, sizes, name) for name in each.stores}
        most = max(most, sum(held.values()))
        later = {name for run in passes[number + 1 :] for name in run.sources}
        held = {name: count for name, count in held.items() if name in later}
    return most


def cuts(stream: Stream, head: str) -> Iterator[tuple[str, Node]]:
    """The steps at which the runs for an output are cut, and the op that needs to know the whole map."""
    for run in passes_of(stream.layers, stream.heads[head], True):
        yield from ((name, stream.nodes[name][0]) for name in run.gathers)


def grids_of(stream: Stream) -> Mapping[str, tuple[Grid, ...]]:
    """Step -> how it lies over its inputs along each axis."""
    return {name: layer.grid for name, layer in stream.layers.items()}
