"""A backend's trial under pytest: one item for each check and case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segcompile.backend import load_backend
from segcompile.testing.cases import Case
from segcompile.testing.checks import CHECKS, Check
from segcompile.testing.trial import Trial


def conformance(name: str) -> Callable[..., None]:
    """The test of an installed backend. What cannot be checked here is skipped, with the reason.

        from segcompile.testing import conformance

        test_conformance = conformance("mine")

    Raises SegcompileError if there is no such backend, or it cannot be loaded.
    """
    import pytest

    trial = Trial(load_backend(name))
    items: list[Any] = [pytest.param(check, case, id=f"{check.name}: {case.name}") for check, case in trial.items()]
    for check in CHECKS:
        obstacle = check.obstacle(trial.bench)
        if obstacle is not None:
            items.append(pytest.param(check, None, id=check.name, marks=pytest.mark.skip(reason=obstacle)))

    @pytest.mark.parametrize(("check", "case"), items)
    def test(check: Check, case: Case) -> None:
        result = trial.run(check, case)
        if result.held_back:
            pytest.skip(f"it failed `{trial.failed[case.name]}`")
        if result.unasked is not None:
            pytest.skip(result.unasked)
        if result.fault is not None:
            pytest.fail(f"{name}: {check.name}: {case.name}\n{result.fault}\n{check.about}", pytrace=False)

    return test
