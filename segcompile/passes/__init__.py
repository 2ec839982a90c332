"""Graph -> Graph, one pass a file. NORMAL are those that every network goes through before anything is said of it."""

from __future__ import annotations

from collections.abc import Callable

from segcompile.network.graph import Graph
from segcompile.passes.derive_crops import derive_crops
from segcompile.passes.explicit_pads import explicit_pads
from segcompile.passes.lists import remember_maps
from segcompile.passes.needed import leave_out_unneeded
from segcompile.passes.unpools import pair_unpools
from segcompile.text.errors import Findings

Pass = Callable[[Graph, Findings], Graph]  # what is wrong goes to the findings

NORMAL: tuple[Pass, ...] = (explicit_pads, pair_unpools, remember_maps, leave_out_unneeded, derive_crops)


def normalise(graph: Graph, findings: Findings) -> Graph:
    """The graph after NORMAL. Raises SegcompileError where a pass cannot go on from what the one before found."""
    for each in NORMAL:
        findings.stop_on_errors()
        graph = each(graph, findings).verify()
    return graph
