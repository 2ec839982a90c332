"""The fields of a layer, phase by phase: `segcompile rf --phase` and `--phases`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from segcompile.facts.pairs import show
from segcompile.facts.receptive_field import Field
from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Phase, shown, spans
from segcompile.ops import AXIS_NAMES, CELL, LINES
from segcompile.show.numbers import runs
from segcompile.text.listing import listed, many

_BOUND = "these are bounds: some outputs see less, in a gap along {other}; `--phase` is exact"


def phase_text(layer: LayerField, phase: Phase) -> str:
    """The pixels that outputs of one phase see, along each axis."""
    found = layer.phase(*phase)
    return f"{sees(layer, phase)} {show(found.size)}: {spans(found.along or (None,) * layer.rank)}"


def sees(layer: LayerField, phase: Phase) -> str:
    """The beginning of what an output sees, or of what it sees at most."""
    return f"{layer.name} at phase {shown(phase)} {'may see' if layer.data_dependent else 'sees'}"


def phase_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """The runs of pixels that outputs of one phase see, [first, last], along each axis."""
    found = layer.phase(*phase)
    seen = zip(LINES[layer.rank], found.along or (None,) * layer.rank, strict=True)
    return {
        "phase": phase, "size": found.size, "start": found.start, "touched": found.touched,
        **{line: runs(indices) for line, indices in seen},
    }  # fmt: skip


def phases_text(layer: LayerField) -> str:
    """The table of every phase along each axis, all in one where they are equal."""
    fields, names = layer.fields, AXIS_NAMES[layer.rank]
    if 0 in layer.period:
        return f"{layer.name}: no table of phases, {layer.summary}"
    if all(axis == fields[0] for axis in fields):
        alike = " alike" if len(names) > 1 else ""
        tables = [_phase_table(layer, listed(names) + alike, fields[0])]
    else:
        tables = [_phase_table(layer, name, axis) for name, axis in zip(names, fields, strict=True)]
    other = "the other axis" if layer.rank == 2 else "another axis"
    return "\n\n".join(tables if layer.exact else [*tables, _BOUND.format(other=other)])


def _phase_table(layer: LayerField, axes: str, axis: Field) -> str:
    repeats, step = axis.step is not None, many(axis.step or 0, f"input {CELL[layer.rank]}")
    every = f"repeats every {many(axis.period, 'output')}, {step} further on"
    rows: list[tuple[str, ...]] = [("phase" if repeats else "output", "first", "last", "field", "touched")]
    for phase, seen in enumerate(axis.sets):
        cells = (seen.low, seen.high, seen.width, seen.count) if seen is not None else ("", "", 0, 0)
        rows.append((str(phase), *(str(cell) for cell in cells)))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = ("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    title = f"{layer.name}, {axes}"
    return "\n".join([f"{title}: {every if repeats else 'no two outputs alike'}", summary(axis), *table])


def summary(axis: Field) -> str:
    """`436 on 8 of 32 phases, 468 on 24`, `1555 on all 8 phases`."""
    word = "phase" if axis.step is not None else "output"
    extents = Counter(found.width if found is not None else 0 for found in axis.sets)
    (first, times), *others = sorted(extents.items())
    if not others:
        return f"{first} on all {times} {word}s" if times > 1 else f"{first} on the only {word}"
    return ", ".join([f"{first} on {times} of {axis.period} {word}s", *(f"{size} on {n}" for size, n in others)])


def phases_json(layer: LayerField) -> dict[str, Any]:
    """The table of each axis: {"period", "step", "fields": [{"first", "last", "size", "touched"}]}, and whether it
    is exact: else some phases see less."""
    tables = {name: _axis_json(axis) for name, axis in zip(AXIS_NAMES[layer.rank], layer.fields, strict=True)}
    return {**tables, "exact": layer.exact}


def _axis_json(axis: Field) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for seen in axis.sets:
        empty = {"first": None, "last": None, "size": 0, "touched": 0}
        full = seen and {"first": seen.low, "last": seen.high, "size": seen.width, "touched": seen.count}
        entries.append(full or empty)
    return {"period": axis.period, "step": axis.step, "fields": entries}
