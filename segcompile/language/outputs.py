"""The section `outputs`: the heads that a spec names, head -> layer, some of them in loops."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from segcompile.language.loops import Pair, given_again
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.words import like_a_name
from segcompile.text.errors import Diagnostic, Span, fail, gathering
from segcompile.text.source import Node, Scalar, brief, describe

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Head:
    """Where the name of a head and its layer are written, and the node whose result it is; None where that could not be
    read."""

    name: Span
    layer: Span
    result: str | None = None


def read_outputs(written: Iterable[Pair], names: Names, wrong: list[Diagnostic]) -> dict[str, Head]:
    """The heads by name, as they are written. What is wrong goes to `wrong`."""
    found: dict[str, Head] = {}
    for key, node, place in written:
        with gathering(wrong):
            _add(key, node, names, place, found)
    return found


def _add(key: Scalar, node: Node, names: Names, place: Place, found: dict[str, Head]) -> None:
    """Add one head, also where its layer cannot be read. Raises SegcompileError."""
    head = place.spelled(key)
    if not _NAME.fullmatch(head):
        message = f"`{brief(head)}` cannot be an output's name: letters, digits and _, a letter first"
        raise fail("SC114", message, key.span, help=like_a_name(head, "n"))
    if head in found:
        raise given_again(f"the output `{head}`", key.span, found[head].name)
    found[head] = Head(key.span, node.span)
    if not isinstance(node, Scalar):
        message = f"output `{head}` is a layer's name, not {describe(node)}"
        raise fail("SC004", message, node.span, help=f"one name: `{head}: {next(reversed(names.results))}`")
    name = place.spelled(node)
    result = names.find(name, place)
    found[head] = replace(found[head], result=result)
    if result is None:
        names.refuse(name, place, node.span, f"there is no layer `{brief(name)}` for output `{head}`")
