"""Where outputs look, by gradient, and whether a tool said so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from conftest import Emitted, indices, measure
from fields.peer import Hull, Peer, ReceptiveFieldError

from segcompile.testing.fields import is_interior, mask

PATIENCE = 30.0  # seconds for the outputs of one network that the peer is asked about, after one period of them
Cell = tuple[int, int]


@dataclass(frozen=True)
class Truth:
    """Output cell -> where on the input it looks: a map of True and False."""

    maps: Mapping[Cell, Any]
    period: int

    @cached_property
    def hulls(self) -> Mapping[Cell, Hull | None]:
        """Output cell -> between which rows and columns it looks, None if nowhere."""
        return {cell: _hull(seen) for cell, seen in self.maps.items()}

    @property
    def size(self) -> Cell:
        """The largest extent of all outputs, (height, width)."""
        height, width = (
            max((_length(hull[axis]) for hull in self.hulls.values() if hull), default=0) for axis in (0, 1)
        )
        return height, width

    @property
    def fill(self) -> float:
        """The least share of its hull that an output sees."""
        known = [(self.maps[cell], hull) for cell, hull in self.hulls.items() if hull is not None]
        return min((float(seen.sum()) / (_length(hull[0]) * _length(hull[1])) for seen, hull in known), default=0.0)


def _length(ends: tuple[int, int]) -> int:
    return ends[1] - ends[0] + 1


def _hull(seen: Any) -> Hull | None:
    rows, columns = (seen.any(1 - axis).nonzero().flatten() for axis in (0, 1))
    return ((int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))) if len(rows) else None


def measured(net: Emitted) -> Truth | None:
    """The gradients of the middle of the one output; None if its field is not local, or not periodic, or the image
    holds no whole period of outputs that see no padding. `net` must be made linear.

    Rows and columns are taken in opposite orders; where an output sees nothing, all phases of both are paired."""
    ((head, node),) = net.graph.outputs.items()
    fields, extent = net.facts[node].fields, net.outputs()[head].shape[2:]
    if any(not field.sets or field.whole or field.step is None for field in fields):
        return None
    period = max(field.period for field in fields)
    inside = []
    for axis in (0, 1):
        cells = [index for index in range(extent[axis]) if is_interior(net.graph, net.shapes, node, axis, index)]
        first = max(0, len(cells) // 2 - period)
        inside.append(cells[first : first + 2 * period])
    rows, columns = inside
    if min(len(rows), len(columns)) < period:
        return None
    inputs = [value.requires_grad_() for value in net.inputs()]
    results = net.outputs(*inputs)
    among = range(max(len(rows), len(columns)))
    pairs = [(rows[n % len(rows)], columns[-1 - n % len(columns)]) for n in among]
    maps = {cell: measure(net, results, inputs, head, cell) > 0 for cell in pairs}
    if not all(bool(seen.any()) for seen in maps.values()):  # which phases of the axes meet makes a difference
        every = ((row, column) for row in rows[: fields[0].period] for column in columns[: fields[1].period])
        maps |= {cell: measure(net, results, inputs, head, cell) > 0 for cell in every}
    return Truth(maps, period)


@dataclass
class Verdicts:
    """Of one network: the size that a tool says, whether that is right, and how many of the outputs it was `asked`
    about have their hull, and their exact set, right."""

    size: str = "refused"
    said: str = "-"
    hulls: int = 0
    sets: int = 0
    asked: int = 0


def judge_ours(net: Emitted, truth: Truth) -> Verdicts:
    """Our size; and hulls and sets, both of the phase table along each axis and of the analysis in two dimensions."""
    (node,) = net.graph.outputs.values()
    fact = net.facts[node]
    size = fact.receptive_field
    found = Verdicts(_verdict(size, truth.size, True), _extent(size), asked=len(truth.maps))
    for cell, seen in truth.maps.items():
        said, hull = seen.new_tensor(mask(net.graph, net.shapes, node, cell)), truth.hulls[cell]
        along = [field.at(place) for field, place in zip(fact.fields, cell, strict=True)]
        ends = [(one.low, one.high) if one else None for one in along]
        places = [seen.any(1 - axis).nonzero().flatten().tolist() for axis in (0, 1)]
        found.hulls += _hull(said) == hull and (hull is None or ends == list(hull))
        found.sets += said.equal(seen) and (hull is None or [indices(one) for one in along] == places)
    return found


def judge_peer(peer: Peer, truth: Truth) -> Verdicts:
    """TorchLens' size and hulls, none asked for if it refuses one; it says no sets."""
    found = Verdicts()
    peer.table()
    try:
        size, exact = peer.size()
        found.size, found.said = _verdict(size, truth.size, exact), _extent(size)
        start = time.process_time()
        for cell, hull in truth.hulls.items():
            if found.asked >= truth.period and time.process_time() - start > PATIENCE:
                break
            found.hulls += peer.hull(cell) == hull
            found.asked += 1
    except ReceptiveFieldError:
        found.hulls = found.asked = 0
    return found


def _verdict(said: Sequence[int | None], truth: Cell, exact: bool) -> str:
    """`right`; `bound` if it is too large and said to be a bound, `whole` if that is the image; or `wrong`."""
    if tuple(said) == truth:
        return "right"
    if None in said and not exact:
        return "whole"
    above = all(one is not None and one >= other for one, other in zip(said, truth, strict=True))
    return "bound" if above and not exact else "wrong"


def _extent(size: Sequence[int | None]) -> str:
    height, width = ("-" if extent is None else str(extent) for extent in size)
    return height if height == width else f"{height}x{width}"
