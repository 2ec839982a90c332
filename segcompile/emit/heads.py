"""What the harness must know of a network's heads: their classes, how each is trained, and what stands in the way."""

from __future__ import annotations

from math import exp, inf
from typing import Any

from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph, Node
from segcompile.text.errors import Findings


def view_heads(graph: Graph, facts: Facts) -> dict[str, Any]:
    """The heads as templates print them.

    `heads`: each with its classes. A head of one channel, among `binary`, tells the classes 0 and 1 apart by the logit
    of class 1; `several` says whether any head has more channels. The heads of `probabilities` end in a softmax or, of
    one channel, in a sigmoid; which of the two there are stands in `probable`.
    """
    channels = {head: facts[node].shape.channels for head, node in graph.outputs.items()}
    ends = {head: _probable(last_op(graph, node), channels[head]) for head, node in graph.outputs.items()}
    return {
        "heads": {head: max(count, 2) for head, count in channels.items()},
        "binary": [head for head, count in channels.items() if count == 1],
        "several": any(count > 1 for count in channels.values()),
        "probabilities": [head for head, end in ends.items() if end],
        "probable": sorted({end for end in ends.values() if end}, reverse=True),
    }


def warn_bounded(graph: Graph, facts: Facts, findings: Findings) -> None:
    """SC611 for a head whose last activation keeps it from ever being certain of a class."""
    for name in dict.fromkeys(graph.outputs.values()):
        node, channels = last_op(graph, name), facts[name].shape.channels
        if node is None or node.op.bounds is None or _probable(node, channels):
            continue
        least, most = node.op.bounds
        ends = f"`{node.layer}` ends in {node.op.title}"
        if channels == 1:
            low, high = (round(100 / (1 + exp(-logit))) for logit in (least, most))
            message = f"{ends}, and its one channel is a logit: probabilities lie between {low} and {high} %"
        elif most < inf:
            high = round(100 / (1 + (channels - 1) * exp(least - most)))
            message = (
                f"{ends}, and the loss takes the softmax of its {channels} channels: no probability exceeds {high} %"
            )
        else:
            continue
        help = f"`act: none` at `{node.layer}`, or name another layer under `outputs`"
        findings.add("SC611", message, node.origin.span, help=help)


def last_op(graph: Graph, name: str) -> Node | None:
    """The node whose values an output has, perhaps brought to another size; None for an input's."""
    node = graph.by_name.get(name)
    while node is not None and node.op.resamples:
        node = graph.by_name.get(node.inputs[0])
    return node


def _probable(node: Node | None, channels: int) -> str:
    """`softmax` or `sigmoid` if that makes a head's scores the probabilities that its loss is about."""
    return (node.op.probability(channels) if node is not None else None) or ""
