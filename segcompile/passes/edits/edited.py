"""What an edit is: a value that makes another network of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from segcompile.network.graph import Graph, Node
from segcompile.network.splice import Fragment
from segcompile.text.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit made of a graph, and what it has to say about that."""

    graph: Graph
    findings: tuple[Diagnostic, ...] = ()


class Edit(Protocol):
    """One entry of a `transform`."""

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """The edited graph; `base` is the network as it was before the first edit of the same `transform`.

        Raises SegcompileError (SC5xx, or what is wrong with new layers).
        """
        ...


class Written(Protocol):
    """Layers that stand in an edit, in the language of `layers:`."""

    def __call__(self, graph: Graph, above: str) -> Fragment:
        """These layers for a place in a graph, the first one reading the result `above`."""
        ...


class Body(Protocol):
    """The body of one layer, block or used spec that stands in an edit."""

    def __call__(self, graph: Graph, above: str, name: str) -> Fragment:
        """What it is under an absolute name in a graph, reading the result `above` unless it says otherwise."""
        ...


class Attributes(Protocol):
    """Attributes that stand in an edit."""

    def among(self, layers: list[tuple[Node, ...]]) -> None:
        """Refuses (SC003) an attribute that none of the layers has."""
        ...

    def __call__(self, layer: tuple[Node, ...]) -> tuple[Node, ...]:
        """The nodes of a layer with those attributes that it has."""
        ...
