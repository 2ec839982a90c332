"""What the layers of a network share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from segcompile.facts.facts import Facts, fields_in
from segcompile.facts.receptive_field import Fields
from segcompile.network.graph import Graph
from segcompile.notebook.padding import SeenPadding, seen_padding
from segcompile.ops import Shape


@dataclass(frozen=True, eq=False)
class Net:
    """A graph, and what is known of it."""

    graph: Graph
    shapes: Mapping[str, Shape]  # of inputs and nodes
    facts: Facts

    @cached_property
    def fields(self) -> Mapping[str, Fields]:
        return fields_in(self.facts)

    @cached_property
    def has_gaps(self) -> bool:
        """Whether some outputs of some layer see nothing along an axis."""
        return any(None in axis.sets for fields in self.fields.values() for axis in fields)

    @cached_property
    def padding(self) -> Mapping[str, SeenPadding | None]:
        return seen_padding(self.graph, self.shapes, self.graph.takes_any_size)
