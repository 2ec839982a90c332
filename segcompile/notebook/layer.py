"""The receptive field of one layer's result, and every question about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import lcm, prod
from typing import TYPE_CHECKING, TypeVar

from segcompile.facts.coverage.reach import reach
from segcompile.facts.coverage.region import Region, whole
from segcompile.facts.index_set import TooWide
from segcompile.facts.pairs import show
from segcompile.facts.receptive_field import Field, Fields
from segcompile.facts.unknown import why_unknown
from segcompile.facts.why import Adds, Side, attaining_path
from segcompile.notebook.html import Row, table
from segcompile.notebook.net import Net
from segcompile.notebook.padding import SeenPadding
from segcompile.notebook.projective import ProjectiveField, projective_field
from segcompile.notebook.values import Coverage, Phase, PhaseField, check_numbers, shown
from segcompile.ops import AXIS_NAMES, CELL, ENDS, MEDIUM, Shape, Size, Undecidable
from segcompile.text.errors import SegcompileError, fail

if TYPE_CHECKING:
    from segcompile.facts.coverage.path_counts import PathCounts

T = TypeVar("T")
MOST_STEPS = 2**14  # phases that are listed, of all axes together; behind gaps, where each is looked for: times nodes
SIDES: tuple[Side, Side] = ("low", "high")
DIRECTIONS: Mapping[int, Mapping[str, tuple[int, Side]]] = {
    rank: {end: (axis, side) for axis, both in enumerate(ends) for end, side in zip(both, SIDES, strict=True)}
    for rank, ends in ENDS.items()
}  # by rank: the end of a field -> where it is


@dataclass(frozen=True, eq=False, repr=False)
class LayerField:
    """The receptive field of one layer's result. Where a phase may be given and is not, it is the widest one. Numbers
    come one an axis, of an image (height, width)."""

    name: str
    op: str
    _net: Net = field(repr=False)
    _node: str = field(repr=False)

    @property
    def shape(self) -> Shape:
        """Channels and size of the result."""
        return self._net.shapes[self._node]

    @property
    def rank(self) -> int:
        """The axes of the network: 1 for signals, 2 for images, 3 for volumes."""
        return self._net.graph.rank

    @property
    def fields(self) -> Fields:
        """The tables along each axis."""
        return self._net.facts[self._node].fields

    @property
    def data_dependent(self) -> bool:
        """Whether the field is a bound: which part of it an output depends on is decided by the image."""
        return self._net.facts[self._node].bound

    @property
    def whole_image(self) -> bool:
        """Whether every input pixel reaches every output; `local_size` is that of the paths that see less."""
        return any(axis.whole for axis in self.fields)

    @property
    def size(self) -> tuple[int, ...] | None:
        """The largest field over all phases; None where it is the whole image or not known (see `unknown`)."""
        return None if self.whole_image else self.local_size

    @property
    def local_size(self) -> tuple[int, ...] | None:
        """As `size`, of the paths that do not mix the whole image; None where there are none."""
        return _known([axis.local_size for axis in self.fields])

    @cached_property
    def exact(self) -> bool:
        """Whether the tables of `fields` say of every phase what it sees: the product of what they say along each axis.
        Else they are bounds, as behind gaps along one axis some phases see less, or that is not known."""
        if not self._net.has_gaps:
            return True
        before = self._net.graph.ancestors([self._node]) & self._net.fields.keys()
        if not any(None in axis.sets for name in before for axis in self._net.fields[name]):
            return True
        if not self.few_phases:
            return False
        try:
            return all(self._is_told(found) for found in self.phases())
        except SegcompileError:
            return False

    def _is_told(self, found: PhaseField) -> bool:
        return found.along == whole(axis.at(index) for axis, index in zip(self.fields, found.phase, strict=True))

    @property
    def few_phases(self) -> bool:
        """Whether `phases` takes no long time."""
        each = len(self._net.graph.nodes) if self._net.has_gaps else 1
        return prod(self.period) * each <= MOST_STEPS

    @property
    def unknown(self) -> str | None:
        """Why no size can be told, if that is so."""
        if self.whole_image or self.size is not None:
            return None
        return why_unknown(self._net.graph, self._net.shapes, self._net.fields, self._node)

    @property
    def stride(self) -> tuple[Fraction, ...] | None:
        """Input pixels per output step; None where steps differ."""
        return _known(self._net.facts[self._node].stride)

    @property
    def period(self) -> tuple[int, ...]:
        """Outputs after which fields repeat: proven minimal, but for layers behind gaps along one axis (a transposed
        convolution with a kernel below its stride), where it is a multiple. The number of outputs where they never do;
        0 where there is no table."""
        return tuple(map(self._period, range(self.rank)))

    def _period(self, axis: int) -> int:
        own = self.fields[axis]
        if not self._net.has_gaps or not own.stride:
            return own.period
        before = self._net.graph.ancestors([self._node]) & self._net.fields.keys()
        shift = lcm(*(self._net.fields[name][axis].step or 1 for name in before))
        return (shift / own.stride).numerator

    def phase(self, *phase: int) -> PhaseField:
        """The field of one phase, of an image `phase(y, x)`. Raises SegcompileError (SC410) for one that there is not,
        and behind gaps along one axis as `coverage` does."""
        if 0 in self.period:
            why = f"it sees {self._everything}" if self.whole_image else f"its field {self.unknown}"
            raise fail("SC410", f"`{self.name}` has no phases: {why}")
        self._check_phase(phase)
        if not self._net.has_gaps:
            return PhaseField(phase, whole(axis.sets[index] for axis, index in zip(self.fields, phase, strict=True)))
        region, _ = self._seen(phase)  # a path that ends along one axis is not seen along the others
        return PhaseField(phase, region.along if region is not None else None)

    def phases(self) -> Iterator[PhaseField]:
        """The field of every phase; none where no table is known."""
        yield from (self.phase(*phase) for phase in product(*map(range, self.period)))

    @property
    def widest_phase(self) -> Phase:
        """The first phase, along each axis, that has the largest field."""
        return tuple(axis.widest for axis in self.fields)

    def coverage(self, phase: Phase | None = None) -> Coverage:
        """Every input pixel (of all inputs together) that an output of this phase sees. Raises SegcompileError
        (SC410) for a phase that there is not, one that sees nothing, and fields too wide or of unknown windows."""
        phase = self._phase_or_widest(phase)
        region, everything = self._seen(phase)
        if region is None and not everything:
            raise fail("SC410", f"`{self.name}` sees no {CELL[self.rank]} at phase {shown(phase)}")
        return Coverage(region, self.rank, phase, everything)

    def _seen(self, phase: Phase) -> tuple[Region | None, bool]:
        """The input pixels that paths of windows lead from, and whether another op mixes in the whole image. Raises
        SegcompileError (SC410) for fields too wide or of unknown windows."""
        net = self._net
        try:
            reached = reach(net.graph, net.shapes, self._node, phase)
        except (Undecidable, TooWide) as why:
            raise self._unanswered(why) from None
        products = [p for name in net.graph.inputs if name in reached.regions for p in reached.regions[name].products]
        everything = not reached.whole.isdisjoint(net.graph.inputs)
        return Region(tuple(products)) if products else None, everything

    def touched_by(self, *pixels: int | range, of: str | None = None) -> ProjectiveField:
        """The outputs of this layer that a pixel of the input `of`, or each of those in ranges, touches: of an image
        `touched_by(y, x)`. Raises SegcompileError (SC410) for pixels that there are not, several inputs of which none
        is named, and fields too wide or of unknown windows."""
        try:
            return projective_field(self._net, self._node, pixels, of)
        except (Undecidable, TooWide) as why:
            raise self._unanswered(why) from None

    def path_counts(self, phase: Phase | None = None) -> PathCounts:
        """How many paths lead from each input pixel to an output of this phase, and the radii that hold a share of
        them. Raises SegcompileError (SC410) as `coverage` does, and where no path is local. Needs numpy."""
        from segcompile.facts.coverage.path_counts import TooLarge, count_paths

        phase = self._phase_or_widest(phase)
        try:
            found = count_paths(self._net.graph, self._net.shapes, self._node, phase)
        except (Undecidable, TooLarge) as why:
            raise self._unanswered(why) from None
        if found is None:
            seen = f"{self._everything} at once" if self.whole_image else f"nothing at phase {shown(phase)}"
            raise fail("SC410", f"no path to `{self.name}` can be counted: it sees {seen}")
        return found

    def why(self, direction: str, phase: Phase | None = None) -> tuple[Adds, ...]:
        """The path of tensors that reaches the field's end in that direction (`top`, .. of an image), from the input to
        this layer. () where the field has no ends. Raises SegcompileError (SC410) for a phase or a direction that there
        is not."""
        known = DIRECTIONS[self.rank]
        if direction not in known:
            raise fail("SC410", f"a field has no side `{direction}`", help=f"one of {', '.join(known)}")
        axis, side = known[direction]
        index, net = self._phase_or_widest(phase)[axis], self._net
        try:
            return attaining_path(net.graph, net.shapes, net.fields, self._node, axis, index, side)
        except Undecidable as why:
            raise self._unanswered(why) from None

    def steps(self, direction: str, phase: Phase | None = None) -> list[tuple[str, int, Fraction | None]]:
        """`why` by layers: (layer or input, index of its result, pixels that it adds with all it carries), in order."""
        found: dict[str, tuple[int, Fraction | None]] = {}
        for item in self.why(direction, phase):
            name = self._net.graph.layer_of(item.node)
            _, had = found.get(name, (0, Fraction(0)))
            found[name] = item.index, None if had is None or item.pixels is None else had + item.pixels
        return [(name, index, pixels) for name, (index, pixels) in found.items()]

    @property
    def padding(self) -> SeenPadding | None:
        """Which outputs see padding; None where every one depends on all borders of the image: behind an op that mixes
        the whole image, or one pixel stretched over a map. Raises SegcompileError (SC410) where sizes are unknown."""
        found = self._net.padding[self._node]
        if found is not None and not all(before for before, _ in found.sides):
            message = f"which outputs of `{self.name}` see padding depends on the {MEDIUM[self.rank]}'s size"
            raise fail("SC410", message, help="give the input a size")
        return found

    @property
    def sources(self) -> tuple[str, ...]:
        """The layers that this one depends on, in order; itself is the last."""
        needed = self._net.graph.ancestors([self._node])
        return tuple(dict.fromkeys(node.layer for node in self._net.graph.nodes if node.name in needed))

    @property
    def image(self) -> tuple[int, ...] | None:
        """The size of the inputs; None where it is symbolic, or where they differ."""
        sizes = {shape.size for shape in self._net.graph.inputs.values()}
        return _known([size if isinstance(size, int) else None for size in sizes.pop()]) if len(sizes) == 1 else None

    def middle(self, phase: Phase) -> tuple[int, ...]:
        """How many input pixels (of an image down and right) the field of this phase moves to become that of the output
        of the same phase next to the middle of the map; 0 where fields do not repeat or the size is symbolic."""
        return tuple(map(_to_middle, self.fields, self.shape.size or (0,) * self.rank, phase))

    def _phase_or_widest(self, phase: Phase | None) -> Phase:
        if phase is None:
            return self.widest_phase
        self._check_phase(phase)
        return phase

    def _check_phase(self, phase: Phase) -> None:
        check_numbers(f"phase {shown(phase)}", len(phase), self.rank)
        for axis, name in enumerate(AXIS_NAMES[self.rank]):
            period, repeats = self.period[axis], self.fields[axis].step is not None
            if period and not 0 <= phase[axis] < period:
                word = "phase" if repeats else "output"
                known = f"its fields repeat after {period}" if repeats else f"there are {period}"
                message = f"`{self.name}` has no {word} {phase[axis]} along the {name}: {known}"
                raise fail("SC410", message, help=f"0 to {period - 1}" if period > 1 else f"there is only {word} 0")

    def _unanswered(self, why: Exception) -> SegcompileError:
        if isinstance(why, Undecidable):
            help = "give the input a size"
            message = f"the field of `{self.name}` depends on the {MEDIUM[self.rank]}'s size: {why}"
            return fail("SC410", message, help=help)
        message = f"the field of `{self.name}` is too large for its {CELL[self.rank]}s to be counted one by one"
        return fail("SC410", message, help="ask for a layer further in, or for the sizes alone")

    def __repr__(self) -> str:
        stride = f", stride {show(self.stride)}" if self.stride else ""
        return f"<{self.name}, {self.op}: {self.summary}{stride}>"

    def _repr_html_(self) -> str:
        return table(self.name, [self.row])

    @property
    def row(self) -> Row:
        """What a notebook's table says of the layer."""
        field = self.summary.removeprefix("receptive field").lstrip(" :")
        stride = show(self.stride) if self.stride is not None else ""
        return self.name, self.op, str(self.shape), stride, field, show(self.period)

    @property
    def summary(self) -> str:
        """`receptive field 67`, or what else is true of it, in one line."""
        if self.size is not None and not any(self.size):
            return "sees nothing: receptive field 0"
        if self.size is not None:
            bound = self.data_dependent or not self.exact
            return f"receptive field {'at most ' if bound else ''}{show(self.size)}"
        if not self.whole_image:
            return f"receptive field {self.unknown}"
        local = self.local_size
        besides = f", {show(local)} without the global path" if local and any(local) else ""
        return f"receptive field: {self._everything}{besides}"

    @property
    def _everything(self) -> str:
        return f"the whole {MEDIUM[self.rank]}"


def _to_middle(axis: Field, extent: Size, phase: int) -> int:
    if axis.step is None or not axis.period or not isinstance(extent, int):
        return 0
    turns = min(round((extent // 2 - phase) / axis.period), (extent - 1 - phase) // axis.period)
    return max(turns, 0) * axis.step


def _known(each: Sequence[T | None]) -> tuple[T, ...] | None:
    found = tuple(value for value in each if value is not None)
    return found if len(found) == len(each) else None
