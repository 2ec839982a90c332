"""Where in a spec we are, and so what names, values and defaults mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from segcompile.language.attributes import Defaults
from segcompile.language.derive import Document
from segcompile.language.expressions import Values, format_name, names_in
from segcompile.language.passing import Passed, read_here
from segcompile.text.errors import Diagnostic, Label, Span
from segcompile.text.source import Scalar

Origins = Mapping[str, tuple[Label, ...]]  # a name in scope -> where its value is written


def parameter_origins(document: Document, given: Origins) -> Origins:
    """Where the value of each parameter is written: that of one in `given` is written there."""
    found: dict[str, tuple[Label, ...]] = {}
    section = document.section("params")
    for key, node in section.entries.values() if section else ():
        found[key.text] = given[key.text] if key.text in given else origin(key.text, node.span, found)
    return found


def origin(name: str, span: Span, known: Origins) -> tuple[Label, ...]:
    """Where the value of `name` is written: at `span`, or where those of the names that stand there are."""
    return origins_of(span, known) or (Label(span, f"`{name}` is set here", "value"),)


def origins_of(span: Span, known: Origins) -> tuple[Label, ...]:
    """Where the values of the names that stand at `span` are written."""
    return tuple(label for name in sorted(names_in(_written(span))) for label in known.get(name, ()))


def _written(span: Span) -> str:
    """What stands at `span`, which of a list is its bracket: all of the list that is on this line."""
    if span.text != "[":
        return span.text
    line, depth = span.source.lines[span.line - 1][span.column - 1 :], 0
    for index, character in enumerate(line):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return line[: index + 1]
    return line


def set_elsewhere(span: Span | None, known: Origins) -> tuple[Label, ...]:
    """Where files other than that of `span` set values that are read at `span`."""
    return tuple(label for label in origins_of(span, known) if label.span.source is not span.source) if span else ()


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One scope of one document; `calls`, `blocks` and `specs` say how we came here, outermost first."""

    document: Document
    values: Values
    defaults: Defaults
    rank: int  # of the network: how many axes its maps have
    parameters: Origins = field(default_factory=dict)
    arguments: Origins = field(default_factory=dict)  # of the block, and loop variables: they hide parameters
    passed: Passed = field(default_factory=dict)  # those of them that are no integers, as they are written
    title: str = ""  # of the scope: what a class made of it is called
    prefix: str = ""  # of the names made here
    input: str = ""  # the node whose result enters the block, used spec or network
    above: str = ""  # the node whose result enters the join or chain that is written out here; "" outside of them
    calls: tuple[Label, ...] = ()
    blocks: tuple[str, ...] = ()
    specs: tuple[Path, ...] = ()

    def where(self, span: Span, /, **values: int | str) -> Place:
        """Here, with these values besides those in scope (the variables of a loop, which stands at `span`)."""
        arguments = {**self.arguments, **dict.fromkeys(values, ())}
        passed = {name: node for name, node in self.passed.items() if name not in values}
        passed |= {name: Scalar(value, span) for name, value in values.items() if isinstance(value, str)}
        return replace(self, values={**self.values, **values}, arguments=arguments, passed=passed)

    def scope(self, absolute: str, title: str, source: str) -> Place:
        """The scope of the name `absolute`, a block or used spec, which the result of `source` enters."""
        return replace(self, prefix=f"{absolute}.", title=title, input=source, above="")

    def written_out(self, absolute: str, title: str, source: str) -> Place:
        """The scope of the name `absolute`, a join or chain that is written out here and starts from `source`."""
        return replace(self, prefix=f"{absolute}.", title=title, above=source)

    def entered(self, source: str) -> Place:
        """Here, with the result of `source` as what enters."""
        return replace(self, input=source, above="")

    def nested_title(self, absolute: str) -> str:
        """The title of a scope that is written out here: this one's, and its own name."""
        return f"{self.title}.{absolute.removeprefix(self.prefix)}".removeprefix(".")

    def spelled(self, scalar: Scalar) -> str:
        """The name that a reference means: an argument stands for the name given for it."""
        argument = self.values.get(scalar.text)
        return argument if isinstance(argument, str) else format_name(scalar, self.values)

    def at(self, span: Span) -> Span:
        """A place in the spec's text, reached as we came here; `values` are those set in other files."""
        return self.each_at({"": span})[""]

    def each_at(self, spans: Mapping[str, Span]) -> dict[str, Span]:
        """`at` of each of some attributes."""
        known = self.origins
        files = {label.span.source for labels in known.values() for label in labels}
        found = {name: span.called(self.calls) for name, span in spans.items()}
        return {
            name: replace(span, values=set_elsewhere(span, known)) if files - {span.source} else span
            for name, span in found.items()
        }

    def at_argument(self, found: Diagnostic) -> Diagnostic:
        """What was found where an argument is read that is no integer (SC004), told where it is given."""
        name = found.span.text if found.span is not None else ""
        if found.span is None or found.code.code != "SC004" or name not in self.passed:
            return found
        given = self.passed[name].span
        return replace(found, span=read_here(given, name, found.span))

    def explained(self, found: Diagnostic) -> Diagnostic:
        """What was found here, with the way to its place, and where another file sets a value that it reads."""
        return with_values(found, self.origins).called(self.calls)

    @property
    def origins(self) -> Origins:
        """Where the values in scope are written."""
        return {**self.parameters, **self.arguments}


def with_values(found: Diagnostic, known: Origins) -> Diagnostic:
    """The finding with the places where other files set values that are read at its own."""
    return replace(found, labels=(*found.labels, *set_elsewhere(found.span, known)))
