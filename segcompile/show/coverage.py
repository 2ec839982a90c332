"""Which input pixels one output sees: `segcompile rf --coverage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Coverage, Phase
from segcompile.show.numbers import WIDTH, area, runs
from segcompile.show.phases import sees
from segcompile.show.plot import SMALL, pixels, short

if TYPE_CHECKING:
    from segcompile.show.plot import Axes

_BLOCKS = " ▄▀█"  # two rows of a picture in one line of text: bit 1 the upper, bit 0 the lower


def coverage_text(layer: LayerField, phase: Phase) -> str:
    """How many input pixels one output sees, of those it spans, along the axes and together."""
    found = layer.coverage(phase)
    head = sees(layer, phase)
    if found.region is None:
        return f"{head} the whole image"
    lines = [f"{head} {_filled(found)}"]
    if found.fill_of_projections != 1:
        share = float(found.fill_of_projections)
        lines.append(f"{share:.2f} of the product of its projections: branches see different pixels")
    if found.whole_image:
        lines.append("and, through an op that mixes the whole image, every other pixel")
    return "\n".join(lines)


def _filled(found: Coverage) -> str:
    if found.fill == 1:
        return f"all of the {area(found.size)} pixels that it spans"
    (rows, columns), (height, width) = found.touched, found.size
    axes = f"{rows} of {height} rows, {columns} of {width} columns"
    return f"{found.count:,} of the {area(found.size)} pixels that it spans ({float(found.fill):.3g}): {axes}"


def coverage_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """The exact set and its ratios. The set is the union of the bands, each all pixels at its rows and columns, both
    as runs [first, last]; no row is in two bands."""
    found = layer.coverage(phase)
    bands = found.region.bands if found.region else ()
    return {
        "phase": phase,
        "count": found.count,
        "size": found.size,
        "touched": found.touched,
        "fill": float(found.fill),
        "fill_of_projections": float(found.fill_of_projections),
        "whole_image": found.whole_image,
        "bands": [{"rows": runs(rows), "columns": runs(columns)} for rows, columns in bands],
    }


def picture_text(layer: LayerField, phase: Phase) -> str:
    """A character for two pixels, one over the other; nothing if there are no holes or too many pixels."""
    found = layer.coverage(phase)
    height, width = found.size
    if found.fill == 1 or not 0 < width <= WIDTH or height > 2 * WIDTH:
        return ""
    grid = found.array().astype(int).tolist()
    grid += [[0] * width] * (height % 2)
    pairs = zip(grid[::2], grid[1::2], strict=True)
    return "\n".join("".join(_BLOCKS[2 * a + b] for a, b in zip(*pair, strict=True)).rstrip() for pair in pairs)


def draw_coverage(axes: Axes, layer: LayerField, phase: Phase) -> None:
    """The pixels that one output in the middle sees."""
    found = layer.coverage(phase)
    top, left = found.start or (0, 0)
    pixels(axes, found.array(), layer, phase, (top, left), "Blues", 0, most=1.4)
    seen = area(found.size) if found.fill == 1 else f"{found.count:,} of {area(found.size)}"
    axes.set_title(f"one pixel of {short(layer.name)} sees {seen}", loc="left")
    axes.set_xlabel("\n".join(_notes(layer, found.size)), fontsize=SMALL)


def _notes(layer: LayerField, size: tuple[int, int]) -> list[str]:
    """What the pixels do not say."""
    notes = ["and all other pixels, by a path that mixes the image"] if layer.whole_image else []
    if layer.data_dependent:
        notes.append("a bound: the values decide which part counts")
    if layer.image is not None and (size[0] > layer.image[0] or size[1] > layer.image[1]):
        notes.append(f"an image of {area(layer.image)} never holds all of them")
    return notes
