"""Colour on a terminal: of text that is already rendered, so that nothing else knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_RED, _GREEN, _YELLOW, _BLUE, _CYAN = ("31", "32", "33", "34", "36")
_HEAD = re.compile(r"(error|warning)(\[SC\d+ [a-z-]+\])?: ")
_PLACE = re.compile(r"( +(?:-->|:::) )(.*)")
_QUOTED = re.compile(r"( *\d+ \|)(.*)")
_MARKED = re.compile(r"( +\| )( *)(\^+|-)(.*)")
_TOLD = re.compile(r"( += )(help|note)(: .*)")


def wanted(environment: Mapping[str, str]) -> bool | None:
    """Whether to colour, as the environment says: NO_COLOR (no-color.org), a dumb terminal, FORCE_COLOR; None where
    it says nothing, and a terminal is coloured while a pipe is not."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return True if environment.get("FORCE_COLOR") else None


def coloured(text: str) -> str:
    """Diagnostics, and the ✓ and ✗ of any other text, with ANSI colours; a reader without them sees the same text."""
    return "\n".join(_lines(text))


def _lines(text: str) -> Iterator[str]:
    severity = ""  # of the diagnostic that the line is in: its colour
    for line in text.split("\n"):
        head = _HEAD.match(line)
        if head:
            severity = _RED if head[1] == "error" else _YELLOW
            yield _in(f"1;{severity}", head[0].rstrip(": ")) + _in("1", f": {line[head.end() :]}")
        elif not line:
            severity = ""
            yield line
        elif severity:
            yield _of_a_diagnostic(line, severity)
        else:
            yield line.replace("✓", _in(_GREEN, "✓")).replace("✗", _in(_RED, "✗"))


def _of_a_diagnostic(line: str, severity: str) -> str:
    """A line below a diagnostic's first."""
    if found := _MARKED.fullmatch(line):
        gutter, indent, mark, told = found.groups()
        return _in(_BLUE, gutter) + indent + _in(f"1;{severity}" if mark[0] == "^" else _BLUE, mark + told)
    if found := _QUOTED.fullmatch(line) or _PLACE.fullmatch(line):
        return _in(_BLUE, found[1]) + found[2]
    if found := _TOLD.fullmatch(line):
        return _in(_BLUE, found[1]) + _in(f"1;{_CYAN}", found[2]) + found[3]
    return line


def _in(colour: str, text: str) -> str:
    return f"\033[{colour}m{text}\033[0m"
