"""Training on whole images as constants of the generated sweeps.py."""

from __future__ import annotations

from dataclasses import dataclass

from segcompile.emit.templates import one_line
from segcompile.facts.facts import Facts
from segcompile.facts.memory import kept_growth, rounded
from segcompile.facts.placement import Placement
from segcompile.facts.sweeps import Swept, SweptNorm, sweeps_of
from segcompile.network.graph import Graph


@dataclass(frozen=True, slots=True)
class SweepsView:
    """What sweeps.py prints. `why`: what forbids exact tiles, or empty."""

    why: str
    step: int
    least: tuple[int, ...]
    memory: tuple[int, ...]
    scores: str
    norms: tuple[str, ...]
    drops: tuple[str, ...]


def view_sweeps(graph: Graph, facts: Facts, placement: Placement) -> SweepsView:
    """The tiles of a network whose outputs are placed over its image."""
    found = sweeps_of(graph, facts, placement)
    if isinstance(found, str):
        one, none = (1,) * graph.rank, (0,) * graph.rank
        return SweepsView(one_line(found, 95), 1, one, (0,) * 2**graph.rank, _grid(Swept(one, one, none, none)), (), ())
    return SweepsView(
        "",
        found.step,
        found.least,
        rounded(kept_growth(graph, placement.size, (found.step,) * graph.rank)),
        _grid(found.scores),
        tuple(map(_norm, found.norms)),
        tuple(map(_grid, found.drops)),
    )


def _grid(swept: Swept) -> str:
    return f"{swept.size}, {swept.grow}, {swept.before}, {swept.after}"


def _norm(norm: SweptNorm) -> str:
    share = round(float(norm.share), 4)
    return f"Norm(Grid({_grid(norm.input)}), {norm.level}, {norm.groups}, {norm.each_image}, {share}),"
