"""Why two paths lie apart: what each layer on the way does to the grid, and the remedy that follows from it.

A layer that changes the stride keeps either pixel 0 over pixel 0 (3x3/2 with padding 1, `align_corners`) or the
edges of the image over each other (2x2/2, 4x4/2 with padding 1, resize by a factor). Both are sound; a path of the
one kind lies half a pixel from a path of the other. An even kernel at stride 1 moves the grid by half a pixel alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import pairwise

from segcompile.facts.alignment import centre, window_of
from segcompile.facts.witness import Atlas, Path
from segcompile.network.graph import Node
from segcompile.ops import CELL, MEDIUM, Deconv, Resize, Shape, Window

_SIDED = 3  # one-sided paddings that are named


class Kind(Enum):
    """What a layer does to the grid along one axis; the rest (odd kernels at stride 1, crops) moves whole pixels."""

    HALF = "moves its map by half a {cell}"
    POINTS = "keeps {cell} 0 over {cell} 0"
    EDGES = "keeps the edges of the {medium} over each other"
    STRETCH = "stretches the map by a fraction"
    WHOLE = "moves the map by whole {cell}s"

    def told(self, rank: int) -> str:
        """What a layer of a network of so many axes does."""
        return self.value.format(cell=CELL[rank], medium=MEDIUM[rank])


@dataclass(frozen=True, slots=True)
class Cause:
    """Why paths lie apart, as far as it is clear: a word that like causes share, and the help line."""

    kind: str
    help: str | None
    at_every_level: bool = False  # each change of the stride adds to it, so that joins lie apart by other distances


def explain(atlas: Atlas, shapes: Mapping[str, Shape], axis: int, join: Node, paths: Sequence[Path]) -> Cause:
    """The cause for which two paths, from where they part to inputs of `join`, meet apart in it."""
    found = _kinds(atlas, shapes, axis, paths)
    if Kind.STRETCH in found:
        return _stretched(found[Kind.STRETCH], shapes, axis)
    if len({item.scale for path in paths if (item := atlas.places[path[-1]][axis].first) is not None}) > 1:
        return Cause("scales", "bring both to one stride first")
    if Kind.HALF in found:
        node = found[Kind.HALF]
        moved = f"{_shown(node, axis)} {Kind.HALF.told(atlas.graph.rank)}"
        return Cause("half", f"{moved}; an odd kernel with equal pads does not")
    if Kind.POINTS in found and Kind.EDGES in found:
        kinds = (Kind.POINTS, Kind.EDGES)
        points, edges = (f"{_shown(found[kind], axis)} {kind.told(atlas.graph.rank)}" for kind in kinds)
        return Cause("mixed", f"{points}, {edges}; one kind throughout would agree", True)
    if join.op.aligns != "none":
        message = f"`align: {join.op.aligns}` goes by the sizes alone; a `crop` cuts where the maps lie over each other"
        return Cause("align", message)
    return Cause("whole", _moved(atlas, axis, paths))


def _moved(atlas: Atlas, axis: int, paths: Sequence[Path]) -> str:
    """The remedy where maps lie whole pixels apart: other paddings of a transposed convolution, which is where `same`
    of a downsampling and of an upsampling differ, or the paddings that are one-sided."""
    one, other = (atlas.places[path[-1]][axis].first for path in paths)
    for path, own, wanted in ((paths[0], one, other), (paths[1], other, one)):
        for node in (atlas.graph.by_name[name] for name in path[1:]):
            place = atlas.places[node.name][axis].first
            if isinstance(node.op, Deconv) and own is not None and wanted is not None and place is not None:
                instead = _instead(node.op, (wanted.shift - own.shift) / place.scale)
                if instead is not None:
                    return f"{_shown(node, axis)} with {instead} keeps its size and lies over the other map"
    sided = [
        f"`{node.layer}` pads {before} before and {after} after"
        for node in (atlas.graph.by_name[name] for path in paths for name in path[1:])
        for before, after in (node.op.pads(axis),)
        if before != after
    ]
    told = ", ".join(dict.fromkeys(sided[:_SIDED]))
    return f"{told}; equal pads move nothing" if told else "do the crops on the way cut as much on both sides?"


def _instead(op: Deconv, pixels: Fraction) -> str | None:
    """Paddings of a transposed convolution, alike along all axes, that keep its size and move its map by so many of
    its pixels; None if there are none."""
    said = {(*op.pads(axis), more) for axis, more in enumerate(op.output_pad)}
    if pixels.denominator != 1 or len(said) > 1:
        return None
    ((before, after, more),) = said
    pad = before + int(pixels)
    rest = 2 * pad - (before + after - more)
    room = min(max(pair) for pair in zip(op.stride, op.dilation, strict=True))
    if pad < 0 or not 0 <= rest < room:
        return None
    return f"`pad: {pad}, output_pad: {rest}`" if rest else f"`pad: {pad}`"


def _kinds(atlas: Atlas, shapes: Mapping[str, Shape], axis: int, paths: Sequence[Path]) -> dict[Kind, Node]:
    """Each kind of layer on some paths, with the first of it."""
    found: dict[Kind, Node] = {}
    for path in paths:
        for before, name in pairwise(path):
            node = atlas.graph.by_name[name]
            window = window_of(node, axis, shapes, node.inputs.index(before))
            if window is not None:
                found.setdefault(kind_of(window), node)
    return found


def kind_of(window: Window) -> Kind:
    """What a window does to the grid, by the place of its taps' centre."""
    step, shift = Fraction(window.stride, window.upsample), centre(window) / window.upsample
    if 0 < step < 1:  # an upsampling is, seen from its output, a downsampling
        step, shift = 1 / step, -shift / step
    if step.denominator != 1 or step == 0:
        return Kind.STRETCH
    points, edges = shift.denominator == 1, (shift - (step - 1) / 2).denominator == 1
    if points and edges:
        return Kind.WHOLE
    return Kind.POINTS if points else Kind.EDGES if edges else Kind.HALF


def _stretched(node: Node, shapes: Mapping[str, Shape], axis: int) -> Cause:
    """Of a resize that is no whole factor, counted in pixels or (`align_corners`) in gaps between them."""
    have, want = (shapes[name].size[axis] for name in (node.inputs[0], node.name))
    if not isinstance(node.op, Resize) or not isinstance(have, int) or not isinstance(want, int):
        return Cause("stretch", None)
    if node.op.align_corners:
        help = f"`{node.layer}` lays corners on corners (`align_corners`) and so stretches the map: leave it out"
        return Cause("corners", help)
    help = f"`{node.layer}` makes {want} {CELL[len(shapes[node.name].size)]}s of {have}, which is no whole factor"
    if have > 1 and want > 1 and ((want - 1) % (have - 1) == 0 or (have - 1) % (want - 1) == 0):
        help += f"; `align_corners: yes` makes {want - 1} steps of {have - 1}, which is one"
    return Cause("stretch", help)


def _shown(node: Node, axis: int) -> str:
    """`c1` (2x2/2)."""
    op = node.op
    if isinstance(op, Resize):
        return f"`{node.layer}` ({op.mode} resize)"
    if op.sliding is None:
        return f"`{node.layer}`"
    kernel, stride = "x".join(map(str, op.sliding.kernel)), op.sliding.stride[axis]
    return f"`{node.layer}` ({kernel}{f'/{stride}' if stride > 1 else ''})"
