"""Which input pixels one output sees: `segcompile rf --coverage`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Coverage, Phase
from segcompile.ops import CELL, LINES, MEDIUM
from segcompile.show.numbers import WIDTH, area, bands
from segcompile.show.phases import sees
from segcompile.show.plot import SMALL, cells, planes, short

if TYPE_CHECKING:
    from segcompile.facts.coverage.region import Mask
    from segcompile.show.plot import Panel

_BLOCKS = " ▄▀█"  # two rows of a picture in one line of text: bit 1 the upper, bit 0 the lower


def coverage_text(layer: LayerField, phase: Phase) -> str:
    """How many input pixels one output sees, of those it spans, along the axes and together."""
    found, medium = layer.coverage(phase), MEDIUM[layer.rank]
    head = sees(layer, phase)
    if found.region is None:
        return f"{head} the whole {medium}"
    lines = [f"{head} {_filled(found)}"]
    if found.fill_of_projections != 1:
        share = float(found.fill_of_projections)
        lines.append(f"{share:.2f} of the product of its projections: branches see different {CELL[layer.rank]}s")
    if found.whole_image:
        lines.append(f"and, through an op that mixes the whole {medium}, every other {CELL[layer.rank]}")
    return "\n".join(lines)


def _filled(found: Coverage) -> str:
    spanned = f"the {area(found.size)} {CELL[found.rank]}s that it spans"
    if found.fill == 1:
        return f"all of {spanned}"
    each = zip(found.touched, found.size, LINES[found.rank], strict=True)
    axes = ": " + ", ".join(f"{seen} of {size} {line}" for seen, size, line in each) if found.rank > 1 else ""
    return f"{found.count:,} of {spanned} ({float(found.fill):.3g}){axes}"


def coverage_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """The exact set and its ratios. The set is the union of the bands, each all pixels at its rows and columns, as
    runs [first, last]; no pixel is in two bands."""
    found = layer.coverage(phase)
    return {
        "phase": phase,
        "count": found.count,
        "size": found.size,
        "touched": found.touched,
        "fill": float(found.fill),
        "fill_of_projections": float(found.fill_of_projections),
        "whole_image": found.whole_image,
        "bands": bands(found),
    }


def picture_text(layer: LayerField, phase: Phase) -> str:
    """A character for two pixels, one over the other; a line for a signal, three slices for a volume. Nothing if there
    are no holes or too many pixels."""
    found = layer.coverage(phase)
    if found.fill == 1 or not 0 < max(found.size) <= WIDTH:
        return ""
    return "\n\n".join(plane.titled("\n".join(_blocks(plane.values))) for plane in planes(found.array()))


def _blocks(values: Mask) -> Iterator[str]:
    grid = values.reshape(-1, values.shape[-1]).astype(int).tolist()
    grid += [[0] * len(grid[0])] * (len(grid) % 2)
    for pair in zip(grid[::2], grid[1::2], strict=True):
        yield "".join(_BLOCKS[2 * upper + lower] for upper, lower in zip(*pair, strict=True)).rstrip()


def draw_coverage(panel: Panel, layer: LayerField, phase: Phase) -> None:
    """The pixels that one output in the middle sees."""
    found = layer.coverage(phase)
    cells(panel, found.array(), layer, phase, found.start or (0,) * layer.rank, "Blues", 0, most=1.4)
    seen = area(found.size) if found.fill == 1 else f"{found.count:,} of {area(found.size)}"
    panel[0].set_title(f"one {CELL[layer.rank]} of {short(layer.name)} sees {seen}", loc="left")
    panel[0].set_xlabel("\n".join([panel[0].get_xlabel(), *_notes(layer, found.size)]).strip(), fontsize=SMALL)


def _notes(layer: LayerField, size: tuple[int, ...]) -> list[str]:
    """What the pixels do not say."""
    cell, medium = CELL[layer.rank], MEDIUM[layer.rank]
    notes = [f"and all other {cell}s, by a path that mixes the {medium}"] if layer.whole_image else []
    if layer.data_dependent:
        notes.append("a bound: the values decide which part counts")
    if exceeds(size, layer.image):
        notes.append(
            f"{'an' if medium == 'image' else 'a'} {medium} of {area(layer.image or ())} never holds all of them"
        )
    return notes


def exceeds(size: tuple[int, ...], image: tuple[int, ...] | None) -> bool:
    """Whether a field of this size is larger than the image, along some axis."""
    return image is not None and any(extent > most for extent, most in zip(size, image, strict=True))
