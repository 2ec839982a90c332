"""How far the score of a pixel sees, and how many of a crop's scores see padding: what a harness must know of borders.

The pixels are those under a network's output, whose scores lie between outputs where its stride is over 1 (see
`placement`): a pixel sees what both outputs beside it see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from segcompile.facts.any_border import period_of
from segcompile.facts.border import Border, trace_borders
from segcompile.facts.facts import Facts
from segcompile.facts.placement import Placement
from segcompile.facts.receptive_field import Field
from segcompile.facts.shapes import shapes_at
from segcompile.network.graph import Graph

Sides = tuple[int, int]  # before and behind


@dataclass(frozen=True, slots=True)
class Sight:
    """Along each axis, over all heads, in pixels of the input.

    `field`: the extent of the receptive field. `reach`: a pixel's score depends on nothing that lies further before
    the pixel, or further behind it; attained at some pixel. `padded`: so many pixels under the output see the network's
    own padding, at the start and at the end of an input of `size + k * period`; they may be more than there are. An
    input that is r pixels larger, r < period, holds that input, and so at its end at most r more pixels see padding.
    """

    field: tuple[int, ...]
    reach: tuple[Sides, ...]
    padded: tuple[Sides, ...]
    period: int


def sight_of(graph: Graph, facts: Facts, placement: Placement) -> Sight | None:
    """None where a score depends on the whole image, or its field is not known."""
    nodes = list(dict.fromkeys(graph.outputs.values()))
    shapes = shapes_at(graph, placement.size)
    borders = trace_borders(graph, shapes)
    reach, padded = [], []
    for axis in range(graph.rank):
        reach.append(_most([_reach(facts[name].fields[axis], placement, axis) for name in nodes]))
        padded.append(_most([_padded(borders[name][axis], placement, axis) for name in nodes]))
    if None in reach or None in padded:
        return None
    field = tuple(max(facts[name].fields[axis].size or 0 for name in nodes) for axis in range(graph.rank))
    return Sight(field, tuple(filter(None, reach)), tuple(filter(None, padded)), period_of(graph, shapes))


def _most(sides: Sequence[Sides | None]) -> Sides | None:
    known = [each for each in sides if each is not None]
    if len(known) < len(sides):
        return None
    return max(before for before, _ in known), max(after for _, after in known)


def _reach(field: Field, placement: Placement, axis: int) -> Sides | None:
    """How far the pixels that are scored by an output see, over all phases."""
    if field.whole or field.step is None or not field.sets:
        return None
    before = after = 0
    for phase, seen in enumerate(field.sets):
        if seen is not None:
            first, last = _scored(placement, axis, phase)
            before, after = max(before, last - seen.low), max(after, seen.high - first)
    return before, after


def _scored(placement: Placement, axis: int, output: int) -> Sides:
    """The first and the last pixel whose score an output has a part in."""
    stride, centre = placement.stride[axis], Fraction(placement.centre[axis])
    if stride == 1 and centre == placement.offset[axis]:
        return placement.offset[axis] + output, placement.offset[axis] + output
    return floor(centre + stride * (output - 1)) + 1, ceil(centre + stride * (output + 1)) - 1


def _padded(border: Border | None, placement: Placement, axis: int) -> Sides | None:
    """Of the pixels under an output with this border, how many at both ends have a score that it makes unclean."""
    if border is None:
        return None
    stride, centre, offset = placement.stride[axis], Fraction(placement.centre[axis]), placement.offset[axis]
    extent = min(stride * border.size, placement.size[axis] - offset)
    first = ceil(centre + stride * border.before) - offset if border.before else 0
    end = floor(centre + stride * (border.size - border.after - 1)) - offset + 1 if border.after else extent
    return first, extent - end
