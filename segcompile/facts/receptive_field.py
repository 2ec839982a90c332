"""Receptive fields, exactly: the set of input indices that reach each output, for every phase.

A network of convolutions, poolings and upsamplings is periodic: `period` outputs further on, everything has moved
by `step` input pixels. One table of `period` index sets therefore says it for every output, and one sweep forward
over the graph computes the table of every node (Araujo, Norris & Sim, Distill 2019, generalised to fractional
strides, to sets with holes, and to the union over all paths). Borders are not cut off: the sets run on into the
padding. Where branches of unequal stride meet nothing repeats, and the table has one set for each output there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from math import gcd, lcm, prod

from segcompile.facts.alignment import sizes_along
from segcompile.facts.index_set import IndexSet, TooWide, union
from segcompile.network.graph import Graph, Node
from segcompile.ops import IDENTITY, Chain, Shape, Size, Undecidable, Window

_UNCHANGED = (IDENTITY,)
Sets = tuple[IndexSet | None, ...]  # None: an output that sees nothing


@dataclass(frozen=True)
class Field:
    """The receptive fields of one tensor along one axis.

    Output p = phase + n * period sees the indices of sets[phase], moved by n * step. With step None the table is a
    list: output p of this very image size sees sets[p]. No sets: not known (see `whole`, or a size that is symbolic).
    The table of an axis holds for all outputs of a line across it: where a layer leaves gaps along another axis (a
    transposed convolution with a kernel below its stride), some of these outputs see less, which `coverage` tells.
    `whole`: every input index reaches every output, besides what `sets` says of the paths that see less.
    """

    sets: Sets = (IndexSet(0, 0),)
    step: int | None = 1
    whole: bool = False

    @property
    def period(self) -> int:
        """Outputs after which the table repeats; the number of outputs where it does not; 0 where it is not known."""
        return len(self.sets)

    @cached_property
    def size(self) -> int | None:
        """The largest extent over all phases, in input pixels; None where it is not known or the whole image."""
        return self.local_size if not self.whole else None

    @cached_property
    def local_size(self) -> int | None:
        """The largest extent over all phases of the paths that do not mix the whole image."""
        return max((found.width for found in self.sets if found is not None), default=0) if self.sets else None

    @property
    def widest(self) -> int:
        """The first phase of the largest extent."""
        return max(range(len(self.sets)), key=lambda phase: seen.width if (seen := self.sets[phase]) else 0, default=0)

    @property
    def touched(self) -> int | None:
        """Indices that the widest phase sees: fewer than `size` where there are holes."""
        seen = self.sets[self.widest] if self.sets else None
        return None if self.whole or not self.sets else seen.count if seen is not None else 0

    @property
    def is_blind(self) -> bool:
        """Whether no output sees anything, by paths that do not mix the whole image."""
        return bool(self.sets) and not any(self.sets)

    def blinded(self) -> Field:
        """The same steps, and nothing seen."""
        return Field((None,) * self.period, self.step, self.whole)

    @property
    def stride(self) -> Fraction | None:
        """Input pixels per output step; None where steps differ."""
        return None if self.step is None else Fraction(self.step, self.period)

    def at(self, index: int) -> IndexSet | None:
        """The input indices that output `index` sees: any integer, or one of the outputs of a list."""
        if self.step is None:
            return self.sets[index] if 0 <= index < len(self.sets) else None
        turns, phase = divmod(index, self.period)
        found = self.sets[phase]
        return found.shifted(turns * self.step) if found is not None and turns else found

    def behind(self, chain: Chain, extent: Size) -> Field:
        """The field of the tensor of `extent` outputs that some windows, one behind another, make of this one."""
        if chain == _UNCHANGED or not self.sets:
            return self
        try:
            if any((self.step or 1) * _span(window) >= LARGEST for window in chain):
                raise TooWide
            if self.step is None:
                return self._listed_behind(chain, extent)
            return reduce(Field._behind_one, chain, self)
        except TooWide:
            return _WHOLE if self.whole else _UNKNOWN

    def _behind_one(self, window: Window) -> Field:
        """The same of one window, where steps are even."""
        step = self.step or 1
        if self.period == 1 and window.upsample == 1:
            return self._strided_behind(window, step)
        return self._periodic_behind(window, step)

    def _strided_behind(self, window: Window, step: int) -> Field:
        """Without fractional strides: one set says it all."""
        (seen,) = self.sets
        if seen is not None:
            seen = seen.repeated(window.taps, step * window.dilation).shifted(-step * window.offset)
        return Field((seen,), step * window.stride, self.whole)

    def _periodic_behind(self, window: Window, step: int) -> Field:
        turn = window.upsample * self.period
        period = turn // gcd(window.stride, turn)
        if turn > MAX_PERIOD or period * min(window.taps, 2 * self.period) > MAX_WORK:
            raise TooWide
        shift = window.stride * period // window.upsample  # how far i moves in one period: a multiple of self.period
        sets = tuple(self._read(window, phase, step) for phase in range(period))
        return _minimal(Field(sets, step * (shift // self.period), self.whole))

    def _read(self, window: Window, output: int, step: int) -> IndexSet | None:
        """The union of the sets of all indices that `output` reads. Of those, every `cycle`-th has the same phase:
        they contribute one set, repeated."""
        indices = indices_read(window, output)
        cycle = min(len(indices), self.period // gcd(indices.step, self.period))
        found = []
        for index, first in enumerate(indices[:cycle]):
            seen = self.at(first)
            times = (len(indices) - index + cycle - 1) // cycle
            found.append(seen and seen.repeated(times, step * indices.step * cycle // self.period))
        return union(found)

    def _listed_behind(self, chain: Chain, extent: Size) -> Field:
        if not isinstance(extent, int) or extent * prod(window.taps for window in chain) > MAX_WORK:
            raise TooWide
        return Field(
            tuple(union(self.at(index) for index in reads(chain, output)) for output in range(extent)),
            None,
            self.whole,
        )


def _span(window: Window) -> int:
    """Indices that a window may lie apart from the place of an output, or from the next one's."""
    return window.stride + window.dilation * window.taps + abs(window.offset)


