"""Where each pixel of each tensor lies over the input, along every path: position(p) = scale * p + shift."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from segcompile.network.graph import Graph, Node
from segcompile.ops import IDENTITY, Chain, Shape, Size, Undecidable, Window

_T = TypeVar("_T")
_Ask = Callable[[int, Sequence[Size], int], _T]  # (axis, sizes of the inputs along it, input): a question to an op


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The affine map of one axis: the centre of output p's window lies over input position scale * p + shift."""

    scale: Fraction
    shift: Fraction

    def behind(self, window: Window) -> Coordinates:
        """The map after `window`; the centre is that of its taps, as in Caffe's coordinate maps."""
        step = self.scale / window.upsample
        return Coordinates(step * window.stride, self.shift + step * centre(window))

    def __str__(self) -> str:
        """`p`, `2p + 1/2`, `66p/65 - 32/65`."""
        above, below = self.scale.numerator, self.scale.denominator
        text = ("p" if above == 1 else f"{above}p") + (f"/{below}" if below > 1 else "")
        return text if not self.shift else f"{text} {'-' if self.shift < 0 else '+'} {abs(self.shift)}"


def centre(window: Window) -> Fraction:
    """Where the middle of output 0's taps lies, in input pixels times `window.upsample`."""
    return Fraction(window.reach, 2) - window.offset


MOST_MAPS = 64  # of one tensor along one axis
LARGEST = 2**63  # a map of larger numbers is that of no image


@dataclass(frozen=True, slots=True)
class Maps:
    """The maps of one tensor along one axis: each way in which some path from an input lays it over the input.

    `every[0]` is that of the first path, which takes the first input with a map at every join. More than one stand
    here only behind a join of maps that differ; none behind a whole-image op, or where a map depends on the image.
    `back[k]` says where `every[k]` comes from: which input of the node, and which of that input's maps; None
    where each comes from the same place of the first input. `more`: there are others beyond MOST_MAPS.
    """

    every: tuple[Coordinates, ...] = ()
    back: tuple[tuple[int, int], ...] | None = None
    more: bool = False

    @property
    def first(self) -> Coordinates | None:
        return self.every[0] if self.every else None

    def source(self, entry: int) -> tuple[int, int]:
        """Which input `every[entry]` comes from, and which of that input's maps."""
        return self.back[entry] if self.back is not None else (0, entry)


Place = tuple[Coordinates | None, ...]  # along each axis by the first path; None: no position
Places = Mapping[str, tuple[Maps, ...]]  # node or input name -> its maps along each axis

NOWHERE = Maps()
START = Maps((Coordinates(Fraction(1), Fraction(0)),))


def place_nodes(graph: Graph, shapes: Mapping[str, Shape]) -> dict[str, tuple[Maps, ...]]:
    """Node or input name -> its maps. Paths end at whole-image ops, and where a resize depends on the image."""
    places = place_inputs(graph)
    for node in graph.nodes:
        places[node.name] = place_node(node, shapes, places)
    return places


def place_inputs(graph: Graph) -> dict[str, tuple[Maps, ...]]:
    """The inputs lie over each other, pixel on pixel; one of another size than the first has no known position."""
    frame = next((shape.size for shape in graph.inputs.values() if shape.size), ())
    start = {True: (START,) * graph.rank, False: (NOWHERE,) * graph.rank}
    return {name: start[shape.size == frame] for name, shape in graph.inputs.items()}


def place_node(node: Node, shapes: Mapping[str, Shape], places: Places) -> tuple[Maps, ...]:
    """The maps of one node, given those of its inputs. Axes along which it reads the same have the same maps."""
    read = [list(_read(node, axis, shapes, places)) for axis in range(len(places[node.inputs[0]]))]
    found = list[Maps]()
    for axis, along in enumerate(read):
        alike = read.index(along)
        found.append(found[alike] if alike < axis else _merged(_arriving(along), node, axis, places))
    return tuple(found)


