"""A backend's trial: every check in every case, and what they found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from segcompile.backend import Backend
from segcompile.testing.bench import Bench, Mismatch, Unasked
from segcompile.testing.cases import Case
from segcompile.testing.checks import CHECKS, Check
from segcompile.text.errors import SegcompileError


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found in one case: nothing, or a fault; or why it found nothing out, being held back since an
    earlier check failed, or having nothing to ask."""

    check: str
    case: str
    fault: str | None = None
    held_back: bool = False
    unasked: str | None = None

    @property
    def passed(self) -> bool:
        return self.fault is None and self.unasked is None and not self.held_back


@dataclass(eq=False)
class Trial:
    """All checks of a backend, or `only` those in the cases of one name.

    A case that fails one check is not put to the later ones: a fault is told once.
    """

    backend: Backend
    only: str | None = None
    failed: dict[str, str] = field(default_factory=dict)  # case -> the check that it failed

    def __post_init__(self) -> None:
        self.bench = Bench(self.backend, self.only)

    def items(self) -> Iterator[tuple[Check, Case]]:
        """Every check that can be made here, with each of its cases."""
        for check in CHECKS:
            if check.obstacle(self.bench) is None:
                yield from ((check, case) for case in check.cases(self.bench))

    def run(self, check: Check, case: Case) -> Result:
        """One check in one case."""
        if case.name in self.failed:
            return Result(check.name, case.name, held_back=True)
        try:
            check.run(self.bench, case)
        except SegcompileError as error:
            fault = error.diagnostics[0].message
        except Unasked as reason:
            return Result(check.name, case.name, unasked=str(reason))
        except Mismatch as error:
            fault = str(error)
        except Exception as error:  # whatever emitted code does is a fault of the backend
            fault = f"{type(error).__name__}: {error}".partition("\n")[0]
        else:
            return Result(check.name, case.name)
        self.failed[case.name] = check.name
        return Result(check.name, case.name, fault)
