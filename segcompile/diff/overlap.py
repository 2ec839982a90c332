"""Which numbers of two tensors agree along one axis, where the networks before them differ in padding alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segcompile.facts.border import end_behind, first_behind
from segcompile.ops import Window


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixel p of A and pixel p - shift of B stand for the same place, and agree for first <= p < end.

    None stands for no limit: both tensors have the same pixels on that side, and zeros beyond them if these are read.
    """

    shift: int = 0
    first: int | None = None
    end: int | None = None

    def clipped(self, size: int, other: int, both: bool = False) -> Overlap:
        """Within the pixels that both tensors have, `size` and `other` many: on the sides where these do not end
        together; on `both` sides, where what lies outside is not the same."""
        found = self
        if both or self.shift:
            found = replace(found, first=max(0, self.shift, self.first or 0))
        if both or self.shift + other != size:
            found = replace(found, end=min(size, self.shift + other, size if self.end is None else self.end))
        return found

    def behind(self, window: Window, other: Window) -> Overlap | None:
        """What is left behind windows that differ in their offsets only; None if they read other pixels altogether."""
        if replace(window, offset=0) != replace(other, offset=0) or not window.stride:
            return None
        shift, rest = divmod(window.upsample * self.shift + window.offset - other.offset, window.stride)
        if rest:
            return None  # strides pick other pixels
        first = None if self.first is None else first_behind(window, self.first)
        return Overlap(shift, first, None if self.end is None else end_behind(window, self.end))

    def joined(self, other: Overlap) -> Overlap | None:
        """What two inputs of one node leave; None if they lie apart."""
        if self.shift != other.shift:
            return None
        firsts, ends = ([x for x in pair if x is not None] for pair in zip(self._ends, other._ends, strict=True))
        return Overlap(self.shift, max(firsts, default=None), min(ends, default=None))

    @property
    def _ends(self) -> tuple[int | None, int | None]:
        return self.first, self.end


SAME = Overlap()
