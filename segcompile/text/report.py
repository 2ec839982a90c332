"""Diagnostics as people read them (with carets) and as programs do (JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import category, east_asian_width

from segcompile.text.errors import Diagnostic, SourceText, Span

_WIDTH = 120  # characters of a quoted line; a longer one is cut around its mark
_LONGEST = 1000  # characters of a message; a spec may hold values of any length


def render_text(diagnostics: Sequence[Diagnostic]) -> str:
    """All diagnostics, a blank line between two; the empty string for none."""
    return "\n\n".join(render_one(diagnostic) for diagnostic in diagnostics)


def render_one(diagnostic: Diagnostic) -> str:
    """One diagnostic in the form that docs and tests quote (see `segcompile explain`)."""
    code = diagnostic.code
    marks = [_Mark(label.span, "-", label.text) for label in diagnostic.places]
    if diagnostic.span is not None:
        marks.insert(0, _Mark(diagnostic.span, "^"))
    gutter = " " * max([2, *(len(str(mark.span.line)) for mark in marks)])
    lines = [f"{code.severity}[{code.code} {code.slug}]: {_message(diagnostic.message)}"]
    for source in dict.fromkeys(mark.span.source for mark in marks):  # the primary span's file first
        lines += _quote_file([mark for mark in marks if mark.span.source is source], marks[0].span.source, gutter)
    if diagnostic.help is not None:
        lines.append(f"{gutter} = help: {_message(diagnostic.help)}")
    lines += [f"{gutter} = note: {_message(note)}" for note in diagnostic.notes]
    return "\n".join(lines)


def as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The same content as plain data."""
    return {
        "code": diagnostic.code.code,
        "slug": diagnostic.code.slug,
        "severity": str(diagnostic.code.severity),
        "message": diagnostic.message,
        "span": _span_json(diagnostic.span),
        "labels": [{**(_span_json(label.span) or {}), "text": label.text} for label in diagnostic.places],
        "help": diagnostic.help,
        "notes": list(diagnostic.notes),
    }


def _span_json(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {"file": span.source.name, "line": span.line, "column": span.column, "length": span.length}


@dataclass(frozen=True, slots=True)
class _Mark:
    """What is put under a source line: `^` for the primary span, `-` and a text for a label."""

    span: Span
    sign: str
    text: str = ""


def _quote_file(marks: Sequence[_Mark], primary: SourceText, gutter: str) -> list[str]:
    """The place in one file and its marked lines, in the file's order."""
    arrow = "-->" if marks[0].span.source is primary else ":::"
    out = [f"{gutter}{arrow} {_message(str(marks[0].span))}"]
    for line in sorted({mark.span.line for mark in marks}):
        rest = [mark for mark in marks if mark.span.line == line]
        while rest:  # more than once only if the line is too long to show all its marks
            start = _start(rest[0].span)
            here = [mark for mark in rest if start < mark.span.column <= start + _WIDTH]
            rest = [mark for mark in rest if mark not in here]
            out += _quote_line(line, start, here, gutter)
    return out


def _start(span: Span) -> int:
    """The first shown character of a line, counted from 0, such that `span`'s first one is shown."""
    text = _line(span)
    return 0 if len(text) <= _WIDTH else max(0, span.column - _WIDTH // 2)


def _quote_line(line: int, start: int, marks: Sequence[_Mark], gutter: str) -> list[str]:
    """One source line and, under it, the primary mark and each label on a line of its own."""
    text = _line(marks[0].span)
    shown = _printable(text[start : start + _WIDTH])
    before, after = "…" if start else "", "…" if len(text) > start + _WIDTH else ""
    out = [f"{line:>{len(gutter)}} | {before}{shown}{after}".rstrip()]
    for mark in marks:
        first = mark.span.column - 1 - start
        indent = " " * (len(before) + _cells(shown[:first]) + max(0, first - len(shown)))
        width = max(1, _cells(shown[first : first + mark.span.length])) if mark.sign == "^" else 1
        out.append(f"{gutter} | {indent}{mark.sign * width} {_message(mark.text)}".rstrip())
    return out


def _line(span: Span) -> str:
    lines = span.source.lines
    return lines[span.line - 1] if span.line <= len(lines) else ""


def _cells(text: str) -> int:
    """Columns of a terminal: East Asian wide characters take two, combining ones none."""
    wide = sum(east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(category(character) in ("Mn", "Me") for character in text)


def _message(text: str) -> str:
    return _printable(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")


def _printable(text: str) -> str:
    """Control characters would move the cursor or colour the terminal: each becomes one visible character."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character.isprintable() or category(character) == "Zs":
        return character
    return " " if character in "\t\n\r" else "·"
