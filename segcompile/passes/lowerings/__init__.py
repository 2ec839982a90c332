"""What a build can do to a network before it is emitted. `check` and `rf` tell of the network before that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from segcompile.network.graph import Graph
from segcompile.passes.edited import Edited, Source
from segcompile.passes.lowerings.fold_batch_norm import fold_batch_norm
from segcompile.text.errors import Diagnostic

LOWERINGS: Mapping[str, Callable[[Graph], Edited]] = {"fold_batch_norm": fold_batch_norm}


def lower(graph: Graph, names: Sequence[str]) -> Edited:
    """The graph after the lowerings of these names, one behind the other; each may change other nodes' weights."""
    findings: tuple[Diagnostic, ...] = ()
    weights: dict[str, Source] = {}
    for name in names:
        lowered = LOWERINGS[name](graph)
        graph = lowered.graph.verify()
        findings += lowered.findings
        weights |= lowered.weights
    return Edited(graph, findings, weights)
