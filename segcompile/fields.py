"""Receptive fields for notebooks and programs: `segcompile.receptive_field("specs/unet.yaml")`.

Everything here is frozen and computed when asked for. Sizes are in input pixels, pairs are (height, width), indices
count from 0 and may be negative: fields run on into the padding. What cannot be answered raises SegcompileError.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from segcompile.analysis.coverage.reach import reach
from segcompile.analysis.coverage.region import Region
from segcompile.analysis.facts import Facts, analyse
from segcompile.analysis.index_set import IndexSet, TooWide
from segcompile.analysis.receptive_field import Field
from segcompile.analysis.shapes import infer_shapes
from segcompile.analysis.why import Adds, Side, attaining_path
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.errors import Findings, SegcompileError, did_you_mean, fail
from segcompile.graph import Graph
from segcompile.ops import AXES, Shape, Undecidable
from segcompile.passes.derive_crops import derive_crops

if TYPE_CHECKING:
    from segcompile.analysis.coverage.path_counts import PathCounts

T = TypeVar("T")
Phase = tuple[int, int]
Direction = Literal["top", "bottom", "left", "right"]
DIRECTIONS: Mapping[Direction, tuple[int, Side]] = {
    "top": (0, "low"), "bottom": (0, "high"), "left": (1, "low"), "right": (1, "high"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PhaseField:
    """What output pixels (y, x) = phase + n * period see, at n = 0: index sets along both axes, None for nothing."""

    phase: Phase
    rows: IndexSet | None
    columns: IndexSet | None

    @property
    def size(self) -> tuple[int, int]:
        """From the first to the last input pixel; (0, 0) where nothing is seen."""
        return (self.rows.width, self.columns.width) if self.rows and self.columns else (0, 0)

    @property
    def start(self) -> tuple[int, int] | None:
        """The first row and column."""
        return (self.rows.low, self.columns.low) if self.rows and self.columns else None

    @property
    def touched(self) -> tuple[int, int]:
        """Rows and columns of which some pixel is seen: fewer than `size` where there are holes."""
        return (self.rows.count, self.columns.count) if self.rows and self.columns else (0, 0)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The exact set of input pixels that one output pixel sees, by the paths that do not mix the whole image."""

    phase: Phase
    region: Region
    whole_image: bool  # every other pixel is seen as well, through an op that mixes the whole image

    @property
    def count(self) -> int:
        """Pixels seen."""
        return self.region.count

    @property
    def size(self) -> tuple[int, int]:
        """The smallest rectangle around them."""
        return self.region.rows.width, self.region.columns.width

    @property
    def touched(self) -> tuple[int, int]:
        """Rows and columns that hold a pixel: the projections."""
        return self.region.rows.count, self.region.columns.count

    @property
    def fill(self) -> Fraction:
        """Pixels seen, of the rectangle."""
        return Fraction(self.count, self.size[0] * self.size[1])

    @property
    def fill_of_projections(self) -> Fraction:
        """Pixels seen, of rows x columns that hold one: below 1 where branches see different pixels."""
        return Fraction(self.count, self.touched[0] * self.touched[1])


