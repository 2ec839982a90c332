"""How far the reading of a spec has come, and what went wrong on the way: it ends, whatever the spec says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from segcompile.language.place import Place
from segcompile.text.errors import MAX_ERRORS, Diagnostic, Findings, Span

MAX_LAYERS = 20_000  # 0.1 ms each, and again as much for each norm, act and drop
MAX_BRANCHES = 1_000  # of a join
MAX_STEPS = 200_000  # entries read, with or without a layer in them


class Stop(Exception):
    """Reading cannot go on: it is too large, or there are too many mistakes. The reason is in the findings."""


@dataclass(slots=True)
class Ledger:
    """The findings of one spec, and how much it has read and made."""

    findings: Findings
    failures: int = 0  # all that was reported, told or not
    steps: int = 0
    layers: int = 0
    muted: frozenset[str] = frozenset()  # codes that would only follow from what is already known
    told: set[tuple[str, Span | None]] = field(default_factory=set)

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

    def too_large(self, what: str, span: Span) -> NoReturn:
        """Say that the spec expands to `what`. Raises Stop."""
        self.findings.add("SC111", f"the spec expands to {what}", span, help="is a `repeat` or a `for` too large?")
        raise Stop

    def report(self, wrong: Iterable[Diagnostic], place: Place) -> None:
        """Add what went wrong in a place, once for each text in the files however often it is read. Raises Stop."""
        for found in wrong:
            self.failures += 1
            if found.code.code not in self.muted and (found.code.code, found.span) not in self.told:
                self.told.add((found.code.code, found.span))
                self.findings.diagnostics.append(place.explained(found))
            if len(self.told) >= MAX_ERRORS:
                raise Stop
