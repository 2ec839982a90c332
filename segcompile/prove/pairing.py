"""Which weights of two networks are the same variables, by their names in the state dict or by what `--names` says, and
which are numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from segcompile.facts.module_names import paths
from segcompile.network.graph import Graph
from segcompile.network.scope_tree import ScopeTree
from segcompile.ops import BatchNorm, Deconv, Parameter, Shape
from segcompile.passes.edited import Edited
from segcompile.prove.arithmetic import Array
from segcompile.prove.weights import (
    Bilinear,
    Constant,
    Folded,
    Variable,
    Weight,
    Weights,
    constant,
    number_of,
    parameters_of,
)
from segcompile.text.errors import did_you_mean, fail
from segcompile.weights.naming import Rename, read_names


@dataclass(frozen=True, slots=True)
class Paired:
    """`first`, `second`: node -> its weights. `alone`: of each network, the names of variables that the other has
    not. `numbers`: weights are those that both networks hold."""

    first: Mapping[str, Weights]
    second: Mapping[str, Weights]
    alone: tuple[tuple[str, ...], tuple[str, ...]]
    numbers: bool


Tensors = Mapping[tuple[str, str], Array]  # of a file that is a network: node and parameter -> its numbers
Known = Mapping[tuple[str, str], str]  # a node of the second network and its parameter -> the tensor of the first one


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A tensor of a network: its node, and its name in the state dict. `frozen`: the numbers that it is for every
    training; `values`: those that a file has."""

    node: str
    parameter: Parameter
    name: str
    frozen: Bilinear | None
    values: Array | None

    def constant(self) -> Constant:
        """Raises SegcompileError (SC920) for what is no number."""
        assert self.values is not None
        if not np.isfinite(self.values).all():
            message = f"`{self.name}` holds what is no finite number"
            raise fail("SC920", message, help="`segcompile import` makes a spec of the file: it has any weights")
        return constant(self.values, self.parameter.shape)


def pair(
    graphs: tuple[Graph, Graph],
    shapes: tuple[Mapping[str, Shape], Mapping[str, Shape]],
    names: Path | None,
    known: Known | None = None,
    tensors: tuple[Tensors | None, Tensors | None] = (None, None),
) -> Paired:
    """By `known`, where it is given, and by no name. `tensors`: what files hold; weights are these numbers where both
    networks have some, or where the other one's are frozen, but for weights that a file of names pairs.

    Raises SegcompileError (SC009, SC807) for what is wrong with the file of names, SC920 for numbers that are none."""
    first, second = (list(_held(*each)) for each in zip(graphs, shapes, tensors, strict=True))
    said = _renamed(read_names(names), [held.name for held in first], [held.name for held in second]) if names else {}
    there = {held.name if known is not None else said.get(held.name, held.name): held for held in first}
    fixed = names is None and None not in tensors
    ones = {held.name: _weight(held, None, held.name, fixed) for held in first}
    others: dict[str, Weight] = {}
    for held in second:
        other = there.get(held.name if known is None else known.get((held.node, held.parameter.name), ""))
        if other is None or prod(other.parameter.shape) != prod(held.parameter.shape):
            others[held.name] = _weight(held, None, f"second: {held.name}", fixed)
            continue
        ones[other.name] = one = _weight(other, held, other.name, fixed)
        named = one if isinstance(one, Variable) and held.frozen is None else None
        others[held.name] = named or _weight(held, other, f"second: {held.name}", fixed)
    alone = _alone(ones, others), _alone(others, ones)
    return Paired(_by_node(first, ones), _by_node(second, others), alone, fixed)


def _weight(held: _Held, other: _Held | None, name: str, fixed: bool) -> Weight:
    """The numbers of a tensor, where it has them and so has the `other`, or all have; else a variable."""
    if held.frozen is not None:
        return held.frozen
    if held.values is not None and (fixed or (other is not None and other.frozen is not None)):
        return held.constant()
    return Variable(name, held.parameter.shape)


def _alone(own: Mapping[str, Weight], others: Mapping[str, Weight]) -> tuple[str, ...]:
    """The names of the variables that the other network has not."""
    met = {weight.name for weight in others.values() if isinstance(weight, Variable)}
    return tuple(name for name, weight in own.items() if isinstance(weight, Variable) and weight.name not in met)


def _held(graph: Graph, shapes: Mapping[str, Shape], tensors: Tensors | None) -> Iterator[_Held]:
    where = paths(ScopeTree(graph, with_switches=False))
    for node in graph.nodes:
        for each in parameters_of(node.op, [shapes[name] for name in node.inputs]) if node.weights is None else ():
            values = tensors.get((node.name, each.name)) if tensors is not None else None
            yield _Held(node.name, each, f"{where[node.name]}.{each.name}", number_of(node.op, each), values)


def _by_node(all_held: Sequence[_Held], weights: Mapping[str, Weight]) -> dict[str, Weights]:
    found: dict[str, dict[str, Weight]] = {}
    for held in all_held:
        found.setdefault(held.node, {})[held.parameter.name] = weights[held.name]
    return dict(found)


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
