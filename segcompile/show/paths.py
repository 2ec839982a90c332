"""Who attains it, as text: `segcompile rf --why LAYER`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby

from segcompile.notebook.layer import DIRECTIONS, LayerField
from segcompile.notebook.values import Phase
from segcompile.show.fields_text import WIDTH

Link = tuple[str, Fraction | None]  # layers, and the input pixels that they add
Links = list[Link]

LONG = 12  # links of a chain that is told layer by layer
_TIED = "\u00a0"  # where a line is not broken


def why_text(layer: LayerField, phase: Phase) -> str:
    """For each side of the field, the path that reaches it and what each layer on it adds; equal paths once."""
    ends: dict[str, list[str]] = {}  # a path -> where it leads
    for direction in DIRECTIONS:
        steps = layer.steps(direction, phase)
        if steps:
            links = [(name, pixels) for name, _, pixels in steps]
            ends.setdefault(_chain(grouped(links)), []).append(f"{direction} {steps[0][1]}")
    if not ends:
        return f"{layer.name}: no path to tell, {layer.summary}"
    at = f"{layer.name} at phase {phase[0]},{phase[1]}"
    head = f"{at}: who reaches which input pixel, and how many pixels each layer adds"
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
