"""Numbers in lines of code: classes are alike whatever these are, and those that differ become arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.\d*(?:e[-+]?\d+)?|\d+e[-+]?\d+|\d+)(?![\w.])")
_CALLED = re.compile(r"([A-Za-z_]\w*)$")


def without_numbers(code: str) -> str:
    """What code of other numbers has in common with this."""
    return _NUMBER.sub(lambda match: "0.0" if _is_float(match[0]) else "0", code)


def numbers_in(code: str) -> Iterator[tuple[str, int | float]]:
    """The numbers of some code, each with the function that it is given to; `scale` for a factor of none."""
    for match in _NUMBER.finditer(code):
        yield _function(code[: match.start()]), float(match[0]) if _is_float(match[0]) else int(match[0])


def with_numbers(code: str, texts: Sequence[str]) -> str:
    """The code with other text for its numbers."""
    following = iter(texts)
    return _NUMBER.sub(lambda match: next(following), code)


def _is_float(text: str) -> bool:
    return not text.isdecimal()


def _function(before: str) -> str:
    """The innermost function whose parentheses are still open."""
    depth = 0
    for index in range(len(before) - 1, -1, -1):
        depth += (before[index] == ")") - (before[index] == "(")
        called = _CALLED.search(before[:index]) if depth < 0 else None
        if called:
            return called[1]
        depth = max(depth, 0)
    return "scale"
