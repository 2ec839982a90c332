"""The typed, verified graph: every step hands one over, none changes one. The only networkx import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from segcompile.ops import AnySize, Op, Shape
from segcompile.text.errors import Span

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in the user's files a node comes from: its layer, and each attribute."""

    span: Span | None = None
    attributes: Mapping[str, Span] = field(default_factory=dict)
    named: bool = True  # False: nothing is written, and the layer is called by its op

    def at(self, attribute: str | None) -> Span | None:
        """The span of an attribute's value, or of the layer where the attribute was not written."""
        return self.attributes.get(attribute, self.span) if attribute is not None else self.span


class Role(StrEnum):
    """What a node does for its layer: the layer's own op, or one that the layer carries behind it, in this order."""

    MAIN = "main"
    NORM = "norm"
    ACT = "act"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Node:
    """One op on named inputs. What a layer carries is a node of its own, with the layer's name in `layer`.

    `weights`: the node before it whose tensors it computes with; None: it has its own, if its op has any. How shared
    tensors start is said by the op of the node whose they are, and by no other.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    layer: str
    origin: Origin = Origin()
    role: Role = Role.MAIN
    weights: str | None = None

    @property
    def owner(self) -> str:
        """The node whose tensors it computes with."""
        return self.weights or self.name

    @property
    def read(self) -> tuple[str, ...]:
        """The inputs of which more is read than the size."""
        return self.inputs[:1] if self.op.lends_size else self.inputs


@dataclass(frozen=True, slots=True)
class Scope:
    """A named group of layers: a block's instance, a used spec, or the branches of a join or chain written in place.

    `entry`: the node or input whose result enters it; None where no output needs that. `result`: the one whose result
    its name means; None where that was removed, and for a join, which is a layer of the same name.
    """

    name: str
    title: str  # the block's, spec's or join's own name; what a class made of it is called
    entry: str | None = None
    result: str | None = None
    kind: Literal["block", "spec", "written"] = "written"  # called, used, or written in place
    span: Span | None = None  # where it was given its name
    arguments: Mapping[str, int] = field(default_factory=dict)  # the integers it was made with, in the block's order
    defaults: Mapping[str, int] = field(default_factory=dict)  # what those are where a call says nothing, if numbers
    layers: Mapping[str, str] = field(default_factory=dict)  # its other arguments -> the layers or inputs they name
    about: str = ""  # what a used spec says of itself
    input: str = ""  # what a used spec calls that which enters it, if that is not `input`
    takes: int = 0  # the channels of that, as a used spec says; 0: nothing says it
    used: Span | None = None  # where that spec is named


def layer_of(node: str) -> str:
    """The layer of a node, by its name; inputs are themselves."""
    return node.partition(":")[0]


def enclosing(name: str) -> Iterator[str]:
    """A layer's or scope's name and those of the scopes around it, innermost first; the network itself is not among
    them."""
    while name:
        yield name
        name = name.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class GoneEnd:
    """The layer that a network ended with, the join in it or before it, none of whose inputs can stand for it, and
    where that was removed."""

    layer: str
    join: Node
    span: Span | None


@dataclass(frozen=True, slots=True)
class Gone:
    """What edits took away. `names`: of layers and scopes, and where that is written. `heads`: those that gave one of
    these, and its name, until a layer of that name is there again. `end`: until there is another one."""

    names: Mapping[str, Span | None] = field(default_factory=dict)
    heads: Mapping[str, str] = field(default_factory=dict)
    end: GoneEnd | None = None


@dataclass(frozen=True)
class Graph:
    """A network: named inputs, nodes in topological order, and heads (output name -> node).

    `end`: the node or input whose result its layers end with, whether or not a head gives it; "" where that is gone.
    Raises ValueError from `verify` if a graph is not what it should be: a bug of a pass, never a user's mistake.
    """

    model: str
    inputs: Mapping[str, Shape]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, str]
    scopes: tuple[Scope, ...] = ()
    end: str = ""
    gone: Gone = Gone()
    input_origins: Mapping[str, Origin] = field(default_factory=dict, compare=False)  # no span for an unnamed input
    causal: frozenset[int] = field(default=frozenset(), compare=False)  # axes along which a layer says `pad: causal`

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def rank(self) -> int:
        """How many axes its maps have: 1 of a signal, 2 of an image, 3 of a volume; 0 where only vectors enter it."""
        return max(len(shape.size) for shape in self.inputs.values())

    @property
    def takes_any_size(self) -> bool:
        """Whether some size of an input is `any`."""
        return any(isinstance(size, AnySize) for shape in self.inputs.values() for size in shape.size)

    def layer_of(self, name: str) -> str:
        """The user's name for what `name` gives: the layer that a node belongs to; inputs are themselves."""
        return self.by_name[name].layer if name in self.by_name else name

    @cached_property
    def by_scope(self) -> Mapping[str, Scope]:
        return {scope.name: scope for scope in self.scopes}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Every name that can be said of this network -> the node or input whose result it means."""
        found = {name: name for name in self.inputs}
        for scope in self.scopes:
            if scope.input and scope.entry is not None:
                found[f"{scope.name}.{scope.input}"] = scope.entry
            if scope.result is not None:
                found[scope.name] = scope.result
        return found | {name: nodes[-1].name for name, nodes in self.layers.items()}

    @cached_property
    def layers(self) -> Mapping[str, tuple[Node, ...]]:
        """Layer name -> its nodes, main op first; the last one is the layer's result."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.layer, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def verify(self) -> Graph:
        """This graph, if every invariant holds: inputs of one rank, unique names, inputs before their readers, arity,
        the nodes of a layer one behind the other in the order of their roles, known outputs, entries and results of
        scopes, shared weights those of a node before of the same op."""
        seen = set(self.inputs)
        if len({len(shape.size) for shape in self.inputs.values()} - {0}) > 1:
            raise ValueError("the inputs have unequal numbers of axes")
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
        self._verify_layers()
        self._verify_weights()
        for scope in self.scopes:
            if {scope.entry, scope.result} - seen - {None}:
                raise ValueError(f"no node enters scope {scope.name}, or leaves it: {scope.entry}, {scope.result}")
        if self.end and self.end not in seen:
            raise ValueError(f"the graph ends with {self.end}, which it does not have")
        return self

    def _verify_layers(self) -> None:
        for layer, nodes in self.layers.items():
            roles = [node.role for node in nodes]
            if roles != [role for role in Role if role in roles] or roles[0] is not Role.MAIN:
                raise ValueError(f"the nodes of {layer} are {', '.join(roles)}")
            if any(after.inputs != (before.name,) for before, after in pairwise(nodes)):
                raise ValueError(f"what {layer} carries does not read what comes before it")

    def _verify_weights(self) -> None:
        owners: dict[str, Node] = {}
        for node in self.nodes:
            if node.weights is None:
                owners[node.name] = node
            elif node.weights not in owners or type(owners[node.weights].op) is not type(node.op):
                raise ValueError(f"{node.name} cannot have the weights of {node.weights}")

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
