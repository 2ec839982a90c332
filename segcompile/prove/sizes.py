"""Which sizes of the image a proof has to try, and which are all.

A value depends on the size of the image through its place modulo the strides, and through how far it is from each end,
up to the field. So along an axis every size is tried from the least one to one period beyond the fields; sizes that
give all maps of a cone the sizes that they had before are the same trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from segcompile.facts.size_set import SizeSet
from segcompile.ops import AnySize, Shape, Size, Undecidable, Window
from segcompile.prove.terms import Term, Terms

MOST_PIXELS = 2**14  # of an axis that is looked at
LARGE = 2**24  # numbers that are read and written at one size with room on all axes
FEW = 6  # sizes that are tried where none stand for all

ImageSize = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trials:
    """Sizes of the image: strips along each axis, the smallest first, then one with room on all. `whole`: they stand
    for every size."""

    sizes: tuple[ImageSize, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """The sizes that both networks take: one size alone, or those of a set along each axis."""

    fixed: ImageSize | None
    legal: tuple[SizeSet, ...] = ()

    @property
    def least(self) -> ImageSize:
        if self.fixed is not None:
            return self.fixed
        return tuple(axis.nearest(1)[1] or 1 for axis in self.legal)

    def rising(self, axis: int) -> Iterator[int]:
        """The sizes along an axis, ascending."""
        size: int | None = self.least[axis]
        while size is not None and size <= MOST_PIXELS:
            yield size
            size = self.legal[axis].nearest(size + 1)[1]


def at(shape: Shape, size: ImageSize) -> Shape:
    """A shape for an image of this size."""
    along = tuple(_at(extent, size[axis]) for axis, extent in enumerate(shape.size))
    return Shape(shape.channels, along, shape.tokens)


def _at(extent: Size, size: int) -> int:
    return extent if isinstance(extent, int) else extent.at(size)


def held(shape: Shape) -> tuple[int, ...]:
    """The shape of the array that holds it, without parts; of a shape at one size."""
    return (shape.channels, *(extent or 0 for extent in shape.extents))


def trials(terms: Terms, cone: Sequence[int], free: frozenset[int], taken: Taken) -> Trials:
    """What is to be tried of a cone between the terms that are `free` and its roots."""
    if taken.fixed is not None or not taken.legal:
        return Trials((taken.least,), False)
    strips: dict[ImageSize, None] = {}
    whole, room = True, []
    for axis in range(len(taken.legal)):
        along, covered = _along(axis, [terms[index] for index in cone], free, terms, taken)
        whole = whole and covered
        room.append(along)
        for size in along:
            strips[(*taken.least[:axis], size, *taken.least[axis + 1 :])] = None
    if len(room) > 1:
        strips |= dict.fromkeys(_with_room([terms[index] for index in cone], room))
    return Trials(tuple(strips), whole)


def _with_room(cone: Sequence[Term], along: Sequence[Sequence[int]]) -> Iterator[ImageSize]:
    """The size whose maps have more than one pixel on all axes, and the largest of all where that is cheap."""
    small = tuple(
        next((size for size in sizes if _large(cone, axis, size)), sizes[-1]) for axis, sizes in enumerate(along)
    )
    yield small
    large = tuple(sizes[-1] for sizes in along)
    if cost(cone, large) < LARGE:
        yield large


def _large(cone: Sequence[Term], axis: int, size: int, least: int = 2) -> bool:
    return all(isinstance(extent, int) or extent.at(size) >= least for extent in _extents(cone, axis))


def _extents(cone: Sequence[Term], axis: int) -> list[Size]:
    return [term.shape.size[axis] for term in cone if term.shape.size]


def cost(cone: Sequence[Term], size: ImageSize) -> int:
    """About how many numbers are read and written, for one part."""
    total = 0
    for term in cone:
        shape = at(term.shape, size)
        values = 1
        for extent in held(shape):
            values *= extent
        weights = max((_count(weight.shape) for _, weight in term.weights), default=0)
        total += values + weights * (shape.positions or 1) // max(1, shape.channels if weights < 2**10 else 1)
    return total


def _count(shape: tuple[int, ...]) -> int:
    found = 1
    for extent in shape:
        found *= extent
    return found


def fingerprint_size(terms: Terms, cone: Sequence[int], taken: Taken) -> ImageSize:
    """A small size at which maps have a few pixels, as far as that is cheap."""
    if taken.fixed is not None or not taken.legal:
        return taken.least
    found, held_by = taken.least, [terms[index] for index in cone]
    for least in (2, 3, 4):
        size = tuple(
            next((each for each in taken.rising(axis) if _large(held_by, axis, each, least)), taken.least[axis])
            for axis in range(len(taken.legal))
        )
        if cost(held_by, size) < 8 * LARGE:
            found = size
    return found


# --- along one axis --------------------------------------------------------------------------------------------------


def _along(axis: int, cone: Sequence[Term], free: frozenset[int], terms: Terms, taken: Taken) -> tuple[list[int], bool]:
    """The sizes to try, and whether they stand for all."""
    extents = list(dict.fromkeys(_extents(cone, axis)))
    growing = [extent for extent in extents if isinstance(extent, AnySize)]
    reach = _reach(axis, cone, free, terms)
    period = lcm(taken.legal[axis].modulus, *(extent.period for extent in growing))
    entering = [term.shape.size[axis] for term in cone if (term.index in free or term.op is None) and term.shape.size]
    found: dict[tuple[int, ...], int] = {}
    beyond: int | None = None
    for size in taken.rising(axis):
        if beyond is not None and size >= beyond + period:
            return list(found.values()), True
        found.setdefault(tuple(extent.at(size) for extent in growing), size)
        if reach is None and len(found) >= FEW:
            return list(found.values()), False
        if reach is not None and beyond is None and all(_spans(extent, size, reach) for extent in entering):
            beyond = size
    return list(found.values()), False


def _spans(extent: Size, size: int, reach: Fraction) -> bool:
    """Whether a map is longer than the field of what is read of it, in pixels of the image."""
    return isinstance(extent, int) or extent.step <= 0 or (extent.at(size) - 1) / extent.slope >= reach


def _reach(axis: int, cone: Sequence[Term], free: frozenset[int], terms: Terms) -> Fraction | None:
    """How far the furthest tap may be from an output, in pixels of the image; None where it is the whole image, or
    depends on its size."""
    known: dict[int, Fraction] = {}
    for term in cone:
        known[term.index] = Fraction(0)
        if term.op is None or term.index in free:
            continue
        read = [terms[index].shape for index in term.inputs]
        if term.op.flattens or (term.op.positional and term.op.spelling == "position"):
            return None
        for place, shape in enumerate(read):
            if not shape.size:
                continue
            if term.op.reads_whole(axis, place, len(read)) or shape.tokens:
                if term.op.whole_image or isinstance(shape.size[axis], AnySize):
                    return None
                continue
            try:
                chains = term.op.chains(axis, [each.size[axis] if each.size else 1 for each in read], place)
            except Undecidable:
                return None
            own = max((_chain_reach(chain, shape.size[axis]) for chain in chains), default=Fraction(0))
            known[term.index] = max(known[term.index], known[term.inputs[place]] + own)
    return max(known.values())


def _chain_reach(chain: Sequence[Window], extent: Size) -> Fraction:
    if isinstance(extent, int) or extent.step <= 0:
        return Fraction(0)
    pixels, total = 1 / extent.slope, Fraction(0)
    for window in chain:
        total += pixels * Fraction(window.reach + abs(window.offset) + window.stride, window.upsample)
        pixels *= Fraction(window.stride or 1, window.upsample)
    return total
