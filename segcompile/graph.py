"""The typed, verified graph: every step hands one over, none changes one. The only networkx import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from segcompile.errors import Label, Span
from segcompile.ops import AnySize, Op, Shape

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in the user's files a node comes from: its layer, each attribute, and the calls that led there."""

    span: Span | None = None
    attributes: Mapping[str, Span] = field(default_factory=dict)
    calls: tuple[Label, ...] = ()

    def at(self, attribute: str | None) -> Span | None:
        """The span of an attribute's value, or of the layer where the attribute was not written."""
        return self.attributes.get(attribute, self.span) if attribute is not None else self.span


@dataclass(frozen=True, slots=True)
class Node:
    """One op on named inputs. A layer's norm, act and drop are nodes of their own that carry its name in `layer`."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    layer: str
    origin: Origin = Origin()

    @property
    def role(self) -> str:
        """`main` for the layer's op; `norm`, `act` or `drop` for what it carries."""
        return "main" if self.name == self.layer else self.name.rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Scope:
    """A named group of layers: a block's instance, a used spec, or the branches of a join."""

    name: str
    title: str  # the block's, spec's or join's own name; what a class made of it is called
    arguments: Mapping[str, int] = field(default_factory=dict)  # the integers it was made with
    about: str = ""  # what a used spec says of itself


def enclosing(name: str) -> Iterator[str]:
    """A layer's or scope's name and those of the scopes around it, innermost first; the network itself is not among
    them."""
    while name:
        yield name
        name = name.rpartition(".")[0]


@dataclass(frozen=True)
class Graph:
    """A network: named inputs, nodes in topological order, and heads (output name -> node).

    Raises ValueError from `verify` if that is not what it is: a bug of a pass, never a user's mistake.
    """

    model: str
    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, str]
    scopes: tuple[Scope, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @property
    def takes_any_size(self) -> bool:
        """Whether some size of an input is `any`."""
        return any(isinstance(size, AnySize) for shape in self.inputs.values() for size in shape.size)

    def layer_of(self, name: str) -> str:
        """The user's name for what `name` gives: the layer that a node belongs to; inputs are themselves."""
        return self.by_name[name].layer if name in self.by_name else name

    @cached_property
    def layers(self) -> Mapping[str, tuple[Node, ...]]:
        """Layer name -> its nodes, main op first; the last one is the layer's result."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.layer, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def verify(self) -> Graph:
        """This graph, if every invariant holds: unique names, inputs before their readers, arity, known outputs."""
        seen = set(self.inputs)
        for node in self.nodes:
            if node.name in seen:
                raise ValueError(f"two nodes are called {node.name}")
            missing = [name for name in node.inputs if name not in seen]
            if missing:
                raise ValueError(f"{node.name} reads {missing[0]}, which does not come before it")
            most = node.op.most_inputs
            if len(node.inputs) < node.op.least_inputs or (most is not None and len(node.inputs) > most):
                raise ValueError(f"{node.name}: {node.op.spelling} cannot take {len(node.inputs)} inputs")
            seen.add(node.name)
        unknown = [name for name in self.outputs.values() if name not in seen]
        if unknown or not self.outputs:
            raise ValueError(f"no node for output {unknown[0]}" if unknown else "a graph needs an output")
        return self

    def ancestors(self, names: Iterable[str]) -> frozenset[str]:
        """Every node and input that `names` depend on, themselves included."""
        found: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.by_name[name].inputs if name in self.by_name else ()
        return frozenset(found)


@dataclass(frozen=True, slots=True, eq=False)
class Cycle:
    """Names that all depend on each other, and one way around among them."""

    members: frozenset[str]
    path: tuple[str, ...]


def find_cycles(edges: Iterable[tuple[str, str]]) -> list[Cycle]:
    """The cycles of a reference graph, (reader, read) pairs: one for each group of names that depend on each other."""
    import networkx  # 0.1 s of start-up; reached only when a reference points forward

    graph: networkx.DiGraph[str] = networkx.DiGraph(list(edges))
    found = []
    for members in networkx.strongly_connected_components(graph):
        some = next(iter(members))
        if len(members) > 1 or graph.has_edge(some, some):
            around = networkx.find_cycle(graph.subgraph(members))
            found.append(Cycle(frozenset(members), tuple(edge[0] for edge in around)))
    return found
