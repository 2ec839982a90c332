"""What a YAML parser finds wrong with a text, in the words of a spec, at the place to mend."""

from __future__ import annotations

import re
from typing import Any

from segcompile.text.errors import Label, SegcompileError, SourceText, Span, fail

# What the parser says -> what it means to someone who writes a spec, and what to do.
_PROBLEMS: tuple[tuple[str, str, str | None], ...] = (
    ("found character '\\t'", "a tab cannot stand here", "indent and separate with spaces"),
    ("found character '", "`{0}` cannot start a value", "put the value in quotes"),
    ("mapping values are not allowed", "a `:` cannot stand here", "is a quote or a line's indentation missing?"),
    ("could not find expected ':'", "this has no `:` and no value", None),
    ("expected ',' or ']'", "a `,` or `]` is missing before this", None),
    ("expected ',' or '}'", "a `,` or `}}` is missing before this", None),
    ("expected <block end>", "this belongs to nothing above it", "indent it like its neighbours"),
)
_STARTS = {
    "while scanning a simple key": "the key starts here",
    "while parsing a flow sequence": "the list starts here",
    "while parsing a flow mapping": "the mapping starts here",
    "while parsing a block collection": "the list starts here",
    "while parsing a block mapping": "the mapping starts here",
}
_NAME = re.compile(r"[A-Za-z_][\w{}+*-]*$")
_END_OF_NAME = re.compile(r"\{[^{}]*\}[\w{}+*-]*")
_ENTRY = re.compile(r"(?P<dash>\s*-?\s*)(?P<name>\"?[\w{}.+*-]+\"?)\s*?(?P<colon>:?)(?P<space>\s*)(?P<rest>.*)")


def syntax_error(source: SourceText, error: Any) -> SegcompileError:
    """What to raise for an error of the parser, which marks its place."""
    problem = " ".join(str(error.problem or error.context or "not YAML").split())
    context = " ".join(str(error.context or "").split())
    place = _at(source, error.problem_mark or error.context_mark)
    start = _at(source, error.context_mark) if error.context_mark else place
    if context.endswith("quoted scalar") and problem.startswith("found unexpected"):
        return fail("SC001", "this quote is never closed", start)
    labels = [Label(start, _STARTS[context])] if context in _STARTS and str(start) != str(place) else []
    for beginning, message, help in _PROBLEMS:
        if problem.startswith(beginning):
            character = problem.removeprefix(beginning)[:1]
            if beginning.startswith("could not"):  # noticed only where the next line starts
                place, labels = start, []
            help = _help_of(beginning, place) or help
            return fail("SC001", message.format(character), place, labels=labels, help=help)
    return fail("SC001", problem, place, labels=labels)


def _help_of(beginning: str, place: Span) -> str | None:
    """What the line itself shows to be missing."""
    line = "".join(place.source.lines[place.line - 1 : place.line])
    if beginning.startswith("mapping values"):
        return _colon_help(line, place.column - 1)
    if beginning.startswith("expected ','") and place.text == "{":
        return _brace_help(line, place.column - 1)
    return "a space is due behind the `-`" if re.match(r"\s*-[^-\s]", line) else None


def _at(source: SourceText, mark: Any) -> Span:
    return Span(source, mark.line + 1, mark.column + 1, 1) if mark else Span(source, 1, 1, 1)


def _brace_help(line: str, at: int) -> str:
    """The help where a brace begins at `at` that cannot stand there."""
    name, rest = _NAME.search(line[max(0, at - 100) : at]), _END_OF_NAME.match(line[at:])
    if name and rest:
        return f'a name with braces stands in quotes: `"{name[0]}{rest[0]}"`'
    return "is a `:` or a `,` missing before it?"


def _colon_help(line: str, at: int) -> str:
    """The help for a line in which YAML finds a `:` too many, at `at`."""
    match = _ENTRY.fullmatch(line)
    name, rest = (match["name"], match["rest"]) if match else ("", "")
    if match and rest.startswith("{") and not (match["colon"] and match["space"]):
        return f"a space is missing behind `{name}:`" if match["colon"] else f"a `:` is missing behind `{name}`"
    if match and match["colon"] and ":" in line[:at]:
        braces = f"`{name}: {{{rest}}}`"
        return f"put what stands behind `{name}:` in braces: {braces}" if "-" in match["dash"] else "put it in quotes"
    return "is a quote or a line's indentation missing?"
