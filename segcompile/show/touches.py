"""Which outputs an input pixel touches: `segcompile rf --touches`."""

from __future__ import annotations

from typing import Any

from segcompile.facts.projective_field import Repeat
from segcompile.notebook.layer import LayerField
from segcompile.notebook.projective import ProjectiveField
from segcompile.notebook.values import shown, spans
from segcompile.ops import AXIS_NAMES, CELL, LINES, MEDIUM
from segcompile.show.numbers import bands
from segcompile.text.listing import counted, many


def touches_text(layer: LayerField, asked: tuple[range, ...]) -> str:
    """The outputs that some input pixels touch, and how that repeats."""
    found, cell = layer.touched_by(*asked), CELL[layer.rank]
    one = all(len(each) == 1 for each in asked)
    first, last = (shown(tuple(each[end] for each in asked)) for end in (0, -1))
    pixels = f"{cell} {first}" if one else f"{cell}s {first} to {last}"
    touch = "may touch" if layer.data_dependent else "touches" if one else "touch"
    lines = [f"{layer.name}: {pixels} {touch} {_outputs(found, layer.rank)}"]
    if found.region is None:
        return lines[0]
    if found.fill_of_projections != 1:
        share = float(found.fill_of_projections)
        lines.append(f"{share:.2f} of the product of its projections: branches lead to different outputs")
    if found.others != 0:
        others = "every other one" if found.others is None else f"{found.others:,} others"
        lines.append(f"and, through an op that mixes the whole {MEDIUM[layer.rank]}, {others}")
    if found.repeats is not None:
        lines.append(_repeats(found.repeats, layer.rank))
    if not all(isinstance(size, int) for size in layer.shape.size):
        lines.append("of a map of any size: its borders are not looked at, and indices may be negative")
    return "\n".join(lines)


def _outputs(found: ProjectiveField, rank: int) -> str:
    if found.region is not None:
        return f"{counted(found.count, 'output')}: {spans(found.region.along)}"
    if not found.whole_image:
        return "no output"
    count = "every output" if found.others is None else counted(found.others, "output")
    return f"{count}, through an op that mixes the whole {MEDIUM[rank]}"


def _repeats(axes: tuple[Repeat, ...], rank: int) -> str:
    """`repeats every 16 input pixels, 16 outputs further on, borders aside`."""
    cell = f"input {CELL[rank]}"
    each = [f"every {many(pixels, cell)}, {counted(outputs, 'output')} further on" for pixels, outputs in axes]
    named = (f"{text}, along the {name}" for text, name in zip(each, AXIS_NAMES[rank], strict=True))
    return f"repeats {each[0] if len(set(axes)) == 1 else '; '.join(named)}, borders aside"


def touches_json(layer: LayerField, asked: tuple[range, ...]) -> dict[str, Any]:
    """The outputs that these pixels touch through windows alone, as `coverage_json` has its pixels; `others`: how many
    more through an op that mixes the whole image (null: perhaps all). `repeats`: so many input pixels on, along each
    axis, everything has moved by so many outputs. A map of an axis that is not `bordered` has no ends."""
    found, lines = layer.touched_by(*asked), LINES[layer.rank]
    again = found.repeats and tuple(zip(*found.repeats, strict=True))
    return {
        "pixels": {line: (each[0], each[-1]) for line, each in zip(lines, asked, strict=True)},
        "count": found.count,
        "size": found.size,
        "start": found.start,
        "touched": found.touched,
        "whole_image": found.whole_image,
        "others": found.others,
        "data_dependent": layer.data_dependent,
        "bordered": [isinstance(size, int) for size in layer.shape.size],
        "repeats": again and {"pixels": again[0], "outputs": again[1]},
        "bands": bands(found),
    }
