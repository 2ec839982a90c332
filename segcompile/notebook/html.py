"""Receptive fields as notebooks show them: a table, a row a layer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Row = tuple[str, str, str, str, str, str]  # layer, op, shape, stride, receptive field, phases

_HEAD: Row = ("layer", "op", "shape", "stride", "receptive field", "phases")


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows under their heads, as HTML."""
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"
