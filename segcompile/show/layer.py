"""One layer: `segcompile rf --layer`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from segcompile.facts.pairs import show
from segcompile.facts.receptive_field import Field
from segcompile.notebook.layer import LayerField
from segcompile.ops import AXIS_NAMES
from segcompile.show.numbers import number
from segcompile.show.phases import summary


def layer_text(layer: LayerField) -> str:
    """Name, op, shape, field, stride and phases of one layer."""
    stride = f", stride {show(layer.stride)}" if layer.stride is not None else ""
    bound = ["data-dependent: the values decide which part of the field counts"] if layer.data_dependent else []
    return "\n".join([f"{layer.name}: {layer.op}, {layer.shape}", layer.summary + stride, *bound, *_summaries(layer)])


def _summaries(layer: LayerField) -> list[str]:
    fields, bound = layer.fields, "" if layer.exact else "at most "
    if all(axis.period < 2 for axis in fields):
        return []
    if all(axis == fields[0] for axis in fields):
        return [bound + summary(fields[0])]
    return [f"{name}: {bound}{summary(axis)}" for name, axis in zip(AXIS_NAMES[layer.rank], fields, strict=True)]


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
        "sizes": {name: _sizes(axis) for name, axis in zip(AXIS_NAMES[layer.rank], layer.fields, strict=True)},
    }


def _sizes(axis: Field) -> list[tuple[int, int]]:
    return sorted(Counter(found.width if found is not None else 0 for found in axis.sets).items())
