"""How many paths lead to one output, and from where: `segcompile rf --coverage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segcompile.notebook.layer import LayerField
from segcompile.notebook.values import Phase
from segcompile.show.numbers import area
from segcompile.show.plot import frame, pixels

if TYPE_CHECKING:
    from segcompile.show.plot import Axes

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


def draw_paths(axes: Axes, layer: LayerField, phase: Phase) -> None:
    """Paths from each pixel to one output in the middle, and the squares that hold the shares."""
    found = layer.path_counts(phase)
    least = float(found.counts[found.counts > 0].min()) / 2  # what is not seen is white
    y, x = pixels(axes, found.counts, layer, phase, found.start, "magma_r", least)
    for share, dashes in zip(SHARES, _DASHES, strict=True):
        radius, (row, column) = found.radius(share), found.centre
        side, label = 2 * radius + 1, f"{share:.0%}: {area(found.square(share))}"
        corner = row + y - side / 2, column + x - side / 2
        frame(axes, corner, (side, side), edgecolor="#0a9396", linestyle=dashes, linewidth=1.1, label=label)
    axes.set_title("paths from each of them", loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, handlelength=1.3, columnspacing=0.8)
