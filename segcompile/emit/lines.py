"""Lines of generated code, laid out as a formatter would: calls that are too long, and comments under one another."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from segcompile.emit.body import Statement
from segcompile.emit.calls import WIDTH

_STATEMENT = 8  # spaces before a statement of a method
_STEP = 4
_BETWEEN = "   "  # two columns of comments
_CALL = re.compile(r'(getattr\(self, f"[^"]*"\)|[A-Za-z_][\w.]*)\((.*)\)')


def call_lines(head: str, arguments: Sequence[str], tail: str, indent: int, around: str = "()") -> list[str]:
    """`head(arguments)tail`, behind `indent` spaces: in one line, with all arguments in a second one, or in as many as
    it takes; those of a function's head one a line."""
    start, end = f"{head}{around[0]}", f"{around[1]}{tail}"
    whole, inside = f"{start}{', '.join(arguments)}{end}", " " * _STEP
    if indent + len(whole) <= WIDTH:
        return [whole]
    if indent + _STEP + len(", ".join(arguments)) <= WIDTH:
        return [start, f"{inside}{', '.join(arguments)}", end]
    if head.startswith("def "):
        return [start, *(f"{inside}{argument}," for argument in arguments), end]
    words = " ".join(f"{argument},".replace(" ", "\0") for argument in arguments)
    return [start, *_filled(words, indent), end]


def statement_lines(statements: Sequence[Statement], tensor: str) -> list[str]:
    """`target = code  # comment`, the comments under one another, each at the right of its statement's last line, and
    an empty line before each stage. `tensor` is the type of the returned variable where it is born.

    A statement that leaves no room for its comment takes that of the stage's name, where none begins; else it is two,
    if it is a function of something longer than a name; or else it is broken within its brackets.
    """
    named = max(len(statement.stage) for statement in statements)
    columns = _columns([(s.stage, *s.comment) if named else s.comment for s in statements])
    reasons = [f"   {statement.reason}" if statement.reason else "" for statement in statements]
    comments = [f"{cells}{reason}".rstrip() for cells, reason in zip(columns, reasons, strict=True)]
    room = WIDTH - _STATEMENT - len("  # ") - max(map(len, comments), default=0)
    more = [named + len(_BETWEEN) if named and not statement.stage else 0 for statement in statements]
    every = [
        _parts(statement, tensor, room + free if comment else WIDTH - _STATEMENT)
        for statement, comment, free in zip(statements, comments, more, strict=True)
    ]
    ends = [(len(parts[-1]), free) for parts, free, comment in zip(every, more, comments, strict=True) if comment]
    width = max((end - (free if end > room else 0) for end, free in ends if end <= room + free), default=0)
    lines = list[str]()
    for statement, (*parts, end), comment, free in zip(statements, every, comments, more, strict=True):
        lines += [""] if statement.stage and lines else []
        wide = free if len(end) > width else 0
        lines += [*parts, f"{end:<{width + wide}}  # {comment[wide:]}" if comment else end]
    return lines


def _parts(statement: Statement, tensor: str, room: int) -> list[str]:
    """The lines of a statement, of which the last one fits into the room if that can be."""
    if statement.opens:
        return [f"for {statement.target} in {statement.code}:" if statement.target else f"if {statement.code}:"]
    if statement.inside or statement.optional:
        plain = replace(statement, inside=False, optional=False)
        return [" " * _STEP + line for line in _parts(plain, tensor, room - _STEP)]
    target, code = statement.target, statement.code
    start = "return " if statement.returns else f"{target}{f': {tensor}' if statement.declares else ''} = "
    if len(start) + len(code) <= room:
        return [start + code]
    function, (first, *others) = call_of(code)
    words = {word for other in others for word in re.findall(r"\w+", other)}
    if re.search(r"[( ]", first) and not first.startswith("[") and not {*target.split(", ")} & {*words, "_"}:
        last = f"{'return' if statement.returns else f'{target} ='} {function}({', '.join([target, *others])})"
        if "," not in target and len(last) <= room:
            return [*_parts(replace(statement, code=first, returns=False), tensor, WIDTH - _STATEMENT), last]
    return _broken(start, code, room)


def _broken(begin: str, code: str, room: int) -> list[str]:
    """A statement in several lines: a sum within parentheses, a call of a list within its brackets, and any other call
    with its arguments on lines of their own."""
    terms = code.split(" + ")
    if len(terms) > 1 and all(term.count("(") == term.count(")") for term in terms):
        text = " ".join(f"+ {term}".replace(" ", "\0") for term in terms).removeprefix("+\0")  # a term is one word
        return _closed([f"{begin}(", *_filled(text)], ")", room)
    start, listed, rest = code.partition("([")
    inside, closed, end = rest.rpartition("], ")
    if closed:
        return _closed([begin + start + listed, *_filled(inside)], closed + end, room)
    function, arguments = call_of(code)
    if not function:  # as `0.5 * x`: it stays whole
        return [begin + code]
    inside = ", ".join(arguments)
    fits = _STATEMENT + _STEP + len(inside) <= WIDTH
    within = [inside] if fits else [f"{argument}," for argument in arguments]
    return _closed([f"{begin}{function}(", *(" " * _STEP + line for line in within)], ")", room)


def _closed(lines: list[str], end: str, room: int) -> list[str]:
    """The brackets close at the end of the last line, or on one of their own where there is no room."""
    last = lines[-1].removesuffix(",") + end
    return [*lines[:-1], last] if len(last) <= room else [*lines, end]


def _filled(text: str, indent: int = _STATEMENT) -> list[str]:
    """Words in lines, indented once more than what they belong to; those that a zero stands between stay together."""
    lines = textwrap.wrap(text, WIDTH - indent - _STEP, break_long_words=False, break_on_hyphens=False)
    return [" " * _STEP + line.replace("\0", " ") for line in lines]


def call_of(code: str) -> tuple[str, list[str]]:
    """The function and the arguments of code that is one call; no function and one empty argument of any other."""
    match = _CALL.fullmatch(code)
    arguments = _arguments(match[2]) if match else []
    return (match[1], arguments) if match and arguments else ("", [""])


def _arguments(text: str) -> list[str]:
    """What stands between the parentheses of a call, argument by argument; [] where that is not all of it."""
    found, start, depth, quoted = list[str](), 0, 0, False
    for index, character in enumerate(text):
        quoted ^= character == '"'
        if quoted:
            continue
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
    return [_BETWEEN.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) for row in rows]
