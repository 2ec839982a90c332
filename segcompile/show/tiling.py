"""Exact tiles: `segcompile rf SPEC --tiling`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segcompile.facts.tiling import Along, AxisTiling, Plan, plan_tiles, tile_axes, why_untiled
from segcompile.network.graph import Graph
from segcompile.ops import AXIS_NAMES, CELL, MEDIUM
from segcompile.show.numbers import number

USUAL = 512  # pixels of a tile, where nobody says a number


@dataclass(frozen=True, slots=True)
class Tiles:
    """What is known of a network's tiles: along each axis, or `why` there are none; and tiles of one size, if there are
    some along every axis."""

    rank: int
    along: tuple[Along, ...]
    why: str = ""
    plan: Plan | None = None

    @property
    def best(self) -> tuple[AxisTiling, ...]:
        """The tiling along each axis; () where one has none."""
        found = tuple(each.best for each in self.along if each.best is not None)
        return found if found and len(found) == len(self.along) else ()


def tiles_of(graph: Graph, tile: int | None = None) -> Tiles:
    """The tiles of a network, and of those of at most `tile` pixels along each axis what they cost."""
    found = Tiles(graph.rank, tile_axes(graph))
    if not found.along:
        return Tiles(graph.rank, (), why_untiled(graph))
    plan = plan_tiles(graph, found.best, tile or USUAL) if found.best else None
    return Tiles(graph.rank, found.along, "", plan)


def tiling_text(model: str, tiles: Tiles) -> str:
    """The tiles along each axis, once for those that are alike; and what tiles of one size cost."""
    if not tiles.along:
        return f"{model} has no exact tiles: {tiles.why}"
    lines = [f"exact tiles of {model}"]
    for along, alike in _apart(tiles.along):
        lines.append(f"  along {' and '.join([along.symbol, *alike])}")
        lines += [f"    {line}" for line in _axis(along, tiles.rank)]
    return "\n".join([*lines, *_cost(tiles)])


def _apart(along: Sequence[Along]) -> list[tuple[Along, list[str]]]:
    """The axes that differ, with the symbols of those that are like them."""
    told: dict[str, tuple[Along, list[str]]] = {}
    for each in along:
        key = "\n".join(_axis(each, len(along))).replace(each.symbol, "")
        if key in told:
            told[key][1].append(each.symbol)
        else:
            told[key] = (each, [])
    return list(told.values())


def _axis(along: Along, rank: int) -> list[str]:
    if along.best is None:
        assert along.forbidden is not None
        return [f"none: {along.forbidden}"]
    best, cells, medium = along.best, f"{CELL[rank]}s", MEDIUM[rank]
    before, after = best.halo
    tight = "" if best.tight else ", at most: some outputs read less than others"
    lines = [
        f"halo        {before} {cells} before, {after} after{tight}",
        f"origins     {_multiples(best.step, cells)} from where the {medium} starts",
        f"sizes       {_sizes(best, along.symbol)}, of tiles and {medium}",
        *_heads(best),
        f"borders     a tile that ends where the {medium} ends is padded there as that is, and loses nothing there",
    ]
    return [*lines, *_others(along)]


def _multiples(step: int, cells: str) -> str:
    return f"any whole number of {cells}" if step == 1 else f"multiples of {step} {cells}"


def _sizes(best: AxisTiling, symbol: str) -> str:
    least = f"{symbol} ≥ {best.least}"
    return least if best.step == 1 else f"{symbol} ≡ {best.rest} (mod {best.step}), {least}"


def _heads(best: AxisTiling) -> list[str]:
    """How many outputs of a tile are not the whole image's."""
    each: dict[str, list[str]] = {}
    for name, head in best.heads.items():
        each.setdefault(f"{head.before} at its start and {head.after} at its end", []).append(name)
    if len(each) == 1:
        return [f"cut off     of a tile's outputs {next(iter(each))}"]
    return [f"cut off     of a tile's `{'`, `'.join(names)}` {text}" for text, names in each.items()]


def _others(along: Along) -> list[str]:
    """What the other residues of sizes need."""
    before, after = along.most
    count = len(along.tilings)
    if along.residues == 1:
        return []
    if along.looked < along.residues:
        return [f"others      {along.looked} of {along.residues} residues of sizes were looked at"]
    if count < along.residues:
        return [f"others      {count} of {along.residues} residues of sizes have exact tiles"]
    return [f"others      so have all {count} residues of sizes: {before} before and {after} after at most"]


def _cost(tiles: Tiles) -> list[str]:
    plan, medium = tiles.plan, MEDIUM[tiles.rank]
    if plan is None:
        return []
    tile, step = (" x ".join(map(str, each)) for each in (plan.tile, plan.advance))
    return [
        f"  tiles of {tile}, one every {step}: {float(plan.macs):.2f} times the MACs of the whole {medium}",
        f"  its tensors that are alive at once take {plan.memory / 2**20:,.1f} MiB in float32, without weights and"
        " what a convolution sets aside",
    ]


# --- the same as data -------------------------------------------------------------------------------------------------


def tiling_json(tiles: Tiles) -> dict[str, Any]:
    """Axis -> its tiles, or what forbids them; `plan`: tiles of one size. None where an axis has none."""
    plan = tiles.plan
    return {
        "axes": {name: _axis_json(each) for name, each in zip(AXIS_NAMES[tiles.rank], tiles.along, strict=False)},
        "why_none": tiles.why or None,
        "plan": plan
        and {"tile": plan.tile, "advance": plan.advance, "macs": round(float(plan.macs), 4), "memory": plan.memory},
    }


def _axis_json(along: Along) -> dict[str, Any]:
    best, forbidden = along.best, along.forbidden
    return {
        "step": best and best.step,
        "rest": best and best.rest,
        "least": best and best.least,
        "halo": best and best.halo,
        "tight": best and best.tight,
        "outputs": {
            name: {
                "before": head.before,
                "after": head.after,
                "stride": number(head.stride),
                "start": number(head.offset),
            }
            for name, head in (best.heads.items() if best else ())
        },
        "most": (along.tilings and along.most) or None,
        "residues": {"tiled": len(along.tilings), "looked": along.looked, "legal": along.residues},
        "forbidden": forbidden
        and {"layer": forbidden.node.layer, "op": forbidden.node.op.title, "reason": forbidden.reason},
    }
