"""Which sizes of the image a network with one input takes: one of them, and the steps from it to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import lcm

from segcompile.facts.fit import fit, for_any_image
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.sizes import AxisSizes
from segcompile.network.graph import Graph
from segcompile.ops import AnySize, Shape, Size
from segcompile.text.errors import Findings

_FREE_SIZES = (256, 512, 1024, 2048)  # where the spec leaves the size open: training crops, the smallest first
_ROOM = 128  # pixels more than the smallest size, if that is large


@dataclass(frozen=True, slots=True)
class Along:
    """Sizes along one axis: start + k * step for every k, from `least` on; of one residue, so that each step gives
    every layer as many pixels more, unless all outputs are of the image's size."""

    step: int
    least: int


@dataclass(frozen=True, eq=False)
class AnyImage:
    """A network for images of any size, whatever its spec says."""

    graph: Graph
    sizes: tuple[AxisSizes, AxisSizes]
    shapes: Mapping[str, Shape]

    def from_size(self, start: Sequence[Size], axis: int) -> Along:
        """The legal sizes that go on from a legal one, which is a number."""
        legal, size = self.sizes[axis].legal, start[axis]
        assert isinstance(size, int)
        step = self._step(axis)
        least = legal.least[size % legal.modulus]
        assert least is not None, "the size is none of the legal ones"
        return Along(step, size - (size - least) // step * step)

    def _step(self, axis: int) -> int:
        (source,) = self.graph.inputs
        outputs = {self.shapes[name].size[axis] for name in self.graph.outputs.values()}
        layers = [] if outputs == {self.shapes[source].size[axis]} else self.shapes.values()
        extents = [shape.size[axis] for shape in layers if shape.size]
        periods = [extent.period for extent in extents if isinstance(extent, AnySize)]
        return lcm(self.sizes[axis].legal.modulus, *periods)


def at_any_size(graph: Graph) -> AnyImage:
    """The network with one input for images of any size. Raises SegcompileError where that cannot be stated."""
    free = for_any_image(graph)
    shapes, (height, width) = fit(free, Findings())
    assert height is not None and width is not None
    return AnyImage(free, (height, width), shapes)


def at_numbers(graph: Graph, free: AnyImage) -> Iterator[tuple[Graph, dict[str, Shape]]]:
    """The graph, and its shapes, at the spec's own size; where that is any, at usual sizes: those at which no stride
    rounds first."""
    ((name, source),) = graph.inputs.items()
    axes = zip(source.size, free.sizes, strict=True)
    for size in dict.fromkeys(product(*(_candidates(extent, sizes) for extent, sizes in axes))):
        fixed, findings = replace(graph, inputs={name: Shape(source.channels, size)}), Findings()
        shapes = infer_shapes(fixed, findings)
        if not findings.has_errors:
            yield fixed, shapes


def _candidates(size: Size, sizes: AxisSizes) -> list[int]:
    if isinstance(size, int):
        return [size]
    sets = [found for found in (sizes.exact, sizes.legal) if found is not None]
    smallest = sets[-1].nearest(1)[1] or 1
    room = 0 if smallest <= _FREE_SIZES[0] else smallest + _ROOM  # an output of more than one pixel
    nearest = [found.nearest(max(least, room))[1] for least in _FREE_SIZES for found in sets]
    return [found for found in nearest if found is not None]
