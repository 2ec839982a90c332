"""How far the reading of a spec has come, and what went wrong on the way: it ends, whatever the spec says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from segcompile.language.place import Place
from segcompile.text.errors import MAX_ERRORS, Diagnostic, Findings, Span

MAX_LAYERS = 20_000  # 0.1 ms each, and again as much for each norm, act and drop
MAX_BRANCHES = 1_000  # of a join
MAX_STEPS = 200_000  # entries read, with or without a layer in them
MAX_EDITED = 250_000  # layers that edits go through, 5 to 15 µs each: an edit goes through all that there are


class Stop(Exception):
    """Reading cannot go on: it is too large, or there are too many mistakes. The reason is in the findings."""


_Cause = tuple[str, str, Span]


@dataclass(slots=True)
class Ledger:
    """The findings of one spec, and how much it has read and made."""

    findings: Findings
    failures: int = 0  # all that was reported, told or not
    steps: int = 0
    layers: int = 0
    edited: int = 0
    muted: frozenset[str] = frozenset()  # codes that would only follow from what is already known
    cut: set[Span | None] = field(init=False)  # values of which YAML made two, which is told
    told: set[tuple[str, Span | None]] = field(default_factory=set)
    causes: dict[_Cause, tuple[int, int]] = field(default_factory=dict)  # where each is told, and how many more have it

    def __post_init__(self) -> None:
        self.cut = {found.span for found in self.findings.diagnostics if found.code.code == "SC001"}

    def step(self, span: Span, count: int = 1) -> None:
        """Count what was read at `span`. Raises Stop."""
        self.steps += count
        if self.steps > MAX_STEPS:
            self.too_large(f"more than {MAX_STEPS:,} entries", span)

    def add_layer(self, span: Span) -> None:
        """Count a layer. Raises Stop."""
        self.layers += 1
        if self.layers > MAX_LAYERS:
            self.too_large(f"more than {MAX_LAYERS:,} layers", span)

    def add_edit(self, layers: int, span: Span) -> None:
        """Count an edit of a network of so many layers. Raises Stop."""
        self.edited += layers
        if self.edited > MAX_EDITED:
            self.too_large(f"edits that go through more than {MAX_EDITED:,} layers", span)

    def too_large(self, what: str, span: Span) -> NoReturn:
        """Say that the spec expands to `what`. Raises Stop."""
        self.findings.add("SC111", f"the spec expands to {what}", span, help="is a `repeat` or a `for` too large?")
        raise Stop

    def give_up(self, wrong: list[Diagnostic], place: Place) -> bool:
        """Report what is wrong with an edit, if anything is: what is missing then is no news, nor what was to go.
        Raises Stop."""
        if not wrong:
            return False
        self.muted |= {"SC102", "SC103"}
        self.report(wrong, place)
        wrong.clear()
        return True

    def report(self, wrong: Iterable[Diagnostic], place: Place) -> None:
        """Add what went wrong in a place, once for each text in the files however often it is read. What is the same
        mistake of several calls is counted in a note. Raises Stop."""
        for found in map(place.at_argument, wrong):
            self.failures += 1
            once = found.code.code, found.span
            if found.code.code in self.muted or once in self.told or found.span in self.cut:
                continue
            self.told.add(once)
            cause = _cause(found)
            if cause is not None and cause in self.causes:
                self._count(*self.causes[cause], cause)
            else:
                self.findings.diagnostics.append(place.explained(found))
            if cause is not None:
                self.causes.setdefault(cause, (len(self.findings.diagnostics) - 1, 0))
            if len(self.told) >= MAX_ERRORS:
                raise Stop

    def _count(self, index: int, count: int, cause: _Cause) -> None:
        """Say of what was told at `index` that one more call than `count` gives the same."""
        self.causes[cause] = index, count + 1
        told = self.findings.diagnostics[index]
        more = "1 more call does" if count == 0 else f"{count + 1} more calls do"
        notes = told.notes[: len(told.notes) - (count > 0)]
        self.findings.diagnostics[index] = replace(told, notes=(*notes, f"{more} the same"))


def _cause(found: Diagnostic) -> _Cause | None:
    """What the calls of a block have in common that make the same mistake: what is said, and where the block is told
    what it gets."""
    span = found.span
    declared = [label.span for label in found.labels if found.code.code == "SC107"]
    read = [label.span for label in span.calls[-1:]] if span is not None else []
    return next(((found.code.code, found.message, place) for place in (*read, *declared)), None)
