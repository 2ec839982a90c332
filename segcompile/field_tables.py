"""What `segcompile rf --layer, --phases, --coverage and --why` print as text."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from segcompile.analysis.pairs import show
from segcompile.analysis.receptive_field import Field
from segcompile.analysis.why import Adds
from segcompile.fields import DIRECTIONS, Coverage, LayerField, Phase

WIDTH = 110  # characters of a line
SHARES = (0.5, 0.9, 0.99)  # of all paths, whose radii are told
_TIED = "\u00a0"  # where a line is not broken
_BLOCKS = " ▄▀█"  # two rows of a picture in one line of text: bit 1 the upper, bit 0 the lower


def layer_text(layer: LayerField) -> str:
    """Name, op, shape, field, stride and phases of one layer."""
    size = layer.size
    if size is not None:
        field = f"receptive field {show(size)}"
    elif layer.whole_image:
        local = layer.local_size
        field = "receptive field: the whole image" + (f", {show(local)} without the global path" if local else "")
    else:
        field = "receptive field: depends on the image's size"
    stride = f", stride {show(layer.stride)}" if layer.stride is not None else ""
    bound = ["data-dependent: the field is a bound"] if layer.data_dependent else []
    lines = [f"{layer.name}: {layer.op}, {layer.shape}", field + stride, *bound, *_summaries(layer)]
    return "\n".join(lines)


def _summaries(layer: LayerField) -> list[str]:
    height, width = (_summary(axis) for axis in layer.fields)
    if height == width:
        return [height] if height else []
    return [f"height: {height}", f"width: {width}"]


def _summary(axis: Field) -> str:
    """`436 on 8 of 32 phases, 468 on 24`."""
    if len(axis.sets) < 2:
        return ""
    extents = Counter(found.width if found is not None else 0 for found in axis.sets)
    (first, times), *others = sorted(extents.items())
    word = "phases" if axis.step is not None else "outputs"
    return ", ".join([f"{first} on {times} of {len(axis.sets)} {word}", *(f"{size} on {n}" for size, n in others)])


def phases_text(layer: LayerField) -> str:
    """The table of every phase along each axis, both in one where they are equal."""
    height, width = layer.fields
    if not height.sets or not width.sets:
        return f"{layer.name}: no table of phases"
    if height == width:
        return _phase_table(layer.name, "height and width alike", height)
    return "\n\n".join((_phase_table(layer.name, "height", height), _phase_table(layer.name, "width", width)))


def _phase_table(name: str, axis: str, field: Field) -> str:
    every = f"repeats every {field.period} outputs, {field.step} input pixels further on"
    title = f"{name}, {axis}: {every if field.step is not None else 'no two outputs alike'}"
    rows: list[tuple[str, ...]] = [
        ("phase" if field.step is not None else "output", "first", "last", "field", "touched")
    ]
    for phase, seen in enumerate(field.sets):
        cells = (seen.low, seen.high, seen.width, seen.count) if seen is not None else ("", "", 0, 0)
        rows.append((str(phase), *(str(cell) for cell in cells)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join([title, *("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)])


def coverage_text(layer: LayerField, phase: Phase) -> str:
    """Which input pixels one output sees, where half of the paths to it lie, and a picture if it fits."""
    found = layer.coverage(phase)
    rows, columns = found.touched
    lines = [
        f"{layer.name} at phase {phase[0]},{phase[1]} sees {found.count:,} of the {_area(found.size)} pixels"
        f" that it spans ({float(found.fill):.2f}): {rows} rows, {columns} columns",
    ]
    if found.fill_of_projections != 1:
        share = float(found.fill_of_projections)
        lines.append(f"{share:.2f} of the product of its projections: branches see different pixels")
    if found.whole_image:
        lines.append("and, through an op that mixes the whole image, every other pixel")
    counts = layer.path_counts(phase)
    squares = [f"{share:.0%} of all paths within {_side(counts.radius(share))} pixels" for share in SHARES]
    return "\n".join([*lines, *squares, *_picture(found)])


def _side(radius: float) -> str:
    return _area((2 * radius + 1, 2 * radius + 1))


def _area(size: tuple[float, float]) -> str:
    return f"{size[0]:g} x {size[1]:g}"


def _picture(found: Coverage) -> list[str]:
    """A character for two pixels, one over the other; nothing if there are no holes or too many pixels."""
    height, width = found.size
    if found.fill == 1 or width > WIDTH or height > 2 * WIDTH:
        return []
    grid = found.region.mask().astype(int).tolist()
    grid += [[0] * width] * (height % 2)
    pairs = zip(grid[::2], grid[1::2], strict=True)
    return ["", *("".join(_BLOCKS[2 * a + b] for a, b in zip(*pair, strict=True)).rstrip() for pair in pairs)]


def why_text(layer: LayerField, phase: Phase | None) -> str:
    """For each side of the field, the path that reaches it and what each layer on it adds."""
    ends: dict[str, list[str]] = {}  # a path -> where it leads
    for direction in DIRECTIONS:
        path = layer.why(direction, phase)
        if path:
            ends.setdefault(_chain(steps_of(layer, path)), []).append(f"{direction} {path[0].index}")
    if not ends:
        return f"{layer.name}: its field has no ends"
    y, x = phase or layer.widest_phase
    head = f"{layer.name} at phase {y},{x}: who reaches which input pixel, and how many pixels each layer adds"
    return "\n\n".join([head, *(f"{', '.join(sides)}\n{text}" for text, sides in ends.items())])


def steps_of(layer: LayerField, path: Iterable[Adds]) -> list[tuple[str, int, Fraction | None]]:
    """(layer or input, index of its result, pixels that it adds with all it carries), in order."""
    steps: dict[str, tuple[int, Fraction | None]] = {}
    for item in path:
        name = layer.layer_of(item.node)
        _, had = steps.get(name, (0, Fraction(0)))
        steps[name] = item.index, None if had is None or item.pixels is None else had + item.pixels
    return [(name, index, pixels) for name, (index, pixels) in steps.items()]


def _chain(steps: list[tuple[str, int, Fraction | None]]) -> str:
    """`input -> conv1 +1 -> conv2 +1`, on lines of WIDTH."""
    parts = [f"{name} {float(pixels):+g}" if pixels else name for name, _, pixels in steps]
    text = " ".join(f"-> {part}".replace(" ", _TIED) if number else part for number, part in enumerate(parts))
    wrapped = textwrap.fill(text, WIDTH, break_long_words=False, initial_indent="  ", subsequent_indent="    ")
    return wrapped.replace(_TIED, " ")
