"""What `segcompile rf --layer, --phase, --phases and --coverage` print as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from segcompile.facts.pairs import show
from segcompile.facts.projective_field import Repeat
from segcompile.facts.receptive_field import Field
from segcompile.notebook.layer import LayerField
from segcompile.notebook.padding import SeenPadding, Side
from segcompile.notebook.projective import ProjectiveField
from segcompile.notebook.values import Coverage, Phase, indices
from segcompile.ops import AXIS_NAMES, Size

WIDTH = 110  # characters of a line
SHARES = (0.5, 0.9, 0.99)  # of all paths, whose radii are told
_BOUND = "these are bounds: some outputs see less, in a gap along the other axis; `--phase Y,X` is exact"
_BLOCKS = " ▄▀█"  # two rows of a picture in one line of text: bit 1 the upper, bit 0 the lower


def layer_text(layer: LayerField) -> str:
    """Name, op, shape, field, stride and phases of one layer."""
    stride = f", stride {show(layer.stride)}" if layer.stride is not None else ""
    bound = ["data-dependent: the values decide which part of the field counts"] if layer.data_dependent else []
    return "\n".join([f"{layer.name}: {layer.op}, {layer.shape}", layer.summary + stride, *bound, *_summaries(layer)])


def _summaries(layer: LayerField) -> list[str]:
    height, width = layer.fields
    bound = "" if layer.exact else "at most "
    if height == width:
        return [bound + summary(height)] if height.period > 1 else []
    if max(height.period, width.period) < 2:
        return []
    return [f"{name}: {bound}{summary(axis)}" for name, axis in zip(AXIS_NAMES, layer.fields, strict=True)]


def summary(axis: Field) -> str:
    """`436 on 8 of 32 phases, 468 on 24`, `1555 on all 8 phases`."""
    word = "phase" if axis.step is not None else "output"
    extents = Counter(found.width if found is not None else 0 for found in axis.sets)
    (first, times), *others = sorted(extents.items())
    if not others:
        return f"{first} on all {times} {word}s" if times > 1 else f"{first} on the only {word}"
    return ", ".join([f"{first} on {times} of {axis.period} {word}s", *(f"{size} on {n}" for size, n in others)])


def padding_text(layer: LayerField) -> str:
    """The outputs that see padding: `the first 217 and the last 243 of 500 rows and columns`."""
    found = layer.padding
    if found is None:
        why = ": an op mixes the whole image" if layer.whole_image else ""
        return f"every output depends on the image's borders{why}"
    where = "" if found.clean is not None else ", at any size" if found.proven else ", at the image sizes tried"
    if not found.anywhere:
        return f"sees no padding{where}"
    height, width = layer.shape.size
    sides = ends((found.top, found.bottom), (found.left, found.right), (height, width))
    return f"sees padding{where}: {'at most ' if found.bound else ''}{sides}{_clean(found)}"


def ends(vertical: tuple[Side, Side], horizontal: tuple[Side, Side], size: Sequence[Size]) -> str:
    """`the first 3 and the last 2 of 40 rows and columns`, `no rows, the first 1 of 40 columns`."""
    rows, columns = _ends(*vertical, size[0]), _ends(*horizontal, size[1])
    return f"{rows} rows and columns" if rows == columns else f"{rows} rows, {columns} columns"


def _ends(first: Side, last: Side, size: Size) -> str:
    """`the first 3 and the last 2 to 4`, `of 40` if that is known; `no`."""
    ends = [f"the {word} {_values(side)}" for word, side in (("first", first), ("last", last)) if any(side)]
    of = f" of {size}" if isinstance(size, int) else ""
    return " and ".join(ends) + of if ends else "no"


def _values(side: Side) -> str:
    return f"{side[0]} to {side[-1]}" if len(side) > 2 else " or ".join(map(str, side))


def _clean(found: SeenPadding) -> str:
    if found.clean is None:
        return ""
    height, width = (len(side) for side in found.clean)
    if found.bound:
        return f"; at least {area((height, width))} outputs see none" if height and width else ""
    return f"; {area((height, width))} outputs see none" if height and width else "; every output sees some"


def phase_text(layer: LayerField, phase: Phase) -> str:
    """The pixels that outputs of one phase see, along each axis."""
    found = layer.phase(*phase)
    size = f"{show(found.size)}: rows {indices(found.rows)}, columns {indices(found.columns)}"
    return f"{_looks(layer, phase)} {size}"


def _looks(layer: LayerField, phase: Phase) -> str:
    """The beginning of what an output sees, or of what it sees at most."""
    return f"{layer.name} at phase {phase[0]},{phase[1]} {'may see' if layer.data_dependent else 'sees'}"


def phases_text(layer: LayerField) -> str:
    """The table of every phase along each axis, both in one where they are equal."""
    height, width = layer.fields
    if 0 in layer.period:
        return f"{layer.name}: no table of phases, {layer.summary}"
    if height == width:
        tables = [_phase_table(f"{layer.name}, height and width alike", height)]
    else:
        named = zip(AXIS_NAMES, layer.fields, strict=True)
        tables = [_phase_table(f"{layer.name}, {name}", axis) for name, axis in named]
    return "\n\n".join(tables if layer.exact else [*tables, _BOUND])


def _phase_table(title: str, axis: Field) -> str:
    repeats = axis.step is not None
    every = f"repeats every {_many(axis.period, 'output')}, {_many(axis.step or 0, 'input pixel')} further on"
    rows: list[tuple[str, ...]] = [("phase" if repeats else "output", "first", "last", "field", "touched")]
    for phase, seen in enumerate(axis.sets):
        cells = (seen.low, seen.high, seen.width, seen.count) if seen is not None else ("", "", 0, 0)
        rows.append((str(phase), *(str(cell) for cell in cells)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = ("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join([f"{title}: {every if repeats else 'no two outputs alike'}", summary(axis), *table])


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}s" if count != 1 else noun


def coverage_text(layer: LayerField, phase: Phase) -> str:
    """How many input pixels one output sees, of those it spans, along the axes and together."""
    found = layer.coverage(phase)
    head = _looks(layer, phase)
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
        axes = f"rows {indices(found.region.rows)}, columns {indices(found.region.columns)}"
        return f"{_counted(found.count)}: {axes}"
    if not found.whole_image:
        return "no output"
    count = "every output" if found.others is None else _counted(found.others)
    return f"{count}, through an op that mixes the whole image"


def _counted(outputs: int) -> str:
    return f"{outputs:,} output{'' if outputs == 1 else 's'}"


def _repeats(axes: tuple[Repeat, Repeat]) -> str:
    """`repeats every 16 input pixels, 16 outputs further on, borders aside`."""
    each = [f"every {_many(pixels, 'input pixel')}, {_counted(outputs)} further on" for pixels, outputs in axes]
    both = each[0] if axes[0] == axes[1] else f"{each[0]}, along the height; {each[1]}, along the width"
    return f"repeats {both}, borders aside"


def counts_text(layer: LayerField, phase: Phase) -> str:
    """The squares around the centre of mass that hold a share of all paths."""
    counts = layer.path_counts(phase)
    head = "paths (data-dependent: of all that the values may choose)" if layer.data_dependent else "paths"
    return f"{head}: " + ", ".join(f"{share:.0%} within {area(counts.square(share))}" for share in SHARES)


def area(size: tuple[float, float]) -> str:
    """`13 x 15`."""
    return f"{size[0]:g} x {size[1]:g}"


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
