"""The same as field_tables, as plain data: what `segcompile rf --format json` adds for each layer asked for."""

from __future__ import annotations

from typing import Any

from segcompile.analysis.index_set import IndexSet
from segcompile.analysis.receptive_field import Field
from segcompile.field_tables import SHARES, steps_of
from segcompile.fields import DIRECTIONS, LayerField, Phase
from segcompile.json_view import number


def phases_json(layer: LayerField) -> dict[str, Any]:
    """The table of each axis: {"period", "step", "fields": [{"first", "last", "size", "touched"}]}."""
    return {name: _axis_json(field) for name, field in zip(("height", "width"), layer.fields, strict=True)}


def _axis_json(field: Field) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for seen in field.sets:
        empty = {"first": None, "last": None, "size": 0, "touched": 0}
        full = seen and {"first": seen.low, "last": seen.high, "size": seen.width, "touched": seen.count}
        entries.append(full or empty)
    return {"period": field.period, "step": field.step, "fields": entries}


def coverage_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """The exact set, its ratios, and the radii of the path counts. The set is the union of the bands, each all pixels
    at its rows and columns, both as runs [first, last]; no row is in two bands."""
    found, counts = layer.coverage(phase), layer.path_counts(phase)
    return {
        "phase": list(phase),
        "count": found.count,
        "size": list(found.size),
        "touched": list(found.touched),
        "fill": float(found.fill),
        "fill_of_projections": float(found.fill_of_projections),
        "whole_image": found.whole_image,
        "bands": [{"rows": _runs(rows), "columns": _runs(columns)} for rows, columns in found.region.bands],
        "path_counts": {"exact": counts.exact, "radius": {f"{share:g}": counts.radius(share) for share in SHARES}},
    }


def _runs(indices: IndexSet) -> list[list[int]]:
    return [[first, last] for first, last in indices.runs()]


def why_json(layer: LayerField, phase: Phase | None) -> dict[str, Any]:
    """Direction -> the path: [{"layer", "index", "adds"}], from the input on."""
    found: dict[str, Any] = {"phase": list(phase or layer.widest_phase)}
    for direction in DIRECTIONS:
        steps = steps_of(layer, layer.why(direction, phase))
        found[direction] = [{"layer": name, "index": index, "adds": number(adds)} for name, index, adds in steps]
    return found
