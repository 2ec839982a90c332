"""How many paths lead to one output, and from where: `segcompile rf --coverage`."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Phase
from segcompile.show.numbers import area
from segcompile.show.plot import SHOWN, cells, frame

if TYPE_CHECKING:
    from segcompile.show.plot import Panel

SHARES = (0.5, 0.9, 0.99)  # of all paths, whose radii are told
_DASHES = ("-", "--", ":")  # of the squares, from the smallest


def counts_text(layer: LayerField, phase: Phase) -> str:
    """The squares around the centre of mass that hold a share of all paths."""
    counts = layer.path_counts(phase)
    head = "paths (data-dependent: of all that the values may choose)" if layer.data_dependent else "paths"
    return f"{head}: " + ", ".join(f"{share:.0%} within {area(counts.square(share))}" for share in SHARES)


def counts_json(layer: LayerField, phase: Phase) -> dict[str, Any]:
    """`radius`: share of all paths -> half the side of the square around `centre` that holds it; `exact`: whether every
    count is the very integer; `data_dependent`: paths are counted of which the values choose some."""
    counts = layer.path_counts(phase)
    radius = {f"{share:g}": counts.radius(share) for share in SHARES}
    bound = {"data_dependent": True} if layer.data_dependent else {}
    return {"phase": phase, "exact": counts.exact, "centre": counts.centre, "radius": radius, **bound}


def draw_paths(panel: Panel, layer: LayerField, phase: Phase) -> None:
    """Paths from each pixel to one output in the middle, and the squares that hold the shares."""
    found = layer.path_counts(phase)
    least = float(found.counts[found.counts > 0].min()) / 2  # what is not seen is white
    cells(panel, found.counts, layer, phase, found.start, "magma_r", least)
    middle = tuple(map(add, found.centre, layer.middle(phase)))
    for share, dashes in zip(SHARES, _DASHES, strict=True):
        radius = found.radius(share)
        label = f"{share:.0%}: {area(found.square(share))}"
        style = {"edgecolor": "#0a9396", "linestyle": dashes, "linewidth": 1.1, "label": label}
        for axes, shown in zip(panel, SHOWN[layer.rank], strict=True):
            frame(axes, [middle[axis] - radius - 0.5 for axis in shown], [2 * radius + 1] * len(shown), **style)
    panel[0].set_title("paths from each of them", loc="left")
    below = -0.09 if layer.rank < 3 else -0.3
    panel[len(panel) // 2].legend(
        loc="upper center", bbox_to_anchor=(0.5, below), ncols=3, handlelength=1.3, columnspacing=0.8
    )
