"""What `segcompile check` found out about specs: their variants, layers and claims, counted, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segcompile.compiler import Compiled
from segcompile.text.acceptance import Accepted
from segcompile.text.errors import Findings
from segcompile.text.report import as_json, render_text

_WORTH = ("held", "false", "undecided")  # what a claim can be worth


@dataclass(frozen=True, slots=True)
class Network:
    """One variant of a spec, as far as it could be compiled; `claims`: what they are worth -> how many."""

    variant: str | None
    layers: int
    claims: Mapping[str, int]

    @classmethod
    def of(cls, compiled: Compiled, variant: str | None) -> Network:
        """The counts of one that was compiled."""
        worth = Counter(verdict.worth for verdict in compiled.verdicts)
        return cls(variant, len(compiled.graph.layers), {word: worth[word] for word in _WORTH})


@dataclass(slots=True)
class Checked:
    """A spec as it was asked for, its file (what was asked for, if there is none), and what was found out."""

    spec: str
    path: str
    variants: tuple[str, ...] = ()  # all that the file has, if none was asked for
    networks: list[Network] = field(default_factory=list)  # those that could be compiled
    accepted: dict[str, Accepted] = field(default_factory=dict)  # the warnings that the spec accepts, by their texts
    findings: Findings = field(default_factory=Findings)


def check_text(checked: Checked) -> str:
    """What was found in one spec, and a line if it is without errors."""
    found = checked.findings
    parts = [render_text(found.diagnostics) + "\n"] if found.diagnostics else []
    return "\n".join(parts if found.has_errors else [*parts, f"ok  {_title(checked)}"])


def _title(checked: Checked) -> str:
    """`specs/x.yaml (basic, large): 8 + 8 layers, 11 + 11 claims hold`."""
    shown = f" ({', '.join(checked.variants)})" if checked.variants else ""
    layers = _sum(network.layers for network in checked.networks)
    held = [network.claims["held"] for network in checked.networks]
    hold = "no claims" if not any(held) else "1 claim holds" if held == [1] else f"{_sum(held)} claims hold"
    count = len(checked.accepted)
    accepted = f", {count} {'warning' if count == 1 else 'warnings'} accepted" if count else ""
    return f"{checked.spec}{shown}: {layers} {'layer' if layers == '1' else 'layers'}, {hold}{accepted}"


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
                "accepted": [
                    {**as_json(each.found), "reasons": [one.reason for one in each.by]}
                    for each in checked.accepted.values()
                ],
            }
            for checked in reports
        ]
    }
