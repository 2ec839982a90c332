"""Lines -> fewer lines: what is written again and again is found and becomes a block, or one line with `repeat`.

Greedy: of all runs of lines that occur more than once, up to the numbers in them and to the layers that they are given,
the one that saves most becomes a block; its calls are lines in the next round, so that blocks hold blocks. A round
takes time linear in the lines: a start is followed only as long as another one goes on in the same way.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from segcompile.language.arguments import call_values, chosen_texts
from segcompile.language.outline import Block, Form, Inside, Line, Outside, Path, Reference, Written, is_plain

LONGEST = 48  # lines of a block, calls of others among them
_HEAD = 2  # lines of a block beside its layers
_SHORT = 4  # lines of a block that stand in one line
_LEAST = 1  # lines that a block must save
_LAYER, _INNER, _ARGUMENT = (
    0.6,
    0.5,
    0.15,
)  # what it costs a call, in lines, to be given a layer or a number, or looked into


@dataclass(frozen=True, slots=True)
class Outline:
    """A network's lines, and the blocks that they call, each behind those that it calls itself."""

    lines: tuple[Line, ...]
    blocks: tuple[Block, ...]


def outlined(lines: Sequence[Line], inputs: Sequence[str], kept: frozenset[str]) -> Outline:
    """`inputs`: of the network. `kept`: the layers that are read from outside of all lines, as an output is."""
    now, blocks, looped = _stacked(lines, kept), list[Block](), set[Line]()
    while True:
        found = _best(now, inputs, kept, looped)
        if found is None:
            return Outline(tuple(_stacked(now, kept, inner=True)), tuple(blocks))
        if found.loop:
            looped |= {*now[found.starts[0] : found.starts[-1] + found.length]}
            continue
        block, calls = _made(now, found, inputs)
        blocks.append(block)
        now = _stacked(list(_replaced(now, calls, found.length)), kept)


# --- which lines are alike -------------------------------------------------------------------------------------------


def places(lines: Sequence[Line]) -> dict[str, Inside]:
    """Layer -> the line that writes it, and the path to it there."""
    return {name: Inside(index, path) for index, line in enumerate(lines) for name, path in line.where.items()}


class _Reading:
    """What the lines from one start on read, told in a way that is the same at every start where it is alike."""

    def __init__(self, start: int, inputs: Sequence[str]) -> None:
        self.start, self.given, self.inputs = start, dict[str, int](), inputs

    def of(self, line: Line, at: Mapping[str, Inside]) -> tuple[Reference, ...]:
        return tuple(self._reference(name, at) for name in line.reads)

    def _reference(self, name: str, at: Mapping[str, Inside]) -> Reference:
        place = at.get(name)
        if place is not None and place.line >= self.start:
            return Inside(place.line - self.start, place.path)
        if place is None and self.given and name not in self.given:
            return name
        return Outside(self.given.setdefault(name, len(self.given)))


def _alike(
    lines: Sequence[Line], inputs: Sequence[str], looped: AbstractSet[Line]
) -> Iterator[tuple[int, list[int], int]]:
    """(length, starts, layers that it is given besides the one that enters) of every run that occurs more than once."""
    at = places(lines)
    reading = [_Reading(start, inputs) for start in range(len(lines))]
    groups: list[list[int]] = [list(range(len(lines)))]
    for length in range(1, LONGEST + 1):
        split: list[list[int]] = []
        for group in groups:
            by_next: dict[object, list[int]] = {}
            for start in group:
                if start + length <= len(lines):
                    line = lines[start + length - 1]
                    if line not in looped and not (isinstance(line.form, Form) and line.form.single):
                        by_next.setdefault((line.form, reading[start].of(line, at)), []).append(start)
            split += [starts for starts in by_next.values() if len(starts) > 1]
        groups = split
        if length > 1:
            yield from ((length, starts, len(reading[starts[0]].given) - 1) for starts in groups)


# --- which of them is worth a block ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Runs of lines that may become calls of a block: where they start, which are apart."""

    starts: tuple[int, ...]
    length: int
    most: float  # that it saves, in lines, if it needs no arguments
    loop: bool = False  # they stand one behind the other, and a loop says them


