"""`convolutionalize: [fc6, fc7]`: a linear layer becomes the convolution that computes the same function.

Long et al. (2015), section 3.1: the kernel is as large as the map that entered the layer, so that its weight
(out, C * H * W) is that of the convolution, (out, C, H, W), number by number.
"""

from __future__ import annotations

from dataclasses import replace

from segcompile.network.graph import Graph, Node
from segcompile.network.selector import Selector
from segcompile.network.splice import revised
from segcompile.ops import Conv, Linear, Refusal, Shape
from segcompile.passes.edited import Edited
from segcompile.passes.edits.selection import layers_of
from segcompile.passes.edits.sizes import Known, result, shapes_while_edited
from segcompile.passes.unpools import pair_unpools
from segcompile.text.errors import Findings, Span, fail


def convolutionalize(layers: tuple[Selector, ...], graph: Graph, base: Graph) -> Edited:
    """All linear layers that are named become convolutions at once.

    Raises SegcompileError: SC502 for what is no linear layer; SC503 where an edit before this one has changed the size
    that enters, or where the layer before is still linear; SC310 where no size is known.
    """
    chosen: dict[str, Span] = {}
    for selector in layers:
        chosen |= dict.fromkeys(_linear(selector, graph), selector.span)
    trained = shapes_while_edited(base)
    now: dict[str, Known] = {**graph.inputs, **base.inputs}  # the edits so far, at the size of the base
    made: dict[str, Node] = {}
    for node in pair_unpools(graph, Findings()).nodes:
        if node.layer in chosen and isinstance(node.op, Linear):
            entering, span = now[node.inputs[0]], chosen[node.layer]
            before = base.by_name.get(node.name)
            shaped = trained[before.inputs[0]] if before is not None else entering
            node = _with_op(node, _convolution(node, graph, shaped, entering, span), span)
            made[node.layer] = node
        now[node.name] = result(node, now)
    return Edited(revised(graph, {layer: (node, *graph.layers[layer][1:]) for layer, node in made.items()}))


def _linear(selector: Selector, graph: Graph) -> list[str]:
    layers = layers_of(selector, graph)
    linear = [layer[0].layer for layer in layers if isinstance(layer[0].op, Linear)]
    if not linear:
        message = f"`{selector.text}` is no linear layer, but `{layers[0][0].op.spelling}`"
        raise fail("SC502", message, selector.span, help="`convolutionalize` takes linear layers")
    return linear


def _convolution(node: Node, graph: Graph, trained: Known, entering: Known, span: Span) -> Conv:
    """The convolution in place of a linear layer; `trained` is what entered it when its weight was shaped."""
    layer, read = node.layer, graph.layer_of(node.inputs[0])
    for shape in (trained, entering):
        if isinstance(shape, Refusal):
            raise fail("SC503", f"no size is known for what enters `{layer}`: {shape}", span)
    assert isinstance(node.op, Linear) and isinstance(trained, Shape) and isinstance(entering, Shape)
    if entering.tokens:
        message = f"`{layer}` reads `{read}`, which gives tokens: a convolution needs a map"
        raise fail("SC503", message, span, help=f"`replace` it: `conv: {node.op.features}, kernel: 1` reads each token")
    if not entering.size:
        message = f"`{layer}` reads `{read}`, which gives a vector: a convolution needs a map"
        raise fail("SC503", message, span, help=f"convolutionalize `{read}` with it")
    sides = trained.size or (1,) * graph.rank  # a vector is a map of one pixel
    if entering.size != sides or entering.channels != trained.channels:
        message = f"{entering} enters `{layer}` here, and its weight is for {trained}"
        raise fail("SC503", message, span, help="convolutionalize before the edit that changes this")
    kernel = tuple(side for side in sides if isinstance(side, int))
    if len(kernel) < len(sides):
        message = f"{trained} enters `{layer}` in the base: no kernel follows from a size that is not fixed"
        raise fail("SC310", message, span, help="derive from a base whose input has a size")
    linear = node.op
    return Conv(channels=linear.features, kernel=kernel, bias=linear.bias, init=linear.init, frozen=linear.frozen)


def _with_op(node: Node, op: Conv, span: Span) -> Node:
    features = node.origin.attributes.get("features")
    spans = {**node.origin.attributes, **({"channels": features} if features else {}), "kernel": span}
    return replace(node, op=op, origin=replace(node.origin, attributes=spans))
