"""The receptive field of one layer's result, and every question about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import lcm
from typing import TYPE_CHECKING, Literal, TypeVar

from segcompile.facts.coverage.reach import reach
from segcompile.facts.coverage.region import Region
from segcompile.facts.index_set import TooWide
from segcompile.facts.pairs import show
from segcompile.facts.receptive_field import Field, Fields
from segcompile.facts.unknown import why_unknown
from segcompile.facts.why import Adds, Side, attaining_path
from segcompile.notebook.html import Row, table
from segcompile.notebook.net import Net
from segcompile.notebook.padding import SeenPadding
from segcompile.notebook.projective import ProjectiveField, projective_field
from segcompile.notebook.values import Coverage, Phase, PhaseField
from segcompile.ops import Shape, Size, Undecidable
from segcompile.text.errors import SegcompileError, fail

if TYPE_CHECKING:
    from segcompile.facts.coverage.path_counts import PathCounts

T = TypeVar("T")
MOST_STEPS = 2**14  # phases that are listed in pairs; behind gaps, where each is looked for: times nodes
Direction = Literal["top", "bottom", "left", "right"]
DIRECTIONS: Mapping[Direction, tuple[int, Side]] = {
    "top": (0, "low"), "bottom": (0, "high"), "left": (1, "low"), "right": (1, "high"),
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class LayerField:
    """The receptive field of one layer's result. Where a phase may be given and is not, it is the widest one."""

    name: str
    op: str
    _net: Net = field(repr=False)
    _node: str = field(repr=False)

    @property
    def shape(self) -> Shape:
        """Channels, height and width of the result."""
        return self._net.shapes[self._node]

    @property
    def fields(self) -> Fields:
        """The tables along height and width."""
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
    def size(self) -> tuple[int, int] | None:
        """The largest field over all phases; None where it is the whole image or not known (see `unknown`)."""
        return None if self.whole_image else self.local_size

    @property
    def local_size(self) -> tuple[int, int] | None:
        """As `size`, of the paths that do not mix the whole image; None where there are none."""
        return _pair(self.fields[0].local_size, self.fields[1].local_size)

    @cached_property
    def exact(self) -> bool:
        """Whether the tables of `fields` say of every phase what it sees, the rows of one and the columns of the other.
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
        rows, columns = (axis.at(index) for axis, index in zip(self.fields, found.phase, strict=True))
        return (found.rows, found.columns) == ((rows, columns) if rows and columns else (None, None))

    @property
    def few_phases(self) -> bool:
        """Whether `phases` takes no long time."""
        each = len(self._net.graph.nodes) if self._net.has_gaps else 1
        return self.period[0] * self.period[1] * each <= MOST_STEPS

    @property
    def unknown(self) -> str | None:
        """Why no size can be told, if that is so."""
        if self.whole_image or self.size is not None:
            return None
        return why_unknown(self._net.graph, self._net.shapes, self._net.fields, self._node)

    @property
    def stride(self) -> tuple[Fraction, Fraction] | None:
        """Input pixels per output step; None where steps differ."""
        return _pair(*self._net.facts[self._node].stride)

    @property
    def period(self) -> tuple[int, int]:
        """Outputs after which fields repeat: proven minimal, but for layers behind gaps along one axis (a transposed
        convolution with a kernel below its stride), where it is a multiple. The number of outputs where they never do;
        0 where there is no table."""
        return self._period(0), self._period(1)

    def _period(self, axis: int) -> int:
        own = self.fields[axis]
        if not self._net.has_gaps or not own.stride:
            return own.period
        before = self._net.graph.ancestors([self._node]) & self._net.fields.keys()
        shift = lcm(*(self._net.fields[name][axis].step or 1 for name in before))
        return (shift / own.stride).numerator

    def phase(self, y: int, x: int) -> PhaseField:
        """The field of one phase. Raises SegcompileError (SC410) for one that there is not, and behind gaps along one
        axis as `coverage` does."""
        if 0 in self.period:
            why = "it sees the whole image" if self.whole_image else f"its field {self.unknown}"
            raise fail("SC410", f"`{self.name}` has no phases: {why}")
        self._check_phase((y, x))
        if not self._net.has_gaps:
            return PhaseField((y, x), self.fields[0].sets[y], self.fields[1].sets[x])
        region, _ = self._seen((y, x))  # a path that ends along one axis is not seen along the other
        rows, columns = region.along if region is not None else (None, None)
        return PhaseField((y, x), rows, columns)

    def phases(self) -> Iterator[PhaseField]:
        """The field of every phase; none where no table is known."""
        yield from (self.phase(y, x) for y in range(self.period[0]) for x in range(self.period[1]))

    @property
    def widest_phase(self) -> Phase:
        """The first phase, along each axis, that has the largest field."""
        return self.fields[0].widest, self.fields[1].widest

    def coverage(self, phase: Phase | None = None) -> Coverage:
        """Every input pixel (of all inputs together) that an output of this phase sees. Raises SegcompileError
        (SC410) for a phase that there is not, one that sees nothing, and fields too wide or of unknown windows."""
        phase = self._phase_or_widest(phase)
        region, whole = self._seen(phase)
        if region is None and not whole:
            raise fail("SC410", f"`{self.name}` sees no pixel at phase {phase[0]},{phase[1]}")
        return Coverage(region, phase, whole)

    def _seen(self, phase: Phase) -> tuple[Region | None, bool]:
        """The input pixels that paths of windows lead from, and whether another op mixes in the whole image. Raises
        SegcompileError (SC410) for fields too wide or of unknown windows."""
        net = self._net
        try:
            reached = reach(net.graph, net.shapes, self._node, phase)
        except (Undecidable, TooWide) as why:
            raise self._unanswered(why) from None
        products = [p for name in net.graph.inputs if name in reached.regions for p in reached.regions[name].products]
        whole = not reached.whole.isdisjoint(net.graph.inputs)
        return Region(tuple(products)) if products else None, whole

    def touched_by(self, y: int | range, x: int | range, of: str | None = None) -> ProjectiveField:
        """The outputs of this layer that a pixel of the input `of`, or each of those in ranges, touches. Raises
        SegcompileError (SC410) for pixels that there are not, several inputs of which none is named, and fields too
        wide or of unknown windows."""
        try:
            return projective_field(self._net, self._node, y, x, of)
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
            reason = "it sees the whole image at once" if self.whole_image else f"it sees nothing at phase {phase}"
            raise fail("SC410", f"no path to `{self.name}` can be counted: {reason}")
        return found

    def why(self, direction: Direction, phase: Phase | None = None) -> tuple[Adds, ...]:
        """The path of tensors that reaches the field's end in that direction, from the input to this layer. () where
        the field has no ends. Raises SegcompileError (SC410) for a phase or a direction that there is not."""
        if direction not in DIRECTIONS:
            raise fail("SC410", f"a field has no side `{direction}`", help=f"one of {', '.join(DIRECTIONS)}")
        axis, side = DIRECTIONS[direction]
        index, net = self._phase_or_widest(phase)[axis], self._net
        try:
            return attaining_path(net.graph, net.shapes, net.fields, self._node, axis, index, side)
        except Undecidable as why:
            raise self._unanswered(why) from None

    def steps(self, direction: Direction, phase: Phase | None = None) -> list[tuple[str, int, Fraction | None]]:
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
        if found is not None and not found.top:
            message = f"which outputs of `{self.name}` see padding depends on the image's size"
            raise fail("SC410", message, help="give the input a size")
        return found

    @property
    def sources(self) -> tuple[str, ...]:
        """The layers that this one depends on, in order; itself is the last."""
        needed = self._net.graph.ancestors([self._node])
        return tuple(dict.fromkeys(node.layer for node in self._net.graph.nodes if node.name in needed))

    @property
    def image(self) -> tuple[int, int] | None:
        """The size of the inputs; None where it is symbolic, or where they differ."""
        sizes = {shape.size for shape in self._net.graph.inputs.values()}
        height, width = sizes.pop() if len(sizes) == 1 else (None, None)
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def middle(self, phase: Phase) -> tuple[int, int]:
        """How many input pixels (down, right) the field of this phase moves to become that of the output of the same
        phase next to the middle of the map; (0, 0) where fields do not repeat or the size is symbolic."""
        if not self.shape.size:
            return 0, 0
        height, width = (_to_middle(self.fields[axis], self.shape.size[axis], phase[axis]) for axis in (0, 1))
        return height, width

    def _phase_or_widest(self, phase: Phase | None) -> Phase:
        if phase is None:
            return self.widest_phase
        self._check_phase(phase)
        return phase

    def _check_phase(self, phase: Phase) -> None:
        for axis, way in enumerate(("vertically", "horizontally")):
            period, repeats = self.period[axis], self.fields[axis].step is not None
            if period and not 0 <= phase[axis] < period:
                word = "phase" if repeats else "output"
                known = f"its fields repeat after {period}" if repeats else f"there are {period}"
                message = f"`{self.name}` has no {word} {phase[axis]} {way}: {known}"
                raise fail("SC410", message, help=f"0 to {period - 1}" if period > 1 else f"there is only {word} 0")

    def _unanswered(self, why: Exception) -> SegcompileError:
        if isinstance(why, Undecidable):
            help = "give the input a size"
            return fail("SC410", f"the field of `{self.name}` depends on the image's size: {why}", help=help)
        message = f"the field of `{self.name}` is too large for its pixels to be counted one by one"
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
        if self.size == (0, 0):
            return "sees nothing: receptive field 0"
        if self.size is not None:
            bound = self.data_dependent or not self.exact
            return f"receptive field {'at most ' if bound else ''}{show(self.size)}"
        if not self.whole_image:
            return f"receptive field {self.unknown}"
        local = self.local_size
        besides = f", {show(local)} without the global path" if local and any(local) else ""
        return f"receptive field: the whole image{besides}"


def _to_middle(axis: Field, extent: Size, phase: int) -> int:
    if axis.step is None or not axis.period or not isinstance(extent, int):
        return 0
    turns = min(round((extent // 2 - phase) / axis.period), (extent - 1 - phase) // axis.period)
    return max(turns, 0) * axis.step


def _pair(height: T | None, width: T | None) -> tuple[T, T] | None:
    return None if height is None or width is None else (height, width)
