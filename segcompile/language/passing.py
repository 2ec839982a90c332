"""Arguments in their places: a whole scalar that is the name of a word, number or list that was passed is that."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from segcompile.text.source import Mapping, Node, Scalar, Sequence

Passed = MappingOf[str, Node]  # arguments, and loop variables, that are no integers


def passed_on(node: Node, passed: Passed) -> Node:
    """A value with what was passed. Mappings in a list are layers, which are read in their turn."""
    if isinstance(node, Scalar):
        return passed.get(node.text, node)
    if isinstance(node, Mapping):
        return passed_into(node, passed)
    items = (item if isinstance(item, Mapping) else passed_on(item, passed) for item in node.items)
    return Sequence(tuple(items), node.span)


def passed_into(body: Mapping, passed: Passed) -> Mapping:
    """The body of a layer, or the options of a word, with what was passed."""
    if not passed:
        return body
    return Mapping({name: (key, passed_on(value, passed)) for name, (key, value) in body.entries.items()}, body.span)
