"""How far a signal's outputs look back and ahead: what an online network must keep, and what it must wait for."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from segcompile.facts.receptive_field import Field


@dataclass(frozen=True, slots=True)
class Reach:
    """In samples of the input, the most over all phases: before and behind the newest sample of an output's own step.

    Of `step` samples for every `period` outputs, output p's own step ends at sample ceil((p + 1) step / period) - 1.
    WaveNet's scores (van den Oord et al. 2016) look 0 samples ahead.
    """

    back: int
    ahead: int


def reach(field: Field) -> Reach | None:
    """The reach of a field along the axis of time; None where it is the whole signal, or is not known."""
    if field.whole or field.step is None or not field.sets:
        return None
    now = [ceil((phase + 1) * field.step / field.period) - 1 for phase in range(field.period)]
    seen = [(at, found) for at, found in zip(now, field.sets, strict=True) if found is not None]
    back = max((at - found.low for at, found in seen), default=0)
    return Reach(max(back, 0), max(max((found.high - at for at, found in seen), default=0), 0))
