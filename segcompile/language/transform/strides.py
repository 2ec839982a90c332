"""`atrous` and `remove_stride`: strides are taken out, and everything downstream is dilated by them.

Holschneider et al. (1989), as Long et al. (2015, section 3.2) and Yu & Koltun (2016, section 4) use it. With a stride
s taken out of a layer, the map behind it is s times as dense: what read its neighbours at distance 1 reads them at
distance s now. Every s-th output is what it was; the others are what the network gives for the shifted image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segcompile.errors import SegcompileError, Span, fail
from segcompile.graph import Origin
from segcompile.language.flat import Layer
from segcompile.language.transform.draft import Draft
from segcompile.ops import (
    AXES,
    Conv,
    Crop,
    Deconv,
    GlobalPool,
    Join,
    Linear,
    Op,
    Pad,
    PixelShuffle,
    Pool,
    Resize,
    SpaceToDepth,
    Unpool,
)
from segcompile.source import Node, Scalar

_Factor = tuple[int, int]  # how many times as dense a map is, along height and width
_ONE: _Factor = (1, 1)


def atrous(draft: Draft, node: Node) -> None:
    """`atrous: [pool4, pool5]`: the layers keep their kernels, and the network computes at every pixel what it computed
    at each stride-th. Raises SegcompileError: SC502 for a layer without a stride, SC503 for what cannot be dilated."""
    _take_out(draft, node, "atrous")


def remove_stride(draft: Draft, node: Node) -> None:
    """`remove_stride: [pool4, pool5]`: as `atrous`, and then the pooling layers go, as in Yu & Koltun's front end."""
    chosen = _take_out(draft, node, "remove_stride")
    draft.remove(frozenset(layer.name for layer in chosen if isinstance(layer.op, Pool)), node.span)


def _take_out(draft: Draft, node: Node, edit: str) -> list[Layer]:
    chosen: dict[str, Scalar] = {}
    for item, layers in draft.each(node, edit):
        strided = [layer for layer in layers if _stride(layer.op) != _ONE]
        if not strided:
            message = f"`{item.text}` has no stride to take out"
            raise fail("SC502", message, item.span, help=f"`{edit}` takes convolutions and pools that have a stride")
        chosen |= {layer.name: item for layer in strided}
    factors: dict[str, _Factor] = {}
    after: list[Layer] = []
    for layer in draft.layers:
        factor = _entering(layer, factors, node.span)
        if factor != _ONE or layer.name in chosen:
            layer, factors[layer.name] = _dilated(layer, factor, chosen.get(layer.name), node.span)
        after.append(layer)
    draft.layers[:] = after
    return [layer for layer in draft.layers if layer.name in chosen]


def _stride(op: Op) -> _Factor:
    if isinstance(op, Pool):
        return op.steps
    return op.stride if isinstance(op, Conv) else _ONE


def _entering(layer: Layer, factors: Mapping[str, _Factor], span: Span) -> _Factor:
    """How dense the maps are that a layer computes with. Raises SegcompileError (SC503) for a join of unequal ones."""
    read = layer.inputs if isinstance(layer.op, Join) else layer.inputs[:1]
    found = {factors.get(name, _ONE): name for name in read}
    if len(found) > 1:
        (_, name), (_, sparse) = sorted(found.items(), reverse=True)[:2]
        message = f"`{layer.name}` joins `{name}` and `{sparse}`, and the strides are taken out before one of them only"
        raise fail("SC503", message, span, help=f"take the strides before `{sparse}` out as well")
    return next(iter(found))


def _dilated(layer: Layer, factor: _Factor, item: Scalar | None, span: Span) -> tuple[Layer, _Factor]:
    """The layer on a map `factor` times as dense, without its stride if it is an `item` of the list; and how dense
    its result is."""
    op, at = layer.op, item.span if item is not None else span
    if isinstance(op, GlobalPool):
        return layer, _ONE
    if isinstance(op, Conv | Pool):
        stride = _stride(op)
        left = _ONE if item is not None else stride
        dilation = tuple(op.dilation[axis] * factor[axis] if op.kernel[axis] > 1 else 1 for axis in AXES)
        pads = tuple(pad * factor[axis] for axis in AXES for pad in op.pads(axis))
        after = type(op).model_validate({**_fields(op), "stride": left, "dilation": dilation})
        if tuple(pad for axis in AXES for pad in after.pads(axis)) != pads:  # `same` may say it already
            after = type(op).model_validate({**_fields(after), "pad": pads})
        grown = factor if item is None else (factor[0] * stride[0], factor[1] * stride[1])
        written = [name for name in _fields(op) if getattr(op, name) != getattr(after, name)]
        spans = {**layer.origin.attributes, **dict.fromkeys(written, at)}
        return replace(layer, op=after, origin=Origin(layer.origin.span, spans, layer.origin.calls)), grown
    if isinstance(op, Pad):
        amount = tuple(pad * factor[axis] for axis in AXES for pad in op.pads(axis))
        return replace(layer, op=op.model_copy(update={"amount": amount})), factor
    if isinstance(op, Crop):
        offset = op.offset and tuple(op.offset[axis] * factor[axis] for axis in AXES)
        return replace(layer, op=op.model_copy(update={"offset": offset})), factor
    if isinstance(op, Deconv | Linear | PixelShuffle | Resize | SpaceToDepth | Unpool):
        raise _too_late(layer, at)
    return layer, factor


def _fields(op: Op) -> dict[str, object]:
    return {name: getattr(op, name) for name in type(op).model_fields}


def _too_late(layer: Layer, span: Span) -> SegcompileError:
    if isinstance(layer.op, Linear):
        message = f"`{layer.name}` is linear: its weight is for the sparser map"
        return fail("SC503", message, span, help=f"put `convolutionalize: [{layer.name}]` before this")
    if isinstance(layer.op, SpaceToDepth):
        message = f"`{layer.name}` takes neighbouring pixels together, which lie further apart without these strides"
        return fail("SC503", message, span, help=f"`replace` {layer.name} first: it has no dilation")
    message = f"`{layer.name}` brings the map back to a size, and the strides taken out here come before it"
    return fail("SC503", message, span, help=f"take strides out first, and append `{layer.name}` after that")
