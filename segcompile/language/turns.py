"""Runs of a list that are written once, in a loop: the same lines again and again, up to numbers and outer names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from segcompile.language.outline import Inside, Outside, Written, is_plain

_LONGEST = 12  # lines of a turn
_SHORT = 2  # lines of a turn that stand in one line
_LEAST = 1  # lines that a loop must save
_COLUMN = 0.3  # what a variable costs, in lines
ABOVE = "above"  # what a line reads that reads the one before it, as every other turn does

Cell: TypeAlias = str | Inside | Outside  # a text, or a layer outside the loop


@dataclass(frozen=True, slots=True)
class Turns:
    """Lines from `start` on: `count` turns of `length` lines. `cells`: for each line of a turn its texts in each turn,
    and the layers that it reads in each, where those are not of its own turn (None)."""

    start: int
    length: int
    count: int
    texts: tuple[tuple[tuple[str, ...], ...], ...]  # line, text, turn
    reads: tuple[tuple[tuple[Cell, ...] | None, ...], ...]  # line, read, turn

    @property
    def end(self) -> int:
        return self.start + self.length * self.count


def turns_of(lines: Sequence[Written], varies: Sequence[Sequence[str | None]]) -> list[Turns]:
    """Loops that save most, which have no line in common, in their order. `varies`: of each line, what its texts are
    where all of them are said."""
    found: list[Turns] = []
    every = sorted(_all(lines, varies), key=lambda turns: (-_gain(turns), turns.start, turns.length))
    for turns in every:
        if all(turns.end <= other.start or other.end <= turns.start for other in found):
            found.append(turns)
    return sorted(found, key=lambda turns: turns.start)


def _gain(turns: Turns) -> float:
    columns: set[tuple[Cell, ...]] = {cells for line in turns.texts for cells in line if len({*cells}) > 1}
    columns |= {cells for line in turns.reads for cells in line if cells is not None and len({*cells}) > 1}
    lines = 2 if turns.length <= _SHORT else turns.length + 2
    return turns.count * turns.length - lines - _COLUMN * len(columns)


def _all(lines: Sequence[Written], varies: Sequence[Sequence[str | None]]) -> Iterator[Turns]:
    for length in range(1, min(_LONGEST, len(lines) // 2) + 1):
        for start in range(len(lines) - 2 * length + 1):
            for chained in (True, False):
                most = (len(lines) - start) // length
                count = next((n for n in range(1, most) if not _alike(lines, start, length, n, chained)), most)
                if count > 1:
                    found = _turns(lines, varies, start, length, count, chained)
                    if found is not None and _gain(found) > _LEAST:
                        yield found


def _alike(lines: Sequence[Written], start: int, length: int, turn: int, chained: bool) -> bool:
    """Whether a turn, counted from 0, says what the first one says."""
    return all(
        lines[start + j].form == lines[start + turn * length + j].form
        and _codes(lines, start, length, 0, j, chained) == _codes(lines, start, length, turn, j, chained) is not None
        for j in range(length)
    )


def _codes(
    lines: Sequence[Written], start: int, length: int, turn: int, j: int, chained: bool
) -> tuple[Inside | str | None, ...] | None:
    """How a line reads: a line of its turn, the one above, or a layer outside (None); as a whole None where it reads
    another turn."""
    first = start + turn * length
    found: list[Inside | str | None] = []
    for index, read in enumerate(lines[first + j].reads):
        if isinstance(read, Inside) and read.line >= first:
            found.append(Inside(read.line - first, read.path))
        elif chained and index == 0 and j == 0:
            if read != (Inside(first - 1) if first else Outside(0)):
                return None
            found.append(ABOVE)
        elif isinstance(read, Inside) and (read.line >= start or not _has_one_name(lines[read.line], read)):
            return None
        else:
            found.append(None)
    return tuple(found)


def _has_one_name(line: Written, read: Inside) -> bool:
    """Whether it is known how many layers a line makes, and so what its last one is called."""
    return bool(read.path) or line.texts[0].isdigit()


def _turns(
    lines: Sequence[Written], varies: Sequence[Sequence[str | None]], start: int, length: int, count: int, chained: bool
) -> Turns | None:
    """The loop, if all that differs can be the value of a variable."""
    texts, reads = [], []
    for j in range(length):
        at = range(start + j, start + count * length, length)
        columns = list(zip(*(lines[i].texts for i in at), strict=True))
        said = list(zip(*(varies[i] for i in at), strict=True))
        columns = [said[k] if len({*each}) > 1 else each for k, each in enumerate(columns)]
        if any(len({*each}) > 1 and not all(map(is_plain, each)) for each in columns):
            return None
        texts.append(tuple(columns))
        codes = _codes(lines, start, length, 0, j, chained) or ()
        outside = zip(*(lines[i].reads for i in at), strict=True)
        reads.append(tuple(each if code is None else None for code, each in zip(codes, outside, strict=True)))
    return Turns(start, length, count, tuple(texts), tuple(reads))
