"""Which outputs see padding: how many at the start and at the end of each axis, through any path.

An output is clean if every index it reads, on every path back to the inputs, lies inside the tensor that it reads:
it sees no padding (zero, reflect and edge alike), no window that overhangs the border, no pixel that interpolation
repeats at it, no missing neighbour of a transposed convolution. Clean outputs would be the same if the image went on
beyond its border; so a tile's clean outputs are the whole image's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

from segcompile.analysis.alignment import place_nodes, window_of
from segcompile.analysis.shapes import infer_shapes
from segcompile.errors import Findings
from segcompile.graph import Graph, Node
from segcompile.ops import AXES, AnySize, Shape, Undecidable, Window


@dataclass(frozen=True, slots=True)
class Border:
    """Along one axis of a tensor of `size` pixels: the outputs that see padding at the start and at the end.

    `before` holds for every size of the image at which the windows are the same; `after` for this one. Both are
    counted as if the tensor went on: together they may exceed `size`, and then nothing is clean. Every output in
    between is clean, and both outputs next to it are not; where a transposed convolution leaves gaps (kernel below
    stride) or is dilated, clean ones may stand outside.
    """

    before: int
    after: int
    size: int

    @property
    def clean(self) -> range:
        """The outputs that see no padding; empty if there are none."""
        return range(self.before, max(self.before, self.size - self.after))

    def behind(self, window: Window, size: int) -> Border:
        """The border of the `size` outputs of a window on this tensor."""
        last = self.size - self.after  # the first index of the source that is not clean, from above
        first = (window.upsample * (self.before - 1) + window.offset) // window.stride + 1
        end = -((window.reach - window.offset - window.upsample * last) // window.stride)
        return Border(max(0, first), max(0, size - end), size)


Borders = tuple[Border | None, Border | None]  # height and width; None: everything, behind a whole-image op


def trace_borders(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Borders]:
    """Node or input name -> its borders along height and width, for shapes without symbols.

    None stands for everything: behind a whole-image op, and for vectors.
    """
    borders: dict[str, Borders] = {name: _untouched(shapes[name]) for name in graph.inputs}
    for node in graph.nodes:
        height, width = (_border(node, axis, shapes, borders) for axis in AXES)
        borders[node.name] = height, width
    return borders


def _untouched(shape: Shape) -> Borders:
    if len(shape.size) != 2:
        return None, None
    height, width = shape.size
    if not isinstance(height, int) or not isinstance(width, int):
        raise ValueError("borders need sizes in pixels; `borders_of_any_size` is for others")
    return Border(0, 0, height), Border(0, 0, width)


def _border(node: Node, axis: int, shapes: Mapping[str, Shape], borders: Mapping[str, Borders]) -> Border | None:
    """The widest of what the node's windows make of its inputs' borders."""
    if node.op.whole_image or len(shapes[node.name].size) != 2:
        return None
    size = shapes[node.name].size[axis]
    assert isinstance(size, int)
    before = after = 0
    for index, name in enumerate(node.inputs):
        window = window_of(node, axis, shapes, index)
        if window is None:
            continue
        source = borders[name][axis]
        if source is None or not window.stride:  # a single pixel, stretched, is the whole image's
            return None
        found = source.behind(window, size)
        before, after = max(before, found.before), max(after, found.after)
    return Border(before, after, size)


MOST_SIZES = 128  # of the image, that are looked at for one of any size
_LARGE = 2**12  # pixels of the first of them: no window is too large for it


@dataclass(frozen=True, slots=True)
class AnyBorder:
    """The borders of a tensor over all images that the network takes, along one axis: every value that occurs.

    One value of `before`, and one of `after` where no stride leaves a remainder that the size decides. `proven` says
    that all sizes were covered; otherwise (a period beyond MOST_SIZES, a resize whose ratio depends on the image) the
    values are those of some.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    proven: bool


def borders_of_any_size(
    graph: Graph, shapes: Mapping[str, Shape]
) -> dict[str, tuple[AnyBorder | None, AnyBorder | None]]:
    """Node or input name -> its borders along height and width, for inputs with symbolic sizes; None: everything.

    The image's size is taken through one period of the network's strides; sizes that some op refuses are left out.
    """
    period = _period(graph, shapes)
    seen: list[dict[str, Borders]] = []
    for size in range(_LARGE, _LARGE + min(period, MOST_SIZES)):
        findings = Findings()
        at = infer_shapes(graph, findings, {name: _at(shape, size) for name, shape in graph.inputs.items()})
        if not findings.has_errors:
            seen.append(trace_borders(graph, at))
    proven = period <= MOST_SIZES and _is_even(graph, shapes)
    found = {}
    for name in (*graph.inputs, *graph.by_name):
        height, width = (_gathered([borders[name][axis] for borders in seen], proven) for axis in AXES)
        found[name] = height, width
    return found


def _at(shape: Shape, size: int) -> Shape:
    return Shape(shape.channels, tuple(size if isinstance(side, AnySize) else side for side in shape.size))


def _period(graph: Graph, shapes: Mapping[str, Shape]) -> int:
    """By how many pixels an image may grow so that every tensor grows by whole pixels."""
    places = place_nodes(graph, shapes).values()
    return lcm(1, *(item.scale.numerator for pair in places for maps in pair for item in maps.every))


def _is_even(graph: Graph, shapes: Mapping[str, Shape]) -> bool:
    """Whether every window is the same for every image."""
    for node in graph.nodes:
        for axis in AXES if all(shapes[name].size for name in node.inputs) else ():
            for index in range(len(node.inputs)):
                try:
                    node.op.window(axis, [shapes[name].size[axis] for name in node.inputs], index)
                except Undecidable:
                    return False
    return True


def _gathered(borders: Sequence[Border | None], proven: bool) -> AnyBorder | None:
    known = [border for border in borders if border is not None]
    if len(known) < len(borders) or not known:
        return None
    before, after = ({border.before for border in known}, {border.after for border in known})
    return AnyBorder(tuple(sorted(before)), tuple(sorted(after)), proven)