def indices_read(window: Window, output: int) -> range:
    """The input indices that one output reads, in order."""
    start = window.stride * output - window.offset
    common = gcd(window.dilation, window.upsample)
    every = window.upsample // common
    if start % common:
        return range(0)
    first = -start // common * pow(window.dilation // common, -1, every) % every  # the first t that falls on an i
    count = len(range(first, window.taps, every))
    low, step = (start + window.dilation * first) // window.upsample, window.dilation // common
    return range(low, low + count * step, step)


def reads(chain: Chain, output: int) -> list[int]:
    """The input indices that one output reads through a chain of windows, in order."""
    found = [output]
    for window in reversed(chain):
        found = sorted({index for output in found for index in indices_read(window, output)})
    return found


MAX_PERIOD = 2**13  # phases of a table
MAX_WORK = 2**20  # sets looked at for one table
MAX_GRAPH_WORK = 2**22  # the same for all tables of a graph: long networks of large periods have no end
LARGEST = 2**63  # input pixels

_WHOLE = Field((), None, True)
_UNKNOWN = Field((), None, False)

Fields = tuple[Field, ...]  # along each axis of the network


def trace_fields(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Fields]:
    """Node or input name -> its fields along each axis, over all inputs of the graph together."""
    fields: dict[str, Fields] = dict.fromkeys(graph.inputs, (Field(),) * graph.rank)
    work = 0
    for node in graph.nodes:
        known = work < MAX_GRAPH_WORK
        fields[node.name] = _node_fields(node, shapes, fields) if known else (_UNKNOWN,) * graph.rank
        work += _work(node, fields[node.name])
    return fields


def _work(node: Node, fields: Fields) -> int:
    """About how many sets were united for the tables of a node."""
    taps = max(node.op.sliding.kernel) if node.op.sliding is not None else 1
    return sum(field.period * min(taps, field.period) for field in fields)


def _node_fields(node: Node, shapes: Mapping[str, Shape], fields: Mapping[str, Fields]) -> Fields:
    rank = len(fields[node.inputs[0]])
    if not shapes[node.name].size:
        return (_WHOLE,) * rank
    found = tuple(_axis_field(node, axis, shapes, fields) for axis in range(rank))
    if any(field.is_blind for field in found):  # then no pixel is seen, whatever the other axes would have
        return tuple(field.blinded() for field in found)
    return found


def _axis_field(node: Node, axis: int, shapes: Mapping[str, Shape], fields: Mapping[str, Fields]) -> Field:
    sizes, extent = sizes_along(node, axis, shapes), shapes[node.name].size[axis]
    found = []
    for index, name in enumerate(node.inputs):
        if node.op.reads_whole(axis, index, len(node.inputs)) or not shapes[name].size:
            found.append(_WHOLE)
            continue
        try:
            chains = node.op.chains(axis, sizes, index)
        except Undecidable:
            found.append(_WHOLE if fields[name][axis].whole else _UNKNOWN)
            continue
        found += [fields[name][axis].behind(chain, extent) for chain in chains]
    return join(found, extent)


def join(fields: Sequence[Field], extent: Size) -> Field:
    """The union of fields that meet in one tensor of `extent` outputs."""
    if all(field == fields[0] for field in fields):
        return fields[0]
    whole = any(field.whole for field in fields)
    tables = [field for field in fields if field.sets]
    unknown = any(not field.sets and not field.whole for field in fields)
    period = lcm(*(field.period for field in tables)) if tables else 0
    strides = {field.stride for field in tables}
    try:
        if unknown or not tables:
            raise TooWide
        if len(strides) == 1 and None not in strides and period <= MAX_PERIOD:
            (stride,) = strides
            assert stride is not None
            sets = tuple(union(field.at(phase) for field in tables) for phase in range(period))
            return _minimal(Field(sets, int(stride * period), whole))
        if not isinstance(extent, int) or extent * len(tables) > MAX_WORK:
            raise TooWide
        return Field(tuple(union(field.at(p) for field in tables) for p in range(extent)), None, whole)
    except TooWide:
        return _WHOLE if whole else _UNKNOWN


def _minimal(field: Field) -> Field:
    """The same table with the smallest period that repeats it."""
    period, step = field.period, field.step or 0
    for shorter in range(1, period):
        if period % shorter == 0 and step * shorter % period == 0:
            less = Field(field.sets[:shorter], step * shorter // period, field.whole)
            if all(less.at(index) == field.sets[index] for index in range(shorter, period)):
                return less
    return field
