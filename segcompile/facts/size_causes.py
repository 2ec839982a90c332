"""Which layers decide what sizes of the image a network takes, and which of its strides round at one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

from segcompile.facts.shapes import infer_shapes
from segcompile.facts.size_set import SizeSet
from segcompile.facts.sizes import AxisSizes, Demand, Sizes, demands, needs_of, strictest, whole_strides
from segcompile.network.graph import Graph, Node
from segcompile.ops import AnySize
from segcompile.text.errors import Findings

Cause = tuple[Node, SizeSet]  # a node, and the sizes that it leaves


@dataclass(frozen=True, slots=True)
class AxisCauses:
    """Along one axis: the nodes without which more sizes would be legal; and those behind whose strides nothing would
    be rounded at more of them, none where that cannot be written down."""

    legal: tuple[Cause, ...]
    exact: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Rounded:
    """At one size of the image the last window of a stride does not end where the padded map does: so many pixels of
    the map, and of the padding behind it, are read by none; or it reads `beyond` the padding, rounding up."""

    node: Node
    axis: int
    size: int  # of the node's input
    lost: int = 0
    padding: int = 0
    beyond: int = 0


def size_causes(graph: Graph, sizes: Sizes) -> tuple[AxisCauses | None, ...]:
    """The causes of a graph's sizes along each axis; None where a size is a number."""
    shapes = infer_shapes(graph, Findings())  # before they are told by what holds at legal sizes alone
    needs, whole = (demands(graph, shapes, ask) for ask in (needs_of, whole_strides))
    return tuple(_along(axis, found, needs, whole) for axis, found in enumerate(sizes))


def _along(axis: int, found: AxisSizes | None, needs: Iterable[Demand], whole: Iterable[Demand]) -> AxisCauses | None:
    if found is None:
        return None
    every = SizeSet(found.legal.symbol)
    legal = _deciding([(demand.node, demand.sizes) for demand in strictest(axis, needs)], every)
    if found.exact is None:
        return AxisCauses(legal, ())
    return AxisCauses(legal, _deciding([(demand.node, demand.sizes) for demand in strictest(axis, whole)], found.legal))


def _deciding(asked: Sequence[Cause], among: SizeSet) -> tuple[Cause, ...]:
    """Those without which more of the sizes `among` would be left. Of several that say the same, the first."""
    left = [cause for cause in asked if cause[1] & among != among]
    whole = _met(left, among)
    for cause in reversed(left):
        others = [each for each in left if each is not cause]
        if _met(others, among) == whole:
            left = others
    return tuple(left)


def _met(asked: Iterable[Cause], among: SizeSet) -> SizeSet:
    return reduce(lambda sizes, cause: sizes & cause[1], asked, among)


def rounded(graph: Graph, size: Sequence[int]) -> Iterator[Rounded]:
    """Where strides round on an image of one size, which is legal. `graph` is of any size; where a map has one size
    whatever the image's is, nothing can be mended by that."""
    shapes = infer_shapes(graph, Findings())
    for demand in demands(graph, shapes, whole_strides):
        node, axis = demand.node, demand.axis
        left, behind, have = -demand.slack.at(size[axis]), node.op.pads(axis)[1], shapes[node.inputs[0]].size[axis]
        if left and isinstance(have, AnySize):
            lost = max(0, left - behind)
            yield Rounded(node, axis, have.at(size[axis]), lost, max(0, left - lost), max(0, -left))
