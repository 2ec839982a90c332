"""Claims as a spec writes them, a line a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segcompile.language.write import mapping, values
from segcompile.network.claims import Claim
from segcompile.network.graph import Graph


def claim_lines(claims: Iterable[tuple[str, Claim, str]], graph: Graph) -> dict[str, str]:
    """What stands under each layer's name, under `count`, and then under `parameters` and the like, for claims, each
    with the name of its layer (of one of the network it does not matter) and its number as it is to be written."""
    network: dict[str, str] = {}
    layers: dict[str, dict[str, dict[str, str]]] = {}  # kind -> size of the input, if it is said -> number
    for name, claim, text in claims:
        if claim.layer is not None:
            at = _times(claim.elsewhere) if claim.elsewhere is not None else ""
            layers.setdefault(name, {}).setdefault(claim.kind, {})[at] = text
        elif claim.ops:
            layers.setdefault(claim.kind, {})[claim.written] = {"": text}
        else:
            network[claim.kind] = text
    return {
        name: mapping({kind: _at_sizes(each, graph) for kind, each in said.items()}) for name, said in layers.items()
    } | network


def _at_sizes(numbers: Mapping[str, str], graph: Graph) -> str:
    """A number, or those at several sizes of the input. A size that is the input's, whatever that is, says all."""
    own = numbers.get("")
    if own is not None and (len(numbers) == 1 or own in graph.inputs):
        return own
    size = next(iter(graph.inputs.values())).size
    return mapping({at or _times(size): number for at, number in numbers.items()})


def _times(size: tuple[object, ...]) -> str:
    return values(size) if len(set(size)) == 1 else "x".join(map(str, size))