Arrival = tuple[int, tuple[Coordinates, ...]]  # which input, and its maps as they are behind the node's window


def arrivals(node: Node, axis: int, shapes: Mapping[str, Shape], places: Places) -> list[Arrival]:
    """What the node makes of the maps of each input, but for those without a map or read for their size only."""
    return _arriving(_read(node, axis, shapes, places))


def _read(node: Node, axis: int, shapes: Mapping[str, Shape], places: Places) -> Iterator[tuple[int, Maps, Window]]:
    """Which inputs the node reads, their maps, and its window on them."""
    for index, name in enumerate(node.inputs):
        maps = places[name][axis]
        if maps.every and (window := window_of(node, axis, shapes, index)) is not None:
            yield index, maps, window


def _arriving(read: Iterable[tuple[int, Maps, Window]]) -> list[Arrival]:
    return [(index, after) for index, maps, window in read if (after := _behind(maps.every, window))]


def window_of(node: Node, axis: int, shapes: Mapping[str, Shape], index: int) -> Window | None:
    """The node's window on one of its inputs; None where it has none, or where it depends on the image."""
    return _asked(node.op.window_on, node, axis, shapes, index)


def chains_of(node: Node, axis: int, shapes: Mapping[str, Shape], index: int) -> tuple[Chain, ...]:
    """The node's chains of windows on one of its inputs; () where it has none, or where they depend on the image."""
    return _asked(node.op.chains, node, axis, shapes, index) or ()


def _asked(ask: _Ask[_T], node: Node, axis: int, shapes: Mapping[str, Shape], index: int) -> _T | None:
    """What the node's op answers of one of its inputs; None where that or the result is no map, or where it depends on
    the image. The result has no shape yet where it is what is asked for."""
    if not shapes[node.inputs[index]].size or (node.name in shapes and not shapes[node.name].size):
        return None
    try:
        return ask(axis, sizes_along(node, axis, shapes), index)
    except Undecidable:
        return None


def sizes_along(node: Node, axis: int, shapes: Mapping[str, Shape]) -> list[Size]:
    """Those of a node's inputs along an axis; 1 of a vector, and of tokens without a map."""
    return [shapes[name].size[axis] if shapes[name].size else 1 for name in node.inputs]


def _behind(maps: tuple[Coordinates, ...], window: Window) -> tuple[Coordinates, ...]:
    """The maps after a window, one for one; the same tuple if nothing moves, none if they are no longer an image's."""
    if window is IDENTITY or (window.stride == window.upsample and 2 * window.offset == window.reach):
        return maps
    if window.stride == 0:
        return ()  # one pixel, stretched: it lies everywhere
    first, *others = maps
    every = [first.behind(window)]
    if others:
        scale, moved = every[0].scale, every[0].shift - first.shift  # the same for all maps of one scale
        for item in others:
            alike = item.scale is first.scale or item.scale == first.scale
            every.append(Coordinates(scale, item.shift + moved) if alike else item.behind(window))
    return () if any(map(_is_absurd, every)) else tuple(every)


def _is_absurd(item: Coordinates) -> bool:
    return max(abs(item.shift.numerator), item.scale.numerator, item.scale.denominator) >= LARGEST


def _merged(found: Sequence[Arrival], node: Node, axis: int, places: Places) -> Maps:
    """The union, in the order of the inputs; the first path that leads to a map is its witness."""
    if not found:
        return NOWHERE
    more = any(places[node.inputs[index]][axis].more for index, _ in found)
    start, maps = found[0]
    if start == 0 and all(other is maps or other == maps for _, other in found):
        before = places[node.inputs[0]][axis]
        return (
            before if before.back is None and before.every is maps and before.more == more else Maps(maps, None, more)
        )
    back: dict[Coordinates, tuple[int, int]] = {}
    for index, every in found:
        for entry, item in enumerate(every):
            back.setdefault(item, (index, entry))
    kept = tuple(back)[:MOST_MAPS]
    return Maps(kept, tuple(back[item] for item in kept), more or len(back) > len(kept))
