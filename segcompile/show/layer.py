"""One layer: `segcompile rf --layer`, and what a notebook shows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from segcompile.facts.pairs import show
from segcompile.facts.receptive_field import Field
from segcompile.notebook.layer import LayerField
from segcompile.ops import AXIS_NAMES
from segcompile.show.numbers import number
from segcompile.show.phases import summary
from segcompile.text.report import render_text

if TYPE_CHECKING:
    from segcompile.notebook.network import ReceptiveField

_HEAD = ("layer", "op", "shape", "stride", "receptive field", "phases")


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


def layer_html(layer: LayerField) -> str:
    """The row of one layer."""
    return _table(layer.name, [_cells(layer)])


def network_html(view: ReceptiveField) -> str:
    """A row a layer, and what was found wrong."""
    rows = [_cells(layer) for layer in view.layers.values()]
    found = f"<pre>{escape(render_text(view.diagnostics))}</pre>" if view.diagnostics else ""
    return _table(view.model, rows) + found


def _cells(layer: LayerField) -> Sequence[str]:
    field = layer.summary.removeprefix("receptive field").lstrip(" :")
    stride = show(layer.stride) if layer.stride is not None else ""
    return layer.name, layer.op, str(layer.shape), stride, field, show(layer.period)


def _table(title: str, rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"
