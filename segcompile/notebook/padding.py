"""Which outputs of a layer see padding."""

from __future__ import annotations

from collections.abc import Mapping
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
    many rows at the top and at the bottom, so many columns at the left and at the right, and no others.

    A side has every number that occurs: one if the image's size is a number; several where it is `any` and decides
    what a stride leaves over.
    """

    top: Side
    bottom: Side
    left: Side
    right: Side
    clean: tuple[range, range] | None  # rows and columns that see none; None if the image is of any size
    bound: bool  # behind gaps of a transposed convolution, or an unpooling: some of these outputs may see none
    proven: bool  # for every size that the network takes; else for those that were tried

    @property
    def anywhere(self) -> bool:
        """Whether any output sees padding, at any size."""
        return any(chain(self.top, self.bottom, self.left, self.right))


def seen_padding(graph: Graph, shapes: Mapping[str, Shape], any_size: bool) -> Mapping[str, SeenPadding | None]:
    """Input or node -> its outputs that see padding; None: every output depends on all borders of the image."""
    found = borders_of_any_size(graph, shapes) if any_size else trace_borders(graph, shapes)
    bounds = ragged(graph, shapes)
    return {name: _seen(height, width, name in bounds) for name, (height, width) in found.items()}


def _seen(height: Border | AnyBorder | None, width: Border | AnyBorder | None, bound: bool) -> SeenPadding | None:
    if height is None or width is None:
        return None
    top, bottom, rows = _sides(height)
    left, right, columns = _sides(width)
    clean = (rows, columns) if rows is not None and columns is not None else None
    proven = all(border.proven for border in (height, width) if isinstance(border, AnyBorder))
    return SeenPadding(top, bottom, left, right, clean, bound, proven)


def _sides(border: Border | AnyBorder) -> tuple[Side, Side, range | None]:
    """The outputs at the start and at the end that see padding, and those that do not, where their number is known."""
    if isinstance(border, AnyBorder):
        return border.before, border.after, None
    before, after = min(border.before, border.size), min(border.after, border.size)
    return (before,), (after,), range(before, max(before, border.size - after))
