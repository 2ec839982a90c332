"""What `segcompile check` finds out about one spec: every variant compiled, its layers and claims counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segcompile.checks.verdicts import Verdict
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.language.derive import variants_of
from segcompile.library import locate
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import as_json, render_one

_WORTH = ("held", "false", "undecided")  # what a claim can be worth


@dataclass(frozen=True, slots=True)
class Network:
    """One variant of a spec, as far as it could be compiled; `claims`: what they are worth -> how many."""

    variant: str | None
    layers: int
    claims: Mapping[str, int]


@dataclass(slots=True)
class Checked:
    """A spec as it was asked for, its file (what was asked for, if there is none), and what was found out."""

    spec: str
    path: str
    variants: tuple[str, ...] = ()  # all that the file has, if none was asked for
    networks: list[Network] = field(default_factory=list)  # those that could be compiled
    findings: Findings = field(default_factory=Findings)


def check_spec(spec: str, variant: str | None, overrides: Mapping[str, int]) -> Checked:
    """Every variant of one spec (or the one that is named), with the findings that they share reported once."""
    checked = Checked(spec, spec)
    try:
        path = find_spec(spec)
        checked.path = str(path)
        if variant is None:
            checked.variants = variants_of(path, locate, spec if path == Path(spec) else None)
        for chosen in checked.variants or (variant,):
            part = Findings()
            try:
                checked.networks.append(_network(chosen, compile_spec(path, part, variant=chosen, overrides=overrides)))
            except SegcompileError as error:
                part.absorb(error)
            told = {render_one(found) for found in checked.findings.diagnostics}
            checked.findings.diagnostics += [found for found in part.diagnostics if render_one(found) not in told]
    except SegcompileError as error:
        checked.findings.diagnostics += error.diagnostics
    return checked


def _network(variant: str | None, compiled: Compiled) -> Network:
    worth = Counter(map(_worth, compiled.verdicts))
    return Network(variant, len(compiled.graph.layers), {word: worth[word] for word in _WORTH})


def _worth(verdict: Verdict) -> str:
    return "held" if verdict.ok else "undecided" if verdict.computed is None else "false"


def title(checked: Checked) -> str:
    """`specs/x.yaml (basic, large): 8 + 8 layers, 11 + 11 claims hold`, of a spec without errors."""
    shown = f" ({', '.join(checked.variants)})" if checked.variants else ""
    layers = _sum(network.layers for network in checked.networks)
    held = [network.claims["held"] for network in checked.networks]
    hold = "no claims" if not any(held) else "1 claim holds" if held == [1] else f"{_sum(held)} claims hold"
    return f"{checked.spec}{shown}: {layers} {'layer' if layers == '1' else 'layers'}, {hold}"


def _sum(numbers: Iterable[int]) -> str:
    return " + ".join(map(str, numbers))


def check_json(reports: Sequence[Checked]) -> dict[str, Any]:
    """All specs as plain data. `claims` are counted over all variants, as far as these could be compiled."""
    return {
        "specs": [
            {
                "spec": checked.path,
                "ok": not checked.findings.has_errors,
                "claims": {word: sum(network.claims[word] for network in checked.networks) for word in _WORTH},
                "networks": [
                    {"variant": network.variant, "layers": network.layers, "claims": dict(network.claims)}
                    for network in checked.networks
                ],
                "diagnostics": [as_json(found) for found in checked.findings.diagnostics],
            }
            for checked in reports
        ]
    }
