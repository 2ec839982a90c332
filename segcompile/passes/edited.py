"""What every pass has to say of the network that it made; and what an edit is: a function that makes one of another.

Beside its own arguments, which stand in the spec, it takes the `graph` as the edits before it left it, and `base`, the
network as it was before the first edit of the same `transform`; it raises SegcompileError (SC5xx, or what is wrong with
new layers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from segcompile.network.graph import Graph, Node
from segcompile.network.splice import Fragment
from segcompile.text.errors import Diagnostic

Layer = tuple[Node, ...]  # the nodes of one layer, its own op first
Written = Callable[[Graph, str], Fragment]  # layers that stand in an edit, for a graph; the first one reads a result
Body = Callable[[Graph, str, str], Fragment]  # the body of one layer, block or used spec, and the name that it gets
Change = Callable[[list[Layer]], list[Layer]]  # some layers with the attributes that stand in an edit


@dataclass(frozen=True, slots=True)
class Source:
    """Where the tensors of a node come from: the node `node` of the graph before, and the batch norm `norm` behind
    that which is folded into them, if one is."""

    node: str
    norm: str | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """What a pass made of a graph, and what it has to say about that. `weights`: node -> where its tensors come from,
    if that is not the node of its name as it was."""

    graph: Graph
    findings: tuple[Diagnostic, ...] = ()
    weights: Mapping[str, Source] = field(default_factory=dict)


Edit = Callable[[Graph, Graph], Edited]  # an edit with its own arguments
