"""What `segcompile diff` prints, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segcompile.compiler import Compiled
from segcompile.diff import Difference, Verdict
from segcompile.diff.layers import LayerPair
from segcompile.ops import AXIS_NAMES
from segcompile.show.numbers import area
from segcompile.show.padding import ends

Titles = tuple[str, str]  # the two specs, as the user wrote them
Row = tuple[str, ...]

_AT_INFERENCE = "compared at inference: a network's file says nothing of initial weights, freezing and dropout"


def diff_text(found: Difference, titles: Titles, a: Compiled) -> str:
    """The verdict, and the tables that it rests on."""
    parts = ["\n".join([_verdict(found, a), *([_AT_INFERENCE] if found.at_inference else [])])]
    if found.verdict is Verdict.RENAMED:
        parts.append(_table(titles, found.renamed))
    if found.verdict is Verdict.DIFFERENT:
        rows = [(fact.what, _cell(fact.a), _cell(fact.b), "=" if fact.same else "≠") for fact in found.facts]
        parts.append(_table(("", *titles, ""), rows))
    if found.layers:
        parts.append(_table((*titles, "differs"), [_row(pair) for pair in found.layers]))
    return "\n\n".join(parts)


def _verdict(found: Difference, a: Compiled) -> str:
    if found.verdict is Verdict.EQUAL:
        return "equal: one graph"
    if found.verdict is Verdict.RENAMED:
        return "renamed: one graph, under other names"
    if found.verdict is Verdict.BORDER:
        return "\n".join(["border: equal but for padding", *_borders(found, a)])
    first = found.first
    return f"different: {f'{first.what} {_cell(first.a)} -> {_cell(first.b)}' if first is not None else 'the layers'}"


def _borders(found: Difference, a: Compiled) -> list[str]:
    """How much of each output can differ."""
    return [f"{head}: {_border(found, head, a)}" for head in found.borders]


def _border(found: Difference, head: str, a: Compiled) -> str:
    axes, size = found.borders[head], a.facts[a.graph.outputs[head]].shape.size
    where = "" if all(axis.proven for axis in axes) else " at the image sizes tried"
    if not any(any((*axis.before, *axis.after)) for axis in axes):
        return f"no pixel can differ{where}"
    text = f"{ends([(axis.before, axis.after) for axis in axes], size)} can differ{where}"
    clean = [
        extent - axis.before[0] - axis.after[0]
        for extent, axis in zip(size, axes, strict=True)
        if isinstance(extent, int)
    ]
    if len(clean) < len(axes):
        return text
    return f"{text}; " + (f"{area(clean)} pixels agree" if min(clean) > 0 else "at this size that is all")


def _row(pair: LayerPair) -> Row:
    told = ", ".join(f"{change.what} {change.a} -> {change.b}" for change in pair.changes)
    return pair.a or "", pair.b or "", told or pair.title


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _table(head: Row, rows: Sequence[Row]) -> str:
    """Columns of words; the last one is not ruled beyond its head."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    rule = ["─" * width for width in (*widths[:-1], len(head[-1]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, rule, *rows))


def diff_json(found: Difference | None, titles: Titles, models: Sequence[str | None]) -> dict[str, Any]:
    """All of it as data; the verdict is null where a spec could not be compiled."""
    specs = [{"spec": title, "model": model} for title, model in zip(titles, models, strict=True)]
    data: dict[str, Any] = {"a": specs[0], "b": specs[1], "verdict": None, "at_inference": False}
    if found is None:
        return data | {"first": None, "facts": [], "renamed": [], "layers": [], "borders": {}}
    return data | {
        "verdict": found.verdict.value,
        "at_inference": found.at_inference,
        "first": found.first.what if found.first is not None else None,
        "facts": [{"what": fact.what, "a": fact.a, "b": fact.b, "same": fact.same} for fact in found.facts],
        "renamed": [{"a": name, "b": twin} for name, twin in found.renamed],
        "layers": [
            {
                "a": pair.a, "b": pair.b, "op": pair.title,
                "changes": [{"what": change.what, "a": change.a, "b": change.b} for change in pair.changes],
            }
            for pair in found.layers
        ],
        "borders": {
            head: {
                name: {"before": list(axis.before), "after": list(axis.after), "proven": axis.proven}
                for name, axis in zip(AXIS_NAMES[len(axes)], axes, strict=True)
            }
            for head, axes in found.borders.items()
        },
    }  # fmt: skip
