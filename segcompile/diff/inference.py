"""What a network does at inference, in the one form that all who say it alike have.

A file for inference says nothing of initial weights, of freezing, of momenta and of dropout. And it says in other words
what it does say: a map that follows the size of another one has a number in it, or another layer of that size; an
alignment is a crop or padding; an attention is its matrices. Here all of these are gone, in both networks alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import Annotated, ClassVar

from segcompile.facts.facts import Facts, shapes_in
from segcompile.network.graph import Graph, Node, Role
from segcompile.ops import (
    AdaptivePool,
    Add,
    Attention,
    BatchNorm,
    Concat,
    Conv,
    Crop,
    Dropout,
    DropPath,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    Join,
    LayerNorm,
    Mul,
    Op,
    Pad,
    Pool,
    Resize,
    Scale,
    Shape,
    Slice,
    SpatialDropout,
    Undecidable,
)
from segcompile.ops.base import Reads
from segcompile.ops.size import AnySize, Size, difference

Sizes = Annotated[tuple[int | AnySize, ...], Reads.NUMBERS]
_DROPS = (Dropout, SpatialDropout, DropPath)


class Cut(Op):
    """A crop that says its size, and asks no other map."""

    spelling: ClassVar[str] = "crop"
    offset: Sizes
    size: Sizes


class Sized(Op):
    """A resize that says its size, and asks no other map. At each size of the image the ratio is that of the sizes."""

    spelling: ClassVar[str] = "resize"
    size: Sizes
    mode: Annotated[str, Reads.WORD]
    align_corners: Annotated[bool, Reads.FLAG] = False


def untrained(graph: Graph) -> Graph:
    """The graph without dropout, and without what says how its weights start and are trained."""
    stands_for: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        read = tuple(stands_for.get(name, name) for name in node.inputs)
        if isinstance(node.op, _DROPS):
            stands_for[node.name] = read[0]
        else:
            nodes.append(replace(node, op=_untrained(node.op), inputs=read))
    outputs = {head: stands_for.get(name, name) for head, name in graph.outputs.items()}
    return replace(graph, nodes=tuple(nodes), outputs=outputs, end=stands_for.get(graph.end, graph.end))


def _untrained(op: Op) -> Op:
    op = op.starting_as(None)
    return BatchNorm(eps=op.eps) if isinstance(op, BatchNorm) else op


def settled(graph: Graph, facts: Facts) -> Graph:
    """The graph with sizes in the place of references, and ops of several parts written out. `facts`: of all its
    nodes."""
    shapes, stands_for = shapes_in(graph, facts), dict[str, str]()
    nodes: list[Node] = []
    for node in graph.nodes:
        place = _Place(node, [shapes[name] for name in node.inputs], shapes[node.name])
        read = [stands_for.get(name, name) for name in node.inputs]
        found = place.written(read)
        if found:
            nodes += found
            if found[-1].name != node.name:
                stands_for[node.name] = found[-1].name
        else:
            stands_for[node.name] = read[0]
    outputs = {head: stands_for.get(name, name) for head, name in graph.outputs.items()}
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands, and what enters it."""

    node: Node
    shapes: Sequence[Shape]
    output: Shape

    def written(self, read: Sequence[str]) -> list[Node]:
        """What stands for it; nothing where that is what it reads."""
        form = _FORMS.get(type(self.node.op))
        try:
            return list(form(self, read)) if form is not None else [self.ends(self.node.op, read)]
        except Undecidable:  # at some sizes of the image it is one thing, and at others another
            return [self.ends(self.node.op, read)]

    def ends(self, op: Op, read: Sequence[str]) -> Node:
        """The node itself, with another op."""
        return replace(self.node, op=op, inputs=tuple(read))

    def part(self, what: str, op: Op, *read: str) -> Node:
        """A node of its own before it."""
        name = f"{self.node.name}/{what}"
        return Node(name, op, read, f"{self.node.layer}/{what}", self.node.origin, Role.MAIN)


