"""Which results of two networks may be equal: those with equal values at every size that was run so far.

Both networks are run over the ring, at a small size first, where maps that read through other windows may still agree.
A pair that agrees there and parts at another size has both networks run at that size, too: what lies behind it parts
there as well, and is compared no more (Mishchenko et al. 2005, of circuits: a counterexample refines all classes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from segcompile.prove.arithmetic import Array
from segcompile.prove.equality import run
from segcompile.prove.evaluate import joined_maxima
from segcompile.prove.ring import Ring
from segcompile.prove.sizes import LARGE, ImageSize, Taken, cost, fingerprint_size
from segcompile.prove.terms import Terms

_MOST_SIZES = 6  # at which the networks are run whole
_DEARER = 4  # than the first run, or than what is cheap: a size at which they are not

Mark = tuple[bytes, ...]


class Candidates:
    """Terms of the networks as they are written, by their values. `sizes`: at which they were run."""

    def __init__(self, plain: Terms, outputs: Sequence[Sequence[int]], taken: Taken) -> None:
        self._plain, self.sizes = plain, list[ImageSize]()
        self._marks: dict[int, Mark] = {}  # term that is one network's alone, or read by such -> digests, one a size
        self._met: dict[int, int] = {}  # such a term -> the term of the proof that it became
        self._alike: dict[Mark, list[int]] = {}
        first, second = ({*plain.cone(roots)} for roots in outputs)
        alone, both = first ^ second, first & second
        self._cone, self._free = sorted(first | second), frozenset[int]()
        size = fingerprint_size(plain, self._cone, taken)
        if self._cost(size) > LARGE:
            self._free = frozenset(i for index in alone for i in plain[index].inputs if i in both)
            self._cone = sorted(alone | self._free)
        self._allowed = _DEARER * max(self._cost(size), LARGE)
        if alone:
            self._run(size)

    def alike(self, term: int) -> list[int]:
        """What may be equal to a term: terms of the proof, the first that was met first."""
        return [*self._alike.get(self._marks.get(term, ()), ())] if term in self._marks else []

    def meet(self, term: int, proved: int) -> None:
        """Remember what a term became in the proof."""
        if term in self._marks:
            self._met[term] = proved
            self._group(term)

    def tell_apart(self, size: ImageSize) -> None:
        """Run the networks at a size at which two candidates parted, if that is not too dear."""
        if size not in self.sizes and len(self.sizes) < _MOST_SIZES and self._cost(size) <= self._allowed:
            self._run(size)
            self._alike.clear()
            for term in self._met:
                self._group(term)

    def parting(self, a: int, b: int) -> ImageSize | None:
        """The first of the sizes at which the values of two terms differ."""
        marks = zip(self._marks.get(a, ()), self._marks.get(b, ()), self.sizes, strict=False)
        return next((size for one, other, size in marks if one != other), None)

    def _group(self, term: int) -> None:
        group = self._alike.setdefault(self._marks[term], [])
        if self._met[term] not in group:
            group.append(self._met[term])

    def _cost(self, size: ImageSize) -> int:
        return cost([self._plain[index] for index in self._cone], size)

    def _run(self, size: ImageSize) -> None:
        ring = Ring(-1, joined_maxima(self._plain, self._cone, self._free))
        self.sizes.append(size)

        def note(index: int, value: Array) -> None:
            told = f"{value.shape}".encode() + ring.packed(value).tobytes()
            mark = hashlib.blake2b(told, digest_size=16).digest()
            self._marks[index] = (*self._marks.get(index, ()), mark)

        run(self._plain, self._cone, self._free, size, ring, note)
