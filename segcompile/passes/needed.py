"""What no output needs is left out, and that is said."""

from __future__ import annotations

from collections.abc import Iterator

from segcompile.network.graph import Graph, Origin
from segcompile.network.splice import leading_to
from segcompile.text.errors import Findings


def leave_out_unneeded(graph: Graph, findings: Findings) -> Graph:
    """The graph of what its outputs need. SC202 for every layer that goes, and for an input that nothing
    reads.

    A used spec of which another layer is read is not blamed for its end: half a network can be used.
    """
    needed = graph.ancestors(graph.outputs.values())
    tapped = tuple(scope for scope in _used(graph) if any(name.startswith(scope) for name in needed))
    help = "remove it, or name it under `outputs`"
    for layer, nodes in graph.layers.items():
        if nodes[-1].name not in needed and not layer.startswith(tapped):
            origin = nodes[0].origin
            message = f"no output depends on `{layer}`; it is left out"
            findings.add("SC202", message, origin.span, help=help)
    for name in graph.inputs:
        if name not in needed:
            message, span = f"no output depends on input `{name}`", graph.input_origins.get(name, Origin()).span
            findings.add("SC202", message, span, help="remove it, or read it")
    return leading_to(graph, graph.outputs)


def _used(graph: Graph) -> Iterator[str]:
    """What the names of the layers of each used spec start with."""
    return (f"{scope.name}." for scope in graph.scopes if scope.kind == "spec")
