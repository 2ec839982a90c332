"""A network that came from another tool, in the place of a spec: its graph, and what a spec would say of its inputs."""

from __future__ import annotations

from pathlib import Path

from segcompile.network.graph import Graph
from segcompile.ops import AnySize, Shape
from segcompile.text.errors import Label, Span, finding
from segcompile.text.source import Mapping, Node, Scalar, Sequence


def read_network_file(path: Path, name: str | None, named: Label | None) -> tuple[Mapping, Graph]:
    """What stands for the document of a file that is a network and no text, and the network. Messages call it `name`;
    `named`: where a spec names it as its base. Raises SegcompileError (SC9xx)."""
    from segcompile.importers.network_file import import_network, refuse_vectors  # numpy: a spec does not need it

    found = import_network(path, name=name, named=named)
    refuse_vectors(found, name or str(path))
    graph = found.graph
    first = next(iter(graph.input_origins.values())).span
    assert first is not None
    top = Span(first.source, 1, 1, first.length)
    inputs = {given: _input(shape, graph.input_origins[given].span or top) for given, shape in graph.inputs.items()}
    only = [*inputs.values()] if [*inputs] == ["input"] else []
    entries: dict[str, Node] = {
        "segcompile": Scalar("1", top),
        "model": Scalar(graph.model, top),
        "input": only[0] if only else _mapping(inputs, top),
        "layers": Sequence((), top),  # they are in the graph
    }
    wrong = tuple(finding("SC904", line, top) for line in found.said)
    return Mapping(_mapping(entries, top).entries, top, wrong), graph


def _input(shape: Shape, span: Span) -> Mapping:
    sizes = ("any" if isinstance(size, AnySize) else str(size) for size in shape.size)
    found: dict[str, Node] = {"channels": Scalar(str(shape.channels), span)}
    if shape.size:
        found["size"] = Sequence(tuple(Scalar(size, span) for size in sizes), span)
    return _mapping(found, span)


def _mapping(entries: dict[str, Node] | dict[str, Mapping], span: Span) -> Mapping:
    return Mapping({key: (Scalar(key, span), node) for key, node in entries.items()}, span)
