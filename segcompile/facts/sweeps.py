"""Training on a whole image by exact tiles: what each tile gives of the scores, and of every norm's mean and variance.

A tile is a part of the image that the network runs on as on an image of its own (see `tiling`). A norm that takes its
mean and variance over positions, as batch norm does in training, is one position after another once these are known;
of such a network exact tiles are asked, whose good positions of the norm's input give the mean and variance in turn.
So images are swept again and again: the norms of one `level` read none of each other, and one sweep gives them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from segcompile.facts.facts import Facts, shapes_in
from segcompile.facts.placement import Placement
from segcompile.facts.tiling import AxisTiling, Forbidden, HeadTiles, tiles_at, why_untiled
from segcompile.network.graph import Graph


@dataclass(frozen=True, slots=True)
class Swept:
    """A tensor along each axis: its size at the usual size of the image, and how much it grows by `step` pixels more.

    The first `before` positions of a tile and the last `after` are not the whole image's, where it ends inside.
    """

    size: tuple[int, ...]
    grow: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SweptNorm:
    """A norm whose statistics are taken over positions: its layer and its input. `share`: of the multiply-accumulates
    of the network, those before it."""

    layer: str
    input: Swept
    level: int
    each_image: bool
    groups: int
    share: Fraction


@dataclass(frozen=True, slots=True)
class Sweeps:
    """Exact tiles of `size + k * step` pixels for images of such sizes, k at least such that a tile has `least` pixels.

    `scores` is all heads together. Norms, and the inputs of dropouts of single values, stand in the order of the nodes.
    """

    step: int
    least: tuple[int, ...]
    scores: Swept
    norms: tuple[SweptNorm, ...]
    drops: tuple[Swept, ...]


def sweeps_of(graph: Graph, facts: Facts, placement: Placement) -> Sweeps | str:
    """The tiles of images of placement.size pixels and whole steps more; why there are none, as the end of a
    sentence."""
    norms = [node for node in graph.nodes if node.op.statistics]
    drops = [node for node in graph.nodes if node.op.draws == "value"]
    local = replace(
        graph,
        nodes=tuple(replace(node, op=node.op.given_statistics()) for node in graph.nodes),
        outputs={**graph.outputs, **{f"input of {node.name}": node.inputs[0] for node in (*norms, *drops)}},
    )
    along = tiles_at(local, placement.size)
    if not along:
        return why_untiled(local)
    forbidden = next((each for each in along if isinstance(each, Forbidden)), None)
    if forbidden is not None:
        return str(forbidden)
    tilings = [each for each in along if isinstance(each, AxisTiling)]
    swept = {head: _swept([each.heads[head] for each in tilings], tilings, placement) for head in local.outputs}
    heads = [swept[head] for head in graph.outputs]
    levels, shares = _levels(graph), _shares(graph, facts)
    shapes = shapes_in(graph, facts)
    return Sweeps(
        tilings[0].step,
        tuple(each.least + (size - each.least) % each.step for each, size in zip(tilings, placement.size, strict=True)),
        _together(heads, placement),
        tuple(
            SweptNorm(
                node.layer,
                swept[f"input of {node.name}"],
                levels[node.name],
                node.op.statistics == "image",
                node.op.groups_of(shapes[node.name].channels) or shapes[node.name].channels,
                shares[node.name],
            )
            for node in norms
        ),
        tuple(swept[f"input of {node.name}"] for node in drops),
    )


def _together(heads: Sequence[Swept], placement: Placement) -> Swept:
    """All heads as one of which no more is good. Where scores lie between outputs, a tile's own end before its last
    good output, which the last score before it takes part of."""
    before, after = ([*zip(*sides, strict=True)] for sides in ([h.before for h in heads], [h.after for h in heads]))
    pairs = zip(placement.stride, placement.centre, placement.offset, strict=True)
    between = [stride > 1 or centre != offset for stride, centre, offset in pairs]
    last = tuple(max(sides) + more for sides, more in zip(after, between, strict=True))
    return replace(heads[0], before=tuple(map(max, before)), after=last)


def _swept(found: Sequence[HeadTiles], tilings: Sequence[AxisTiling], placement: Placement) -> Swept:
    turns = [tiling.turns(size) for tiling, size in zip(tilings, placement.size, strict=True)]
    return Swept(
        tuple(each.extent.at(turn) for each, turn in zip(found, turns, strict=True)),
        tuple(each.extent.step for each in found),
        tuple(each.before for each in found),
        tuple(each.after for each in found),
    )


def _levels(graph: Graph) -> Mapping[str, int]:
    """How many norms of which each reads the one before lie behind each other up to a node, itself included."""
    found: dict[str, int] = dict.fromkeys(graph.inputs, 0)
    for node in graph.nodes:
        found[node.name] = max(found[name] for name in node.read) + bool(node.op.statistics)
    return found


def _shares(graph: Graph, facts: Facts) -> Mapping[str, Fraction]:
    """Of all multiply-accumulates those of the nodes before each node."""
    every, before, found = sum(facts[node.name].macs or 0 for node in graph.nodes) or 1, 0, {}
    for node in graph.nodes:
        found[node.name] = Fraction(before, every)
        before += facts[node.name].macs or 0
    return found
