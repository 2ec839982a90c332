"""Which weights of two networks are the same variables: by their names in the state dict, or by what `--names` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from segcompile.facts.module_names import paths
from segcompile.network.graph import Graph
from segcompile.network.scope_tree import ScopeTree
from segcompile.ops import BatchNorm, Deconv, Parameter, Shape
from segcompile.passes.edited import Edited
from segcompile.prove.weights import Folded, Variable, Weights, number_of, parameters_of
from segcompile.text.errors import did_you_mean, fail
from segcompile.weights.naming import Rename, read_names


@dataclass(frozen=True, slots=True)
class Paired:
    """`first`, `second`: node -> its weights. `alone`: of each network, the names of variables that the other has
    not."""

    first: Mapping[str, Weights]
    second: Mapping[str, Weights]
    alone: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Held:
    """A tensor of a network: its node, and its name in the state dict."""

    node: str
    parameter: Parameter
    name: str
    number: bool


Known = Mapping[tuple[str, str], str]  # a node of the second network and its parameter -> the tensor of the first one


def pair(
    graphs: tuple[Graph, Graph],
    shapes: tuple[Mapping[str, Shape], Mapping[str, Shape]],
    names: Path | None,
    known: Known | None = None,
) -> Paired:
    """By `known`, where it is given, and by no name. Raises SegcompileError (SC009, SC807) for what is wrong with the
    file of names."""
    first, second = (list(_held(graph, shape)) for graph, shape in zip(graphs, shapes, strict=True))
    said = _renamed(read_names(names), [held.name for held in first], [held.name for held in second]) if names else {}
    there = {held.name if known is not None else said.get(held.name, held.name): held for held in first}
    there = {name: held for name, held in there.items() if not held.number}
    variables = {held.name: Variable(held.name, held.parameter.shape) for held in first}
    named: dict[str, Variable] = {}
    for held in second:
        other = there.get(held.name if known is None else known.get((held.node, held.parameter.name), ""))
        if other is not None and prod(other.parameter.shape) == prod(held.parameter.shape):
            named[held.name] = variables[other.name]
        else:
            named[held.name] = Variable(f"second: {held.name}", held.parameter.shape)
    met = {variable.name for variable in named.values()}
    alone = (
        tuple(held.name for held in first if not held.number and held.name not in met),
        tuple(held.name for held in second if not held.number and named[held.name].name not in variables),
    )
    return Paired(_weights(graphs[0], shapes[0], variables), _weights(graphs[1], shapes[1], named), alone)


def _held(graph: Graph, shapes: Mapping[str, Shape]) -> Iterator[_Held]:
    where = paths(ScopeTree(graph, with_switches=False))
    for node in graph.nodes:
        for each in parameters_of(node.op, [shapes[name] for name in node.inputs]) if node.weights is None else ():
            number = number_of(node.op, each) is not None
            yield _Held(node.name, each, f"{where[node.name]}.{each.name}", number)


def _weights(graph: Graph, shapes: Mapping[str, Shape], variables: Mapping[str, Variable]) -> dict[str, Weights]:
    by_node: dict[str, dict[str, object]] = {}
    ops = graph.by_name
    for held in _held(graph, shapes):
        number = number_of(ops[held.node].op, held.parameter)
        by_node.setdefault(held.node, {})[held.parameter.name] = number or variables[held.name]
    return by_node  # type: ignore[return-value]


def _renamed(lines: Sequence[Rename], first: Sequence[str], second: Sequence[str]) -> dict[str, str]:
    """Name in the first network -> name in the second one, where a line says one."""
    found: dict[str, str] = {}
    for line in lines:
        hits = {name: other for name in first if (other := line.renamed(name)) is not None}
        if not hits:
            help = did_you_mean(line.pattern, [*(name.rpartition(".")[0] for name in first), *first])
            raise fail("SC807", f"`{line.pattern}` is no tensor of the first network", line.span, help=help)
        for name, other in hits.items():
            if other not in second:
                help = did_you_mean(other, second)
                raise fail("SC807", f"`{other}` is no tensor of the second network", line.span, help=help)
            found[name] = other
    return found


def lowered(edited: Edited, before: Graph, weights: Mapping[str, Weights]) -> dict[str, Weights]:
    """Node of a lowered graph -> its weights, as formulas over those of the graph before."""
    found: dict[str, Weights] = {}
    for node in edited.graph.nodes:
        source = edited.weights.get(node.name)
        own = weights.get(before.by_name[source.node].owner if source is not None else node.owner, {})
        if source is None or source.norm is None:
            found[node.name] = own
            continue
        norm = before.by_name[source.norm]
        assert isinstance(norm.op, BatchNorm)
        folded, eps = tuple(weights[norm.owner].items()), norm.op.eps
        groups = node.op.groups if isinstance(node.op, Deconv) else 0
        found[node.name] = {
            "weight": Folded(own["weight"], folded, eps, groups=groups),
            "bias": Folded(own.get("bias"), folded, eps, bias=True),
        }
    return found
