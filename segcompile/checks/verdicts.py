"""What a claim is worth: a verdict, and the network that claims are held against."""

from __future__ import annotations

from dataclasses import dataclass, field

from segcompile.facts.facts import Facts
from segcompile.facts.pairs import Pair
from segcompile.facts.shapes import infer_shapes
from segcompile.language.values import Values
from segcompile.network.graph import Graph, Node
from segcompile.ops import Shape
from segcompile.text.errors import Findings, Span


@dataclass(frozen=True, slots=True)
class Verdict:
    """One claim: of which layer (None: the network), what, what was claimed and what is so.

    Both are (height, width), or twice the same number for what has no axes. `computed` is None where it cannot be
    decided; `value` is the number in the file.
    """

    layer: str | None
    what: str
    claimed: Pair
    computed: Pair | None
    value: Span
    result: str | None = None  # the node that the layer's name means

    @property
    def ok(self) -> bool:
        return self.computed == self.claimed


@dataclass(frozen=True, slots=True)
class Subject:
    """The network that claims speak of, as the spec has it and as it was found to be."""

    values: Values
    graph: Graph
    facts: Facts
    _elsewhere: dict[tuple[int, int], dict[str, Shape]] = field(default_factory=dict)

    def nodes_of(self, result: str | None) -> tuple[Node, ...]:
        """The nodes of the layer that has a result; () for the network (None), and for what no output needs."""
        return self.graph.layers.get(self.graph.layer_of(result or ""), ())

    def shapes_at(self, size: tuple[int, int]) -> dict[str, Shape]:
        """The shapes that inputs of another (height, width) give; what an op refuses is missing."""
        if size not in self._elsewhere:
            inputs = {name: Shape(shape.channels, size) for name, shape in self.graph.inputs.items()}
            self._elsewhere[size] = infer_shapes(self.graph, Findings(), inputs)
        return self._elsewhere[size]
