"""The number of a claim, as it is written in a file -> the text of another one, in the same style and at its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from segcompile.text.errors import Span
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar
from segcompile.text.source import Sequence as SequenceNode

_INTEGER = re.compile(r"[-+]?[0-9]+")
_EXTENTS = re.compile(r"[-+]?[0-9]+(\s*[xX×]\s*[-+]?[0-9]+)+")  # 3x3, which stays in that style
_LARGEST = 2**63  # what an expression may be, see expressions.py
_LINE_BREAK = re.compile("\r\n|[\n\r]")


class Unwritable(Exception):
    """Why a number cannot take the place of the one that is written."""


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a file, and the text that is due there; None where it is right as it is."""

    span: Span
    text: str | None


def values_of(root: MappingNode) -> Mapping[tuple[int, int], Scalar | SequenceNode]:
    """Line and column -> the scalar or list that starts there as a value."""
    found: dict[tuple[int, int], Scalar | SequenceNode] = {}
    nodes: list[Node] = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, MappingNode):
            nodes += (value for _, value in node.entries.values())
        else:
            found[node.span.line, node.span.column] = node
            nodes += node.items if isinstance(node, SequenceNode) else ()
    return found


def rewrite(
    node: Scalar | SequenceNode, claimed: Sequence[object], computed: Sequence[object], in_table: bool
) -> tuple[Part, ...]:
    """What is due at each value of a claim, which has one number an axis. A list stays a list, `3x3` stays so, and a
    single value becomes a list only where the axes differ, in a table `3x5`.

    Raises Unwritable.
    """
    if isinstance(node, SequenceNode):
        items = zip(node.items, claimed, computed, strict=True)
        return tuple(Part(_place(item), None if old == new else _number(new)) for item, old, new in items)
    if tuple(claimed) == tuple(computed):
        return (Part(node.span, None),)
    numbers = [_number(number) for number in computed]
    whole = all(map(_INTEGER.fullmatch, numbers))
    if _EXTENTS.fullmatch(node.text) and whole and len(_INTEGER.findall(node.text)) == len(numbers):
        following = iter(numbers)
        text = _INTEGER.sub(lambda _: next(following), node.text)
    elif len({*numbers}) == 1:
        text = numbers[0]
    elif not in_table:
        text = f"[{', '.join(numbers)}]"
    elif whole:
        text = "x".join(numbers)
    else:
        raise Unwritable("one cell of a table cannot say this")
    return (Part(_place(node), text),)


def _number(value: object) -> str:
    """A number that the same place can read again."""
    if not isinstance(value, int | Fraction):
        raise Unwritable("it depends on the size of the input")
    if max(abs(value.numerator), value.denominator) >= _LARGEST:
        raise Unwritable("it is too large for a spec")
    return str(value)


def _place(node: Node) -> Span:
    """The whole of a value, which is on one line: of a longer one the end is not known."""
    written = node.span.text
    if isinstance(node, Scalar):
        whole = len(written) > 1 and written[0] == written[-1] if node.quoted else written == node.text
        if whole:
            return node.span
    raise Unwritable("it is written over several lines")


def replaced(text: str, changes: Iterable[tuple[Span, str]]) -> str:
    """The text with other words at some places of it, and not a character changed besides."""
    starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]
    pieces, end = list[str](), 0
    for span, new in sorted(changes, key=lambda change: (change[0].line, change[0].column)):
        start = starts[span.line - 1] + span.column - 1
        pieces += (text[end:start], new)
        end = start + span.length
    return "".join((*pieces, text[end:]))