def _resize(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    op, have, want = place.node.op, place.shapes[0].size, place.output.size
    assert isinstance(op, Resize)
    if have == want:
        return  # each pixel lies on itself
    if op.factor is not None and len(read) == 1 and not op.align_corners and not _is_exact(op, have, want):
        yield place.ends(op, read)
    elif set(have) == {1}:
        yield place.ends(Sized(size=want, mode="nearest"), read[:1])  # of one pixel all ways give that
    else:
        grows = all(isinstance(a, int) and isinstance(b, int) and b % a == 0 for a, b in zip(have, want, strict=True))
        grows = grows or (op.factor is not None and all(ratio.denominator == 1 for ratio in op.factor))
        mode = "nearest" if op.mode == "nearest_exact" and grows else op.mode
        yield place.ends(Sized(size=want, mode=mode, align_corners=op.align_corners), read[:1])


def _is_exact(op: Resize, have: Sequence[Size], want: Sequence[Size]) -> bool:
    """Whether nothing is rounded at any size: then the ratio is that of the sizes."""
    each = zip(have, want, op.factor or (), strict=True)
    return all(a * ratio.numerator == b * ratio.denominator for a, b, ratio in each)


def _crop(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    op, want = place.node.op, place.output.size
    assert isinstance(op, Crop)
    offset = op.offset or (0,) * len(want)
    if any(offset) or place.shapes[0].size != want:
        yield place.ends(Cut(offset=offset, size=want), read[:1])


def _join(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    """An alignment as crops or padding, where these are numbers; the factors of a sum as layers of their own, and a
    product as products of two."""
    op, read = place.node.op, [*read]
    assert isinstance(op, Join)
    fits = [_fitted(op, place, index) for index in range(len(read))]
    if op.align != "none":
        op = op.model_copy(update={"align": "none"})
    factors = op.weights if isinstance(op, Add) else ()
    for index in range(len(read)):
        more = [("fit", fits[index])]
        more += [("factor", Scale(factor=factors[index]) if factors and factors[index] != 1 else None)]
        for what, each in more:
            if each is not None:
                yield place.part(f"{what}{index}", each, read[index])
                read[index] = f"{place.node.name}/{what}{index}"
    for index in range(1, len(read) - 1 if isinstance(op, Mul) else 0):
        yield place.part(f"product{index}", Mul(), read[0], read[index])
        read[0] = f"{place.node.name}/product{index}"
    read = [read[0], read[-1]] if isinstance(op, Mul) else read
    yield place.ends(op.model_copy(update={"weights": ()}) if factors else op, read)


def _fitted(op: Join, place: _Place, index: int) -> Op | None:
    """What makes an input as large as the others; None where it is."""
    have, want = place.shapes[index].size, place.output.size
    if op.align == "none" or have == want:
        return None
    first = [op.cut_off([shape.size[axis] for shape in place.shapes], index) for axis in range(len(want))]
    if op.align == "center_crop":
        return Cut(offset=tuple(first), size=want)
    pads = []
    for before, a, b in zip(first, have, want, strict=True):
        missing = difference(b, a)
        if not isinstance(before, int) or not isinstance(missing, int):
            raise Undecidable("the padding follows the size of the image")
        pads.append((-before, missing + before))
    return Pad(amount=tuple(pads))


def _bins(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    """Bins that divide the map as the windows that they are."""
    op, have = place.node.op, place.shapes[0].size
    assert isinstance(op, AdaptivePool)
    kernel = tuple(
        size // bins for size, bins in zip(have, op.bins, strict=True) if isinstance(size, int) and size % bins == 0
    )
    if set(op.bins) == {1}:
        yield place.ends(GlobalPool(kind="global_avg" if op.kind == "avg" else "global_max"), read)
    else:
        yield place.ends(Pool(kind=op.kind, kernel=kernel) if len(kernel) == len(have) else op, read)


def _pool(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    """Zeros that are counted as a `pad` before it, and as much padding behind as the last window reads."""
    op, have, want = place.node.op, place.shapes[0].size, place.output.size
    assert isinstance(op, Pool)
    pads = [op.pads(axis) for axis in range(len(have))]
    if op.kind == "avg" and op.count_pad and any(map(any, pads)):
        yield place.part("pad", Pad(amount=tuple(pads)), *read)
        read, have = [f"{place.node.name}/pad"], tuple(a + sum(pair) for a, pair in zip(have, pads, strict=True))
        pads = [(0, 0)] * len(have)
    each = zip(have, want, pads, op.steps, op.spans, strict=True)
    last = [difference((b - 1) * step + span - before, a) for a, b, (before, _), step, span in each]
    behind = [max(end, 0) for end in last if isinstance(end, int)]
    if len(behind) == len(have):
        pads = [(before, after) for (before, _), after in zip(pads, behind, strict=True)]
        op = op.model_copy(update={"round": "floor"})
    counts = op.kind == "max" or not any(map(any, pads))
    yield place.ends(op.model_copy(update={"pad": tuple(pads), "count_pad": counts}), read)


def _group_norm(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    """Of as many groups as channels an instance norm."""
    op = place.node.op
    assert isinstance(op, GroupNorm)
    yield place.ends(InstanceNorm(eps=op.eps) if op.groups == place.shapes[0].channels else op, read)


def _attention(place: _Place, read: Sequence[str]) -> Iterator[Node]:
    """Projections as convolutions of kernel 1, before and behind what attends."""
    op, width, name = place.node.op, place.shapes[0].channels, place.node.name
    assert isinstance(op, Attention)
    scale = None if op.scale is not None and isclose(op.scale, (width / op.heads) ** -0.5, rel_tol=1e-6) else op.scale
    inner = Attention(heads=op.heads, scale=scale, over=op.over)
    if not op.projects(place.shapes):
        yield place.ends(inner, read)
        return
    kernel, source = (1,) * len(place.shapes[0].size), read[-1]
    if op.fuses(place.shapes):
        yield place.part("qkv", Conv(channels=3 * width, kernel=kernel, bias=op.bias), source)
        joint = "qkv"
        yield place.part("q", Slice(part=(0, width)), f"{name}/qkv")
    else:
        yield place.part("q", Conv(channels=width, kernel=kernel, bias=op.bias), read[0])
        if op.reduce is not None:
            channels = place.shapes[-1].channels
            yield place.part("sr", Conv(channels=channels, kernel=op.reduce, stride=op.reduce), source)
            yield place.part("norm", LayerNorm(), f"{name}/sr")
            source = f"{name}/norm"
        of_keys = (1,) * len(place.shapes[-1].size)
        yield place.part("kv", Conv(channels=2 * width, kernel=of_keys, bias=op.bias), source)
        joint = "kv"
    for what in "kv":
        at = joint.index(what) * width
        yield place.part(what, Slice(part=(at, at + width)), f"{name}/{joint}")
    yield place.part("attend", inner, *(f"{name}/{what}" for what in "qkv"))
    yield place.ends(Conv(channels=width, kernel=kernel), [f"{name}/attend"])


_FORMS: Mapping[type[Op], Callable[[_Place, Sequence[str]], Iterator[Node]]] = {
    Resize: _resize,
    Crop: _crop,
    **dict.fromkeys((Add, Mul, Concat), _join),
    Pool: _pool,
    AdaptivePool: _bins,
    GroupNorm: _group_norm,
    Attention: _attention,
}
