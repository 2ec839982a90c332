"""Warnings that the author of a spec has read and stands by, as `accept` says: which they are, and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from segcompile.text.errors import Diagnostic, Findings, SourceText, Span, finding

_Place = tuple[int, int]  # line, column


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a file: all places from `start` to `end`; the whole file where they are not given."""

    source: SourceText
    start: _Place = (0, 0)
    end: _Place | None = None

    def holds(self, span: Span) -> bool:
        """Whether a place lies in it."""
        return span.source is self.source and self.start <= (span.line, span.column) <= (self.end or (span.line + 1, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Acceptance:
    """One code under an `accept`: the reason, where the code stands, and what it speaks of: parts of files, or the
    whole network (None)."""

    code: str
    reason: str
    span: Span
    regions: tuple[Region, ...] | None

    def covers(self, found: Diagnostic) -> bool:
        """Whether a finding is a warning that is accepted here: at its own place, or where what has it is called."""
        if found.is_error or found.code.code != self.code:
            return False
        return self.regions is None or any(region.holds(span) for region in self.regions for span in _places(found))


def _places(found: Diagnostic) -> Iterator[Span]:
    if found.span is not None:
        yield found.span
        yield from (label.span for label in found.span.way)


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """A warning, and the acceptances that cover it."""

    found: Diagnostic
    by: tuple[Acceptance, ...]


def take_accepted(acceptances: Sequence[Acceptance], findings: Findings) -> tuple[Accepted, ...]:
    """Take the warnings that are accepted out of `findings`, and give them."""
    if not acceptances:
        return ()
    every = [Accepted(found, tuple(one for one in acceptances if one.covers(found))) for found in findings.diagnostics]
    findings.diagnostics[:] = [each.found for each in every if not each.by]
    return tuple(each for each in every if each.by)


def idle(stated: Iterable[Acceptance], accepted: Iterable[Accepted]) -> Iterator[Diagnostic]:
    """SC118 for each acceptance that covers none of the warnings of a spec, in whichever variant. What backends warn of
    (SC6xx) is not known before a build, and not judged."""
    needed = {str(one.span) for each in accepted for one in each.by}
    for place, one in {str(one.span): one for one in stated}.items():
        if place not in needed and not one.code.startswith("SC6"):
            message = f"there is no {one.code} here to accept"
            yield finding("SC118", message, one.span, help="remove it, or put it where the warning is shown")
