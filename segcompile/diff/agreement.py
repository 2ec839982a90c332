"""Where two networks that differ in nothing but padding compute the same numbers, given the same weights.

In evaluation, and away from ops that mix the whole image. Carried forward pair by pair: one more pixel of padding
moves a map by one, strides divide what maps are moved by, and where one network reads padding and the other pixels
nothing agrees. What is left at the outputs is the interior; the rows and columns around it can differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcompile.checks import Subject
from segcompile.compiler import Compiled
from segcompile.diff.overlap import SAME, Overlap
from segcompile.diff.pairing import Pair, Pairs, but_for_padding, counterparts, share_alike
from segcompile.facts.alignment import chains_of, window_of
from segcompile.facts.any_border import AnyBorder, images_of_one_period
from segcompile.facts.border import Border
from segcompile.facts.facts import shapes_in
from segcompile.facts.shapes import infer_shapes
from segcompile.network.graph import Graph, Node
from segcompile.ops import IDENTITY, Op, Shape, Size, Window
from segcompile.text.errors import Findings

Overlaps = tuple[Overlap, ...]  # along each axis
Shapes = Mapping[str, Shape]
Disputed = Mapping[str, tuple[AnyBorder, ...]]  # head -> what can differ at its ends, along each axis


def disputed_borders(a: Compiled | Subject, b: Compiled | Subject) -> Disputed | None:
    """What can differ of each output of `a` and its counterpart, which has the same shape; None if more than padding
    differs, or if there is no interior that agrees at any size."""
    pairs = but_for_padding(a.graph, b.graph)
    if pairs is None or not _same_weights(a, b, pairs):
        return None
    shapes = shapes_in(a.graph, a.facts)
    images, proven = images_of_one_period(a.graph, shapes) if a.graph.takes_any_size else ([shapes], True)
    inputs, heads = counterparts(a.graph.inputs, b.graph.inputs), counterparts(a.graph.outputs, b.graph.outputs)
    seen: dict[str, list[tuple[Border, ...]]] = {head: [] for head in heads}
    for image in images:
        other = infer_shapes(b.graph, Findings(), {twin: image[name] for name, twin in inputs.items()})
        found = _trace((a.graph, image), (b.graph, other), pairs)
        for head, twin in heads.items():
            name = a.graph.outputs[head]
            overlaps = found[name, b.graph.outputs[twin]]
            if overlaps is None or any(axis.shift for axis in overlaps):
                return None
            seen[head].append(tuple(map(_border, overlaps, image[name].size)))
    axes = range(a.graph.rank)
    return {head: tuple(_gathered(every, axis, proven) for axis in axes) for head, every in seen.items()}


def _same_weights(a: Compiled | Subject, b: Compiled | Subject, pairs: Pairs) -> bool:
    """Whether both have the same parameters, in one order, each used by nodes that are paired."""
    mine, theirs = ([n.name for n in each.graph.nodes if each.facts[n.name].parameters] for each in (a, b))
    weighted = {*mine}, {*theirs}
    trained = [pair for pair in pairs if pair[0] in weighted[0] and pair[1] in weighted[1]]
    if len(mine) != len(theirs) or trained != list(zip(mine, theirs, strict=True)):
        return False
    if not share_alike(a.graph, b.graph, pairs):
        return False
    return all(a.facts[one].parameters == b.facts[other].parameters for one, other in trained)


Side = tuple[Graph, Shapes]


def _trace(a: Side, b: Side, pairs: Pairs) -> dict[Pair, Overlaps | None]:
    """Pair -> what agrees of its two tensors; None where nothing need."""
    found: dict[Pair, Overlaps | None] = {}
    for pair, reads in pairs.items():
        one, other = (
            graph.by_name[name] if reads and reads[0][side] != name else None
            for side, ((graph, _), name) in enumerate(zip((a, b), pair, strict=True))
        )
        found[pair] = _behind(_Step(pair, reads, one, other, a[1], b[1]), found) if reads else (SAME,) * a[0].rank
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    """A pair of nodes that read other pairs; None for the one that only hands on what a `pad` layer is paired with."""

    pair: Pair
    reads: tuple[Pair, ...]
    one: Node | None
    other: Node | None
    shapes: Shapes
    others: Shapes

    @property
    def alike(self) -> bool:
        """Whether both do the same, at the border, too."""
        return self.one is not None and self.other is not None and self.one.op.canonical() == self.other.op.canonical()

    @property
    def ops(self) -> tuple[Op, ...]:
        return tuple(node.op for node in (self.one, self.other) if node is not None)

    def sizes(self, pair: Pair, axis: int) -> tuple[int, int]:
        size, other = self.shapes[pair[0]].size[axis], self.others[pair[1]].size[axis]
        assert isinstance(size, int) and isinstance(other, int)
        return size, other

    def windows(self, axis: int, index: int) -> tuple[Window | None, Window | None]:
        one = window_of(self.one, axis, self.shapes, index) if self.one is not None else IDENTITY
        return one, window_of(self.other, axis, self.others, index) if self.other is not None else IDENTITY

    @property
    def mixes(self) -> bool:
        """Whether one of both reads some input from end to end along some axis, or mixes all of it."""
        rank, inputs = len(self.shapes[self.pair[0]].size), len(self.reads)
        return any(op.whole_image or op.spans_some(rank, inputs) for op in self.ops)

    def in_steps(self, axis: int, index: int) -> bool:
        """Whether one of both reads this input through windows behind windows, which lie otherwise over each output."""
        both = ((self.one, self.shapes), (self.other, self.others))
        chains = (chain for one, shapes in both if one is not None for chain in chains_of(one, axis, shapes, index))
        return any(len(chain) > 1 for chain in chains)


def _behind(step: _Step, found: Mapping[Pair, Overlaps | None]) -> Overlaps | None:
    """What agrees of a pair's results, given what agrees of all that it reads."""
    shapes = [(step.shapes[one], step.others[other]) for one, other in (*step.reads, step.pair)]
    read = [found[pair] for pair in step.reads]
    if step.alike and all(each and {*each} == {SAME} for each in read) and all(a == b for a, b in shapes):
        return read[0]
    if step.mixes or not all(shape.size for both in shapes for shape in both):
        return None
    every = tuple(_along(axis, step, found) for axis in range(len(shapes[0][0].size)))
    known = tuple(overlap for overlap in every if overlap is not None)
    return known if len(known) == len(every) else None


