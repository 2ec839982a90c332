"""`atrous` and `remove_stride`: strides are taken out, and everything downstream is dilated by them.

Holschneider et al. (1989), as Long et al. (2015, section 3.2) and Yu & Koltun (2016, section 4) use it. With a stride
s taken out of a layer, the map behind it is s times as dense: a layer that read neighbours at distance 1 reads them at
distance s now. Every s-th output is what it was; the others are what the network gives for the shifted image. What an
op is on a denser map it says itself, `Op.dilated`, and one that says nothing is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from segcompile.errors import Label, Span, fail
from segcompile.graph import Origin
from segcompile.language.flat import Layer
from segcompile.language.transform.draft import Draft
from segcompile.language.transform.sizes import Sizes
from segcompile.ops import AXES, Conv, Join, Op, Pool, Refusal, Shape
from segcompile.source import Node, Scalar

_Factor = tuple[int, int]  # how many times as dense a map is, along height and width
_ONE: _Factor = (1, 1)


def atrous(draft: Draft, node: Node) -> None:
    """`atrous: [pool4, pool5]`: the layers keep their kernels, and the network computes at every pixel what it computed
    at each stride-th. Raises SegcompileError: SC502 for a layer without a stride, SC507 for one that would not compute
    the same, SC503 where other edits must come first."""
    _warn_overhanging(draft, _take_out(draft, node, "atrous"), node.span)


def remove_stride(draft: Draft, node: Node) -> None:
    """`remove_stride: [pool4, pool5]`: as `atrous`, and then the pooling layers go, as in Yu & Koltun's front end."""
    taken = _take_out(draft, node, "remove_stride")
    pools = (layer.name for layer in draft.layers if layer.name in taken.layers and isinstance(layer.op, Pool))
    draft.remove(frozenset(pools), node.span)
    _warn_overhanging(draft, taken, node.span)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What has been done: the layers that lost a stride, and the pools on denser maps whose last window may overhang
    the border."""

    layers: frozenset[str]
    overhanging: tuple[Layer, ...]


def _take_out(draft: Draft, node: Node, edit: str) -> _Taken:
    chosen: dict[str, Scalar] = {}
    for item, layers in draft.each(node, edit):
        strided = [layer for layer in layers if _stride(layer.op) != _ONE]
        if not strided:
            message = f"`{item.text}` has no stride to take out"
            raise fail("SC502", message, item.span, help=f"`{edit}` takes convolutions and pools that have a stride")
        chosen |= {layer.name: item for layer in strided}
    factors: dict[str, _Factor] = {}
    after: list[Layer] = []
    overhanging: list[Layer] = []
    sizes = Sizes(draft.inputs)
    for layer in draft.layers:
        sizes.add(layer)
        factor = _entering(layer, factors, node.span)
        if factor != _ONE or layer.name in chosen:
            overhanging += [layer] if _overhangs(layer.op, sizes.entered[layer.name]) else []
            layer, factors[layer.name] = _dilated(layer, factor, chosen.get(layer.name), node.span)
        after.append(layer)
    draft.layers[:] = after
    return _Taken(frozenset(chosen), tuple(overhanging))


def _stride(op: Op) -> _Factor:
    if isinstance(op, Pool):
        return op.steps
    return op.stride if isinstance(op, Conv) else _ONE


def _entering(layer: Layer, factors: Mapping[str, _Factor], span: Span) -> _Factor:
    """How dense the maps are that a layer computes with. Raises SegcompileError (SC503) where they are unequally so."""
    found = {factors.get(name, _ONE): name for name in layer.inputs}
    if len(found) > 1:
        (_, name), (_, sparse) = sorted(found.items(), reverse=True)[:2]
        verb = "joins" if isinstance(layer.op, Join) else "reads"
        what = f"`{layer.name}` {verb} `{name}` and `{sparse}`"
        message = f"{what}, and the strides are taken out before one of them only"
        raise fail("SC503", message, span, help=f"take the strides before `{sparse}` out as well")
    return next(iter(found))


def _dilated(layer: Layer, factor: _Factor, item: Scalar | None, span: Span) -> tuple[Layer, _Factor]:
    """The layer on a map `factor` times as dense, without its stride if it is an `item` of the list; and how dense
    its result is. Raises SegcompileError for an op of it that is none there."""
    op, at = layer.op, item.span if item is not None else span
    grown = factor
    if item is not None:
        grown = (factor[0] * _stride(op)[0], factor[1] * _stride(op)[1])
        op = op.model_copy(update={"stride": _ONE})
    after = _on_denser(op, factor, f"`{layer.name}`", f"`remove: [{layer.name}]`", layer.origin, at)
    kept = []
    for (part, own), origin in zip(layer.carried, layer.carried_origins, strict=True):
        edit = f"`set: {{{layer.name}: {{{part}: none}}}}`"
        kept.append((part, _on_denser(own, grown, f"the {part} of `{layer.name}`", edit, origin, at)))
    written = [name for name in type(op).model_fields if getattr(layer.op, name) != getattr(after, name)]
    spans = {**layer.origin.attributes, **dict.fromkeys(written, at)}
    origin = Origin(layer.origin.span, spans, layer.origin.calls)
    return replace(layer, op=after, carried=tuple(kept), origin=origin), grown


def _on_denser(op: Op, factor: _Factor, subject: str, edit: str, origin: Origin, at: Span) -> Op:
    """What an op is on a map `factor` times as dense. Raises SegcompileError where it is none there; `edit` would take
    it away."""
    if factor == _ONE:
        return op
    try:
        return op.dilated(factor)
    except Refusal as refusal:
        span = origin.at(refusal.attribute)
        labels = [Label(span, "written here")] if span is not None else []
        help = refusal.help or f"{edit} before this edit, or put another op in its place"
        raise fail(refusal.code, f"{subject} {refusal.message}", at, labels=labels, help=help) from None


def _overhangs(op: Op, entering: Shape | Refusal) -> bool:
    """Whether the last window of a pool that rounds up may overhang the border."""
    if not isinstance(op, Pool) or op.round == "floor" or op.steps == _ONE:
        return False
    if isinstance(entering, Refusal):
        return True
    rests = (entering.size[axis] + (sum(op.pads(axis)) - op.spans[axis]) for axis in AXES)
    return any(not isinstance(rest, int) or rest % op.steps[axis] for axis, rest in enumerate(rests))


def _warn_overhanging(draft: Draft, taken: _Taken, span: Span) -> None:
    """SC508, once an edit: outputs of the base that the denser network does not have."""
    left = {layer.name for layer in draft.layers}
    names = [layer.name for layer in taken.overhanging if layer.name in left]
    if names:
        few = ", ".join(f"`{name}`" for name in names[:3]) + (", ..." if len(names) > 3 else "")
        message = f"the last window of {few} overhangs the border (`round: ceil`), and has no place in the denser map"
        help = f"`set: {{{names[0]}: {{round: floor}}}}` before this edit, or an image that leaves nothing over"
        draft.ledger.findings.add("SC508", message, span, help=help)
