"""Memory: the bytes of the tensors that are alive at once when a network is run, node by node, in float32.

A tensor is alive from the node that makes it to the last that reads it; an output, and no input, to the end. Nothing
else is counted: neither weights, nor what a framework sets aside, nor what a convolution keeps for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, lcm, prod
from operator import mul

from segcompile.facts.shapes import shapes_at
from segcompile.network.graph import Graph

_BYTES = 4  # of a number
_TRIED = (1, 2, 4, 8, 16, 32)  # multiples of a small image's size, along each axis, at which the most is looked for


@dataclass(frozen=True, slots=True)
class Growth:
    """A number as a function of an image's size: the sum of each factor times those sizes n_a whose bit a its index
    has. For an image of H x W pixels (a + b H + c W + d H W) these are (a, b, c, d)."""

    factors: tuple[Fraction, ...]


def peak_bytes(graph: Graph, size: tuple[int, ...]) -> int:
    """The bytes at the node with the most, of an image of a size that the network takes."""
    return max(_bytes_by_node(graph, size))


def memory_growth(graph: Graph, size: tuple[int, ...], step: tuple[int, ...]) -> tuple[Growth, ...]:
    """Functions whose largest is the most bytes, for images of `size`, and of whole steps more, at which every tensor
    has grown by whole pixels."""
    rows = _growths(lambda at: _bytes_by_node(graph, at), size, step)
    common = lcm(*(factor.denominator for row in rows for factor in row.factors))
    whole = [[int(factor * common) for factor in row.factors] for row in rows]  # to be compared by thousands
    most: dict[int, None] = {}
    for times in product(_TRIED, repeat=len(size)):
        at = [n * by for n, by in zip(size, times, strict=True)]
        terms = [_over(index, at) for index in range(2 ** len(size))]
        bytes_at = [sum(map(mul, row, terms)) for row in whole]
        most[bytes_at.index(max(bytes_at))] = None
    return tuple(dict.fromkeys(rows[index] for index in most))


def kept_growth(graph: Graph, size: tuple[int, ...], step: tuple[int, ...]) -> Growth:
    """The bytes of all tensors, as a gradient keeps them, and as many of the slopes of what is minimised by them."""

    def bytes_at(at: tuple[int, ...]) -> list[int]:
        shapes = shapes_at(graph, at).values()
        return [2 * sum(_BYTES * shape.channels * (shape.positions or 1) for shape in shapes)]

    return _growths(bytes_at, size, step)[0]


def macs_growth(graph: Graph, size: tuple[int, ...], step: tuple[int, ...]) -> Growth:
    """The multiply-accumulates of images of `size`, and of whole steps more."""
    return _growths(lambda at: [macs_at(graph, at)], size, step)[0]


def macs_at(graph: Graph, size: tuple[int, ...]) -> int:
    """Multiply-accumulates of an image of `size`, which the network takes."""
    shapes = shapes_at(graph, size)
    return sum(node.op.macs([shapes[name] for name in node.inputs], shapes[node.name]) or 0 for node in graph.nodes)


def _bytes_by_node(graph: Graph, size: tuple[int, ...]) -> list[int]:
    """What is alive while each node is computed."""
    shapes, last = shapes_at(graph, size), dict[str, int]()
    for turn, node in enumerate(graph.nodes):
        last |= dict.fromkeys(node.inputs, turn) | {node.name: turn}
    last |= dict.fromkeys(graph.outputs.values(), len(graph.nodes))
    of = {name: _BYTES * shape.channels * (shape.positions or 1) for name, shape in shapes.items()}
    alive, found = {*graph.inputs}, []
    for turn, node in enumerate(graph.nodes):
        alive.add(node.name)
        found.append(sum(of[name] for name in alive))
        alive -= {name for name in (*node.inputs, node.name) if last[name] <= turn}
    return found


def _growths(
    numbers: Callable[[tuple[int, ...]], Sequence[int]], size: tuple[int, ...], step: tuple[int, ...]
) -> list[Growth]:
    """The functions that have these numbers at `size` and a step further along any of the axes: each is the product of
    one linear function an axis, or a sum of such."""
    rank = len(size)
    corners = {bits: tuple(n + by * (bits >> a & 1) for a, (n, by) in enumerate(zip(size, step, strict=True)))
               for bits in range(2**rank)}  # fmt: skip
    columns = list(zip(*(numbers(corners[bits]) for bits in range(2**rank)), strict=True))
    return [Growth(tuple(_through(column, size, step))) for column in columns]


def _through(values: Sequence[int], size: Sequence[int], step: Sequence[int]) -> list[Fraction]:
    """The factors, from the values at the corners: along one axis after the other, slope and value at 0."""
    found = [Fraction(value) for value in values]
    for axis, (n, by) in enumerate(zip(size, step, strict=True)):
        for index in range(len(found)):
            if index >> axis & 1:
                slope = (found[index] - found[index ^ 1 << axis]) / by
                found[index ^ 1 << axis] -= slope * n
                found[index] = slope
    return found


def _over(index: int, size: Sequence[int]) -> int:
    return prod(n for axis, n in enumerate(size) if index >> axis & 1)


def rounded(growth: Growth) -> tuple[int, ...]:
    """The factors as whole numbers, none smaller."""
    return tuple(map(ceil, growth.factors))
