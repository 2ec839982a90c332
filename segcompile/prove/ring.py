"""The ring of three primes of 21 bits: sums and products are exact in float64, all else is a keyed hash.

A number is three signed residues. A sum of k products is below k 2^40, which a float holds exactly up to k = 8192. The
three residues packed into 63 bits are the argument of every hash, and a hash is three residues again. So two different
polynomials of hashed values are equal by chance only (Schwartz 1980, Zippel 1979): at a point drawn at random
with probability at most D / 2^20 for each prime, D their degree.

A maximum is a hash of the *set* of what it is taken of, a ReLU one of the set {x, 0}, and a set of one is its own
value. The sets of maxima that another maximum reads are kept, and joined there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

import numpy as np

from segcompile.prove.arithmetic import Arithmetic, Array, Weighing

LOW, HIGH, BITS = 2**20, 2**21, 21
MOST_TERMS = 8000  # of a sum of products that is exact
MOST_JOINED = 2**23  # values that the sets of one maximum are joined from; beyond, a maximum read is a value of its own
_ABSENT = np.uint64(2**64 - 1)  # no packed value has 64 bits
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TWO = np.uint64(0x3C6EF372FE94F82A)  # twice that
_ODD = frozenset({"tanh", "erf_of_root_half", "tanh_of_gelu"})  # f(-x) = -f(x)
_EVEN = frozenset({"even_part_of_softplus"})  # f(-x) = f(x)
_ZERO = frozenset({"exponential_below_zero"})  # f(0) = 0


@cache
def _primes() -> Array:
    sieve = np.ones(HIGH, bool)
    sieve[:2] = False
    for factor in range(2, 1449):
        if sieve[factor]:
            sieve[factor * factor :: factor] = False
    found: Array = np.flatnonzero(sieve[LOW:]) + LOW
    return found


def digest(*parts: object) -> np.uint64:
    """64 bits of what is said: the same in every process."""
    text = "\0".join(map(str, parts)).encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


def _mixed(x: Array) -> Array:
    """A permutation of 64-bit numbers that looks like chance: the finaliser of SplitMix64, Steele et al. (2014)."""
    x = np.bitwise_xor(x, x >> np.uint64(30))
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


@dataclass(frozen=True, slots=True)
class _Sets:
    """What some maxima were taken of: packed results, ascending, and the packed values of each, filled up by
    `_ABSENT`."""

    results: Array  # (n,)
    members: Array  # (most members, n)


class Ring(Arithmetic):
    """The ring of one seed. `joins`: term that takes maxima -> the terms whose sets it joins; `hashed`: how many values
    were hashed so far, `hashed_of_weights`: of these for weights, which are kept."""

    parts = 3
    most_rows = 2**22

    def __init__(self, seed: int, joins: Mapping[int, tuple[int, ...]] | None = None) -> None:
        super().__init__()
        self.seed, self.joins, self.hashed, self.hashed_of_weights = seed, joins or {}, 0, 0
        chosen = np.random.default_rng(digest("primes", seed)).choice(_primes(), 3, replace=False)
        self.moduli: tuple[int, ...] = tuple(map(int, chosen))
        self._kept: dict[int, _Sets] = {}
        self._keeps = {term for terms in self.joins.values() for term in terms}

    def _moduli(self, x: Array) -> Array:
        return np.array(self.moduli, np.float64).reshape(3, *[1] * (x.ndim - 1))

    def settled(self, x: Array) -> Array:
        moduli = self._moduli(x)
        turns = x * (1 / moduli)
        np.rint(turns, out=turns)
        turns *= moduli
        return np.subtract(x, turns, out=turns)

    def numbers(self, values: Array) -> Array:
        found = np.empty((3, *values.shape))
        for part, prime in enumerate(self.moduli):
            known: dict[Fraction, float] = {}
            for place in np.ndindex(*values.shape):
                value: Fraction = values[place]  # type: ignore[assignment]
                if value not in known:
                    known[value] = value.numerator * pow(value.denominator, -1, prime) % prime
                found[(part, *place)] = known[value]
        return self.settled(found)

    def floats(self, values: Array) -> Array:
        mantissas, exponents = np.frexp(values)
        whole, powers = np.ldexp(mantissas, 53).astype(np.int64), exponents - 53
        least = int(powers.min())
        found = np.empty((3, *values.shape))
        for part, prime in enumerate(self.moduli):
            known = [pow(2, power, prime) for power in range(least, int(powers.max()) + 1)]
            found[part] = whole % prime * np.array(known, np.int64)[powers - least] % prime
        return self.settled(found)

    def contracted(self, a: Array, b: Array) -> Array:
        terms = a.shape[-1]
        if terms <= MOST_TERMS:
            return self.settled(a @ b)
        pieces = (slice(start, start + MOST_TERMS) for start in range(0, terms, MOST_TERMS))
        total: Array = sum(self.settled(a[..., piece] @ b[..., piece, :]) for piece in pieces)  # type: ignore[assignment]
        return self.settled(total)

    def weight(self, weight: Weighing, rows: range | None = None) -> Array:
        before = self.hashed
        found = super().weight(weight, rows)
        self.hashed_of_weights += self.hashed - before
        return found

    # --- hashes ------------------------------------------------------------------------------------------------------

    def packed(self, x: Array) -> Array:
        """(3, ...) -> (...): 63 bits, one number for each value of the ring."""
        found = np.zeros(x.shape[1:], np.uint64)
        for part, prime in enumerate(self.moduli):
            found |= (x[part] + (x[part] < 0) * float(prime)).astype(np.uint64) << np.uint64(BITS * part)
        return found

    def unpacked(self, packed: Array) -> Array:
        """(...) -> (3, ...)."""
        mask, found = np.uint64(2**BITS - 1), np.empty((3, *packed.shape))
        for part, prime in enumerate(self.moduli):
            found[part] = packed >> np.uint64(BITS * part) & mask
            found[part] -= prime * np.rint(found[part] * (1 / prime))
        return found

    def _spread(self, hashes: Array) -> Array:
        """(...) of 64 bits -> (3, ...), residues of 21 bits each: a prime is more than half of that, and no residue is
        more likely than 2 / 2^21."""
        self.hashed += hashes.size
        return self.unpacked(hashes)

    def drawn(self, name: str, shape: tuple[int, ...], rows: range | None = None) -> Array:
        rows = range(shape[0]) if rows is None else rows
        each = prod(shape[1:])
        places = np.arange(rows.start * each, rows.stop * each, dtype=np.uint64)
        drawn = self.unpacked(_mixed(places * _GOLDEN + digest(self.seed, "drawn", name)))
        return drawn.reshape(3, len(rows), *shape[1:])

    def _hash(self, key: np.uint64, x: Array) -> Array:
        return self._spread(_mixed(_mixed(self.packed(x) ^ key) + key))

    def function(self, name: str, x: Array, parameter: Fraction = Fraction(0)) -> Array:
        key = digest(self.seed, name, parameter)
        if name in _ODD or name in _EVEN:
            sign = np.where(self.packed(x) > self.packed(-x), -1.0, 1.0)
            found = self._hash(key, sign * x)
            if name in _EVEN:
                return found
            found = sign * found
        else:
            found = self._hash(key, x)
        return np.where((x == 0).all(0), 0.0, found) if name in _ODD | _ZERO else found

    def shares(self, x: Array, axis: int) -> Array:
        """exp of the differences from the mean: a softmax is the same for x + c, and knows no order."""
        count = Fraction(1, x.shape[axis])
        powers = self.function("exp", self.settled(x - self.scaled(x.sum(axis, keepdims=True), count)))
        return self.product(powers, self.function("reciprocal", self.settled(powers.sum(axis, keepdims=True))))

    # --- maxima ------------------------------------------------------------------------------------------------------

    def positive(self, x: Array, term: int = -1) -> Array:
        if term in self.joins or term in self._keeps:
            return self.largest(np.stack([x, np.zeros_like(x)]), np.ones((2, *[1] * x.ndim), bool), term)
        packed, key = self.packed(x), digest(self.seed, "set")
        total = _mixed(packed ^ key) + _mixed(np.zeros(1, np.uint64) ^ key)
        return np.where((packed == 0)[None], 0.0, self._spread(_mixed(total + _TWO)))

    def largest(self, windows: Array, present: Array, term: int = -1) -> Array:
        shape = windows.shape[1:]
        members = np.stack([self.packed(tap) for tap in windows]).reshape(len(windows), -1)
        there = np.broadcast_to(present[:, 0], (len(windows), *shape[1:])).reshape(members.shape)
        members = np.where(there, members, _ABSENT)
        for source in self.joins.get(term, ()):
            members = self._joined(members, self._kept.get(source))
        members = np.sort(members, 0)
        members[1:][members[1:] == members[:-1]] = _ABSENT
        there = members != _ABSENT
        counts = there.sum(0, dtype=np.uint64)
        total = (_mixed(members ^ digest(self.seed, "set")) * there).sum(0, dtype=np.uint64)
        found = self._spread(_mixed(total + counts * _GOLDEN))
        found = np.where(counts == 1, self.unpacked(members.min(0)), found)
        if term in self._keeps:
            self._keep(term, self.packed(found), members)
        return found.reshape(shape)

    def _keep(self, term: int, results: Array, members: Array) -> None:
        results, first = np.unique(results, return_index=True)
        members = np.sort(members[:, first], 0)
        self._kept[term] = _Sets(results, members[: max(1, int((members != _ABSENT).sum(0).max()))])

    def _joined(self, members: Array, sets: _Sets | None) -> Array:
        """(taps, n) -> (more, n): in the place of each member that is a maximum what that was taken of."""
        if sets is None or members.size * len(sets.members) > MOST_JOINED:
            return members
        place = np.minimum(np.searchsorted(sets.results, members), len(sets.results) - 1)
        known = sets.results[place] == members
        inner = np.where(known, sets.members[:, place], _ABSENT)  # (most members, taps, n)
        inner[0] = np.where(known, inner[0], members)
        joined = np.sort(inner.reshape(-1, members.shape[1]), 0)
        joined[1:][joined[1:] == joined[:-1]] = _ABSENT
        joined = np.sort(joined, 0)
        return joined[: max(1, int((joined != _ABSENT).sum(0).max()))]

    def switches(self, windows: Array, present: Array) -> Array:
        """Which of equal maxima counts is up to their order: a function of the window as it stands, and of the tap."""
        packed = np.where(present[:, 0], np.stack([self.packed(tap) for tap in windows]), _ABSENT)
        whole = np.zeros(packed.shape[1:], np.uint64)
        for tap in packed:
            whole = _mixed(_mixed(whole + _GOLDEN) ^ tap)
        taps = [self._spread(_mixed(whole + digest(self.seed, "switch", tap))) for tap in range(len(packed))]
        alone = (packed != _ABSENT).sum(0) == 1
        found = np.where(packed[:, None] == _ABSENT, 0.0, np.stack(taps))
        return np.where(alone, (packed != _ABSENT)[:, None].astype(np.float64), found)
