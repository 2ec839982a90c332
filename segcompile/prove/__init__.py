"""Equality of two networks over a finite ring: `prove(A, B)`. docs/prove.md has the mathematics on one page."""

from segcompile.prove.proof import Answer, Proof, prove

__all__ = ["Answer", "Proof", "prove"]
