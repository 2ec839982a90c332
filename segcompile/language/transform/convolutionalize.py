"""`convolutionalize: [fc6, fc7]`: a linear layer becomes the convolution that computes the same function.

Long et al. (2015), section 3.1: the kernel is as large as the map that entered the layer, so that its weight
(out, C * H * W) is that of the convolution, (out, C, H, W), number by number.
"""

from __future__ import annotations

from dataclasses import replace

from segcompile.errors import fail
from segcompile.graph import Origin
from segcompile.language.flat import Layer
from segcompile.language.transform.draft import Draft
from segcompile.language.transform.sizes import Sizes
from segcompile.ops import Conv, Linear, Refusal, Shape
from segcompile.ops.size import AnySize
from segcompile.source import Node, Scalar


def convolutionalize(draft: Draft, node: Node) -> None:
    """Raises SegcompileError: SC502 for what is no linear layer; SC503 where an edit before this one has changed the
    size that enters, or where the layer before is still linear."""
    chosen: dict[str, Scalar] = {}
    for item, layers in draft.each(node, "convolutionalize"):
        linear = [layer for layer in layers if isinstance(layer.op, Linear)]
        if not linear:
            message = f"`{item.text}` is no linear layer, but `{layers[0].op.spelling}`"
            raise fail("SC502", message, item.span, help="`convolutionalize` takes linear layers")
        chosen |= {layer.name: item for layer in linear}
    trained, now = Sizes(draft.base_inputs), Sizes(draft.base_inputs)
    for layer in draft.base:
        trained.add(layer)
    for index, layer in enumerate(draft.layers):
        if layer.name in chosen:
            entering = now.entering(layer)
            layer = _convolution(layer, trained.entered.get(layer.name, entering), entering, chosen[layer.name])
            draft.layers[index] = layer
        now.add(layer)


def _convolution(layer: Layer, trained: Shape | Refusal, entering: Shape | Refusal, item: Scalar) -> Layer:
    """The convolution in place of a linear layer; `trained` is what entered it when its weight was shaped."""
    for shape in (trained, entering):
        if isinstance(shape, Refusal):
            raise fail("SC503", f"no size is known for what enters `{layer.name}`: {shape}", item.span)
    assert isinstance(layer.op, Linear) and isinstance(trained, Shape) and isinstance(entering, Shape)
    if not entering.size:
        message = f"`{layer.name}` reads `{layer.inputs[0]}`, which gives a vector: a convolution needs a map"
        raise fail("SC503", message, item.span, help=f"convolutionalize `{layer.inputs[0]}` with it")
    kernel = trained.size or (1, 1)
    if (entering.size or (1, 1)) != kernel or entering.channels != trained.channels:
        message = f"{entering} enters `{layer.name}` here, and its weight is for {trained}"
        raise fail("SC503", message, item.span, help="convolutionalize before the edit that changes this")
    height, width = kernel
    if isinstance(height, AnySize) or isinstance(width, AnySize):
        message = f"{trained} enters `{layer.name}` in the base: no kernel follows from a size that is not fixed"
        raise fail("SC310", message, item.span, help="derive from a base whose input has a size")
    op = Conv(
        channels=layer.op.features,
        kernel=(height, width),
        bias=layer.op.bias,
        init=layer.op.init,
        frozen=layer.op.frozen,
    )
    features = layer.origin.attributes.get("features")
    spans = {**layer.origin.attributes, **({"channels": features} if features else {}), "kernel": item.span}
    return replace(layer, op=op, origin=Origin(layer.origin.span, spans, layer.origin.calls))