def _along(axis: int, step: _Step, found: Mapping[Pair, Overlaps | None]) -> Overlap | None:
    result: Overlap | None = None
    for index, pair in enumerate(step.reads):
        (window, other), overlaps = step.windows(axis, index), found[pair]
        if window is None and other is None:
            continue  # read for its size, or not at all
        if window is None or other is None or overlaps is None or step.in_steps(axis, index):
            return None
        behind = _as_read(overlaps[axis], step, *step.sizes(pair, axis)).behind(window, other)
        result = behind if behind is None or result is None else result.joined(behind)
        if result is None:
            return None
    if result is None or all(op.only_pads and op.surroundings == "zero" for op in step.ops):
        return result  # zeros around zeros: what is padded goes on as before
    return result.clipped(*step.sizes(step.pair, axis))


def _as_read(overlap: Overlap, step: _Step, size: int, other: int) -> Overlap:
    """What agrees of a tensor, and, where it has no limit, of what the step reads beyond."""
    if all(op.surroundings == "zero" for op in step.ops):
        return overlap  # zeros, however many
    inside = overlap.clipped(size, other)
    mirrors = any(op.surroundings is not None for op in step.ops)  # what lies further in
    return inside if step.alike and not (mirrors and inside != SAME) else inside.clipped(size, other, both=True)


def _border(overlap: Overlap, size: Size) -> Border:
    assert isinstance(size, int)
    end = size if overlap.end is None else overlap.end
    return Border(max(0, overlap.first or 0), max(0, size - end), size)


def _gathered(borders: Sequence[tuple[Border, ...]], axis: int, proven: bool) -> AnyBorder:
    along = [pair[axis] for pair in borders]
    before, after = ({border.before for border in along}, {border.after for border in along})
    return AnyBorder(tuple(sorted(before)), tuple(sorted(after)), proven)
