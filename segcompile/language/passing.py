"""Arguments in their places: a whole scalar that is the name of a word, number or list that was passed is that."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import replace

from segcompile.text.errors import Label, Span
from segcompile.text.source import Mapping, Node, Scalar, Sequence, brief, describe

Passed = MappingOf[str, Node]  # arguments, and loop variables, that are no integers


def passed_on(node: Node, passed: Passed) -> Node:
    """A value with what was passed, which stands where it was given, and knows where it is read. Mappings in a list are
    layers, which are read in their turn."""
    if isinstance(node, Scalar):
        return _read_at(passed[node.text], node) if node.text in passed else node
    if isinstance(node, Mapping):
        return passed_into(node, passed)
    items = (item if isinstance(item, Mapping) else passed_on(item, passed) for item in node.items)
    return Sequence(tuple(items), node.span)


def as_text(given: Node) -> str:
    """What was passed, in a few characters."""
    if isinstance(given, Scalar):
        return given.text
    return brief(f"[{', '.join(map(as_text, given.items[:20]))}]") if isinstance(given, Sequence) else describe(given)


def read_here(given: Span, name: str, reading: Span) -> Span:
    """The place where an argument is given, by way of the one where it is read."""
    return given.called((Label(reading, f"`{name}` is read here"),))


def _read_at(given: Node, read: Scalar) -> Node:
    span = read_here(given.span, read.text, read.span)
    if isinstance(given, Sequence):
        return Sequence(tuple(_read_at(item, read) for item in given.items), span)
    return replace(given, span=span)


def passed_into(body: Mapping, passed: Passed) -> Mapping:
    """The body of a layer, or the options of a word, with what was passed."""
    if not passed:
        return body
    return Mapping({name: (key, passed_on(value, passed)) for name, (key, value) in body.entries.items()}, body.span)
