"""Norms that are written out: (x - mean) / sqrt(variance + eps), the mean and the variance over some axes of x.

The variance is the mean of the squared differences. Squares are Pow by 2, or a product with itself; the quotient is
Div, or Mul with a Reciprocal. What scales and shifts behind it is taken in later.
"""

from __future__ import annotations

from segcompile.importers.bench import Bench
from segcompile.importers.mixing import normalised
from segcompile.importers.numbers import Numbers
from segcompile.importers.views import Unheld, View
from segcompile.weights.onnx_values import Step


def written_norm(step: Step, bench: Bench) -> View | None:
    """What a quotient gives, if it is the last step of a norm; None where it is not."""
    reader = _Reader(bench)
    parts = reader.quotient(step)
    if parts is None:
        return None
    centred, root = parts
    found, deviation = reader.centred(centred), reader.deviation(root)
    if found is None or deviation is None or deviation[0] != centred or deviation[1] != found[1]:
        return None
    (x, axes), eps = found, deviation[2]
    view = bench.values.get(x)
    if not isinstance(view, View) or eps <= 0:
        return None
    view = bench.seen(x)
    gone = {part for axis in axes for part in view.axes[axis % len(view.axes)]}
    try:
        return normalised(view, gone, float(f"{eps:.6g}"), step, bench)
    except Unheld:
        return None


class _Reader:
    """Reads steps back from the quotient."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def _step(self, name: str, op: str) -> Step | None:
        found = self.bench.foreign.makers.get(name)
        return found if found is not None and found.op == op else None

    def quotient(self, step: Step) -> tuple[str, str] | None:
        """What is divided, and the root that it is divided by."""
        if step.op == "Div":
            return step.input(0), step.input(1)
        for first, second in ((0, 1), (1, 0)):
            inverse = self._step(step.input(second), "Reciprocal") if step.op == "Mul" else None
            if inverse is not None:
                return step.input(first), inverse.input(0)
        return None

    def centred(self, name: str) -> tuple[str, tuple[int, ...]] | None:
        """x and the axes, of x - mean(x)."""
        difference = self._step(name, "Sub")
        if difference is None:
            return None
        mean = self._mean(difference.input(1))
        return mean if mean is not None and mean[0] == difference.input(0) else None

    def _mean(self, name: str) -> tuple[str, tuple[int, ...]] | None:
        """What a mean is taken of, and its axes, which stay with one entry each."""
        step = self._step(name, "ReduceMean")
        if step is None or not step.integer("keepdims", 1):
            return None
        said = self.bench.values.get(step.input(1)) if step.input(1) else None
        axes = step.integers("axes") or (tuple(said.integers()) if isinstance(said, Numbers) else None)
        return (step.input(0), axes) if axes else None

    def deviation(self, root: str) -> tuple[str, tuple[int, ...], float] | None:
        """What is squared, the axes, and eps, of sqrt(mean(square) + eps)."""
        step = self._step(root, "Sqrt")
        total = self._step(step.input(0), "Add") if step is not None else None
        if total is None:
            return None
        for first, second in ((0, 1), (1, 0)):
            eps, mean = self._number(total.input(second)), self._mean(total.input(first))
            squared = self._squared(mean[0]) if mean is not None else None
            if eps is not None and mean is not None and squared is not None:
                return squared, mean[1], eps
        return None

    def _squared(self, name: str) -> str | None:
        step = self.bench.foreign.makers.get(name)
        if step is None or step.op not in ("Pow", "Mul"):
            return None
        by_power = step.op == "Pow" and self._number(step.input(1)) == 2
        return step.input(0) if by_power or (step.op == "Mul" and step.input(0) == step.input(1)) else None

    def _number(self, name: str) -> float | None:
        found = self.bench.values.get(name)
        if not isinstance(found, Numbers) or not found.is_fixed or found.values.size != 1:
            return None
        return float(found.values.reshape(-1)[0])
