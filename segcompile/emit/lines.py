"""Lines of generated code, laid out as a formatter would: calls that are too long, and comments under one another."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence

from segcompile.emit.bodies import Statement
from segcompile.emit.calls import WIDTH

_STATEMENT = 8  # spaces before a statement of a method
_LONGEST = 120  # characters of a line that stays whole where there is no good place to break it
_STEP = 4


def call_lines(head: str, arguments: Sequence[str], tail: str, indent: int) -> list[str]:
    """`head(arguments)tail`, behind `indent` spaces: in one line, with all arguments in a second one, or one a line."""
    whole, inside = f"{head}({', '.join(arguments)}){tail}", " " * _STEP
    if indent + len(whole) <= WIDTH:
        return [whole]
    if indent + _STEP + len(", ".join(arguments)) <= WIDTH:
        return [f"{head}(", f"{inside}{', '.join(arguments)}", f"){tail}"]
    return [f"{head}(", *(f"{inside}{argument}," for argument in arguments), f"){tail}"]


def statement_lines(statements: Sequence[Statement], tensor: str) -> list[str]:
    """`target = code  # comment`, the comments under one another; above the line where they would not fit behind it.

    `tensor` is the type of the returned variable where it is born.
    """
    codes = [f"{s.target}{f': {tensor}' if s.declares else ''} = {s.code}" for s in statements]
    comments = _columns([s.comment for s in statements])
    room = WIDTH - _STATEMENT - 4 - max(map(len, comments), default=0)
    width = max((len(code) for code in codes if len(code) <= room), default=0)
    lines = []
    for code, comment in zip(codes, comments, strict=True):
        fits = len(code) <= room
        lines += [f"# {comment}"] if comment and not fits else []
        lines += [f"{code:<{width}}  # {comment}"] if comment and fits else _broken(code)
    return lines


def _broken(code: str) -> list[str]:
    """A statement; one that is too long for a line in several: a sum within parentheses, a call of a list within its
    brackets, and any other call argument by argument."""
    if _STATEMENT + len(code) <= _LONGEST:
        return [code]
    target, _, total = code.partition(" = ")
    terms = total.split(" + ")
    if len(terms) > 1 and all(term.count("(") == term.count(")") for term in terms):
        text = " ".join(f"+ {term}".replace(" ", "\0") for term in terms).removeprefix("+\0")  # a term is one word
        return [f"{target} = (", *_filled(text), ")"]
    start, listed, rest = code.partition("([")
    inside, closed, end = rest.rpartition("], ")
    if closed:
        return [start + listed, *_filled(inside), closed + end]
    function, _, rest = total.partition("(")
    arguments = _arguments(rest[:-1])
    return call_lines(f"{target} = {function}", arguments, "", _STATEMENT) if arguments else [code]


def _filled(text: str) -> list[str]:
    """Words in lines, indented once more than a statement; those that a zero stands between stay together."""
    lines = textwrap.wrap(text, WIDTH - _STATEMENT - _STEP, break_long_words=False, break_on_hyphens=False)
    return [" " * _STEP + line.replace("\0", " ") for line in lines]


def _arguments(text: str) -> list[str]:
    """What stands between the parentheses of a call, argument by argument; [] where that is not all of it."""
    found, start, depth = list[str](), 0, 0
    for index, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return []
        if character == "," and depth == 0:
            found.append(text[start:index].strip())
            start = index + 1
    return [*found, text[start:].strip()]


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """The comments as text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in itertools.zip_longest(*rows, fillvalue="")]
    return ["   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
