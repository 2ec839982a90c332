"""Loops: `for` beside what it repeats, in lists of layers, of names and of edits, in `claims` and in `outputs`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from segcompile.language.items import only
from segcompile.language.ledger import Ledger
from segcompile.language.passing import passed_on
from segcompile.language.place import Place
from segcompile.language.ranges import values_of
from segcompile.language.schema import reserved
from segcompile.language.values import read_integer_or_name
from segcompile.text.errors import Diagnostic, Label, SegcompileError, Span, fail, finding, gathering
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, Sequence, describe

Entry = tuple[Node, Place]  # of a list, where the variables of the loops around it have their values
Pair = tuple[Scalar, Node, Place]  # a key of a section and its value, in the same way
_IN = re.compile(r"([A-Za-z_]\w*)\s+in\s+(.+)")  # `n in 1..3`, as Python has it
_SECTIONS = {
    "outputs": "head -> layer: {score: upscore}",
    "claims": "layer -> what the paper says of it: {fc7: {receptive_field: 404}}",
}


def is_loop(item: Node) -> TypeGuard[MappingNode]:
    """Whether an entry of a list is a loop."""
    return isinstance(item, MappingNode) and "for" in item.entries


@dataclass(frozen=True, slots=True)
class Loops:
    """Writes loops out; every entry and every turn is counted in the ledger. Each method raises Stop."""

    ledger: Ledger

    def turns(self, loop: MappingNode, place: Place, what: str) -> Iterator[Place]:
        """The place of each turn of `for: {d: [0, 1, 2]}` or `for: {d: 0..2}`, where its variables have their values;
        several run side by side. `what`: the other key of the loop, under which stands what it repeats.

        Raises SegcompileError for what is wrong with the loop.
        """
        only(loop, ("for", what))
        if what not in loop.entries:
            message = f"`{what}` is missing: what the loop repeats"
            raise fail("SC012", message, loop.key("for").span, help=f"`for: {{i: 1..3}}`, and `{what}` beside it")
        columns = _columns(loop, place)
        for values in zip(*columns.values(), strict=True):
            self.ledger.step(loop.span)
            yield place.where(loop.span, **dict(zip(columns, values, strict=True)))

    def entries(self, listed: Node, place: Place, what: str, wrong: list[Diagnostic]) -> Iterator[Entry]:
        """The entries of a list, or the only one, written without the list; and once a turn what the loops among them
        repeat under the key `what`, which is a list or one entry as well. What is wrong with a loop goes to `wrong`."""
        for item in listed.items if isinstance(listed, Sequence) else (listed,):
            if is_loop(item):
                with gathering(wrong):
                    for inside in self.turns(item, place, what):
                        yield from self.entries(item.entries[what][1], inside, what, wrong)
            else:
                self.ledger.step(item.span)
                yield item, place

    def pairs(self, section: Node | None, place: Place, what: str, wrong: list[Diagnostic]) -> Iterator[Pair]:
        """All that stands in a section, which is a mapping, or a list of mappings and loops. What is wrong with its
        outline goes to `wrong`."""
        for item, inside in self.entries(section, place, what, wrong) if section is not None else ():
            if isinstance(item, MappingNode):
                for key, node in item.entries.values():
                    self.ledger.step(key.span)
                    yield key, node, inside
            else:
                message = f"`{what}` is a mapping, or a list of mappings and loops, not {describe(item)}"
                wrong.append(finding("SC004", message, item.span, help=_SECTIONS[what]))


def _columns(loop: MappingNode, place: Place) -> Mapping[str, list[int | str]]:
    """Variable -> its values, as many for each."""
    variables = loop.get("for")
    if not isinstance(variables, MappingNode) or not variables.entries:
        at, help = loop.key("for").span, "`for: {d: [0, 1, 2]}`"
        if isinstance(variables, MappingNode):
            raise fail("SC012", "`for` needs a variable and its values", at, help=help)
        assert variables is not None  # an entry is a loop if it says `for`
        if isinstance(variables, Scalar) and (match := _IN.fullmatch(variables.text)):
            help = f"`for: {{{match[1]}: {match[2]}}}`"
        raise fail("SC004", f"`for` maps variables to their values, not {describe(variables)}", at, help=help)
    columns: dict[str, list[int | str]] = {}
    for key, node in variables.entries.values():
        if key.text in reserved():
            message = f"`{key.text}` cannot be a loop's variable: it is a word of the language"
            raise fail("SC114", message, key.span, help=f"for example `{key.text[0]}`")
        listed = values_of(key.text, passed_on(node, place.passed), place.values)
        columns[key.text] = [read_integer_or_name(value, place.values) for value in listed.items]
        first, count = next(iter(columns)), len(columns[key.text])
        if count != len(columns[first]):
            message = f"`{key.text}` has {count} values, `{first}` has {len(columns[first])}"
            raise fail("SC007", message, listed.span, help="several variables run side by side, one value each a turn")
    return columns


def given_again(what: str, here: Span, first: Span) -> SegcompileError:
    """SC002 for what two entries of a section say, or one entry in two turns of its loop."""
    if here == first:
        help = 'put the loop\'s variable into the name: `"x{i}"`'
        return fail("SC002", f"{what} is given in every turn", here, help=help)
    labels = [Label(first, "first written here")]
    return fail("SC002", f"{what} is given twice", here, labels=labels, help="keep one of them")
