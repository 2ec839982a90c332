"""`segcompile build --weights`: every tensor of a network from one file, for a backend whose files hold them."""

from __future__ import annotations

from pathlib import Path

from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph
from segcompile.text.errors import fail
from segcompile.weights.parameters import tensors
from segcompile.weights.placing import COUNTER, EXAMPLES, shown
from segcompile.weights.reading import read_weights

_HELP = "`segcompile weights import` and `weights.py export` write files of all tensors of a spec, and of no others"


def whole_weights(path: Path, model: str, graph: Graph, facts: Facts) -> dict[str, bytes]:
    """Tensor -> its values in float32, little-endian, row by row. Nothing is guessed: each has its name in the state
    dict, and its shape.

    Raises SegcompileError: SC801, SC802 for a tensor of another name or shape, SC808 for one that the file has not.
    """
    source, found = read_weights(path), dict[str, bytes]()
    stored = {each.name: each for each in source.tensors}
    wanted = {tensor.name: tensor.shape for tensor in tensors(graph, facts)}
    missing = [f"`{name}`, {shown(shape)}" for name, shape in wanted.items() if name not in stored]
    if missing:
        message = f"`{path}` has {len(wanted) - len(missing)} of the {len(wanted)} tensors of {model}"
        raise fail("SC808", message, notes=[f"it has no {each}" for each in missing[:EXAMPLES]], help=_HELP)
    for name, tensor in stored.items():
        if name not in wanted and not name.endswith(COUNTER):
            raise fail("SC802", f"`{path}` has a tensor `{name}`, which {model} does not have", help=_HELP)
        if name in wanted and (tensor.shape != wanted[name] or tensor.unusable):
            why = tensor.unusable or f"it is {shown(tensor.shape)}, and in {model} {shown(wanted[name])}"
            raise fail("SC802", f"`{path}`, tensor `{name}`: {why}", help=_HELP)
    for name in wanted:
        found[name] = source.values(stored[name]).astype("<f4", copy=False).tobytes()
    return found
