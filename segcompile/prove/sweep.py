"""Two networks -> which of their results are equal, layer by layer.

Both are run once, at a small size, on random numbers of the ring: layers with equal values are candidates. Going from
the image to the outputs each candidate is compared on its own, and once it is proved equal the two are one term, which
all that reads them reads from there on: kernels, paddings and norms are compared between neighbours, and what follows
is the same term without being run (Kuehlmann & Krohm 1997, of circuits).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from segcompile.prove.arithmetic import Array
from segcompile.prove.equality import Judge, Verdict, run
from segcompile.prove.evaluate import joined_maxima
from segcompile.prove.ring import Ring
from segcompile.prove.sizes import LARGE, ImageSize, Taken, cost, fingerprint_size
from segcompile.prove.terms import Side, Terms, add_side

_NEAR = (0, 3)  # how far back two layers are looked at
_FAR = (0, 2, 8, None)  # and two outputs
_MOST_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Swept:
    """`places`: of each side, node or input -> its term, one for equal ones. `verdicts`: of all that were run and are
    equal; `parted`: output -> of two that could not be shown equal."""

    terms: Terms
    places: tuple[Mapping[str, int], Mapping[str, int]]
    verdicts: tuple[Verdict, ...]
    parted: Mapping[str, Verdict]
    judge: Judge


def sweep(
    sides: tuple[Side, Side],
    inputs: tuple[Sequence[str], Sequence[str]],
    heads: Mapping[str, tuple[str, str]],
    taken: Taken,
    say: Callable[[str], None],
) -> Swept:
    """`heads`: name of an output -> the nodes that give it in the two networks."""
    plain = Terms()
    before = tuple(add_side(plain, side, names) for side, names in zip(sides, inputs, strict=True))
    prints = _fingerprints(
        plain,
        [[where[node] for node in side.graph.outputs.values()] for where, side in zip(before, sides, strict=True)],
        taken,
    )
    judge = Judge(Terms(), taken, say=say)
    known: dict[bytes, list[int]] = {}
    verdicts: list[Verdict] = []
    places = tuple(
        _merged(side, names, where, prints, judge, known, verdicts)
        for side, names, where in zip(sides, inputs, before, strict=True)
    )
    parted: dict[str, Verdict] = {}
    for name, (first, second) in heads.items():
        a, b = places[0][first], places[1][second]
        if a != b:
            size = _first(judge, a, b, taken)
            found = judge.compare(a, b, _FAR if size is None else (0, None), size)
            if found.parts_at is None:
                verdicts.append(found)
            else:
                parted[name] = found
    return Swept(judge.terms, (places[0], places[1]), tuple(verdicts), parted, judge)


def _first(judge: Judge, a: int, b: int, taken: Taken) -> ImageSize | None:
    """Where two outputs have much behind them, a size at which they probably part at once."""
    cone = judge.terms.cone((a, b))
    size = fingerprint_size(judge.terms, cone, taken)
    return size if cost([judge.terms[index] for index in cone], size) > LARGE else None


def _merged(
    side: Side,
    inputs: Sequence[str],
    before: Mapping[str, int],
    prints: Mapping[int, bytes],
    judge: Judge,
    known: dict[bytes, list[int]],
    verdicts: list[Verdict],
) -> dict[str, int]:
    """Node or input of a side -> its term, or the one before it that it was proved equal to."""
    terms = judge.terms
    found = {name: terms.input(place, side.shapes[name], name) for place, name in enumerate(inputs)}
    for name in inputs:
        _remember(known, prints.get(before[name]), found[name])
    for node in side.graph.nodes:
        read = tuple(found[name] for name in node.inputs)
        count = len(terms.terms)
        index = terms.add(node.op, read, side.weights.get(node.owner, {}), side.shapes[node.name], node.layer)
        mark = prints.get(before[node.name])
        if index == count and mark is not None:
            index = _proved_equal(index, known.get(mark, ()), judge, verdicts)
        _remember(known, mark, index)
        found[node.name] = index
    return found


def _remember(known: dict[bytes, list[int]], mark: bytes | None, index: int) -> None:
    if mark is not None and index not in known.setdefault(mark, []):
        known[mark].append(index)


def _proved_equal(index: int, candidates: Sequence[int], judge: Judge, verdicts: list[Verdict]) -> int:
    for other in candidates[:_MOST_CANDIDATES]:
        verdict = judge.compare(other, index, _NEAR)
        if verdict.parts_at is None:
            verdicts.append(verdict)
            return other
    return index


def _fingerprints(plain: Terms, outputs: Sequence[Sequence[int]], taken: Taken) -> dict[int, bytes]:
    """A digest of the value of each term that is one network's alone, and of what such terms read."""
    first, second = ({*plain.cone(roots)} for roots in outputs)
    both = first & second
    alone = (first | second) - both
    cone, free = sorted(first | second), frozenset[int]()
    if cost([plain[index] for index in cone], fingerprint_size(plain, cone, taken)) > LARGE:
        free = frozenset(i for index in alone for i in plain[index].inputs if i in both)
        cone = sorted(alone | free)
    ring = Ring(-1, joined_maxima(plain, cone, free))
    found: dict[int, bytes] = {}

    def note(index: int, value: Array) -> None:
        found[index] = hashlib.blake2b(
            f"{value.shape}".encode() + ring.packed(value).tobytes(), digest_size=16
        ).digest()

    if alone:
        run(plain, cone, free, fingerprint_size(plain, cone, taken), ring, note)
    return found
