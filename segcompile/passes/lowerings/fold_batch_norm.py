"""`fold_batch_norm`: at evaluation a batch norm is a factor and a shift of each channel, which the weights before it
can take in.

    γ (w x + b - μ) / √(σ² + ε) + β  =  w' x + b'     w' = w γ / √(σ² + ε),  b' = β + (b - μ) γ / √(σ² + ε)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from segcompile.network.graph import Graph, Node, Role
from segcompile.network.splice import remove, revised
from segcompile.ops import BatchNorm, Op
from segcompile.passes.edited import Edited, Source
from segcompile.text.errors import CODES, Diagnostic

_NAMED = 3  # norms that a note names


def fold_batch_norm(graph: Graph) -> Edited:
    """Every convolution, transposed convolution or linear layer that only a batch norm reads becomes one with a bias,
    and the norm goes, whether a layer carries it or is it. One that cannot be folded stays, and is said (SC613)."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    biased: dict[str, Op] = {}  # the node before a norm that goes
    weights: dict[str, Source] = {}
    stays: list[tuple[Node, str]] = []
    shared = {name for node in graph.nodes if node.weights is not None for name in (node.name, node.weights)}
    for norm in (node for node in graph.nodes if isinstance(node.op, BatchNorm)):
        reason = "shares its weights" if norm.name in shared else _obstacle(norm, graph, readers, shared)
        if reason is not None:
            stays.append((norm, reason))
        elif (op := graph.by_name[norm.inputs[0]].op.biased()) is not None:
            biased[norm.inputs[0]] = op
            weights[norm.inputs[0]] = Source(norm.inputs[0], norm.name)
    gone = frozenset(source.norm for source in weights.values() if source.norm is not None)
    changed = {*map(graph.layer_of, biased), *map(graph.layer_of, gone)}
    layers = {
        layer: _without(nodes, biased, gone, weights) for layer, nodes in graph.layers.items() if layer in changed
    }
    empty = frozenset(layer for layer, nodes in layers.items() if not nodes)
    after = revised(graph, {layer: nodes for layer, nodes in layers.items() if nodes})
    return Edited(remove(after, empty, None) if empty else after, _told(stays, bool(gone)), weights)


def _obstacle(norm: Node, graph: Graph, readers: Mapping[str, Sequence[Node]], shared: Collection[str]) -> str | None:
    """Why a norm stays, in words that follow its layer's name; None if it can be folded."""
    (name,) = norm.inputs
    if name not in graph.by_name:
        return f"reads the input `{name}`"
    before = graph.by_name[name]
    if before.op.biased() is None:
        return f"reads {before.op.title}" + (f" (`{before.layer}`)" if before.layer != norm.layer else "")
    if name in shared:
        return f"reads `{before.layer}`, whose weights another layer shares"
    other = next((node.layer for node in readers[name] if node is not norm), None)
    if other is not None:
        return f"reads `{before.layer}`, and so does `{other}`"
    head = next((head for head, given in graph.outputs.items() if given == name), None)
    return f"reads `{before.layer}`, which is the output `{head}`, too" if head is not None else None


def _without(
    layer: Sequence[Node], biased: Mapping[str, Op], gone: frozenset[str], weights: dict[str, Source]
) -> tuple[Node, ...]:
    """The nodes of a layer without its norm if that goes, with a bias if one before it does. Where the norm was the
    layer's own op, the first one that it carries takes its place and its name, as is noted in `weights`."""
    nodes: list[Node] = []
    for node in layer:
        if node.name in gone:
            continue
        node = replace(node, op=biased.get(node.name, node.op))
        if nodes:
            node = replace(node, inputs=(nodes[-1].name,))
        elif node.role is not Role.MAIN:
            weights[layer[0].name] = Source(node.name)
            node = replace(node, name=layer[0].name, inputs=layer[0].inputs, role=Role.MAIN)
        nodes.append(node)
    return tuple(nodes)


def _told(stays: Sequence[tuple[Node, str]], some: bool) -> tuple[Diagnostic, ...]:
    """SC613 at the first norm that stays, with what there is to say of the others; and where there is none at all."""
    if not stays and some:
        return ()
    if not stays:
        return (Diagnostic(CODES["SC613"], "`fold_batch_norm` changes nothing: the network has no batch norm"),)
    (norm, reason), *others = stays
    notes = [f"`{node.layer}` stays, too: it {why}" for node, why in others[:_NAMED]]
    if len(others) > _NAMED:
        notes.append(f"and so do {len(others) - _NAMED} more")
    message = f"the batch norm of `{norm.layer}` stays: it {reason}"
    help = "a norm is folded into a conv, deconv or linear layer that nothing else reads"
    return (Diagnostic(CODES["SC613"], message, norm.origin.span, hint=help, notes=tuple(notes)),)
