"""Which outputs see padding: how many at the start and at the end of each axis, through any path.

An output is clean if every index it reads, on every path back to the inputs, lies inside the tensor that it reads:
it sees no padding (of any mode), no window that overhangs the border, no pixel that interpolation
repeats at it, no missing neighbour of a transposed convolution. Clean outputs would be the same if the image went on
beyond its border; so a tile's clean outputs are the whole image's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segcompile.facts.alignment import chains_of, window_of
from segcompile.network.graph import Graph, Node
from segcompile.ops import Chain, Shape, Window


@dataclass(frozen=True, slots=True)
class Border:
    """Along one axis of a tensor of `size` pixels: the outputs that see padding at the start and at the end.

    `before` holds for every size of the image at which the windows are the same; `after` for this one. Both are
    counted as if the tensor went on: together they may exceed `size`, and then nothing is clean. Every output in
    between is clean, and both outputs next to it are not; in tensors that `ragged` names, clean ones may stand outside.
    """

    before: int
    after: int
    size: int

    @property
    def clean(self) -> range:
        """The outputs that see no padding; empty if there are none."""
        return range(self.before, max(self.before, self.size - self.after))

    def behind(self, chain: Chain, size: int) -> Border:
        """The border of the `size` outputs of a chain of windows on this tensor."""
        first, end = self.before, self.size - self.after
        for window in chain:
            first, end = first_behind(window, first), end_behind(window, end)
        return Border(max(0, first), max(0, size - end), size)


def first_behind(window: Window, first: int) -> int:
    """The first output of a window that reads nothing before index `first`."""
    return (window.upsample * (first - 1) + window.offset) // window.stride + 1


def end_behind(window: Window, end: int) -> int:
    """The first output of a window that reads something from index `end` on."""
    return -((window.reach - window.offset - window.upsample * end) // window.stride)


Borders = tuple[Border | None, ...]  # along each axis; None: everything, behind an op of the whole image or of places


def trace_borders(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, Borders]:
    """Node or input name -> its borders along each axis, for shapes without symbols.

    None stands for everything: behind a whole-image op, behind one that treats each position of the map otherwise, and
    for vectors.
    """
    nothing: Borders = (None,) * graph.rank
    borders = {name: _untouched(shapes[name]) or nothing for name in graph.inputs}
    for node in graph.nodes:
        borders[node.name] = tuple(_border(node, axis, shapes, borders) for axis in range(graph.rank))
    return borders


def _untouched(shape: Shape) -> Borders:
    """The borders of an input; () of a vector."""
    extents = tuple(size for size in shape.size if isinstance(size, int))
    if len(extents) < len(shape.size):
        raise ValueError("borders need sizes in pixels; `borders_of_any_size` is for others")
    return tuple(Border(0, 0, extent) for extent in extents)


def _border(node: Node, axis: int, shapes: Mapping[str, Shape], borders: Mapping[str, Borders]) -> Border | None:
    """The widest of what the node's windows make of its inputs' borders."""
    if node.op.whole_image or node.op.positional or not shapes[node.name].size:
        return None
    size = shapes[node.name].size[axis]
    assert isinstance(size, int)
    before = after = 0
    for index, name in enumerate(node.inputs):
        source = borders[name][axis]
        for chain in chains_of(node, axis, shapes, index):
            if source is None or not all(window.stride for window in chain):  # a pixel, stretched, is the whole image's
                return None
            found = source.behind(chain, size)
            before, after = max(before, found.before), max(after, found.after)
    return Border(before, after, size)


def ragged(graph: Graph, shapes: Mapping[str, Shape]) -> frozenset[str]:
    """The nodes whose borders are bounds: behind a transposed convolution that leaves gaps (kernel below stride) or is
    dilated, a cubic interpolation, of which some outputs lie on pixels, and an unpooling, an output may read less than
    its neighbours and so be clean among others."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.op.data_dependent or any(_skips(node, index, shapes) for index in range(len(node.inputs))):
            found.add(node.name)
        if not found.isdisjoint(node.inputs):
            found.add(node.name)
    return frozenset(found)


def _skips(node: Node, index: int, shapes: Mapping[str, Shape]) -> bool:
    axes = range(len(shapes[node.inputs[index]].size))
    if any(len(chains_of(node, axis, shapes, index)) > 1 for axis in axes):
        return True  # some outputs read less
    windows = [window for axis in axes if (window := window_of(node, axis, shapes, index)) is not None]
    return any(window.upsample > 1 and (window.dilation > 1 or window.taps < window.upsample) for window in windows)
