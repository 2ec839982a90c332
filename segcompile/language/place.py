"""Where in a spec we are, and so what names, values and defaults mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from segcompile.errors import Diagnostic, Label, SegcompileError, Span
from segcompile.language.attributes import Defaults
from segcompile.language.derive import Document
from segcompile.language.values import Values, format_name
from segcompile.source import Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One scope of one document; `calls`, `blocks` and `specs` say how we came here, outermost first."""

    document: Document
    values: Values
    defaults: Defaults
    title: str = ""  # of the scope: what a class made of it is called
    prefix: str = ""  # of the names made here
    floor: str = ""  # the prefix of the spec in use: names outside it cannot be seen
    input: str = ""  # the layer whose result enters the block, used spec or network
    above: str = ""  # the layer whose result enters the join or chain that is written out here; "" outside of them
    calls: tuple[Label, ...] = ()
    blocks: tuple[str, ...] = ()
    specs: tuple[Path, ...] = ()

    def where(self, **values: int | str) -> Place:
        """Here, with these values besides those in scope (the variables of a loop)."""
        return replace(self, values={**self.values, **values})

    def scope(self, absolute: str, title: str, source: str) -> Place:
        """The scope of the name `absolute`, a block or used spec, which the result of `source` enters."""
        return replace(self, prefix=f"{absolute}.", title=title, input=source, above="")

    def written_out(self, absolute: str, title: str, source: str) -> Place:
        """The scope of the name `absolute`, a join or chain that is written out here and starts from `source`."""
        return replace(self, prefix=f"{absolute}.", title=title, above=source)

    def entered(self, source: str) -> Place:
        """Here, with the result of `source` as what enters."""
        return replace(self, input=source, above="")

    def grounded(self) -> Place:
        """Here, and blind for all names outside (inside a used spec)."""
        return replace(self, floor=self.prefix)

    def nested_title(self, absolute: str) -> str:
        """The title of a scope that is written out here: this one's, and its own name."""
        return f"{self.title}.{absolute.removeprefix(self.prefix)}".removeprefix(".")

    def spelled(self, scalar: Scalar) -> str:
        """The name that a reference means: an argument stands for the name given for it."""
        argument = self.values.get(scalar.text)
        return argument if isinstance(argument, str) else format_name(scalar, self.values)

    def calls_of(self, span: Span | None) -> tuple[Label, ...]:
        """The way to `span`: the calls that led here, and the `base` lines that led to its file."""
        return (*self.calls, *self.document.derivation(span))

    def explained(self, error: SegcompileError) -> list[Diagnostic]:
        """The error's findings, each with the way to its place."""
        return [with_labels(found, self.calls_of(found.span)) for found in error.diagnostics]


def with_labels(diagnostic: Diagnostic, labels: tuple[Label, ...]) -> Diagnostic:
    """The diagnostic with those labels that it does not have yet."""
    known = {label.span for label in diagnostic.labels} | {diagnostic.span}
    return replace(diagnostic, labels=(*diagnostic.labels, *(label for label in labels if label.span not in known)))
