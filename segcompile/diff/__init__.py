"""Two specs compared by meaning: what their networks compute, not how they are written."""

from segcompile.diff.compare import Difference, Verdict, compare, compare_at_inference

__all__ = ["Difference", "Verdict", "compare", "compare_at_inference"]
