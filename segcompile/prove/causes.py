"""The first layer at which two networks part, and the likely cause in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from segcompile.network.graph import Graph, Node
from segcompile.ops import ENDS, Op
from segcompile.ops.base import STARTS
from segcompile.prove.terms import Side
from segcompile.prove.weights import Constant, Weight

# What an attribute is in a sentence, where its name alone does not say it.
_WORDS: Mapping[str, str] = {
    "eps": "the epsilon",
    "round": "the rounding of the size",
    "count_pad": "whether a mean counts its padding",
    "align": "how inputs of other sizes are aligned",
    "factor": "the ratio",
    "part": "the channels",
    "mode": "the mode",
    "bias": "whether there is a bias",
    "pool_layer": "the pool that is undone",
}


@dataclass(frozen=True, slots=True)
class Parting:
    """The first layer of each network that the other has no equal of; None: all are there. `causes`: how the two
    differ."""

    first: str | None
    second: str | None
    causes: tuple[str, ...]


def find_parting(
    sides: tuple[Side, Side], places: tuple[Mapping[str, int], Mapping[str, int]], heads: tuple[str, str]
) -> Parting:
    """Where the way back from two outputs leads to results that both networks have. `heads`: the nodes of the
    outputs."""
    first = _first_alone(sides[0].graph, places[0], {*places[1].values()}, heads[0])
    second = _first_alone(sides[1].graph, places[1], {*places[0].values()}, heads[1])
    if first is None or second is None:
        causes = tuple(_missing(first, second, heads))
    else:
        causes = tuple(_differences(first, second, sides, places))
    return Parting(first.layer if first else None, second.layer if second else None, causes)


def _first_alone(graph: Graph, places: Mapping[str, int], others: set[int], head: str) -> Node | None:
    """The earliest node before an output, all of it alone, whose inputs the other network has."""
    seen, todo, found = set[str](), [head], list[Node]()
    while todo:
        name = todo.pop()
        if name in seen or name not in graph.by_name or places[name] in others:
            continue
        seen.add(name)
        node = graph.by_name[name]
        if all(places[read] in others for read in node.inputs):
            found.append(node)
        todo += node.inputs
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    return min(found, key=lambda node: order[node.name], default=None)


def _missing(first: Node | None, second: Node | None, heads: tuple[str, str]) -> Iterator[str]:
    for node, head, which in ((first, heads[1], "first"), (second, heads[0], "second")):
        if node is not None:
            yield f"the {which} network has `{node.layer}` ({node.op.title}), where the other goes on to `{head}`"
    if first is None and second is None:
        yield "both outputs are results that the other network has, too, but not the same ones"


def _differences(
    first: Node, second: Node, sides: tuple[Side, Side], places: tuple[Mapping[str, int], Mapping[str, int]]
) -> Iterator[str]:
    one, other = first.op.canonical(), second.op.canonical()
    if type(one) is not type(other):
        yield f"`{one.title}` in the first network, and `{other.title}` in the second"
        return
    yield from _attributes(one, other)
    read = tuple(
        tuple(where[name] for name in node.inputs) for where, node in zip(places, (first, second), strict=True)
    )
    if read[0] != read[1]:
        swapped = sorted(read[0]) == sorted(read[1])
        listed = (", ".join(f"`{name}`" for name in node.inputs) for node in (first, second))
        yield f"{'the order of' if swapped else ''} its inputs: {next(listed)}, and {next(listed)}".strip()
    weights = tuple(side.weights.get(node.owner, {}) for side, node in zip(sides, (first, second), strict=True))
    for name in {**weights[0], **weights[1]}:
        if weights[0].get(name) != weights[1].get(name) and not _attribute_says(name, one, other):
            yield f"its `{name}`: {_other_weight(weights[0].get(name), weights[1].get(name))}"


def _other_weight(one: Weight | None, other: Weight | None) -> str:
    if isinstance(one, Constant) and isinstance(other, Constant) and one.shape == other.shape:
        first, second = one.values.reshape(-1), other.values.reshape(-1)
        unlike = first != second
        at = int(unlike.argmax())
        place = ", ".join(map(str, np.unravel_index(at, one.shape)))
        others = f"{int(unlike.sum())} of {unlike.size} numbers are others"
        return f"{others}; at [{place}] {first[at]:.9g}, and {second[at]:.9g}"
    return "the two networks' are not the same tensor"


def _attribute_says(name: str, one: Op, other: Op) -> bool:
    """Whether a weight is missing, or larger, by an attribute that was said already."""
    return one.starting_as(None) != other.starting_as(None) and name in ("bias", "weight")


def _attributes(one: Op, other: Op) -> Iterator[str]:
    for name in type(one).model_fields:
        a, b = getattr(one, name), getattr(other, name)
        if a == b or name in STARTS:
            continue
        if name in ("pad", "amount"):
            yield from _sides(one, other, len(a))
        else:
            yield f"{_WORDS.get(name, f'the {name}'.replace('_', ' '))}: {_said(a)}, and {_said(b)}"


def _sides(one: Op, other: Op, rank: int) -> Iterator[str]:
    """The sides on which the paddings differ, together where they are the same numbers."""
    found: dict[tuple[int, int], list[str]] = {}
    for axis in range(rank):
        for side, a, b in zip(ENDS[rank][axis], one.pads(axis), other.pads(axis), strict=True):
            if a != b:
                found.setdefault((a, b), []).append(side)
    for (a, b), ends in found.items():
        *most, last = ends
        listed = f"{', '.join(most)} and {last}" if most else last
        yield f"the padding {'on all sides' if len(ends) == 2 * rank else f'at {listed}'}: {a}, and {b}"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and value:
        return _said(value[0]) if len({*value}) == 1 else "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