def _best(
    lines: Sequence[Line], inputs: Sequence[str], kept: frozenset[str], looped: AbstractSet[Line]
) -> _Candidate | None:
    """The runs whose block, or loop, saves most; if they hold others twice, the best of these. Lines that are `looped`
    are taken."""
    gains: dict[_Candidate, float] = {}
    found = list(_candidates(lines, inputs, _readers(lines, kept), looped))
    best = _most(found, lines, gains)
    while best is not None:
        inner = [each for each in found if each.length < best.length and _is_inside(each, best)]
        further = _most(inner, lines, gains)
        if further is None:
            break
        best = further
    return best


def _most(found: Sequence[_Candidate], lines: Sequence[Line], gains: dict[_Candidate, float]) -> _Candidate | None:
    """The one that saves most. Its arguments are looked at only where it could be that."""
    best, least = None, (float(_LEAST), 0, 0)
    for each in sorted(found, key=lambda each: (-each.most, each.length, each.starts[0])):
        if each.most < least[0]:
            break
        if each not in gains:
            gains[each] = _gain(each, lines)
        worth = (gains[each], -each.length, -each.starts[0])
        if gains[each] > _LEAST and worth > least:
            best, least = each, worth
    return best


def _gain(found: _Candidate, lines: Sequence[Line]) -> float:
    """Lines that a block saves; less than none where a number of it is not known."""
    chosen = chosen_texts([lines[start : start + found.length] for start in found.starts])
    if chosen is None or (found.loop and not all(map(is_plain, chain.from_iterable(chosen[2])))):
        return -1
    return found.most - (1 if found.loop else len(found.starts)) * _ARGUMENT * len(chosen[1])


def _is_inside(inner: _Candidate, outer: _Candidate) -> bool:
    """Whether the first of the outer runs holds two of the inner ones."""
    first, last = outer.starts[0], outer.starts[0] + outer.length - inner.length
    return bisect_right(inner.starts, last) - bisect_left(inner.starts, first) > 1


def _candidates(
    lines: Sequence[Line], inputs: Sequence[str], readers: Mapping[str, tuple[int, int]], looped: AbstractSet[Line]
) -> Iterator[_Candidate]:
    """All whose block, or loop, may save something."""
    for length, starts, layers in _alike(lines, inputs, looped):
        apart = _apart(starts, length)
        most = len(apart) * (length - 1 - _LAYER * layers) - (1 if length <= _SHORT else length + _HEAD)
        if len(apart) > 1 and most > _LEAST and not _is_power(lines, apart[0], length):
            if _is_loop(lines, apart, length):
                yield _Candidate(tuple(apart), length, len(apart) * length - max(2, length + _HEAD - 1), loop=True)
                continue
            if _is_in_a_row(apart, length):
                most += len(apart) - 2  # a loop says the calls
            most -= _INNER * sum(_looked_into(lines, readers, start, length) for start in apart)
            if most > _LEAST:
                yield _Candidate(tuple(apart), length, most)


def _apart(starts: Sequence[int], length: int) -> list[int]:
    found: list[int] = []
    for start in starts:
        if not found or start >= found[-1] + length:
            found.append(start)
    return found


