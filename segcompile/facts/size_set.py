"""Sets of sizes of an image: congruences, each from a least size on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

from segcompile.ops.needs import least_size
from segcompile.ops.size import MAX_PERIOD, AnySize, Undecidable

_LISTED = 6  # runs of residues, or sizes below the regular ones, that a text names


@dataclass(frozen=True, slots=True)
class SizeSet:
    """Sizes along one axis: of each residue modulo `modulus`, all from `least[residue]` on; None: not one.

    The modulus is the smallest that will do, so that equal sets are equal values.
    """

    symbol: str
    least: tuple[int | None, ...] = (1,)

    @property
    def modulus(self) -> int:
        return len(self.least)

    @property
    def residues(self) -> tuple[int, ...]:
        """The residues of which there are sizes, ascending."""
        return tuple(residue for residue, least in enumerate(self.least) if least is not None)

    def legal(self, size: int) -> bool:
        """Whether a size is one of them."""
        least = self.least[size % self.modulus]
        return least is not None and size >= least

    def nearest(self, size: int) -> tuple[int | None, int | None]:
        """The largest of them that is at most `size` and the smallest that is at least `size`; None: there is none."""
        known = [(least, (size - least) // self.modulus) for least in self.least if least is not None]
        below = [least + turns * self.modulus for least, turns in known if turns >= 0]
        above = [least + max(0, -(-(size - least) // self.modulus)) * self.modulus for least, _ in known]
        return max(below, default=None), min(above, default=None)

    def __and__(self, other: SizeSet) -> SizeSet:
        """The sizes of both. Raises Undecidable where their moduli have too large a common multiple."""
        modulus = lcm(self.modulus, other.modulus)
        if modulus > MAX_PERIOD:
            raise Undecidable(f"{self}, and {other}")
        found: list[int | None] = []
        for residue in range(modulus):
            mine, theirs = self.least[residue % self.modulus], other.least[residue % other.modulus]
            found.append(None if mine is None or theirs is None else _first(max(mine, theirs), residue, modulus))
        return size_set(self.symbol, found)

    def __str__(self) -> str:
        """`H ≡ 4 (mod 8), H ≥ 380`; `H ≥ 12`; `H = 5 or H ≡ 0 (mod 4), H ≥ 12`; `no H`."""
        if not self.residues:
            return f"no {self.symbol}"
        start = max(least - self.modulus + 1 for least in self.least if least is not None)
        first, early = self.nearest(start)[1] or start, self._before(start)
        every = [None if least is None else residue or self.modulus for residue, least in enumerate(self.least)]
        regular = _congruence(size_set(self.symbol, every))
        implied = regular and list(self.least) == every
        text = ", ".join(part for part in (regular, "" if implied else f"{self.symbol} ≥ {first}") if part)
        if len(early) > _LISTED:
            return f"{text}, and below that {early[0]}, {early[1]}, …"
        return f"{self.symbol} = {', '.join(map(str, early))} or {text}" if early else text

    def _before(self, start: int) -> list[int]:
        """The sizes below `start`, or one more than are listed."""
        found: list[int] = []
        while len(found) <= _LISTED:
            size = self.nearest(found[-1] + 1 if found else 1)[1]
            if size is None or size >= start:
                break
            found.append(size)
        return found


def _congruence(sizes: SizeSet) -> str:
    """`H ≡ 4 (mod 8)`, whatever the least sizes; the empty text if that is every size."""
    if sizes.modulus == 1:
        return ""
    listed = _runs(sizes.residues)
    more = ", …" if len(listed) > _LISTED else ""
    return f"{sizes.symbol} ≡ {', '.join(listed[:_LISTED])}{more} (mod {sizes.modulus})"


def _runs(residues: Sequence[int]) -> list[str]:
    """`0`, `1`, `9–15`: ascending numbers, three and more that follow on one another together."""
    runs: list[list[int]] = []
    for residue in residues:
        if runs and runs[-1][-1] == residue - 1:
            runs[-1].append(residue)
        else:
            runs.append([residue])
    texts = [[f"{run[0]}–{run[-1]}"] if len(run) > 2 else map(str, run) for run in runs]
    return [text for some in texts for text in some]


def size_set(symbol: str, least: Sequence[int | None]) -> SizeSet:
    """The set with these least sizes by residue, its modulus made minimal."""
    for modulus in range(1, len(least)):
        if len(least) % modulus == 0:
            merged = [_merged(least, residue, modulus) for residue in range(modulus)]
            if 0 not in merged:
                return SizeSet(symbol, tuple(merged))
    return SizeSet(symbol, tuple(least))


def fulfilling(slack: AnySize, equal: bool = False) -> SizeSet:
    """The sizes at which a symbolic size is not negative, or zero if `equal`, and so are all larger ones of the
    residue."""
    return size_set(slack.symbol, [least_size(slack, residue, equal) for residue in range(slack.period)])


def _first(size: int, residue: int, modulus: int) -> int:
    """The first size of a residue that is at least `size`."""
    return size + (residue - size) % modulus


def _merged(least: Sequence[int | None], residue: int, shorter: int) -> int | None:
    """The least size of a residue modulo `shorter`, a divisor of the modulus; 0 if that would not say it all."""
    known = [size for size in least[residue::shorter] if size is not None]
    if not known:
        return None
    first = min(known)
    exact = all(least[other] == _first(first, other, len(least)) for other in range(residue, len(least), shorter))
    return first if exact else 0
