"""What no output needs is left out, and that is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from segcompile.network.graph import Graph, Node, Origin, layer_of
from segcompile.network.splice import leading_to
from segcompile.text.errors import Diagnostic, Findings, Span, finding
from segcompile.text.listing import counted, first_few


def leave_out_unneeded(graph: Graph, findings: Findings) -> Graph:
    """The graph of what its outputs need. SC202 for the layers that go, once for each place in the spec with which what
    is left out ends, and for an input that nothing reads.

    A used spec of which another layer is read is not blamed for its end: half a network can be used.
    """
    needed = graph.ancestors(graph.outputs.values())
    tapped = tuple(scope for scope in _used(graph) if any(name.startswith(scope) for name in needed))
    idle = {
        layer: nodes
        for layer, nodes in graph.layers.items()
        if nodes[-1].name not in needed and not layer.startswith(tapped)
    }
    findings.diagnostics += _idle_layers(graph, idle)
    for name in graph.inputs:
        if name not in needed:
            message, span = f"no output depends on input `{name}`", graph.input_origins.get(name, Origin()).span
            findings.add("SC202", message, span, help="remove it, or read it")
    return leading_to(graph, graph.outputs)


def _used(graph: Graph) -> Iterator[str]:
    """What the names of the layers of each used spec start with."""
    return (f"{scope.name}." for scope in graph.scopes if scope.kind == "spec")


def _idle_layers(graph: Graph, idle: Mapping[str, Sequence[Node]]) -> Iterator[Diagnostic]:
    """SC202 for the layers that no other idle one reads, those of one place together; the rest goes with them."""
    read = {layer_of(name) for nodes in idle.values() for name in nodes[0].inputs}
    places: dict[Span | None, list[str]] = {}
    for layer in (layer for layer in idle if layer not in read):
        places.setdefault(idle[layer][0].origin.span, []).append(layer)
    told = set[str]()
    for ends in places.values():
        behind = {layer_of(name) for name in graph.ancestors(idle[end][-1].name for end in ends)}
        others = [layer for layer in idle if layer in behind - told - {*ends}]
        told |= behind
        message = f"no output depends on `{ends[0]}`; it is left out"
        notes = [*_counted(ends[1:], "of this line"), *_counted(others, "that nothing else needs")]
        span = idle[ends[0]][0].origin.span
        yield finding("SC202", message, span, help="remove it, or name it under `outputs`", notes=notes)


def _counted(layers: Sequence[str], which: str) -> Iterable[str]:
    """How many more layers are left out, the first few by name."""
    if layers:
        number, verb = counted(len(layers), "more layer"), "is" if len(layers) == 1 else "are"
        yield f"{number} {which} {verb} left out: {first_few(layers)}"
