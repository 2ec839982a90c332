"""Which outputs an input pixel touches: `segcompile rf --touches`."""

from __future__ import annotations

from typing import Any

from segcompile.facts.projective_field import Repeat
from segcompile.notebook.layer import LayerField
from segcompile.notebook.projective import ProjectiveField
from segcompile.notebook.values import indices
from segcompile.show.numbers import many, runs


def touches_text(layer: LayerField, rows: range, columns: range) -> str:
    """The outputs that some input pixels touch, and how that repeats."""
    found = layer.touched_by(rows, columns)
    one = len(rows) == len(columns) == 1
    pixels = f"pixel {rows[0]},{columns[0]}" if one else f"pixels {rows[0]},{columns[0]} to {rows[-1]},{columns[-1]}"
    touch = "may touch" if layer.data_dependent else "touches" if one else "touch"
    lines = [f"{layer.name}: {pixels} {touch} {_outputs(found)}"]
    if found.region is None:
        return lines[0]
    if found.fill_of_projections != 1:
        share = float(found.fill_of_projections)
        lines.append(f"{share:.2f} of the product of its projections: branches lead to different outputs")
    if found.others != 0:
        others = "every other one" if found.others is None else f"{found.others:,} others"
        lines.append(f"and, through an op that mixes the whole image, {others}")
    if found.repeats is not None:
        lines.append(_repeats(found.repeats))
    if not all(isinstance(size, int) for size in layer.shape.size):
        lines.append("of a map of any size: its borders are not looked at, and indices may be negative")
    return "\n".join(lines)


def _outputs(found: ProjectiveField) -> str:
    if found.region is not None:
        rows, columns = found.region.along
        axes = f"rows {indices(rows)}, columns {indices(columns)}"
        return f"{_counted(found.count)}: {axes}"
    if not found.whole_image:
        return "no output"
    count = "every output" if found.others is None else _counted(found.others)
    return f"{count}, through an op that mixes the whole image"


def _counted(outputs: int) -> str:
    return f"{outputs:,} output{'' if outputs == 1 else 's'}"


def _repeats(axes: tuple[Repeat, ...]) -> str:
    """`repeats every 16 input pixels, 16 outputs further on, borders aside`."""
    each = [f"every {many(pixels, 'input pixel')}, {_counted(outputs)} further on" for pixels, outputs in axes]
    both = each[0] if axes[0] == axes[1] else f"{each[0]}, along the height; {each[1]}, along the width"
    return f"repeats {both}, borders aside"


def touches_json(layer: LayerField, rows: range, columns: range) -> dict[str, Any]:
    """The outputs that these pixels touch through windows alone, as `coverage_json` has its pixels; `others`: how many
    more through an op that mixes the whole image (null: perhaps all). `repeats`: so many input pixels on, along each
    axis, everything has moved by so many outputs. A map of an axis that is not `bordered` has no ends."""
    found = layer.touched_by(rows, columns)
    bands = found.region.bands if found.region else ()
    again = found.repeats and tuple(zip(*found.repeats, strict=True))
    return {
        "pixels": {"rows": (rows[0], rows[-1]), "columns": (columns[0], columns[-1])},
        "count": found.count,
        "size": found.size,
        "start": found.start,
        "touched": found.touched,
        "whole_image": found.whole_image,
        "others": found.others,
        "data_dependent": layer.data_dependent,
        "bordered": [isinstance(size, int) for size in layer.shape.size],
        "repeats": again and {"pixels": again[0], "outputs": again[1]},
        "bands": [{"rows": runs(rows), "columns": runs(columns)} for rows, columns in bands],
    }
