"""Where the grid of an output comes from, phase by phase: `segcompile why-grid`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from segcompile.checks.gridding import check_dilations
from segcompile.checks.subject import Subject
from segcompile.facts.grid import Grid, TooManyPhases, Weights, input_grid, output_grid
from segcompile.facts.grid_edits import Edit, smallest_edit
from segcompile.facts.receptive_field import Field
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXIS_NAMES, CELL, MEDIUM
from segcompile.text.errors import Diagnostic
from segcompile.text.report import as_json

_LISTED = 32  # phases that a text lists


@dataclass(frozen=True, slots=True)
class AxisGrid:
    """Of one output along one axis: its field, the grid of its phases and of the input's, and the edits that take them
    away, with how many were tried. `grid` None: too many phases to tell."""

    axis: int
    field: Field
    grid: Grid | None
    pixels: Grid | None
    edit: tuple[Edit | None, int]
    pixel_edit: tuple[Edit | None, int]


@dataclass(frozen=True, slots=True)
class HeadGrid:
    """Of one output, along each axis. `own`: layers before it of which each phase has weights of its own."""

    head: str
    axes: tuple[AxisGrid, ...]
    own: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Grids:
    """Of all outputs; `holes`: what dilations leave out (SC407)."""

    model: str
    graph: Graph
    heads: tuple[HeadGrid, ...]
    holes: tuple[Diagnostic, ...]


def grids_of(model: str, subject: Subject) -> Grids:
    """The grids of a network whose sizes are numbers."""
    graph = subject.graph
    heads = tuple(_head(subject, head, name) for head, name in graph.outputs.items() if subject.facts[name].shape.size)
    return Grids(model, graph, heads, tuple(check_dilations(subject)))


def _head(subject: Subject, head: str, name: str) -> HeadGrid:
    graph = subject.graph
    needed = graph.ancestors([name])
    own = tuple(node for node in graph.nodes if node.name in needed and _has_own(node))
    return HeadGrid(head, tuple(_axis(subject, name, axis) for axis in range(graph.rank)), own)


def _has_own(node: Node) -> bool:
    """Whether each phase of what it gives is made with weights of its own."""
    window = node.op.sliding
    if window is None or not window.transposed or not node.op.has_weights():
        return False
    return any(stride > 1 for stride in window.stride)


def _axis(subject: Subject, name: str, axis: int) -> AxisGrid:
    graph, field = subject.graph, subject.facts[name].fields[axis]
    source, nothing = next(iter(graph.inputs)), (None, 0)
    regrid = partial(output_grid, axis=axis, node=name)
    repixel = partial(input_grid, axis=axis, node=name, source=source)
    try:
        grid, pixels = regrid(graph, subject.shapes), repixel(graph, subject.shapes)
        edit = nothing if grid.is_even else smallest_edit(graph, grid, regrid)
        pixel_edit = nothing if pixels.is_even else smallest_edit(graph, pixels, repixel)
    except TooManyPhases:
        return AxisGrid(axis, field, None, None, nothing, nothing)
    return AxisGrid(axis, field, grid, pixels, edit, pixel_edit)


# --- as text ---------------------------------------------------------------------------------------------------------


def grids_text(found: Grids) -> str:
    """Each output, its axes once where they are alike; then what dilations leave out."""
    lines = [f"grids of {found.model}"]
    if not found.heads:
        lines += ["", f"none: no output is a map, each is one value for the whole {MEDIUM[found.graph.rank]}"]
    for head in found.heads:
        lines += _head_lines(found.graph, head)
    for each in found.holes:
        lines += ["", f"{each.code.code}: {each.message}", *([f"  to mend it: {each.help}"] if each.help else [])]
    return "\n".join(lines)


def _head_lines(graph: Graph, head: HeadGrid) -> Iterator[str]:
    told: dict[tuple[str, ...], list[str]] = {}
    for axis in head.axes:
        told.setdefault(tuple(_axis_lines(graph, axis)), []).append(AXIS_NAMES[graph.rank][axis.axis])
    for lines, names in told.items():
        yield ""
        yield f"{head.head} along the {' and the '.join(names)}"
        yield from (f"  {line}" for line in lines)
    even = all(axis.grid is not None and axis.grid.is_even for axis in head.axes)
    if head.own and even:
        named = ", ".join(f"`{node.layer}` ({node.op.title})" for node in head.own[:3])
        yield f"  its phases have equal weights, and not the same ones: each is made by taps of its own in {named}"


def _axis_lines(graph: Graph, axis: AxisGrid) -> Iterator[str]:
    medium = MEDIUM[graph.rank]
    if axis.grid is None or axis.pixels is None:
        yield "too many phases to tell"
        return
    if axis.grid.is_even:
        yield "no grid: as much weight leads to every output"
    else:
        yield f"outputs repeat every {len(axis.grid.weights)}: of a constant {medium} they are not equal"
        yield from _phases(axis.field, axis.grid.weights)
        yield from _made(axis.grid.makers, axis.axis, axis.edit)
    if axis.pixels.is_even:
        yield f"every {CELL[graph.rank]} of the {medium} is read with the same weight"
        return
    yield f"{CELL[graph.rank]}s of the {medium} are not read alike: " + _shares(axis.pixels.weights)
    yield from _made(axis.pixels.makers, axis.axis, axis.pixel_edit)


def _phases(field: Field, weights: Weights) -> Iterator[str]:
    """A line for each phase: the weight that leads to it, and what it sees."""
    mean = sum(weights, Fraction(0)) / len(weights)
    for phase, weight in enumerate(weights[:_LISTED]):
        seen = field.at(phase) if field.sets and field.step is not None else None
        sees = f", sees {seen.count} of {seen.width}" if seen is not None else ", sees nothing" if not weight else ""
        yield f"  phase {phase}: weight {float(weight / mean) if mean else 0:.3f} of the mean{sees}"
    if len(weights) > _LISTED:
        yield f"  and {len(weights) - _LISTED} more"


def _shares(weights: Weights) -> str:
    mean = sum(weights, Fraction(0)) / len(weights)
    told = [f"{float(weight / mean):.3f}" for weight in weights[:8]]
    return f"weights of the mean {', '.join(told)}{', ...' if len(weights) > 8 else ''}, repeating every {len(weights)}"


def _made(makers: Sequence[Node], axis: int, edit: tuple[Edit | None, int]) -> Iterator[str]:
    for node in makers[:3]:
        yield f"  made by `{node.layer}` ({node.op.title}): {_why(node, axis)}"
    if len(makers) > 3:
        yield f"  and by {len(makers) - 3} more layers"
    found, tried = edit
    if found is not None:
        kept = "" if found.kept else "; sizes are then others"
        yield f"  smallest edit that makes them equal ({tried} tried): {found}{kept}"
    elif makers:
        yield f"  none of the {tried} edits that were tried makes them equal"


def _why(node: Node, axis: int) -> str:
    window = node.op.sliding
    if window is None:
        return "it reads some places more than others"
    kernel, stride, dilation = window.kernel[axis], window.stride[axis], window.dilation[axis]
    spread = f" of dilation {dilation}" if dilation > 1 else ""
    return f"a kernel of {kernel}{spread} is no whole number of strides of {stride}"


# --- the same as data -------------------------------------------------------------------------------------------------


def grids_json(found: Grids) -> dict[str, Any]:
    """Output -> axis -> weights of the phases of outputs and of the input's pixels, ratios of whole numbers as text."""
    names = AXIS_NAMES[found.graph.rank]
    return {
        "model": found.model,
        "outputs": {
            head.head: {
                "axes": {names[axis.axis]: _axis_json(axis) for axis in head.axes},
                "own_weights": [node.layer for node in head.own],
            }
            for head in found.heads
        },
        "holes": [as_json(each) for each in found.holes],
    }


def _axis_json(axis: AxisGrid) -> dict[str, Any]:
    return {
        "outputs": _grid_json(axis.grid, axis.edit),
        "pixels": _grid_json(axis.pixels, axis.pixel_edit),
        "fields": [seen and [seen.low, seen.high, seen.count] for seen in axis.field.sets],
    }


def _grid_json(grid: Grid | None, edit: tuple[Edit | None, int]) -> dict[str, Any] | None:
    if grid is None:
        return None
    found, tried = edit
    return {
        "weights": [str(weight) for weight in grid.weights],
        "made_by": [node.layer for node in grid.makers],
        "edit": found and {"steps": list(found.steps), "sizes_kept": found.kept},
        "tried": tried,
    }
