"""Which outputs of a layer see padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from segcompile.facts.any_border import AnyBorder, borders_of_any_size
from segcompile.facts.border import Border, ragged, trace_borders
from segcompile.network.graph import Graph
from segcompile.ops import Shape

Side = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SeenPadding:
    """The outputs that see padding, of any kind and through any path, or that would see more if the image went on: so
    many at the two `sides` of each axis (of an image: rows at the top and the bottom, columns at the left and the
    right), and no others.

    A side has every number that occurs: one if the image's size is a number; several where it is `any` and decides
    what a stride leaves over.
    """

    sides: tuple[tuple[Side, Side], ...]
    clean: tuple[range, ...] | None  # the outputs along each axis that see none; None if the image is of any size
    bound: bool  # behind gaps of a transposed convolution, or an unpooling: some of these outputs may see none
    proven: bool  # for every size that the network takes; else for those that were tried

    @property
    def anywhere(self) -> bool:
        """Whether any output sees padding, at any size."""
        return any(chain.from_iterable(chain.from_iterable(self.sides)))


def seen_padding(graph: Graph, shapes: Mapping[str, Shape], any_size: bool) -> Mapping[str, SeenPadding | None]:
    """Input or node -> its outputs that see padding; None: every output depends on all borders of the image."""
    found = borders_of_any_size(graph, shapes) if any_size else trace_borders(graph, shapes)
    bounds = ragged(graph, shapes)
    return {name: _seen(borders, name in bounds) for name, borders in found.items()}


def _seen(borders: Sequence[Border | AnyBorder | None], bound: bool) -> SeenPadding | None:
    known = [border for border in borders if border is not None]
    if len(known) < len(borders):
        return None
    clean = tuple(border.clean for border in known if isinstance(border, Border))
    proven = all(border.proven for border in known if isinstance(border, AnyBorder))
    return SeenPadding(tuple(map(_sides, known)), clean if len(clean) == len(known) else None, bound, proven)


def _sides(border: Border | AnyBorder) -> tuple[Side, Side]:
    """The numbers of outputs at the start and at the end that see padding."""
    if isinstance(border, AnyBorder):
        return border.before, border.after
    return (min(border.before, border.size),), (min(border.after, border.size),)
