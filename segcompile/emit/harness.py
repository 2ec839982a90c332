"""Which networks have a training harness: those from one image to maps of one size, none finer than the image."""

from __future__ import annotations

from segcompile.facts.facts import Facts
from segcompile.facts.placement import NoPlacement, Placement, place_outputs
from segcompile.network.graph import Graph, Node
from segcompile.text.errors import Findings


def harness_placement(graph: Graph, facts: Facts, findings: Findings) -> Placement | None:
    """Where the outputs of a network with a harness lie; None for any other, and SC608 says why."""
    unfit = _unfit(graph, facts)
    if unfit is None:
        try:
            return place_outputs(graph)
        except NoPlacement as why:
            unfit = str(why), why.node
    reason, node = unfit
    help = "model.py and weights.py are whole; a training loop around them is yours to write"
    findings.add("SC608", f"there is no training harness: {reason}", node.origin.span, help=help)
    return None


def mixes_image(graph: Graph) -> str | None:
    """The first layer that mixes the whole image, or treats its places apart: what it gives is another for every shift
    of the image."""
    mixing = (node for node in graph.nodes if node.op.positional or node.op.spans_some(graph.rank, len(node.inputs)))
    return next((node.layer for node in mixing), None)


def _unfit(graph: Graph, facts: Facts) -> tuple[str, Node] | None:
    """Why a network has not one image, trained weights, and maps for outputs, and the node to point at; None if it
    has."""
    outputs = [graph.by_name[name] for name in graph.outputs.values()]
    for name in list(graph.inputs)[1:]:
        readers = [node for node in graph.nodes if name in node.inputs] or outputs
        return f"`{name}` is a second input, and the harness reads one image", readers[0]
    for node in outputs:
        shape = facts[node.name].shape
        if shape.tokens or not shape.size:
            tokens = f"tokens{' and positions' if shape.size else ''}"
            return f"`{node.layer}` gives {tokens if shape.tokens else 'a vector'}, and the harness trains maps", node
    if all(parameter.frozen for fact in facts.values() for parameter in fact.parameters):
        return "the network has no weights to train", outputs[0]
    return None
