"""Exact sets of indices along one axis, and what windows make of them.

A set is its first and last index and the holes between, so that a dense set costs the same at any width.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

from segcompile.ops import Chain, Window

WIDEST = 2**20  # indices that a set with holes may span


class TooWide(Exception):
    """A set with holes that is wider than any network's field: no answer, rather than no end."""


@dataclass(frozen=True, slots=True, repr=False)
class IndexSet:
    """The integers `low`..`high` without `holes`: bit n of `holes` stands for low + n. Never empty; low and high
    belong to it. The methods raise TooWide."""

    low: int
    high: int
    holes: int = 0

    @property
    def width(self) -> int:
        """Indices from the first to the last."""
        return self.high - self.low + 1

    @property
    def count(self) -> int:
        """Indices that belong to the set."""
        return self.width - self.holes.bit_count()

    @property
    def bits(self) -> int:
        """Bit n stands for low + n, if that belongs to the set."""
        if self.width > WIDEST:
            raise TooWide
        return (1 << self.width) - 1 ^ self.holes

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """`-6 to 6`, `-6 to 6 (7 of 13)` where there are holes."""
        return f"{self.low} to {self.high}" + (f" ({self.count} of {self.width})" if self.holes else "")

    def __contains__(self, index: int) -> bool:
        return self.low <= index <= self.high and not self.holes >> (index - self.low) & 1

    def runs(self) -> Iterator[tuple[int, int]]:
        """First and last index of each stretch without a hole, in order."""
        start, holes = self.low, self.holes
        while holes:
            gap = (holes & -holes).bit_length() - 1  # where the next hole begins, counted from `start`
            yield start, start + gap - 1
            holes >>= gap
            length = (~holes & holes + 1).bit_length() - 1
            start, holes = start + gap + length, holes >> length
        yield start, self.high

    def issuperset(self, other: IndexSet) -> bool:
        """Whether every index of `other` belongs to this set."""
        if other.low < self.low or other.high > self.high:
            return False
        return not self.holes or not self.holes >> (other.low - self.low) & other.bits

    def shifted(self, by: int) -> IndexSet:
        """Every index plus `by`."""
        return IndexSet(self.low + by, self.high + by, self.holes)

    def mirrored(self, total: int) -> IndexSet:
        """total - index, of every index."""
        holes = int(format(self.holes, f"0{self.width}b")[::-1], 2) if self.holes else 0
        return IndexSet(total - self.high, total - self.low, holes)

    def repeated(self, times: int, step: int) -> IndexSet:
        """The union of this set and its copies moved by step, 2 step, .. (times - 1) step; step >= 0."""
        reach = (times - 1) * step
        if reach == 0:
            return self
        if not self.holes and self.width >= step:
            return IndexSet(self.low, self.high + reach)
        bits, made = self.bits, 1
        if self.width + reach > WIDEST:
            raise TooWide
        while made < times:  # doubling
            more = min(made, times - made)
            bits |= bits << more * step
            made += more
        return _of_bits(self.low, bits)

    def spread(self, factor: int) -> IndexSet:
        """Every index times `factor` >= 0."""
        if factor == 1:
            return self
        if factor == 0 or self.width == 1:
            return IndexSet(self.low * factor, self.low * factor)
        if (self.width - 1) * factor >= WIDEST:
            raise TooWide
        digits = ("0" * (factor - 1)).join(format(self.bits, "b"))
        return _of_bits(self.low * factor, int(digits, 2))

    def divided(self, by: int) -> IndexSet | None:
        """index / by, of those indices that `by` divides."""
        if by == 1:
            return self
        first = -(-self.low // by)
        if first * by > self.high:
            return None
        if not self.holes:
            return IndexSet(first, self.high // by)
        digits = format(self.bits >> (first * by - self.low), "b")[::-1][::by]
        bits = int(digits[::-1], 2)
        return _of_bits(first, bits) if bits else None

    def within(self, low: int, high: int) -> IndexSet | None:
        """The part from `low` to `high`."""
        if self.low >= low and self.high <= high:
            return self
        low, high = max(low, self.low), min(high, self.high)
        if low > high:
            return None
        if not self.holes:
            return IndexSet(low, high)
        bits = self.bits >> (low - self.low) & (1 << high - low + 1) - 1
        return _of_bits(low, bits) if bits else None

    def intersection(self, other: IndexSet) -> IndexSet | None:
        """The indices that belong to both."""
        part = self.within(other.low, other.high)
        if part is None or not other.holes:
            return part
        other = other.within(part.low, part.high) or other
        low = max(part.low, other.low)
        bits = part.bits >> (low - part.low) & other.bits >> (low - other.low)
        return _of_bits(low, bits) if bits else None

    def difference(self, other: IndexSet) -> IndexSet | None:
        """The indices that do not belong to `other`."""
        common = self.intersection(other)
        if common is None:
            return self
        bits = self.bits & ~(common.bits << (common.low - self.low))
        return _of_bits(self.low, bits) if bits else None


def _of_bits(origin: int, bits: int) -> IndexSet:
    """The set of origin + n for every bit n; bits > 0."""
    skipped = (bits & -bits).bit_length() - 1
    bits >>= skipped
    width = bits.bit_length()
    return IndexSet(origin + skipped, origin + skipped + width - 1, (1 << width) - 1 ^ bits)


def union(sets: Iterable[IndexSet | None]) -> IndexSet | None:
    """All indices of all sets; None for the empty set."""
    found = sorted({item for item in sets if item is not None}, key=lambda item: (item.low, -item.high))
    return reduce(_joined, found) if found else None


def _joined(a: IndexSet, b: IndexSet) -> IndexSet:
    """The union of two sets, of which `a` starts no later."""
    high = max(a.high, b.high)
    if not a.holes and (b.high <= a.high or (not b.holes and b.low <= a.high + 1)):
        return IndexSet(a.low, high)
    if high - a.low >= WIDEST:
        raise TooWide
    return _of_bits(a.low, a.bits | b.bits << (b.low - a.low))


def read_by(window: Window, outputs: IndexSet) -> IndexSet | None:
    """The input indices that the outputs read: i with upsample * i = stride * p + dilation * t - offset."""
    if window.dilation == 1 and window.taps >= window.stride > 0 and not outputs.holes:  # consecutive windows touch
        places = IndexSet(window.stride * outputs.low, window.stride * outputs.high + window.taps - 1)
    else:
        places = outputs.spread(window.stride).repeated(window.taps, window.dilation)
    return places.shifted(-window.offset).divided(window.upsample)


def read_by_all(chain: Chain, outputs: IndexSet) -> IndexSet | None:
    """The input indices that the outputs read through a chain of windows."""
    found: IndexSet | None = outputs
    for window in reversed(chain):
        found = found and read_by(window, found)
    return found
