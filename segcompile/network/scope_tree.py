"""The spec's named scopes as a tree: what is written where, and what crosses a scope's border.

What crosses is a value: a node's result under the node's name, or the switches of a max pool under `switches_of`.
A scope without weights has no module of its own, nor one in which a layer shares the weights of one outside, which it
could not reach: what is written in it is part of the scope around.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from segcompile.network.graph import Graph, Node, Scope, enclosing, layer_of

Item = tuple[Node, ...] | str  # what a scope holds: a layer's nodes, or the name of a scope in it
ROOT = ""
_SWITCHES = ":switches"


def switches_of(pool: str) -> str:
    """The value that says where a pool's maxima are."""
    return f"{pool}{_SWITCHES}"


def is_switches(value: str) -> bool:
    return value.endswith(_SWITCHES)


def node_of(value: str) -> str:
    """The node that makes a value."""
    return value.removesuffix(_SWITCHES)


def name_of(item: Item) -> str:
    """That of the layer or scope."""
    return item if isinstance(item, str) else item[0].layer


def borrowers(graph: Graph) -> frozenset[str]:
    """The scopes in which a layer shares the weights of one outside."""
    shared = ((node.layer, layer_of(node.weights)) for node in graph.nodes if node.weights is not None)
    left = (name for layer, owner in shared for name in {*enclosing(layer)} - {*enclosing(owner)})
    return frozenset(name for name in left if name in graph.by_scope)


@dataclass(frozen=True)
class ScopeTree:
    """The scopes of a graph that are modules. The model itself is the scope `ROOT`.

    `twins`: scope -> the one whose module does all that it does, and with the same weights.
    """

    graph: Graph
    with_switches: bool  # whether the framework's pools can give theirs
    twins: Mapping[str, str] = field(default_factory=dict)

    def reads(self, node: Node) -> tuple[str, ...]:
        """The values that a node reads, in the order of its inputs; no switches where there are none."""
        found = [switches_of(name) if index == node.op.switches else name for index, name in enumerate(node.inputs)]
        return tuple(value for value in found if self.with_switches or not is_switches(value))

    @cached_property
    def readers(self) -> dict[str, list[Node]]:
        """Value -> the nodes that read it; all values that anything reads are in it."""
        found: dict[str, list[Node]] = {}
        for node in self.graph.nodes:
            for value in self.reads(node):
                found.setdefault(value, []).append(node)
        return found

    def made(self, node: Node) -> tuple[str, ...]:
        """The values that a node makes: its result, and its switches if anything reads them."""
        switches = switches_of(node.name)
        return (node.name, switches) if switches in self.readers else (node.name,)

    @cached_property
    def scopes(self) -> dict[str, Scope]:
        return {scope.name: scope for scope in self.graph.scopes if scope.name not in self.dissolved}

    @cached_property
    def dissolved(self) -> frozenset[str]:
        """The scopes that are no modules."""
        weighted = {name for node in self.graph.nodes if node.op.has_weights() for name in enclosing(node.layer)}
        weightless = self.graph.by_scope.keys() - weighted
        return frozenset(name for name in borrowers(self.graph) if self.twin_around(name) is None) | weightless

    def twin_around(self, name: str) -> str | None:
        """The twin that a layer or scope lies in, or is."""
        return next((scope for scope in enclosing(name) if scope in self.twins), None) if self.twins else None

    def lender(self, node: Node) -> str | None:
        """The node whose module stands for that of a node; None for one with its own. Inside a twin as
        inside the other one."""
        twin = self.twin_around(node.layer)
        if node.weights is None or twin is None:
            return node.weights
        own = twin + node.weights.removeprefix(self.twins[twin])
        return own if own != node.name else None

    @cached_property
    def owning(self) -> frozenset[str]:
        """The scopes and layers of which some weights are their own."""
        own = (node.layer for node in self.graph.nodes if node.op.has_weights() and node.weights is None)
        return frozenset(name for layer in own for name in enclosing(layer))

    def around(self, scope: str) -> str:
        """The scope in which a scope stands."""
        return next((name for name in enclosing(scope.rpartition(".")[0]) if name in self.scopes), ROOT)

    @cached_property
    def home(self) -> dict[str, str]:
        """Node or input -> the innermost scope it is written in; a join stands in the scope of its branches."""
        found = dict.fromkeys(self.graph.inputs, ROOT)
        for node in self.graph.nodes:
            found[node.name] = next((name for name in enclosing(node.layer) if name in self.scopes), ROOT)
        return found

    @cached_property
    def items(self) -> dict[str, list[Item]]:
        """Scope -> its layers and inner scopes, in order."""
        found: dict[str, list[Item]] = {name: [] for name in (ROOT, *self.scopes)}
        placed: set[str] = set()
        for nodes in self.graph.layers.values():
            inner: Item = nodes
            for name in (*(s for s in enclosing(self.home[nodes[0].name]) if s in self.scopes), ROOT):
                if isinstance(inner, str):
                    if inner in placed:
                        break
                    placed.add(inner)
                found[name].append(inner)
                inner = name
        return found

    @cached_property
    def results(self) -> dict[str, list[str]]:
        """Scope, with a module or without -> its values that are read outside it, in order; of the root, the model's
        outputs."""
        found: dict[str, dict[str, None]] = {name: {} for name in self.graph.by_scope}
        leaving = set(self.graph.outputs.values())
        for node in self.graph.nodes:
            for value in self.made(node):
                readers = {reader.layer for reader in self.readers.get(value, ())}
                readers |= {ROOT} if value in leaving else set()
                for scope in enclosing(node.layer):
                    if scope in found and any(scope not in enclosing(reader) for reader in readers):
                        found[scope][value] = None
        return {ROOT: list(self.graph.outputs.values())} | {scope: list(nodes) for scope, nodes in found.items()}

    def inside(self, scope: str) -> Iterator[str]:
        """The values that are made in a scope and those inside it, in the order of the data."""
        for item in self.items[scope]:
            if isinstance(item, str):
                yield from self.inside(item)
            else:
                yield from (value for node in item for value in self.made(node))

    def innermost_first(self) -> list[list[str]]:
        """The scopes by what they hold: those without scopes in them, then those that hold only such, and so on.

        Each is written after those inside it, and scopes that are alike are on one level, however deep they lie.
        """
        heights: dict[str, int] = {}
        for name in sorted(self.scopes, key=lambda name: name.count("."), reverse=True):
            heights[name] = 1 + max((heights[item] for item in self.items[name] if isinstance(item, str)), default=-1)
        return [[name for name in self.scopes if heights[name] == height] for height in sorted({*heights.values()})]

    def short_name(self, value: str, scope: str) -> str:
        """What a person would call a value in a scope: its layer, or the scope in there whose only result it is.

        Switches have no other name in a scope that they enter, so that decoders can share a class.
        """
        node = self.graph.by_name[node_of(value)]
        home = [name for name in enclosing(node.layer) if name in self.graph.by_scope and name not in enclosing(scope)]
        outermost = [name for name in home if self._is_only(value, name)]
        short = (outermost[-1] if outermost else node.layer).rpartition(".")[2]
        if not is_switches(value):
            return short
        return f"{short}_indices" if scope in (ROOT, *enclosing(self.home[node.name])) else "indices"

    def _is_only(self, value: str, scope: str) -> bool:
        results = self.results.get(scope, ())
        return [other for other in results if is_switches(other) == is_switches(value)] == [value]
