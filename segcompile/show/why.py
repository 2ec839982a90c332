"""Who attains it: for each side of a field, the path of layers that reaches it: `segcompile rf --why`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import DIRECTIONS, LayerField
from segcompile.notebook.values import Phase, shown
from segcompile.ops import AXIS_NAMES, CELL, ENDS
from segcompile.show.numbers import WIDTH, number
from segcompile.show.plot import short

if TYPE_CHECKING:
    from segcompile.notebook.network import ReceptiveField
    from segcompile.show.plot import Panel

Link = tuple[str, Fraction | None]  # layers, and the input pixels that they add
Links = list[Link]

_INK = "#1f4e79"
_DASHES = ("-", "--", ":")  # of the axes, where they differ
_MOST_NAMES = 16  # on the axis of layers
LONG = 12  # links of a chain that is told layer by layer
_TIED = "\u00a0"  # where a line is not broken


def why_text(layer: LayerField, phase: Phase) -> str:
    """For each side of the field, the path that reaches it and what each layer on it adds; equal paths once."""
    ends: dict[str, list[str]] = {}  # a path -> where it leads
    for direction in DIRECTIONS[layer.rank]:
        steps = layer.steps(direction, phase)
        if steps:
            links = [(name, pixels) for name, _, pixels in steps]
            ends.setdefault(_chain(grouped(links)), []).append(f"{direction} {steps[0][1]}")
    if not ends:
        return f"{layer.name}: no path to tell, {layer.summary}"
    at, cell = f"{layer.name} at phase {shown(phase)}", CELL[layer.rank]
    head = f"{at}: who reaches which input {cell}, and how many {cell}s each layer adds"
    return "\n\n".join([head, *(f"{', '.join(sides)}\n{text}" for text, sides in ends.items())])


def grouped(links: Links) -> Links:
    """A long chain by blocks (`enc0` for `enc0.conv1` and `enc0.conv2`), and what is numbered and adds the same as one
    (`res4_1..res4_22`). The sum of what is added stays."""
    if len(links) <= LONG:
        return links
    blocks = [(name, _total(group)) for name, group in groupby(links, key=lambda link: _block(link[0]))]
    runs = [list(group) for _, group in groupby(blocks if len(blocks) > 2 else links, key=_alike)]
    return [link for run in runs for link in _joined(run)]


def _block(layer: str) -> str:
    return layer.rpartition(".")[0] or layer


def _alike(link: Link) -> tuple[str, Fraction | None]:
    return re.sub(r"\d+$", "", link[0]), link[1]


def _joined(run: Links) -> Links:
    if len(run) < 3:
        return run
    return [(f"{run[0][0]}..{run[-1][0]}", _total(run))]


def _total(links: Iterable[Link]) -> Fraction | None:
    """What some links add together; None where one of them cannot tell."""
    known = [pixels for _, pixels in links]
    return None if None in known else sum((pixels for pixels in known if pixels is not None), Fraction(0))


def _chain(links: Links) -> str:
    """`input -> conv1 +1 -> conv2 +1`, on lines of WIDTH."""
    parts = [f"{name} {float(pixels):+g}" if pixels else name for name, pixels in links]
    text = " ".join(f"-> {part}".replace(" ", _TIED) if number else part for number, part in enumerate(parts))
    wrapped = textwrap.fill(text, WIDTH, break_long_words=False, initial_indent="  ", subsequent_indent="    ")
    return wrapped.replace(_TIED, " ")


def why_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """Direction -> the path: [{"layer", "index", "adds"}], from the input on."""
    found: dict[str, Any] = {"phase": phase}
    for direction in DIRECTIONS[layer.rank]:
        steps = layer.steps(direction, phase)
        found[direction] = [{"layer": name, "index": index, "adds": number(adds)} for name, index, adds in steps]
    return found


def draw_growth(panel: Panel, view: ReceptiveField, layer: LayerField, phase: Phase) -> None:
    """The extent of every layer that this one depends on, in input pixels: those on the path to the field's end as a
    line, others as points. Axes along which all are alike are one line."""
    (axes,), names = panel, layer.sources
    sizes = {name: size for name in names if (size := view.layers[name].local_size) is not None}
    alike = all(len(set(size)) == 1 for size in sizes.values())
    for axis, (_, end) in enumerate(ENDS[layer.rank][:1] if alike else ENDS[layer.rank]):
        along = [name for name, _, _ in layer.steps(end, phase) if name in sizes]
        beside = [name for name in sizes if name not in along]
        label = "on the path to its end" if alike else AXIS_NAMES[layer.rank][axis]
        places, style = [names.index(name) for name in along], f"o{_DASHES[axis]}"
        extents = [sizes[name][axis] for name in along]
        axes.plot(places, extents, style, color=_INK, markersize=2.5, linewidth=1, label=label)
        if beside:
            places, extents = [names.index(name) for name in beside], [sizes[name][axis] for name in beside]
            axes.plot(places, extents, "o", color=_INK, markersize=3, markerfacecolor="white", label="beside it")
    every = max(1, -(-len(names) // _MOST_NAMES))
    axes.set_xticks(
        range(0, len(names), every),
        [short(name) for name in names[::every]],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
    axes.set_ylim(0)
    axes.set_title(f"{view.model}: receptive field by layer, in input {CELL[layer.rank]}s", loc="left")
    if len(axes.lines) > 1:
        axes.legend(loc="best")
