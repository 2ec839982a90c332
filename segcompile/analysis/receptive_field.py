"""Receptive fields, exactly: the first and last input index that reach each output, for every phase.

A network of convolutions, poolings and upsamplings is periodic: `period` outputs further on, everything has moved
by `step` input pixels. One table of `period` intervals therefore says it for every output, and one sweep forward
over the graph computes the table of every node (Araujo, Norris & Sim, Distill 2019, generalised to fractional
strides and to the union over all paths). Borders are not cut off: the intervals run on into the padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm

from segcompile.graph import Graph, Node
from segcompile.ops import AXES, IDENTITY, Shape, Undecidable, Window


@dataclass(frozen=True)
class Field:
    """The receptive fields of one tensor along one axis.

    Output index p = phase + n * period sees input indices low[phase] + n * step .. high[phase] + n * step;
    (None, None) for a phase that sees nothing. `whole` if every input index reaches every output. `step` is None
    where there is no such table: behind a whole-image op, or where branches of unequal stride meet.
    """

    period: int = 1
    step: int | None = 1
    low: tuple[int | None, ...] = (0,)
    high: tuple[int | None, ...] = (0,)
    whole: bool = False

    @cached_property
    def size(self) -> int | None:
        """The largest extent over all phases, in input pixels; None where there is no table or for the whole image."""
        if self.whole or self.step is None:
            return None
        return max(
            (h - l + 1 for l, h in zip(self.low, self.high, strict=True) if l is not None and h is not None), default=0
        )

    @property
    def stride(self) -> Fraction | None:
        """Input pixels per output step."""
        return None if self.step is None else Fraction(self.step, self.period)

    def interval(self, index: int) -> tuple[int, int] | None:
        """First and last input index that output `index` (any integer) sees."""
        turns, phase = divmod(index, self.period)
        low, high = self.low[phase], self.high[phase]
        if self.step is None or low is None or high is None:
            return None
        return low + turns * self.step, high + turns * self.step

    def behind(self, window: Window) -> Field:
        """The field of the tensor that `window` makes of this one."""
        if self.step is None:
            return self
        if window == IDENTITY:
            return self
        if self._is_beyond(window):
            return _WHOLE if self.whole else _UNEVEN
        if self.period == 1 and window.upsample == 1 and self.low[0] is not None and self.high[0] is not None:
            reach = window.dilation * (window.taps - 1)
            low = self.low[0] - self.step * window.offset
            high = self.high[0] + self.step * (reach - window.offset)
            return Field(1, self.step * window.stride, (low,), (high,), self.whole)
        turn = window.upsample * self.period
        period = turn // gcd(window.stride, turn)
        shift = window.stride * period // window.upsample  # how far i moves in one period: a multiple of self.period
        found = [self._union(window, phase) for phase in range(period)]
        return _minimal(period, self.step * (shift // self.period), found, self.whole)

    def _is_beyond(self, window: Window) -> bool:
        """Whether the table behind `window` would be larger than any network's: no answer, rather than no end."""
        step = abs(self.step or 0) * (window.stride + window.dilation * window.taps + abs(window.offset))
        turn = window.upsample * self.period
        work = turn // gcd(window.stride, turn) * min(window.taps, 2 * self.period)
        return step >= LARGEST or turn > MAX_PERIOD or work > MAX_WORK

    def _union(self, window: Window, p: int) -> tuple[int | None, int | None]:
        """The hull of the fields of all indices that output p reads."""
        start = window.stride * p - window.offset
        common = gcd(window.dilation, window.upsample)
        every = window.upsample // common
        if start % common:
            return None, None
        first = -start // common * pow(window.dilation // common, -1, every) % every  # the first t that falls on an i
        taps = range(first, window.taps, every)
        if not taps:
            return None, None
        # Indices of one phase move together, so the first of each phase has the lowest and the last the highest field.
        ends = {*taps[: self.period], *taps[-self.period :]}
        seen = [self.interval((start + window.dilation * t) // window.upsample) for t in ends]
        lows = [interval[0] for interval in seen if interval is not None]
        highs = [interval[1] for interval in seen if interval is not None]
        return min(lows, default=None), max(highs, default=None)


MAX_PERIOD = 2**13  # phases of a table
MAX_WORK = 2**20  # intervals looked at for one table
LARGEST = 2**63  # input pixels

_WHOLE = Field(1, None, (None,), (None,), True)
_UNEVEN = Field(1, None, (None,), (None,), False)

Fields = tuple[Field, Field]  # along height and width


def trace_fields(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Fields]:
    """Node or input name -> its fields along height and width, over all inputs of the graph together."""
    fields: dict[str, Fields] = {name: (Field(), Field()) for name in graph.inputs}
    for node in graph.nodes:
        fields[node.name] = _node_fields(node, shapes, fields)
    return fields


def _node_fields(node: Node, shapes: Mapping[str, Shape], fields: Mapping[str, Fields]) -> Fields:
    if node.op.whole_image or not all(shapes[name].size for name in node.inputs):
        return _WHOLE, _WHOLE
    height, width = (_axis_field(node, axis, shapes, fields) for axis in AXES)
    return height, width


def _axis_field(node: Node, axis: int, shapes: Mapping[str, Shape], fields: Mapping[str, Fields]) -> Field:
    sizes = [shapes[name].size[axis] for name in node.inputs]
    found = []
    for index, name in enumerate(node.inputs):
        field = fields[name][axis]
        if field.step is None and not (node.op.lends_size and index == 1):
            found.append(field)
            continue
        try:
            window = node.op.window(axis, sizes, index)
        except Undecidable:
            found.append(_UNEVEN)
            continue
        if window is not None:
            found.append(field.behind(window))
    return join(found)


def join(fields: Sequence[Field]) -> Field:
    """The union of fields that meet in one tensor."""
    if all(field == fields[0] for field in fields):
        return fields[0]
    whole = any(field.whole for field in fields)
    tables = [field for field in fields if field.step is not None]
    if len({field.stride for field in tables}) != 1 or any(not f.whole and f.step is None for f in fields):
        return _WHOLE if whole else _UNEVEN
    period = lcm(*(field.period for field in tables))
    if period > MAX_PERIOD:
        return _WHOLE if whole else _UNEVEN
    stride = tables[0].stride
    assert stride is not None
    found: list[tuple[int | None, int | None]] = []
    for phase in range(period):
        seen = [interval for interval in (field.interval(phase) for field in tables) if interval is not None]
        found.append((min((s[0] for s in seen), default=None), max((s[1] for s in seen), default=None)))
    return _minimal(period, int(stride * period), found, whole)


def _minimal(period: int, step: int, table: list[tuple[int | None, int | None]], whole: bool) -> Field:
    """The same table with the smallest period that repeats it."""
    for shorter in range(1, period):
        if (
            period % shorter == 0
            and step * shorter % period == 0
            and _repeats(table, shorter, step * shorter // period)
        ):
            table, step, period = table[:shorter], step * shorter // period, shorter
            break
    return Field(period, step, tuple(low for low, _ in table), tuple(high for _, high in table), whole)


def _repeats(table: list[tuple[int | None, int | None]], shorter: int, shift: int) -> bool:
    for index in range(shorter, len(table)):
        for now, before in zip(table[index], table[index - shorter], strict=True):
            if (now is None) != (before is None) or (now is not None and before is not None and now != before + shift):
                return False
    return True
