"""Ranges where a list of integers is due: `1..n`, `3..0 by -1`, and `[1..3, 7]` with other values."""

from __future__ import annotations

import re

from segcompile.language.expressions import Values, evaluate
from segcompile.text.errors import fail
from segcompile.text.source import Node, Scalar, Sequence, describe

_RANGE = re.compile(r"(.+?)\s*\.\.\s*(.+?)(?:\s+by\s+(.+))?", re.DOTALL)
_PYTHONS = re.compile(r"range\((?:([0-9]{1,6})\s*,\s*)?([0-9]{1,6})\)")
_FROM_TO = re.compile(r"(\w+)\s*(?:-|:|\.\.\.|to)\s*(\w+)")  # `1-3`, `1:3`
LONGEST = 20_000  # numbers in one range


def is_range(node: Node) -> bool:
    """Whether a scalar is written as a range."""
    return isinstance(node, Scalar) and _RANGE.fullmatch(node.text) is not None


def written_out(node: Node, values: Values) -> Node:
    """A list with the numbers of its ranges in their places; a range alone is a list. All else is as it was.

    The first number, and on to the last one by steps of 1, or of what stands behind `by`; both ends are expressions. It
    is empty if the last number lies on the other side of the first. Raises SegcompileError: as `evaluate` does, SC105
    for steps of 0, SC111 for more than `LONGEST` numbers.
    """
    if isinstance(node, Scalar) and is_range(node):
        return Sequence(_numbers(node, values), node.span)
    if isinstance(node, Sequence) and any(map(is_range, node.items)):
        parts = (_numbers(item, values) if is_range(item) else (item,) for item in node.items)
        return Sequence(tuple(item for part in parts for item in part), node.span)
    return node


def values_of(variable: str, node: Node, values: Values) -> Sequence:
    """The list that a loop's variable runs over. Raises SegcompileError: as `written_out`, SC004 for no list."""
    listed = written_out(node, values)
    if isinstance(listed, Sequence):
        return listed
    message = f"`{variable}` runs over a list, not {describe(listed)}"
    raise fail("SC004", message, listed.span, help=_as_a_list(variable, listed))


def _as_a_list(variable: str, written: Node) -> str:
    """The help where a loop's values are no list."""
    text = written.text if isinstance(written, Scalar) else ""
    span = _FROM_TO.fullmatch(text)
    counted = _PYTHONS.fullmatch(text)
    if counted is not None:
        first, last = counted[1] or "0", int(counted[2]) - 1
        return f"`for: {{{variable}: {first}..{last}}}`: from the first to the last"
    if span is not None:
        return f"`for: {{{variable}: {span[1]}..{span[2]}}}`: from the first to the last"
    if text.isalnum():
        return f"`1..{text}` counts to it, and `[{text}]` is a list of one"
    return f"`for: {{{variable}: [0, 1, 2]}}`, or `0..2`, from the first to the last"


def _numbers(node: Node, values: Values) -> tuple[Scalar, ...]:
    assert isinstance(node, Scalar)
    match = _RANGE.fullmatch(node.text)
    assert match is not None
    parts = [Scalar(match[n], node.part(match.start(n), len(match[n]))) for n in (1, 2, 3) if match[n] is not None]
    first, last, *steps = (evaluate(part, values) for part in parts)
    step = steps[0] if steps else 1
    if step == 0:
        raise fail("SC105", "a step that is not 0 is due here, not 0", parts[2].span, help="`by -1` counts down")
    found = range(first, last + (1 if step > 0 else -1), step)
    if len(found) > LONGEST:
        message = f"a range of {len(found):,} numbers; {LONGEST:,} is the most"
        raise fail("SC111", message, node.span, help="is one of its ends too large?")
    return tuple(Scalar(str(number), node.span) for number in found)
