"""Exact tiles as constants of the generated tiles.py: what the analysis found, or the layer that forbids them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

from segcompile.emit.calls import WIDTH
from segcompile.emit.templates import one_line
from segcompile.facts.memory import macs_growth, memory_growth, rounded
from segcompile.facts.placement import Placement
from segcompile.facts.tiling import Along, AxisTiling, tile_axes, why_untiled
from segcompile.network.graph import Graph

Margins = Mapping[int, tuple[int, int, int]]  # size modulo the step -> least size, outputs lost before and after


@dataclass(frozen=True, slots=True)
class TilingView:
    """What tiles.py prints. `why`: the lines of what forbids exact tiles, or none. `margins`: the lines of a dictionary
    for each axis, or of one for all of them."""

    step: tuple[int, ...]
    margins: tuple[tuple[str, ...], ...]
    why: tuple[str, ...]
    memory: tuple[tuple[int, ...], ...]
    macs: tuple[int, ...]


def view_tiling(graph: Graph, placement: Placement) -> TilingView:
    """The tiles of a network whose outputs are placed over its image."""
    along = tile_axes(graph, placement)
    step = tuple(lcm(each.step, by) for each, by in zip(along, placement.multiple, strict=True)) or placement.multiple
    margins = [_margins(each, by) for each, by in zip(along, step, strict=False)]
    why = _why(graph, along)
    if margins[1:] == margins[:-1]:
        margins = margins[:1]
    return TilingView(
        step,
        () if why else tuple(_lines(each) for each in margins),
        tuple(textwrap.wrap(why, WIDTH - 10, drop_whitespace=False)),
        tuple(map(rounded, memory_growth(graph, placement.size, step))),
        rounded(macs_growth(graph, placement.size, step)),
    )


def _why(graph: Graph, along: Sequence[Along]) -> str:
    """What forbids exact tiles, as it stands in a string; "" if nothing does."""
    found = next((each.forbidden for each in along if each.forbidden is not None), None)
    if along and found is None:
        return ""
    return one_line(f"there are no exact tiles: {found or why_untiled(graph)}", 400)


def _margins(along: Along, step: int) -> Margins:
    """The same for sizes modulo a multiple of the analysis's step."""
    by_rest = {each.rest: each for each in along.tilings}
    found = {rest: by_rest.get(rest % along.step) for rest in range(step)}
    return {rest: _margin(each, rest, step) for rest, each in found.items() if each is not None}


def _margin(tiling: AxisTiling, rest: int, step: int) -> tuple[int, int, int]:
    heads, least = tiling.heads.values(), tiling.least + (rest - tiling.least) % step
    return least, max(head.before for head in heads), max(head.after for head in heads)


def _lines(margins: Margins) -> tuple[str, ...]:
    """The entries of a dictionary, as many in a line as fit."""
    text = " ".join(f"{rest}: {each},".replace(" ", "\0") for rest, each in margins.items())
    return tuple(line.replace("\0", " ") for line in textwrap.wrap(text, WIDTH - 4, break_long_words=False))
