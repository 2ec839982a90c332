"""Are two terms equal? They are run over the ring, on values drawn at random in the place of what both depend on.

Equal values at every size that has to be tried: the terms are equal, but for a chance that is counted. Each run is
bounded by Schwartz-Zippel: of N hashed values, N (N - 1) / 2 pairs may be equal by chance, and so may the two results;
each with probability at most D / 2^20 for each of the three primes, D the largest degree between two hashes. Where
that is more than a run's share of the allowance, it is run again with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from segcompile.prove.arithmetic import Arithmetic, Array
from segcompile.prove.evaluate import degrees, evaluate, hashed_behind, joined_maxima
from segcompile.prove.ring import LOW, Ring
from segcompile.prove.sizes import ImageSize, Taken, Trials, at, held, trials
from segcompile.prove.terms import Terms
from segcompile.prove.weights import Folded, Variable, Weight

ALLOWED = 1e-9  # that something proved is wrong
MOST_SEEDS = 8  # of one run
MOST_TRIALS = 400  # sizes of one pair of terms
_FIRST_SHARE = 6 / np.pi**2  # of the allowance; the k-th run has 1 / k² of that


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of two terms: `parts_at`: a size of the image at which they differ; None: equal. `whole`: at every size that the
    networks take, else at those of `sizes`. `unbounded`: they do not differ at `parts_at`, but so much is hashed there
    that the chance of a mistake cannot be bounded."""

    parts_at: ImageSize | None
    sizes: tuple[ImageSize, ...] = ()
    whole: bool = True
    unbounded: bool = False


@dataclass(eq=False)
class Judge:
    """Compares terms, and remembers what it has compared: of a block that is repeated only the first is run."""

    terms: Terms
    taken: Taken
    seed: int = 0
    bound: float = 0.0
    seeds: int = 0
    runs: int = 0
    say: Callable[[str], None] = lambda text: None
    _known: dict[object, Verdict] = field(default_factory=dict)

    def compare(self, a: int, b: int, depths: tuple[int | None, ...], first: ImageSize | None = None) -> Verdict:
        """Whether two terms are equal; with all that both depend on as a value of its own, then with what lies so many
        terms further back, None: all of it. What is equal there is equal; what parts may be equal further back.
        `first`: a size to try before all others, where the small ones cost much."""
        found = Verdict(None)
        seen: set[frozenset[int]] = set()
        for depth in depths:
            free = self._shared(a, b, depth)
            if free in seen:
                continue
            seen.add(free)
            cone = self.terms.cone((a, b), free)
            found = self._between(a, b, cone, free, first)
            if found.parts_at is None:
                return found
        return found

    def _shared(self, a: int, b: int, depth: int | None) -> frozenset[int]:
        """What both depend on, that lies `depth` terms behind the first of that."""
        if depth is None:
            return frozenset()
        both = {*self.terms.cone((a,))} & {*self.terms.cone((b,))}
        edge = {i for root in (a, b) for i in self._edge(root, both)}
        for _ in range(depth):
            edge = {i for index in edge for i in (self.terms[index].inputs or (index,))}
        return frozenset(edge)

    def _edge(self, root: int, both: set[int]) -> set[int]:
        if root in both:
            return {root}
        own = [i for i in self.terms.cone((root,), frozenset(both)) if i not in both]
        return {read for i in own for read in self.terms[i].inputs if read in both}

    def _between(self, a: int, b: int, cone: list[int], free: frozenset[int], first: ImageSize | None) -> Verdict:
        key = _structure(self.terms, a, b, cone, free)
        if key not in self._known and first is not None:
            found = self._tried(a, b, cone, free, Trials((first,), False))
            if found.parts_at is not None:
                return found
        if key not in self._known:
            tried = trials(self.terms, cone, free, self.taken)
            if len(tried.sizes) > MOST_TRIALS:
                tried = Trials(tried.sizes[:MOST_TRIALS], False)
            self._known[key] = self._tried(a, b, cone, free, tried)
        return self._known[key]

    def _tried(self, a: int, b: int, cone: list[int], free: frozenset[int], tried: Trials) -> Verdict:
        degree, joins = degrees(self.terms, cone, free), joined_maxima(self.terms, cone, free)
        behind = hashed_behind(self.terms, cone, free)
        few = None if behind[a] is None or behind[b] is None else (behind[a] or 0) + (behind[b] or 0)
        rings: list[Ring] = []  # of the seeds so far, which keep their weights
        for count, size in enumerate(tried.sizes):
            self.say(f"{self.terms[b].title}: size {count + 1} of {len(tried.sizes)}")
            parted = self._parted_at(size, a, b, cone, free, degree, few, rings, joins)
            if parted is not None:
                return parted
        return Verdict(None, tried.sizes, tried.whole)

    def _parted_at(
        self,
        size: ImageSize,
        a: int,
        b: int,
        cone: list[int],
        free: frozenset[int],
        degree: int,
        few: int | None,
        rings: list[Ring],
        joins: dict[int, tuple[int, ...]],
    ) -> Verdict | None:
        self.runs += 1
        allowed, chance, seeds = ALLOWED * _FIRST_SHARE / self.runs**2, 1.0, 0
        while chance > allowed:
            if seeds == MOST_SEEDS:
                return Verdict(size, unbounded=True)
            if seeds == len(rings):
                rings.append(Ring(self.seed + seeds, joins))
            ring = rings[seeds]
            ring.hashed = ring.hashed_of_weights  # these are kept from one size to the next
            found = results(self.terms, cone, free, size, ring, (a, b))
            if found[a].shape != found[b].shape or not (ring.packed(found[a]) == ring.packed(found[b])).all():
                return Verdict(size)
            hashed = ring.hashed if few is None else min(few, ring.hashed)
            chance *= min(1.0, (hashed**2 / 2 + 1) * (degree / LOW) ** 3)
            seeds += 1
        self.bound += chance
        self.seeds = max(self.seeds, seeds)
        return None


