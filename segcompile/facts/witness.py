"""The paths that lead to a map: walked back from a tensor to where two of them part, and told in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from segcompile.facts.alignment import Places
from segcompile.network.graph import Graph
from segcompile.text.errors import Label, Span
from segcompile.text.listing import first_few

_SHOWN = 3  # layers at either end of a path that is told

Stop = tuple[str, int]  # a tensor on a path, and which of its maps the path gives it
Path = tuple[str, ...]  # tensors, first to last


@dataclass(frozen=True)
class Atlas:
    """A graph, and where its tensors lie."""

    graph: Graph
    places: Places

    @cached_property
    def _order(self) -> Mapping[str, int]:
        """Nodes count from 1; inputs, which are 0, have none before them."""
        return {node.name: index for index, node in enumerate(self.graph.nodes, 1)}

    def before(self, stop: Stop, axis: int) -> Stop:
        """The stop before this one, which is not at an input."""
        name, entry = stop
        index, source = self.places[name][axis].source(entry)
        return self.graph.by_name[name].inputs[index], source

    def parted(self, one: Stop, other: Stop, axis: int) -> tuple[Path, Path]:
        """The paths that end at two stops, from the last tensor that they have in common; from their inputs if none."""
        left, right = [one], [other]
        while left[-1][0] != right[-1][0]:
            a, b = (self._order.get(path[-1][0], 0) for path in (left, right))
            if not a and not b:
                break
            later = left if a > b else right
            later.append(self.before(later[-1], axis))
        return tuple(name for name, _ in reversed(left)), tuple(name for name, _ in reversed(right))

    def forked(self, tensor: str, entries: tuple[int, int], axis: int) -> tuple[Path, Path, str]:
        """Two paths that end at one tensor with different maps, between their fork and the join that is given back:
        up to that join's inputs, not counting what both run through from there to the tensor."""
        one, other = (tensor, entries[0]), (tensor, entries[1])
        while one[0] == other[0]:
            join = one[0]
            one, other = self.before(one, axis), self.before(other, axis)
        left, right = self.parted(one, other, axis)
        return left, right, join

    def span(self, name: str) -> Span | None:
        """Where the user wrote the layer that makes a tensor; None for an input."""
        return self.graph.by_name[name].origin.span if name in self.graph.by_name else None

    def tell(self, path: Sequence[str]) -> str:
        """`pool1 -> conv2_1 -> ... 12 layers ... -> up1`: the layers of a path, the middle of a long one left out."""
        names = list(dict.fromkeys(self.graph.layer_of(name) for name in path))
        if len(names) > 2 * _SHOWN + 1:
            between = f"... {len(names) - 2 * _SHOWN} layers ..."
            names = [*names[:_SHOWN], between, *names[-_SHOWN:]]
        return " -> ".join(names)

    def testify(self, witnesses: Sequence[tuple[str, str]]) -> tuple[list[Label], list[str]]:
        """What each (tensor, words) says: a label where the user wrote the layer, a note where it is an input."""
        labels, notes = [], []
        for name, words in witnesses:
            span = self.span(name)
            if span is None:
                notes.append(words)
            else:
                labels.append(Label(span, words))
        return labels, notes


def counted(names: Sequence[str], one: str, many: str) -> str:
    """`2 later joins lie apart ... and are not shown: a, b`, the first few by name."""
    return f"{len(names)} later {one if len(names) == 1 else many} not shown: {first_few(names)}"
