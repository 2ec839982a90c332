"""The same as text.py and chain.py, as plain data: what `segcompile rf --format json` has under `asked`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from segcompile.facts.index_set import IndexSet
from segcompile.facts.receptive_field import Field
from segcompile.notebook.layer import DIRECTIONS, LayerField
from segcompile.notebook.values import Phase
from segcompile.ops import AXIS_NAMES
from segcompile.show.fields_text import SHARES
from segcompile.show.json_view import number


def layer_json(layer: LayerField) -> dict[str, Any]:
    """What is true of one layer; `sizes`: along each axis, [size, number of phases that have it]."""
    return {
        "op": layer.op,
        "shape": [number(size) for size in (layer.shape.channels, *layer.shape.size)],
        "receptive_field": layer.size,
        "local_receptive_field": layer.local_size,
        "whole_image": layer.whole_image,
        "data_dependent": layer.data_dependent,
        "stride": layer.stride and [number(step) for step in layer.stride],
        "period": layer.period,
        "exact": layer.exact,
        "sizes": {name: _sizes(axis) for name, axis in zip(AXIS_NAMES, layer.fields, strict=True)},
    }


def _sizes(axis: Field) -> list[tuple[int, int]]:
    return sorted(Counter(found.width if found is not None else 0 for found in axis.sets).items())


def padding_json(layer: LayerField) -> dict[str, Any]:
    """`everywhere`: every output depends on all borders of the image. Else how many rows and columns see padding on
    each side, every number that occurs over the sizes of the image, and the [first, last] rows and columns that see
    none (null: there are none, or that depends on the size)."""
    found = layer.padding
    if found is None:
        return {"everywhere": True}
    clean = found.clean and [(side.start, side.stop - 1) for side in found.clean if side]
    return {
        "everywhere": False,
        **{side: getattr(found, side) for side in DIRECTIONS},
        "clean": clean if clean and len(clean) == 2 else None,
        "bound": found.bound,
        "proven": found.proven,
    }


def phase_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """The runs of pixels that outputs of one phase see, [first, last], along each axis."""
    found = layer.phase(*phase)
    return {
        "phase": phase, "size": found.size, "start": found.start, "touched": found.touched,
        "rows": _runs(found.rows), "columns": _runs(found.columns),
    }  # fmt: skip


def phases_json(layer: LayerField) -> dict[str, Any]:
    """The table of each axis: {"period", "step", "fields": [{"first", "last", "size", "touched"}]}, and whether it
    is exact: else some phases see less."""
    tables = {name: _axis_json(axis) for name, axis in zip(AXIS_NAMES, layer.fields, strict=True)}
    return {**tables, "exact": layer.exact}


def _axis_json(axis: Field) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for seen in axis.sets:
        empty = {"first": None, "last": None, "size": 0, "touched": 0}
        full = seen and {"first": seen.low, "last": seen.high, "size": seen.width, "touched": seen.count}
        entries.append(full or empty)
    return {"period": axis.period, "step": axis.step, "fields": entries}


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
        "bands": [{"rows": _runs(rows), "columns": _runs(columns)} for rows, columns in bands],
    }


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
        "bands": [{"rows": _runs(rows), "columns": _runs(columns)} for rows, columns in bands],
    }


def _runs(indices: IndexSet | None) -> list[tuple[int, int]]:
    return list(indices.runs()) if indices is not None else []


def counts_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """`radius`: share of all paths -> half the side of the square around `centre` that holds it; `exact`: whether every
    count is the very integer; `data_dependent`: paths are counted of which the values choose some."""
    counts = layer.path_counts(phase)
    radius = {f"{share:g}": counts.radius(share) for share in SHARES}
    bound = {"data_dependent": True} if layer.data_dependent else {}
    return {"phase": phase, "exact": counts.exact, "centre": counts.centre, "radius": radius, **bound}


def why_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """Direction -> the path: [{"layer", "index", "adds"}], from the input on."""
    found: dict[str, Any] = {"phase": phase}
    for direction in DIRECTIONS:
        steps = layer.steps(direction, phase)
        found[direction] = [{"layer": name, "index": index, "adds": number(adds)} for name, index, adds in steps]
    return found
