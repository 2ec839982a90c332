"""How many channels enter a layer: what `channels` means in its expressions, while layers are still written out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segcompile.network.graph import Node
from segcompile.ops import Refusal, Shape, Undecidable
from segcompile.text.source import Node as SpecNode
from segcompile.text.source import scalars

WORD = "channels"
_WORDS = re.compile(r"channels|\b(in_?ch\w*|in_?planes|in_?features|inp|c_?in|depthwise)\b")  # words.txt has them, too
_SOME = Shape(64, ())  # of what could not be read


def reads_channels(*nodes: SpecNode | None) -> bool:
    """Whether the word, or another framework's for it, stands somewhere in a layer's body, or in what the defaults say
    of its op."""
    return any(_WORDS.search(scalar.text) for node in nodes if node is not None for scalar in scalars(node))


@dataclass(slots=True)
class Channels:
    """The shapes of `inputs`, of the nodes `before` and of new ones, each looked at once, and when one is asked for."""

    inputs: Mapping[str, Shape]
    before: Sequence[Node] = ()
    shapes: dict[str, Shape] = field(default_factory=dict)
    looked_at: int = 0

    def of(self, name: str, nodes: Sequence[Node]) -> int:
        """The channels of a tensor, of the new `nodes` so far or from before. Where a layer on the way to it cannot be
        read, or does not fit what it reads, it is some number: that layer is told of, and not those who ask."""
        if not self.shapes:
            self.shapes |= self.inputs
            self._look(self.before)
        self._look(nodes[self.looked_at :])
        self.looked_at = len(nodes)
        return self.shapes.get(name, _SOME).channels

    def _look(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            self.shapes[node.name] = _shape(node, self.shapes)


def _shape(node: Node, shapes: Mapping[str, Shape]) -> Shape:
    known = [shapes.get(name, _SOME) for name in node.inputs]
    try:
        return node.op.output(known)
    except (Refusal, Undecidable):
        return known[0]
