"""Where a grid comes from: the weight with which paths reach each phase of an output, and leave each phase of an input.

With all weights one, an output of a convolution is the sum of what its taps bring, and one of a pool or a resize a mean
of what it reads. Of a constant image the values of a map are then how many paths lead to each of its pixels, and they
repeat: a transposed convolution of kernel 3 and stride 2 gives 1, 2, 1, 2, ..., the checkerboard of Odena, Dumoulin &
Olah (Distill 2016). Read the other way it is the gradient of the sum of all outputs: of a convolution of kernel 3 and
stride 2 every second input pixel is read twice. Both are of outputs and pixels far from any border, and exact; what a
cubic resize makes of a map that has a grid already is that of a linear one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from segcompile.facts.alignment import centre, sizes_along
from segcompile.facts.receptive_field import indices_read
from segcompile.network.graph import Graph, Node
from segcompile.ops import Chain, Shape, Undecidable, Window

MOST_PHASES = 2**10
Weights = tuple[Fraction, ...]  # of each phase; index p has weights[p % period]
NONE: Weights = (Fraction(0),)  # where no path of windows leads


class TooManyPhases(Exception):
    """A period that nobody would read."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Along one axis: the weights of an output's phases, or of an input's, and the nodes that make them unequal of what
    is equal before (behind, of an input's)."""

    weights: Weights
    makers: tuple[Node, ...]

    @property
    def is_even(self) -> bool:
        return len(self.weights) == 1


def output_grid(graph: Graph, shapes: Mapping[str, Shape], axis: int, node: str) -> Grid:
    """The grid of a node's outputs. Raises Undecidable where a window depends on a symbolic size, TooManyPhases."""
    needed, found = graph.ancestors([node]), dict[str, Weights]()
    found |= dict.fromkeys(graph.inputs, (Fraction(1),))
    makers = list[Node]()
    for item in graph.nodes:
        if item.name in needed:
            found[item.name] = _reached(item, shapes, axis, found)
            before = [found[name] for name in item.read]
            if len(found[item.name]) > 1 and all(len(each) == 1 for each in before):
                makers.append(item)
    return Grid(found[node], tuple(makers))


def input_grid(graph: Graph, shapes: Mapping[str, Shape], axis: int, node: str, source: str) -> Grid:
    """The grid of an input's pixels as the outputs of a node read them. Raises as `output_grid` does."""
    needed, makers = graph.ancestors([node]), list[Node]()
    found: dict[str, Weights] = {node: (Fraction(1),)}
    for item in reversed(graph.nodes):
        behind = found.get(item.name, NONE)
        if item.name not in needed or behind == NONE:
            continue
        for index, name in enumerate(item.read):
            given = _read(item, shapes, axis, index, behind)
            found[name] = _sum([found.get(name, NONE), given])
            if len(given) > 1 and len(behind) == 1 and item not in makers:
                makers.append(item)
    return Grid(found.get(source, NONE), tuple(reversed(makers)))


def _reached(node: Node, shapes: Mapping[str, Shape], axis: int, found: Mapping[str, Weights]) -> Weights:
    """The weights of a node's outputs, of those of its inputs: joins add up."""
    every = [NONE]
    for index, name in enumerate(node.read):
        for chain in _chains(node, shapes, axis, index):
            weights = found[name]
            for window in chain:
                weights = _behind(node, window, weights)
            every.append(weights)
    return _sum(every)


def _read(node: Node, shapes: Mapping[str, Shape], axis: int, index: int, behind: Weights) -> Weights:
    """The weights of the pixels of one input, of those of the node's outputs."""
    every = [NONE]
    for chain in _chains(node, shapes, axis, index):
        weights = behind
        for window in reversed(chain):
            weights = _before(node, window, weights)
        every.append(weights)
    return _sum(every)


def _chains(node: Node, shapes: Mapping[str, Shape], axis: int, index: int) -> tuple[Chain, ...]:
    """The windows of a node on one of its inputs; () where it mixes the whole image, whose part has no phases."""
    if not shapes[node.name].size or not shapes[node.inputs[index]].size:
        return ()
    sizes = sizes_along(node, axis, shapes)
    if node.op.resamples:  # one window, however some of its taps weigh
        window = node.op.window_on(axis, sizes, index)
        return ((window,),) if window is not None and window.stride else ()
    if node.op.reads_whole(axis, index, len(node.inputs)) and node.op.window_on(axis, sizes, index) is None:
        return ()
    try:
        chains = node.op.chains(axis, sizes, index)
    except Undecidable:
        if node.op.reads_whole(axis, index, len(node.inputs)):
            return ()
        raise
    return tuple(chain for chain in chains if all(window.stride for window in chain))


def _behind(node: Node, window: Window, weights: Weights) -> Weights:
    if window == Window():
        return weights
    turn = window.upsample * len(weights)
    period = turn // gcd(window.stride, turn)
    if period > MOST_PHASES:
        raise TooManyPhases
    every = ([share * weights[i % len(weights)] for i, share in _taps(node, window, p)] for p in range(period))
    return minimal([sum(shares, Fraction(0)) for shares in every])


def _before(node: Node, window: Window, weights: Weights) -> Weights:
    if window == Window():
        return weights
    turned = window.transposed
    turn = turned.upsample * len(weights)
    period = turn // gcd(turned.stride, turn)
    if period > MOST_PHASES:
        raise TooManyPhases
    found = []
    for pixel in range(period):
        total = Fraction(0)
        for output in indices_read(turned, pixel):
            total += weights[output % len(weights)] * dict(_taps(node, window, output)).get(pixel, 0)
        found.append(total)
    return minimal(found)


def _taps(node: Node, window: Window, output: int) -> list[tuple[int, Fraction]]:
    """(index, weight) of all that an output reads: 1 each of a layer with weights, else shares of a mean; of a resize
    that blends those of linear interpolation."""
    indices = indices_read(window, output)
    if node.op.has_weights():
        return [(index, Fraction(1)) for index in indices]
    if node.op.resamples and window.upsample > 1 and len(indices) > 1:
        place = (window.stride * output + centre(window)) / window.upsample
        near = [(index, 1 - abs(index - place)) for index in indices if abs(index - place) < 1]
        whole = sum((share for _, share in near), Fraction(0))
        return [(index, share / whole) for index, share in near]
    return [(index, Fraction(1, len(indices))) for index in indices]


def _sum(every: Sequence[Weights]) -> Weights:
    period = lcm(*map(len, every))
    if period > MOST_PHASES:
        raise TooManyPhases
    return minimal([sum((weights[phase % len(weights)] for weights in every), Fraction(0)) for phase in range(period)])


def minimal(weights: Sequence[Fraction]) -> Weights:
    """The same weights with the smallest period."""
    count = len(weights)
    for period in range(1, count):
        if count % period == 0 and all(weights[k] == weights[k % period] for k in range(period, count)):
            return tuple(weights[:period])
    return tuple(weights)
