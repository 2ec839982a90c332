"""SC311: joins whose inputs do not lie over each other, each with two paths that show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from segcompile.checks.causes import Cause, explain
from segcompile.checks.subject import Subject
from segcompile.facts.alignment import MOST_MAPS, Arrival, Coordinates, Places, arrivals
from segcompile.facts.pairs import input_cells
from segcompile.facts.witness import Atlas, Path, counted
from segcompile.network.graph import Graph, Node
from segcompile.ops import AXIS_NAMES, CELL, Shape
from segcompile.text.errors import Diagnostic, finding

_EXPLAINED = 100  # joins that are looked into; a network with more of them has one cause


@dataclass(frozen=True, slots=True)
class Gap:
    """Two inputs of a join that lie apart along one axis: which, and the map that each gives the join's output."""

    axis: int
    rank: int
    inputs: tuple[int, int]
    maps: tuple[Coordinates, Coordinates]
    size: int | None  # of the output, in pixels

    @property
    def distance(self) -> Fraction:
        """In input pixels: everywhere, or where the strides differ the most that occurs (at one of the ends)."""
        one, other = self.maps
        ends = (0, (self.size or 1) - 1) if one.scale != other.scale else (0,)
        return max(abs((one.scale - other.scale) * p + one.shift - other.shift) for p in ends)

    def __str__(self) -> str:
        one, other = self.maps
        far = f"{input_cells(self.distance, self.rank)} apart"
        if one.scale != other.scale:
            text = f"of {one.scale} and {other.scale} input {CELL[self.rank]}s a step"
            return f"{text}, up to {far}" if self.size is not None else text
        steps = self.distance / one.scale
        return f"that lie {far}" + (f" ({steps} of a step)" if one.scale != 1 and steps < 1 else "")


@dataclass(slots=True)
class _Found:
    """A join that lies apart for a reason of its own, and the later ones that say nothing new."""

    node: Node
    gaps: Sequence[Gap]
    cause: Cause
    alike: list[str] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    crowded: str | None = None  # the first layer behind it with too many maps to follow


def check_joins(subject: Subject) -> Iterator[Diagnostic]:
    """SC311 for joins of maps that differ.

    A join has a reason of its own if no path to one input and no path to another give the same map. If some do and
    others do not, an earlier join was misaligned already, and this one follows from it. Those that follow, and those
    that lie as far apart by a like cause, are counted at the first. Along an axis that is causal by design, fields end
    at their output and their centres lie apart: nothing is said there.
    """
    graph, shapes, places = subject.graph, subject.shapes, subject.places
    atlas, listed = Atlas(graph, places), dict[object, _Found]()
    above: dict[str, _Found] = {}
    for node in graph.nodes:
        over = next((above[name] for name in node.inputs if name in above), None)
        if len(node.inputs) > 1:
            over = _look(node, over, listed, atlas, shapes)
        if over is not None:
            above[node.name] = over
            if over.crowded is None and any(maps.more for maps in places[node.name]):
                over.crowded = node.layer
    for found in listed.values():
        yield _report(found, atlas)


def _look(
    node: Node, over: _Found | None, listed: dict[object, _Found], atlas: Atlas, shapes: Mapping[str, Shape]
) -> _Found | None:
    """Note down what is to be said of a join; what it or the joins before it are listed under."""
    gaps = [gap for axis in _axes(atlas.graph) if (gap := _gap(node, axis, shapes, atlas.places)) is not None]
    if not gaps:
        if over is not None and _differ(node, shapes, atlas):
            over.followers.append(node.layer)
        return over
    if over is not None and sum(1 + len(found.alike) for found in listed.values()) >= _EXPLAINED:
        over.alike.append(node.layer)
        return over
    cause = explain(atlas, shapes, gaps[0].axis, node, _paths(atlas, node, gaps[0]))
    distance = None if cause.at_every_level else _steps(gaps[0])
    found = listed.setdefault((cause.kind, distance), _Found(node, gaps, cause))
    if found.node is not node:
        found.alike.append(node.layer)
    return found


def _steps(gap: Gap) -> Fraction | None:
    """The distance in steps of the join's map; None where there is no one step."""
    one, other = gap.maps
    return gap.distance / one.scale if one.scale == other.scale else None


def _gap(node: Node, axis: int, shapes: Mapping[str, Shape], places: Places) -> Gap | None:
    """The first two inputs of which no paths agree."""
    found = arrivals(node, axis, shapes, places)
    for index, maps in found[1:]:
        first, start = found[0][1], found[0][0]
        if maps is not first and not set(maps) & set(first):
            sizes = shapes[node.name].size
            size = sizes[axis]
            known = size if isinstance(size, int) else None
            return Gap(axis, len(sizes), (start, index), (first[0], maps[0]), known)
    return None


def _differ(node: Node, shapes: Mapping[str, Shape], atlas: Atlas) -> bool:
    return any(_several(arrivals(node, axis, shapes, atlas.places)) for axis in _axes(atlas.graph))


def _axes(graph: Graph) -> Iterable[int]:
    return (axis for axis in range(graph.rank) if axis not in graph.causal)


def _several(found: Sequence[Arrival]) -> bool:
    return any(maps is not found[0][1] and set(maps) != set(found[0][1]) for _, maps in found[1:])


def _paths(atlas: Atlas, node: Node, gap: Gap) -> tuple[Path, Path]:
    """The first paths to the two inputs, from where they part."""
    one, other = gap.inputs
    return atlas.parted((node.inputs[one], 0), (node.inputs[other], 0), gap.axis)


def _report(found: _Found, atlas: Atlas) -> Diagnostic:
    node, gap, names = found.node, found.gaps[0], AXIS_NAMES[atlas.graph.rank]
    alone = len(found.gaps) == 1 or str(gap) != str(found.gaps[1])
    message = f"{node.layer} joins maps {gap}" + (f" along the {names[gap.axis]}" if alone else "")
    witnesses = [
        (path[-1], f"via {atlas.tell(path)}, at {item}")
        for path, item in zip(_paths(atlas, node, gap), gap.maps, strict=True)
    ]
    labels, notes = atlas.testify(witnesses)
    if alone and len(found.gaps) > 1:
        notes.append(f"along the {names[found.gaps[1].axis]}, maps {found.gaps[1]}")
    notes += _counted(found)
    if found.crowded is not None:
        notes.append(f"{found.crowded} lies in more than {MOST_MAPS} ways over the input; the rest is not followed")
    return finding("SC311", message, node.origin.span, labels=labels, help=found.cause.help, notes=notes)


def _counted(found: _Found) -> Iterable[str]:
    for names, what in ((found.alike, "apart in the same way"), (found.followers, "apart because of this one")):
        if names:
            yield counted(names, f"join lies {what} and is", f"joins lie {what} and are")
