"""All that can be said of a network once its facts are known: CHECKS, in the order in which it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from segcompile.checks.claim_errors import CODES_OF_CLAIMS, check_claims
from segcompile.checks.data import check_data
from segcompile.checks.gridding import check_dilations
from segcompile.checks.ignored import check_given_once, check_ignored
from segcompile.checks.losses import check_losses
from segcompile.checks.misaligned import check_joins
from segcompile.checks.no_effect import check_effects, check_fields
from segcompile.checks.rounding import check_rounding
from segcompile.checks.shared import check_shared
from segcompile.checks.stages import check_stages
from segcompile.checks.subject import Subject
from segcompile.checks.used_specs import check_channels
from segcompile.text.errors import Diagnostic, Findings

__all__ = ["CHECKS", "Check", "Subject", "check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look for: what it is, the codes that say it, and what finds it."""

    name: str
    codes: tuple[str, ...]
    find: Callable[[Subject], Iterable[Diagnostic]]


CHECKS = (
    Check("shared weights of another shape", ("SC206",), check_shared),
    Check("joins of maps that lie apart", ("SC311",), check_joins),
    Check("numbers that change nothing", ("SC409",), check_effects),
    Check("fields that reach beyond the input", ("SC408",), check_fields),
    Check("dilations that leave holes", ("SC407",), check_dilations),
    Check("what depends on how sizes round", ("SC309",), check_rounding),
    Check("claims that are not true", CODES_OF_CLAIMS, check_claims),
    Check("stages that train nothing", ("SC102", "SC113"), check_stages),
    Check("losses that fit no head", ("SC007", "SC102", "SC203", "SC301", "SC316"), check_losses),
    Check("classes and labels that fit no head", ("SC007", "SC105"), check_data),
    Check("ignored labels that are given twice", ("SC002",), check_given_once),
    Check("ignored labels that are classes", ("SC117",), check_ignored),
    Check("used specs that get other channels than they take", ("SC301",), check_channels),
)


def check(subject: Subject, findings: Findings) -> None:
    """Say all that there is to say of a network. Errors stop nothing."""
    for each in CHECKS:
        findings.diagnostics += each.find(subject)
