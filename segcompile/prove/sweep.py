"""Two networks -> which of their results are equal, layer by layer.

Both are run at small sizes, on random numbers of the ring: layers with equal values are candidates. Going from the
image to the outputs each candidate is compared on its own, and once it is proved equal the two are one term, which all
that reads them reads from there on: kernels, paddings and norms are compared between neighbours, and what follows is
the same term without being run (Kuehlmann & Krohm 1997, of circuits).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from segcompile.prove.candidates import Candidates
from segcompile.prove.equality import Judge, Verdict
from segcompile.prove.sizes import LARGE, ImageSize, Taken, cost
from segcompile.prove.terms import Side, Terms, add_side

_NEAR = (0, 3)  # how far back two layers are looked at
_FAR = (0, 2, 8, None)  # and two outputs
_FAR_AND_LARGE = (0, None)  # with much behind them
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
    outputs = [[where[node] for node in side.graph.outputs.values()] for where, side in zip(before, sides, strict=True)]
    candidates = Candidates(plain, outputs, taken)
    judge = Judge(Terms(), taken, say=say)
    verdicts: list[Verdict] = []
    places = tuple(
        _merged(side, names, where, candidates, judge, verdicts)
        for side, names, where in zip(sides, inputs, before, strict=True)
    )
    parted: dict[str, Verdict] = {}
    for name, (first, second) in heads.items():
        a, b = places[0][first], places[1][second]
        if a != b:
            found = _compared(judge, a, b, candidates.parting(before[0][first], before[1][second]))
            if found.parts_at is None:
                verdicts.append(found)
            else:
                parted[name] = found
    return Swept(judge.terms, (places[0], places[1]), tuple(verdicts), parted, judge)


def _compared(judge: Judge, a: int, b: int, parting: ImageSize | None) -> Verdict:
    """Two outputs. `parting`: a size at which their values are known to part; where it costs much it is tried alone."""
    cone = [judge.terms[index] for index in judge.terms.cone((a, b))]
    if cost(cone, parting or judge.taken.least) <= LARGE:
        return judge.compare(a, b, _FAR)
    return judge.compare(a, b, _FAR_AND_LARGE) if parting is None else judge.compare(a, b, (None,), parting)


def _merged(
    side: Side,
    inputs: Sequence[str],
    before: Mapping[str, int],
    candidates: Candidates,
    judge: Judge,
    verdicts: list[Verdict],
) -> dict[str, int]:
    """Node or input of a side -> its term, or the one before it that it was proved equal to."""
    terms = judge.terms
    found = {name: terms.input(place, side.shapes[name], name) for place, name in enumerate(inputs)}
    for name in inputs:
        candidates.meet(before[name], found[name])
    for node in side.graph.nodes:
        read = tuple(found[name] for name in node.inputs)
        count = len(terms.terms)
        index = terms.add(node.op, read, side.weights.get(node.owner, {}), side.shapes[node.name], node.layer)
        if index == count:
            index = _proved_equal(index, before[node.name], candidates, judge, verdicts)
        candidates.meet(before[node.name], index)
        found[node.name] = index
    return found


def _proved_equal(index: int, before: int, candidates: Candidates, judge: Judge, verdicts: list[Verdict]) -> int:
    """A candidate that is equal to a new term, or the term itself."""
    for other in candidates.alike(before)[:_MOST_CANDIDATES]:
        if other not in candidates.alike(before):
            continue  # one before it has told them apart
        verdict = judge.compare(other, index, _NEAR)
        if verdict.parts_at is None:
            verdicts.append(verdict)
            return other
        candidates.tell_apart(verdict.parts_at)
    return index