def _is_power(lines: Sequence[Line], start: int, length: int) -> bool:
    """Whether a run of lines is a shorter one, several times."""
    forms = [line.form for line in lines[start : start + length]]
    return any(forms == forms[:part] * (length // part) for part in range(1, length // 2 + 1) if length % part == 0)


def _is_in_a_row(starts: Sequence[int], length: int) -> bool:
    return all(after == before + length for before, after in pairwise(starts))


def _is_loop(lines: Sequence[Line], starts: Sequence[int], length: int) -> bool:
    """Whether runs of lines stand one behind the other, and each is entered through its first line alone: a loop says
    that in fewer lines than a block."""
    if not _is_in_a_row(starts, length):
        return False
    earlier = {name for line in lines[starts[0] : starts[-1]] for name in line.where}
    for start in starts[1:]:
        own = {name for line in lines[start : start + length] for name in line.where}
        above = lines[start - 1].result
        reads = [*lines[start].reads[1:], *(name for line in lines[start + 1 : start + length] for name in line.reads)]
        if lines[start].reads[0] in earlier - {above} or any(name in earlier - own for name in reads):
            return False
    entering = lines[starts[0] - 1].result if starts[0] else ""
    return not any(entering in line.reads for line in lines[starts[0] + 1 : starts[0] + length])


def _readers(lines: Sequence[Line], kept: frozenset[str]) -> Mapping[str, tuple[int, int]]:
    """Layer -> the first and last line that reads it; a number behind all lines for one that is kept."""
    found = {name: (len(lines), len(lines)) for name in kept}
    for index, line in enumerate(lines):
        for name in line.reads:
            first, last = found.get(name, (index, index))
            found[name] = min(first, index), max(last, index)
    return found


def _looked_into(lines: Sequence[Line], readers: Mapping[str, tuple[int, int]], start: int, length: int) -> int:
    """How many layers inside a run are read from behind it."""
    names = [name for line in lines[start : start + length] for name in line.where][:-1]
    return sum(name in readers and readers[name][1] >= start + length for name in names)


# --- making it -------------------------------------------------------------------------------------------------------


def _made(lines: Sequence[Line], found: _Candidate, inputs: Sequence[str]) -> tuple[Block, dict[int, Line]]:
    """The block of some runs of lines, and its calls by where they start."""
    runs = [lines[start : start + found.length] for start in found.starts]
    chosen = chosen_texts(runs)
    assert chosen is not None  # it was a candidate
    texts, arguments, columns = chosen
    at = places(lines)
    reading = [_Reading(start, inputs) for start in found.starts]
    reads = [[own.of(line, at) for line in run] for own, run in zip(reading, runs, strict=True)]
    body = tuple(Written(line.form, text, read) for line, text, read in zip(runs[0], texts, reads[0], strict=True))
    block = Block(body, arguments, len(reading[0].given) - 1)
    calls = {}
    for index, (start, run) in enumerate(zip(found.starts, runs, strict=True)):
        said, values = call_values(arguments, [column[index] for column in columns], run[0].channels)
        where = {name: (0, j, *_whole(line, path)) for j, line in enumerate(run) for name, path in line.where.items()}
        where[run[-1].result] = ()
        given = tuple(reading[index].given)
        calls[start] = Line(block, ("1", *said), ("1", *values), given, run[0].channels, (tuple(run),), where)
    return block, calls


def _whole(line: Line, path: Path) -> Path:
    """The path to a layer of a line, which names the turn also of its result."""
    return path or (len(line.turns) - 1,)


def _replaced(lines: Sequence[Line], calls: Mapping[int, Line], length: int) -> Iterator[Line]:
    index = 0
    while index < len(lines):
        yield calls.get(index, lines[index])
        index += length if index in calls else 1


# --- one behind the other --------------------------------------------------------------------------------------------


def _stacked(lines: Sequence[Line], kept: frozenset[str], *, inner: bool = False) -> list[Line]:
    """Lines that say the same, each reading nothing but the one before, as one line with `repeat`. `inner`: also where
    others read more of them than the last one."""
    reads: dict[str, int] = dict.fromkeys(kept, 1)
    for line in lines:
        for name in line.reads:
            reads[name] = reads.get(name, 0) + 1
    found: list[Line] = []
    for line in lines:
        if found and _goes_on(found[-1], line) and (inner or _is_read_once(found[-1], reads)):
            reads[found[-1].result] -= 1  # what reads it is the same line now
            found[-1] = _stack(found[-1], line)
        else:
            found.append(line)
    return found


def _is_read_once(line: Line, reads: Mapping[str, int]) -> bool:
    return sum(reads.get(name, 0) for name in line.where) == 1


def _goes_on(before: Line, line: Line) -> bool:
    alike = before.form == line.form and before.said[1:] == line.said[1:]
    chained = line.reads == (before.result,) and len(before.reads) == 1 and not getattr(line.form, "single", "")
    return alike and chained


def _stack(before: Line, line: Line) -> Line:
    turns = len(before.turns)
    where: dict[str, Path] = {name: path or (turns - 1,) for name, path in before.where.items()}
    where |= {name: (path[0] + turns, *path[1:]) if path else () for name, path in line.where.items()}
    count = str(turns + len(line.turns))
    values = (a if a == b else None for a, b in zip(before.values[1:], line.values[1:], strict=True))
    return replace(
        before, said=(count, *before.said[1:]), values=(count, *values), turns=(*before.turns, *line.turns), where=where
    )
