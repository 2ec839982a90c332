"""Receptive fields as notebooks show them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from segcompile.facts.pairs import show
from segcompile.text.report import render_text

if TYPE_CHECKING:
    from segcompile.notebook.layer import LayerField
    from segcompile.notebook.network import ReceptiveField

_HEAD = ("layer", "op", "shape", "stride", "receptive field", "phases")


def network_html(view: ReceptiveField) -> str:
    """A row a layer, and what was found wrong."""
    rows = [_cells(layer) for layer in view.layers.values()]
    found = f"<pre>{escape(render_text(view.diagnostics))}</pre>" if view.diagnostics else ""
    return _table(view.model, rows) + found


def layer_html(layer: LayerField) -> str:
    """The row of one layer."""
    return _table(layer.name, [_cells(layer)])


def _cells(layer: LayerField) -> Sequence[str]:
    field = layer.summary.removeprefix("receptive field").lstrip(" :")
    stride = show(layer.stride) if layer.stride is not None else ""
    return layer.name, layer.op, str(layer.shape), stride, field, show(layer.period)


def _table(title: str, rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"
