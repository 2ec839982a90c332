"""Two compiled specs, compared by meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from segcompile.compiler import Compiled
from segcompile.diff.agreement import disputed_borders
from segcompile.diff.facts import Fact, facts_of
from segcompile.diff.layers import LayerPair, changed_layers
from segcompile.diff.pairing import counterparts, isomorphism
from segcompile.facts.any_border import AnyBorder


class Verdict(StrEnum):
    """What two specs are to each other; of these the first that holds."""

    EQUAL = "equal"  # one graph
    RENAMED = "renamed"  # one graph but for the names of its layers, inputs or outputs
    BORDER = "border"  # the same but for padding: one interior, other numbers around it
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Difference:
    """The verdict, and what it rests on.

    `renamed`: (name in the one, name in the other) of each layer, input and output that is called otherwise; of specs
    that are `renamed`. `borders`: head -> how many rows and columns at its ends can differ; of a `border`.
    """

    verdict: Verdict
    facts: tuple[Fact, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    layers: tuple[LayerPair, ...] = ()
    borders: Mapping[str, tuple[AnyBorder, ...]] = field(default_factory=dict)

    @property
    def first(self) -> Fact | None:
        """What differs first; None where that is nothing but single layers."""
        return next((fact for fact in self.facts if not fact.same), None)


def compare(a: Compiled, b: Compiled) -> Difference:
    """What two specs are to each other as networks. Prose, claims, training and the order of layers that do not read
    each other are no part of that; names only decide between `equal` and `renamed`."""
    facts, one, other = tuple(facts_of(a, b)), a.graph, b.graph
    found = isomorphism(one, other)
    if found is not None:
        pairs = [(one.layer_of(name), other.layer_of(twin)) for name, twin in found.items()]
        pairs += counterparts(one.outputs, other.outputs).items()
        renamed = tuple(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
        return Difference(Verdict.RENAMED if renamed else Verdict.EQUAL, facts, renamed)
    borders = disputed_borders(a, b) if all(fact.same for fact in facts) else None
    verdict = Verdict.DIFFERENT if borders is None else Verdict.BORDER
    return Difference(verdict, facts, (), changed_layers(one, other), borders or {})