@dataclass(frozen=True, eq=False)
class LayerField:
    """The receptive field of one layer's result."""

    name: str
    op: str
    shape: Shape
    fields: tuple[Field, Field] = field(repr=False)  # the tables along height and width
    data_dependent: bool  # the field is a bound: which part of it counts depends on the image
    _net: _Net = field(repr=False)
    _node: str = field(repr=False)

    @property
    def whole_image(self) -> bool:
        """Whether every input pixel reaches every output; `local_size` is that of the paths that see less."""
        return any(axis.whole for axis in self.fields)

    @property
    def size(self) -> tuple[int, int] | None:
        """The largest field over all phases; None where it is the whole image or depends on a symbolic size."""
        return _pair(self.fields[0].size, self.fields[1].size)

    @property
    def local_size(self) -> tuple[int, int] | None:
        """As `size`, of the paths that do not mix the whole image; None where there are none."""
        return _pair(self.fields[0].local_size, self.fields[1].local_size)

    @property
    def stride(self) -> tuple[Fraction, Fraction] | None:
        """Input pixels per output step; None where steps differ."""
        return _pair(self.fields[0].stride, self.fields[1].stride)

    @property
    def period(self) -> tuple[int, int]:
        """Outputs after which fields repeat: proven minimal, but for layers behind gaps along one axis (a transposed
        convolution with a kernel below its stride), where it is a multiple. The number of outputs where they never do.
        """
        return self._period(0), self._period(1)

    def _period(self, axis: int) -> int:
        own = self.fields[axis]
        if not self._net.has_gaps or own.stride is None or not own.stride:
            return own.period
        before = self._net.graph.ancestors([self._node]) & self._net.facts.keys()
        shift = lcm(*(self._net.facts[name].fields[axis].step or 1 for name in before))
        return Fraction(shift / own.stride).numerator

    def phase(self, y: int, x: int) -> PhaseField:
        """The field of one phase. Raises SegcompileError (SC410) for one that there is not."""
        self._check_phase((y, x))
        if self._net.has_gaps:  # a path that ends along one axis is not seen along the other
            try:
                region = self.coverage((y, x)).region
            except SegcompileError:
                return PhaseField((y, x), None, None)
            return PhaseField((y, x), region.rows, region.columns)
        return PhaseField((y, x), self.fields[0].sets[y], self.fields[1].sets[x])

    def phases(self) -> Iterator[PhaseField]:
        """The field of every phase; none where no table is known."""
        yield from (self.phase(y, x) for y in range(self.period[0]) for x in range(self.period[1]))

    @property
    def widest_phase(self) -> Phase:
        """The first phase, along each axis, that has the largest field."""
        return self.fields[0].widest, self.fields[1].widest

    def coverage(self, phase: Phase = (0, 0)) -> Coverage:
        """Every input pixel (of all inputs together) that an output of this phase sees. Raises SegcompileError
        (SC410) for a phase that there is not, one that sees nothing, and fields too wide or of unknown windows."""
        self._check_phase(phase)
        net = self._net
        try:
            reached = reach(net.graph, net.shapes, self._node, phase)
        except (Undecidable, TooWide) as why:
            raise self._unanswered(why) from None
        products = [p for name in net.graph.inputs if name in reached.regions for p in reached.regions[name].products]
        if not products:
            raise fail("SC410", f"`{self.name}` sees no pixel at phase {phase}")
        return Coverage(phase, Region(tuple(products)), not reached.whole.isdisjoint(net.graph.inputs))

    def path_counts(self, phase: Phase = (0, 0)) -> PathCounts:
        """How many paths lead from each input pixel to an output of this phase, and the radii that hold a share of
        them. Raises SegcompileError as `coverage` does. Needs numpy."""
        from segcompile.analysis.coverage.path_counts import TooLarge, count_paths

        self._check_phase(phase)
        try:
            found = count_paths(self._net.graph, self._net.shapes, self._node, phase)
        except (Undecidable, TooLarge) as why:
            raise self._unanswered(why) from None
        if found is None:
            raise fail("SC410", f"no path leads to `{self.name}` at phase {phase}")
        return found

    def why(self, direction: Direction, phase: Phase | None = None) -> tuple[Adds, ...]:
        """The path of layers that reaches the field's end in that direction, from the input to this layer, for the
        widest phase unless one is given. () where the field has no ends."""
        if phase is not None:
            self._check_phase(phase)
        axis, side = DIRECTIONS[direction]
        index = (phase or self.widest_phase)[axis]
        fields = {name: fact.fields for name, fact in self._net.facts.items()}
        try:
            return attaining_path(self._net.graph, self._net.shapes, fields, self._node, axis, index, side)
        except Undecidable as why:
            raise self._unanswered(why) from None

    @property
    def image(self) -> tuple[int, int] | None:
        """The size of the inputs; None where it is symbolic, or where they differ."""
        sizes = {shape.size for shape in self._net.graph.inputs.values()}
        height, width = sizes.pop() if len(sizes) == 1 else (None, None)
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def middle(self, phase: Phase) -> tuple[int, int]:
        """How many input pixels (down, right) the field of this phase moves to become that of the output in the middle
        of the map; (0, 0) where fields do not repeat or the size is symbolic."""
        found: list[int] = []
        for axis, size in zip(self.fields, self.shape.size, strict=True):
            turns = (size // 2 - phase[len(found)]) // axis.period if isinstance(size, int) and axis.step else 0
            found.append(turns * (axis.step or 0))
        return found[0], found[1]

    def layer_of(self, node: str) -> str:
        """The layer that a node of the network belongs to; inputs are themselves."""
        known = self._net.graph.by_name
        return known[node].layer if node in known else node

    def _check_phase(self, phase: Phase) -> None:
        for axis in AXES:
            period = self.period[axis]
            if period and not 0 <= phase[axis] < period:
                what = ("vertically", "horizontally")[axis]
                message = f"`{self.name}` has no phase {phase[axis]} {what}: its fields repeat after {period}"
                raise fail("SC410", message, help=f"0 to {period - 1}" if period > 1 else "there is only phase 0")

    def _unanswered(self, why: Exception) -> SegcompileError:
        if isinstance(why, Undecidable):
            help = "give the input a size"
            return fail("SC410", f"the field of `{self.name}` depends on the image's size: {why}", help=help)
        message = f"the field of `{self.name}` is too wide to list its pixels"
        return fail("SC410", message, help="ask for a layer further in, or for the sizes alone")


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """The receptive fields of a network: `layers` by name, in order; `outputs`: head -> layer."""

    model: str
    layers: Mapping[str, LayerField]
    outputs: Mapping[str, str]

    def __getitem__(self, name: str) -> LayerField:
        """The layer, or the output head, of that name. Raises SegcompileError (SC102)."""
        if name in self.layers:
            return self.layers[name]
        if name in self.outputs:
            return self.layers[self.outputs[name]]
        help = did_you_mean(name, (*self.layers, *self.outputs)) or "`segcompile rf SPEC` lists the layers"
        raise fail("SC102", f"there is no layer `{name}` in {self.model}", help=help)


@dataclass(frozen=True, eq=False)
class _Net:
    graph: Graph
    shapes: Mapping[str, Shape]
    facts: Facts

    @cached_property
    def has_gaps(self) -> bool:
        """Whether some outputs of some layer see nothing along an axis."""
        return any(None in axis.sets for fact in self.facts.values() for axis in fact.fields)


def receptive_field(
    spec: str | Path | Graph | Compiled, *, variant: str | None = None, overrides: Mapping[str, int] | None = None
) -> ReceptiveField:
    """The receptive fields of a spec (a path, or the name of a bundled one), or of a graph.

    Raises SegcompileError with everything that is wrong with the spec, false claims excepted.
    """
    if isinstance(spec, str | Path):
        spec = compile_spec(find_spec(str(spec)), Findings(), variant=variant, overrides=overrides)
    if isinstance(spec, Compiled):
        return _view(spec.model, spec.graph, spec.facts)
    findings = Findings()
    graph = derive_crops(spec, infer_shapes(spec, findings), findings)
    findings.stop_on_errors()
    facts = analyse(graph, infer_shapes(graph, findings), findings)
    findings.stop_on_errors()
    return _view(graph.model, graph, facts)


def _view(model: str, graph: Graph, facts: Facts) -> ReceptiveField:
    net = _Net(graph, {**graph.inputs, **{name: fact.shape for name, fact in facts.items()}}, facts)
    bounds = _data_dependent(graph)
    layers = {}
    for name, nodes in graph.layers.items():
        node, fact = nodes[-1].name, facts[nodes[-1].name]
        layers[name] = LayerField(name, nodes[0].op.title, fact.shape, fact.fields, node in bounds, net, node)
    outputs = {head: graph.by_name[node].layer for head, node in graph.outputs.items() if node in graph.by_name}
    return ReceptiveField(model, layers, outputs)


def _data_dependent(graph: Graph) -> frozenset[str]:
    """The nodes that depend on an op whose windows are a bound."""
    found: set[str] = set()
    for node in graph.nodes:
        if getattr(node.op, "data_dependent", False) or not found.isdisjoint(node.inputs):
            found.add(node.name)
    return frozenset(found)


def _pair(height: T | None, width: T | None) -> tuple[T, T] | None:
    return None if height is None or width is None else (height, width)
