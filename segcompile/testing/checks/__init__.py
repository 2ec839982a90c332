"""The checks: one small function each, listed here and nowhere else, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from segcompile.testing import cases
from segcompile.testing.bench import Bench
from segcompile.testing.cases import Case
from segcompile.testing.checks import fields, files, numbers, training, weights
from segcompile.testing.runner import NoRunner

MOST_WEIGHTS = 5_000_000  # in files that are made again for each check: 20 MB


@dataclass(frozen=True)
class Check:
    """A claim that holds for a backend in each of its cases. `run` raises Mismatch, or whatever emitted code raises."""

    name: str
    run: Callable[[Bench, Case], None]
    cases: Callable[[Bench], Iterable[Case]]
    runs_models: bool = False  # needs the backend's runner
    differentiates: bool = False  # needs gradients, or float64
    tool: str = ""  # needs this module

    @property
    def about(self) -> str:
        """One sentence."""
        return " ".join((self.run.__doc__ or "").split())

    def obstacle(self, bench: Bench) -> str | None:
        """Why the check cannot be made here, or None."""
        if self.tool and find_spec(self.tool) is None:
            return f"{self.tool} is not installed"
        if self.differentiates and not bench.backend.trains:
            return f"backend `{bench.backend.name}` is for inference: in float32, without gradients"
        if self.runs_models:
            try:
                _ = bench.runner
            except NoRunner as reason:
                return str(reason)
        return None


def _declared(*sources: Callable[[], tuple[Case, ...]]) -> Callable[[Bench], list[Case]]:
    return lambda bench: bench.declared(case for source in sources for case in _held(source, bench))


def _held(source: Callable[[], tuple[Case, ...]], bench: Bench) -> Iterable[Case]:
    """The cases of a source; where a backend's files hold all weights, the bundled specs as they are only if these are
    few: the others are tried small."""
    of_few = source is cases.specs and bench.backend.weighs
    return (case for case in source() if not of_few or _weights(case) <= MOST_WEIGHTS)


@cache
def _weights(case: Case) -> int:
    return sum(fact.parameter_count for fact in case.request.facts.values())


def _undeclared(bench: Bench) -> list[Case]:
    return [case for case in bench.on_trial(cases.ops()) if not bench.declares(case)]


def _measurable(bench: Bench) -> list[Case]:
    """Of whole networks it is first asked when they are tried, since each has to be analysed twice for it."""
    return [*filter(_has_fields, _declared(cases.ops)(bench)), *_declared(cases.small_specs)(bench)]


@cache
def _has_fields(case: Case) -> bool:
    return not isinstance(fields.measurable(case.request), str)


def _trainable(bench: Bench) -> list[Case]:
    """A backend that emits no train.py has nothing to train."""
    return [case for case in bench.declared(cases.trained()) if (bench.built(case.request) / "train.py").exists()]


_EVERY = (cases.ops, cases.starts, cases.specs, cases.small_specs, cases.trained)
_SMALL = _declared(cases.ops, cases.small_specs)
_WHOLE = _declared(cases.specs, cases.trained)
_model: dict[str, Any] = {"runs_models": True}
_gradients: dict[str, Any] = {**_model, "differentiates": True}

CHECKS = (
    Check("emission", files.emission, _declared(*_EVERY)),
    Check("refusal", files.refusal, _undeclared),
    Check("same bytes", files.same_bytes, _WHOLE),
    Check("names", weights.names, _declared(cases.ops, cases.specs), **_model),
    Check("shapes", numbers.shapes, _SMALL, **_model),
    Check("values in float32", numbers.values_in_float32, _SMALL, **_model),
    Check("classes", numbers.classes, _declared(cases.specs_of_classes), **_model),
    Check("values in float64", numbers.values_in_float64, _SMALL, **_gradients),
    Check("gradients", numbers.gradients, _SMALL, **_gradients),
    Check("receptive field", fields.receptive_field, _measurable, **_gradients),
    Check("initial weights", weights.starts, _declared(cases.starts), **_model),
    Check("standalone", files.standalone, _declared(cases.run_cases), **_model),
    Check("lint", files.lint, _WHOLE, tool="ruff"),
    Check("types", files.types, _declared(cases.trained), tool="mypy"),
    Check("training", training.training, _trainable, **_model),
)
