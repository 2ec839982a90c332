"""Values that are counted, en2, en3, ..., as places in one row: `en[i] = getattr(self, f"en{i}")(en[i - 1])`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from segcompile.emit.body import COUNTER, Body, Statement

_NUMBERED = re.compile(r"([A-Za-z]\w*?[A-Za-z]|[A-Za-z])([1-9]\d*)")
_AT = re.compile(r"(\w+)\[(\d+)\]")


def rows(body: Body, statements: Sequence[Statement]) -> Iterator[str]:
    """What numbered variables have in common, `en` of en1, en2, ..., where these could be places in one row."""
    found: dict[str, list[int]] = {}
    for statement in statements:
        match = _NUMBERED.fullmatch(statement.target)
        if match is not None:
            found.setdefault(match[1], []).append(int(match[2]))
    said = {*body.argument_names, *body.result_names}
    words = {word for each in statements for word in re.findall(r"(?<![\w.])\w+", f"{each.target} {each.code}")} | said
    for stem, numbers in found.items():
        free = stem not in words and not said & {f"{stem}{number}" for number in numbers}
        if free and numbers == [*range(numbers[0], numbers[0] + len(numbers))]:
            yield stem


def in_row(statements: Sequence[Statement], stem: str) -> list[Statement]:
    """The statements with `en[2]` for en2; the first of them makes the row."""
    lines, made = list[Statement](), False
    for statement in statements:
        target, code = (
            re.sub(rf"(?<![\w.]){stem}([1-9]\d*)\b", rf"{stem}[\1]", text)
            for text in (statement.target, statement.code)
        )
        match = None if made else _AT.fullmatch(target)
        if match is not None and match[1] == stem:
            made, target, code = True, stem, f"{{{match[2]}: {code}}}"
        lines.append(replace(statement, target=target, code=code))
    return lines


def from_turn(text: str, number: int) -> str:
    """A text in which places in rows are counted from the turn of a loop that has this number: `en[i - 1]`."""
    return _AT.sub(lambda match: f"{match[1]}[{_behind(int(match[2]) - number)}]", text)


def _behind(more: int) -> str:
    return f"{COUNTER} {'-' if more < 0 else '+'} {abs(more)}" if more else COUNTER
