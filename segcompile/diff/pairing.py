"""Which node of one graph must be which of another, if both are to be the same network.

Every node is read on some way to an output, and what a node reads has an order: from the outputs back there is no
choice. So the only isomorphism there can be is found by walking, in time linear in the graphs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from segcompile.network.graph import Graph, Node
from segcompile.ops import Op

Pair = tuple[str, str]  # a node or input of the one graph, and of the other
Pairs = Mapping[Pair, tuple[Pair, ...]]  # each with the pairs that it reads, which stand before it

_Value = TypeVar("_Value")


def counterparts(a: Mapping[str, _Value], b: Mapping[str, _Value]) -> dict[str, str]:
    """Inputs or heads of the one -> of the other: by name if the names are the same, else by position."""
    return dict(zip(a, a if a.keys() == b.keys() else b, strict=False))


def isomorphism(a: Graph, b: Graph) -> dict[str, str] | None:
    """Node or input of `a` -> of `b`, if these are one graph but for names; else None."""
    pairs = _pair_up(a, b, lambda one, other: one.canonical() == other.canonical(), pads_pass=False)
    if pairs is None:
        return None
    found = counterparts(a.inputs, b.inputs) | dict(list(pairs))
    one_to_one = len(found) == len(set(found.values())) and all(found[one] == other for one, other in pairs)
    return found if one_to_one and share_alike(a, b, pairs) else None


def but_for_padding(a: Graph, b: Graph) -> Pairs | None:
    """The pairs of two graphs that differ in nothing but padding, names aside; None for others.

    A `pad` layer may stand in one of them alone: it is paired with what its counterpart reads. Whether they share
    weights alike is not looked at.
    """
    return _pair_up(a, b, lambda one, other: one.unpadded() == other.unpadded(), pads_pass=True)


def share_alike(a: Graph, b: Graph, pairs: Iterable[Pair]) -> bool:
    """Whether nodes of the one graph share weights where their counterparts in the other one do."""
    nodes = [(a.by_name[one], b.by_name[other]) for one, other in pairs if one in a.by_name and other in b.by_name]
    owners = {(one.owner, other.owner) for one, other in nodes if one.op.has_weights() and other.op.has_weights()}
    return len(owners) == len({one for one, _ in owners}) == len({other for _, other in owners})


def _pair_up(a: Graph, b: Graph, same: Callable[[Op, Op], bool], *, pads_pass: bool) -> Pairs | None:
    inputs, heads = counterparts(a.inputs, b.inputs), counterparts(a.outputs, b.outputs)
    if len(a.inputs) != len(b.inputs) or len(a.outputs) != len(b.outputs):
        return None
    if any(a.inputs[name] != b.inputs[other] for name, other in inputs.items()):
        return None
    found: dict[Pair, tuple[Pair, ...]] = {}
    todo = [(a.outputs[head], b.outputs[other]) for head, other in heads.items()]
    while todo:
        pair = todo.pop()
        if pair not in found:
            one, other = a.by_name.get(pair[0]), b.by_name.get(pair[1])
            if one is None and other is None:
                if inputs[pair[0]] != pair[1]:
                    return None
                found[pair] = ()
                continue
            reads = _reads(pair, one, other, same, pads_pass)
            if reads is None:
                return None
            found[pair] = reads
            todo += reads
    return {pair: found[pair] for pair in sorted(found, key=_order(a, b))}


def _reads(
    pair: Pair, one: Node | None, other: Node | None, same: Callable[[Op, Op], bool], pads_pass: bool
) -> tuple[Pair, ...] | None:
    """The pairs that a pair reads; None if it cannot be one."""
    if one is not None and other is not None and same(one.op, other.op) and len(one.inputs) == len(other.inputs):
        return tuple(zip(one.inputs, other.inputs, strict=True))
    if one is not None and pads_pass and one.op.only_pads:
        return ((one.inputs[0], pair[1]),)
    if other is not None and pads_pass and other.op.only_pads:
        return ((pair[0], other.inputs[0]),)
    return None


def _order(a: Graph, b: Graph) -> Callable[[Pair], tuple[int, int]]:
    """Topological in both."""
    first, second = ({name: index for index, name in enumerate([*g.inputs, *g.by_name])} for g in (a, b))
    return lambda pair: (first[pair[0]], second[pair[1]])
