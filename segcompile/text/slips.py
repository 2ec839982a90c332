"""What was meant where YAML ended a value at a comma, or made one word of a key and its value."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 1000  # characters of a value that is looked for in its line
_FUNCTION = re.compile(r"\b(min|max)\(")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])")  # 3,221,538
_PAIR = re.compile(r"[0-9]+\s*,\s*[0-9]+")
_NO_SPACE = re.compile(r"([A-Za-z_]\w*):(\S.*)")  # conv:64


@dataclass(frozen=True, slots=True)
class Cut:
    """A value that YAML ended at a comma: all of its text, what it was to be (one value, or a list), and the help; None
    where it is no better in one piece, which is told where it is read."""

    whole: str
    meant: tuple[str, ...]
    help: str | None


def cut_call(line: str, start: int, before: str, after: str) -> Cut | None:
    """The value of which a comma within parentheses left `before`, at `start` in its line, and made `after` a word of
    its own. None where there is no such parenthesis."""
    if before.count("(") <= before.count(")"):
        return None
    whole = _in_parentheses(line[start : start + LONGEST]) or f"{before}, {after}"
    if whole.startswith("("):
        inner = tuple(part.strip() for part in whole[1:-1].split(","))
        return Cut(whole, inner, f"a list is written `[{', '.join(inner)}]`")
    return Cut(whole, (whole,), f'in quotes: `"{whole}"`' if _FUNCTION.search(before) else None)


def cut_number(line: str, start: int, before: str, after: str) -> Cut | None:
    """As `cut_call`, of numbers where one value is due: a pair, a decimal, or the digits of one large number."""
    if not (before.isdigit() and after.isdigit()):
        return None
    grouped, pair = _GROUPED.match(line, start), _PAIR.match(line, start)
    if pair is None:  # on two lines
        return None
    if grouped is not None:
        one, few = grouped[0].replace(",", ""), grouped[0].count(",") == 1
        help = f"write `{one}`, or two numbers as `[{before}, {after}]`" if few else f"write `{one}`"
        return Cut(grouped[0], (one,), help)
    if before.startswith("0"):
        return Cut(pair[0], (f"{before}.{after}",), f"a decimal is written `{before}.{after}`")
    help = f"two numbers are written `{before}x{after}` or `[{before}, {after}]`, a decimal `{before}.{after}`"
    return Cut(pair[0], (before, after), help)


def _in_parentheses(text: str) -> str | None:
    """A text up to where its first parenthesis is closed."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ")" and depth == 0:
            return text[: index + 1]
    return None


def without_space(word: str) -> tuple[str, str] | None:
    """The key and the value of `conv:64`."""
    match = _NO_SPACE.fullmatch(word)
    return (match[1], match[2]) if match else None
