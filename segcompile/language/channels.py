"""How many channels enter a layer: what `channels` means in its expressions, while layers are still written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segcompile.network.graph import Node
from segcompile.ops import Refusal, Shape, Undecidable
from segcompile.text.source import Node as SpecNode
from segcompile.text.source import scalars

WORD = "channels"


def reads_channels(*nodes: SpecNode | None) -> bool:
    """Whether the word stands somewhere in a layer's body, or in what the defaults say of its op."""
    return any(WORD in scalar.text for node in nodes if node is not None for scalar in scalars(node))


@dataclass(slots=True)
class Channels:
    """The shapes of `inputs`, of the nodes `before` and of new ones, each looked at once, and when one is asked for."""

    inputs: Mapping[str, Shape]
    before: Sequence[Node] = ()
    shapes: dict[str, Shape | None] = field(default_factory=dict)
    looked_at: int = 0

    def of(self, name: str, nodes: Sequence[Node]) -> int | None:
        """The channels of a tensor, of the new `nodes` so far or from before; None where a layer on the way to it does
        not fit what it reads."""
        if not self.shapes:
            self.shapes |= self.inputs
            self._look(self.before)
        self._look(nodes[self.looked_at :])
        self.looked_at = len(nodes)
        found = self.shapes.get(name)
        return found.channels if found is not None else None

    def _look(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            self.shapes[node.name] = _shape(node, self.shapes)


def _shape(node: Node, shapes: Mapping[str, Shape | None]) -> Shape | None:
    known = [shape for name in node.inputs if (shape := shapes.get(name)) is not None]
    try:
        return node.op.output(known) if len(known) == len(node.inputs) else None
    except (Refusal, Undecidable):
        return None
