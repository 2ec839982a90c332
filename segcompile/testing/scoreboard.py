"""The scoreboard of a backend: one row a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from segcompile.testing.checks import CHECKS, Check
from segcompile.testing.trial import Result, Trial

_WIDTH = max(len(check.name) for check in CHECKS)


@dataclass
class Row:
    """One check. Cases that an earlier check failed are not put to it, and count as not passed; those of which there is
    nothing to ask do not count."""

    check: Check
    cases: int
    obstacle: str | None = None  # why the check was not made
    done: int = 0
    passed: int = 0
    first: Result | None = None  # the first fault

    def add(self, result: Result) -> None:
        if result.unasked is not None:
            self.cases -= 1
            return
        self.done += 1
        self.passed += result.passed
        if result.fault is not None and self.first is None:
            self.first = result

    @property
    def holds(self) -> bool:
        return self.passed == self.cases

    @property
    def text(self) -> str:
        """`values in float64   93/93`, with the first fault or the obstacle behind it."""
        score = "–" if self.obstacle is not None else f"{self.passed}/{self.cases}"
        told = self.obstacle or ("" if self.first is None else f"{self.first.case}: {self.first.fault}")
        if not told and not self.holds:
            told = "failed an earlier check"
        return f"  {self.check.name:<{_WIDTH}}  {score:>7}  {told}".rstrip()

    @property
    def data(self) -> dict[str, Any]:
        """The row for JSON."""
        first = None if self.first is None else {"case": self.first.case, "fault": self.first.fault}
        return {
            "check": self.check.name, "about": self.check.about, "passed": self.passed, "total": self.cases,
            "first": first, "obstacle": self.obstacle,
        }  # fmt: skip


def board(trial: Trial, progress: Callable[[Row], None]) -> Iterator[Row]:
    """The rows, each when it is finished; `progress` sees a row before every one of its cases."""
    for check in CHECKS:
        obstacle = check.obstacle(trial.bench)
        cases = list(check.cases(trial.bench)) if obstacle is None else []
        row = Row(check, len(cases), obstacle)
        for case in cases:
            progress(row)
            row.add(trial.run(check, case))
        yield row


def summary(backend: str, rows: Sequence[Row]) -> str:
    """The last line."""
    made = [row for row in rows if row.obstacle is None]
    failed = [row.check.name for row in made if not row.holds]
    told = f"{len(made) - len(failed)} of {len(made)} checks pass"
    return f"{backend}: {told}" + (f"; not {', '.join(failed)}" if failed else "")
