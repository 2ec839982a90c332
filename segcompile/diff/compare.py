"""Two compiled specs, compared by meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from segcompile.compiler import Compiled
from segcompile.diff.agreement import disputed_borders
from segcompile.diff.facts import Fact, facts_of
from segcompile.diff.inference import settled, untrained
from segcompile.diff.layers import LayerPair, changed_layers
from segcompile.diff.pairing import counterparts, isomorphism
from segcompile.facts.any_border import AnyBorder
from segcompile.network.graph import Graph


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
    at_inference: bool = False  # only what they do there was compared

    @property
    def first(self) -> Fact | None:
        """What differs first; None where that is nothing but single layers."""
        return next((fact for fact in self.facts if not fact.same), None)


def compare(a: Compiled, b: Compiled) -> Difference:
    """What two specs are to each other as networks. Prose, claims, training and the order of layers that do not read
    each other are no part of that; names only decide between `equal` and `renamed`."""
    return _compared((a, b), (a.graph, b.graph), str)


def compare_at_inference(a: Compiled, b: Compiled) -> Difference:
    """What two networks are to each other as far as a file for inference can say: without dropout, and whatever starts
    and trains their weights; sizes are those that they have, whether or not another layer is said to have them. Names
    are equal that differ in their marks alone: files have `conv2_1_b` of `conv2_1.b`. Those of parts of a layer, which
    a file has as layers of their own, are none that a layer has."""
    one, other = (replace(each, graph=untrained(each.graph)) for each in (a, b))
    found = _compared((one, other), (settled(one.graph, a.facts), settled(other.graph, b.facts)), _without_marks)
    renamed = tuple(pair for pair in found.renamed if not any("/" in name for name in pair))
    verdict = Verdict.EQUAL if found.verdict is Verdict.RENAMED and not renamed else found.verdict
    return replace(found, verdict=verdict, renamed=renamed, at_inference=True)


def _without_marks(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _compared(specs: tuple[Compiled, Compiled], graphs: tuple[Graph, Graph], said: Callable[[str], str]) -> Difference:
    """`graphs`: of the specs, in the form in which they are compared. `said`: what of a name counts."""
    facts, (one, other) = tuple(facts_of(*specs)), graphs
    found = isomorphism(one, other)
    if found is not None:
        pairs = [(one.layer_of(name), other.layer_of(twin)) for name, twin in found.items()]
        pairs += counterparts(one.outputs, other.outputs).items()
        renamed = tuple(dict.fromkeys(pair for pair in pairs if said(pair[0]) != said(pair[1])))
        return Difference(Verdict.RENAMED if renamed else Verdict.EQUAL, facts, renamed)
    borders = disputed_borders(*specs) if all(fact.same for fact in facts) else None
    verdict = Verdict.DIFFERENT if borders is None else Verdict.BORDER
    return Difference(verdict, facts, (), changed_layers(one, other), borders or {})