def run(
    terms: Terms,
    cone: Sequence[int],
    free: frozenset[int],
    size: ImageSize,
    a: Arithmetic,
    seen: Callable[[int, Array], None],
) -> None:
    """Shows `seen` the value of every term of a cone at one size of the image; those that are free, and inputs, are
    drawn."""
    drawn = [i for i in cone if i in free or terms[i].op is None]
    given = {i: a.drawn(f"term {i}", held(at(terms[i].shape, size))) for i in drawn}
    evaluate(terms, cone, given, a, seen)


def results(
    terms: Terms, cone: Sequence[int], free: frozenset[int], size: ImageSize, a: Arithmetic, wanted: Sequence[int]
) -> dict[int, Array]:
    """The values of some terms of a cone, as `run` has them."""
    found: dict[int, Array] = {}

    def keep(index: int, value: Array) -> None:
        if index in wanted:
            found[index] = value

    run(terms, cone, free, size, a, keep)
    return found


def _structure(terms: Terms, a: int, b: int, cone: list[int], free: frozenset[int]) -> object:
    """What two comparisons have in common that are the same but for the names of terms and weights."""
    place = {index: number for number, index in enumerate(cone)}
    names: dict[str, int] = {}
    rows: list[object] = []
    for index in cone:
        term = terms[index]
        if index in free or term.op is None:
            rows.append(term.shape)
            continue
        weights = tuple((name, _renamed(weight, names)) for name, weight in term.weights)
        rows.append((term.op, tuple(place[i] for i in term.inputs), weights, term.shape))
    return (tuple(rows), place[a], place[b])


def _renamed(weight: Weight | None, names: dict[str, int]) -> object:
    match weight:
        case Variable():
            return names.setdefault(weight.name, len(names)), weight.shape
        case Folded():
            parts = (_renamed(weight.weight, names), *((name, _renamed(each, names)) for name, each in weight.norm))
            return (parts, weight.eps, weight.bias, weight.groups)
    return weight
