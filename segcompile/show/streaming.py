"""A network in rows: `segcompile rf SPEC --stream`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from segcompile.compiler import Compiled
from segcompile.facts.facts import shapes_in
from segcompile.facts.streaming import Run, Stream, Streaming, Unstreamed, cuts, plan_stream, stream_of
from segcompile.facts.usual_size import usual_size
from segcompile.network.graph import Graph, Node
from segcompile.ops import CELL, LINES, MEDIUM
from segcompile.show.numbers import area, short

USUAL = 64  # rows of a block, where nobody says a number
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class InRows:
    """What is known of a network in rows: of one output what it takes with what later runs read `stored`, and with it
    `again` computed; and the layers at which it is `cut`. Or why it cannot be run so."""

    rank: int
    stream: Stream | Unstreamed
    head: str = ""
    stored: Streaming | None = None
    again: Streaming | None = None
    cut: tuple[tuple[str, Node], ...] = ()


def in_rows(compiled: Compiled, block: int | None = None, size: tuple[int, ...] | None = None) -> InRows:
    """A network in rows, its first output, of an image of `size` that it takes: else of the spec's, or a usual one."""
    graph = compiled.graph
    stream = stream_of(graph, shapes_in(graph, compiled.facts))
    if isinstance(stream, Unstreamed):
        return InRows(graph.rank, stream)
    head, of = next(iter(stream.heads)), size or _size(compiled, graph, stream.image)
    stored, again = (plan_stream(stream, of, block or USUAL, head, store) for store in (True, False))
    return InRows(graph.rank, stream, head, stored, again, tuple(cuts(stream, head)))


def _size(compiled: Compiled, graph: Graph, image: str) -> tuple[int, ...]:
    usual = usual_size(graph, compiled.sizes).inputs[image].size
    return tuple(extent for extent in usual if isinstance(extent, int))


def streaming_text(model: str, found: InRows) -> str:
    """The buffers of each run, and what the cuts cost."""
    if isinstance(found.stream, Unstreamed):
        return f"{model} cannot be run in rows: {_why(found.stream)}"
    stored, again, line = found.stored, found.again, LINES[found.rank][0]
    assert stored is not None and again is not None
    lines = [f"{model} in {line}: {area(stored.size)}, {stored.block} {line} at a time"]
    for number, run in enumerate(stored.runs, 1):
        lines += ["", *_run(run, number if len(stored.runs) > 1 else 0, line)]
    return "\n".join([*lines, "", *_summary(found, stored, again)])


def _why(found: Unstreamed) -> str:
    return f"`{found.node.layer}` ({found.node.op.title}) {found.reason}" if found.node else found.reason


def _run(run: Run, number: int, line: str) -> Iterator[str]:
    if number:
        yield f"  run {number}, {_ends(run)}"
    rows = [(name, str(kept.rows), _size_of(kept.bytes), str(kept.waits)) for name, kept in run.kept.items()]
    head = ("layer", f"{line} kept", "buffer", "waits for")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for name, *numbers in (head, *rows):
        cells = "   ".join(f"{each:>{width}}" for each, width in zip(numbers, widths[1:], strict=True))
        yield f"  {name:<{widths[0]}}   {cells}"


def _ends(run: Run) -> str:
    """What a run is for."""
    if run.run.output is not None:
        return "which gives the output"
    return f"which gathers what {_listed(run.run.gathers)} {'needs' if len(run.run.gathers) == 1 else 'need'}"


def _listed(names: tuple[str, ...]) -> str:
    """A few names, and how many more there are."""
    more = len(names) - 3
    told = [f"`{name}`" for name in (names if more < 2 else names[:3])]
    if more >= 2:
        return f"{', '.join(told)} and {more} more"
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)


def _summary(found: InRows, stored: Streaming, again: Streaming) -> Iterator[str]:
    medium, cells = MEDIUM[found.rank], f"{CELL[found.rank]}s"
    line = LINES[found.rank][0]
    yield f"  buffers      {_size_of(stored.bytes)} in float32, whatever the number of {line}"
    yield f"  waits for    {line} of the {medium} from the first to the last that a layer's first one needs"
    if not found.cut:
        yield f"  MACs         {short(stored.macs)}: those of the whole {medium}, nothing is computed twice"
        return
    kinds: dict[str, list[str]] = {}
    for name, node in found.cut:
        kinds.setdefault(node.op.title, []).append(name)
    for title, names in kinds.items():
        yield f"  cut at       {title}, which reads all {cells}: {_listed(tuple(names))}"
    yield f"  stored       {len(stored.runs)} runs, {_size_of(stored.disk)} of disk, MACs {_times(stored)}"
    yield f"  or again     {len(again.runs)} runs, {_size_of(again.bytes)} of buffers, no disk, MACs {_times(again)}"


def _times(found: Streaming) -> str:
    return f"{float(Fraction(found.macs, found.whole or 1)):.2f} times those of the whole"


def _size_of(count: int) -> str:
    """`12.3 MiB`."""
    if not count:
        return "0"
    return f"{count / _MIB:,.1f} MiB" if count >= _MIB / 10 else f"{count / 1024:,.1f} KiB"


# --- the same as data -------------------------------------------------------------------------------------------------


def streaming_json(found: InRows) -> dict[str, Any]:
    """The runs with what later ones read `stored`, and with it computed `again`; None where it cannot be run in rows,
    and then `forbidden` says why."""
    if isinstance(found.stream, Unstreamed):
        node = found.stream.node
        told = {"layer": node and node.layer, "op": node and node.op.title, "reason": found.stream.reason}
        return {"stored": None, "again": None, "cuts": [], "forbidden": told}
    assert found.stored is not None and found.again is not None
    return {
        "head": found.head,
        "stored": _streaming_json(found.stored),
        "again": _streaming_json(found.again),
        "cuts": [{"layer": name, "op": node.op.title} for name, node in found.cut],
        "forbidden": None,
    }


def _streaming_json(found: Streaming) -> dict[str, Any]:
    return {
        "size": found.size,
        "block": found.block,
        "bytes": found.bytes,
        "disk": found.disk,
        "macs": found.macs,
        "whole": found.whole,
        "runs": [
            {
                "gathers": run.run.gathers,
                "stores": run.run.stores,
                "macs": run.macs,
                "layers": {
                    name: {"rows": kept.rows, "bytes": kept.bytes, "waits": kept.waits}
                    for name, kept in run.kept.items()
                },
            }
            for run in found.runs
        ],
    }
