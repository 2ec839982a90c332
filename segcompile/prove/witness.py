"""An image, and weights, on which floats of 64 bits differ far beyond rounding: without one nothing is refuted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segcompile.prove.arithmetic import Array
from segcompile.prove.equality import results
from segcompile.prove.real import Real
from segcompile.prove.sizes import ImageSize, at, cost, held
from segcompile.prove.terms import Terms

DRAWS = 8  # of weights and images, at each size
BEYOND = 1e-7  # of the largest value: rounding of a hundred layers stays a million times below
MOST_COST = 2**37  # numbers read and written in all runs together


@dataclass(frozen=True, slots=True)
class Witness:
    """Where two networks differ: the draw of weights and image, and the values of an output at a place, channel first;
    or, at `shapes`, that these outputs have other sizes."""

    output: str
    size: ImageSize
    draw: int
    place: tuple[int, ...]
    values: tuple[float, float]
    largest: float
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None


def find_witness(terms: Terms, heads: Mapping[str, tuple[int, int]], sizes: Iterable[ImageSize]) -> Witness | None:
    """The first one, by the order of the sizes. `heads`: output -> its terms in the two networks."""
    cone = terms.cone(index for pair in heads.values() for index in pair)
    left = MOST_COST
    for size in dict.fromkeys(sizes):
        if (other := _other_shapes(terms, heads, size)) is not None:
            return other
        one = cost([terms[index] for index in cone], size)
        for draw in range(DRAWS):
            if one > left:
                break
            left -= one
            found = _largest_difference(terms, cone, heads, size, draw)
            if found is not None:
                return found
    return None


def _other_shapes(terms: Terms, heads: Mapping[str, tuple[int, int]], size: ImageSize) -> Witness | None:
    for name, (a, b) in heads.items():
        first, second = (held(at(terms[index].shape, size)) for index in (a, b))
        if first != second:
            return Witness(name, size, 0, (), (0.0, 0.0), 0.0, (first, second))
    return None


def _largest_difference(
    terms: Terms, cone: Sequence[int], heads: Mapping[str, tuple[int, int]], size: ImageSize, draw: int
) -> Witness | None:
    wanted = [index for pair in heads.values() for index in pair]
    with np.errstate(all="ignore"):
        values = results(terms, cone, frozenset(), size, Real(draw), wanted)
    found = max(_differences(values, heads, size, draw), key=lambda each: each[0], default=None)
    return found[1] if found is not None and found[0] > BEYOND else None


def _differences(
    values: Mapping[int, Array], heads: Mapping[str, tuple[int, int]], size: ImageSize, draw: int
) -> Iterator[tuple[float, Witness]]:
    """Of each output that is finite: by how much it differs, for its largest value, and where."""
    for name, (a, b) in heads.items():
        first, second = values[a][0], values[b][0]
        largest = float(max(abs(first).max(), abs(second).max()))
        if not np.isfinite(largest) or largest == 0:
            continue
        place = tuple(map(int, np.unravel_index(abs(first - second).argmax(), first.shape)))
        pair = (float(first[place]), float(second[place]))
        yield abs(pair[0] - pair[1]) / largest, Witness(name, size, draw, place, pair, largest)
