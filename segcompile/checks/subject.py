"""What a check looks at: a network, what is true of it, and what its spec says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from segcompile.checks.claims import Verdict, judge
from segcompile.facts.alignment import Places
from segcompile.facts.facts import Facts, fields_in, maps_in
from segcompile.facts.receptive_field import Fields
from segcompile.facts.sizes import Sizes
from segcompile.network.claims import Claim
from segcompile.network.data import Data
from segcompile.network.graph import Graph
from segcompile.network.training import Training
from segcompile.ops import Shape


@dataclass(frozen=True, eq=False)
class Subject:
    """A network whose crops are resolved. A graph that comes from no spec has no claims and no regime of its own."""

    graph: Graph
    shapes: Mapping[str, Shape]  # of inputs and nodes
    sizes: Sizes
    facts: Facts
    claims: tuple[Claim, ...] = ()
    training: Training = field(default_factory=Training)
    data: Data = field(default_factory=Data)

    @cached_property
    def classes(self) -> Mapping[str, int]:
        """Head -> how many classes it tells apart: as many as it has channels, and two with one channel."""
        outputs = self.graph.outputs.items()
        return {head: max(self.facts[node].shape.channels, 2) for head, node in outputs if node in self.facts}

    @cached_property
    def places(self) -> Places:
        """Node or input name -> coordinate maps."""
        return maps_in(self.graph, self.facts)

    @cached_property
    def fields(self) -> Mapping[str, Fields]:
        """Node name -> receptive fields."""
        return fields_in(self.facts)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What each claim of a layer that an output needs is worth."""
        return judge(self.claims, self.graph, self.facts)
