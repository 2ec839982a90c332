"""`atrous` and `remove_stride`: strides are taken out, and everything downstream is dilated by them.

Holschneider et al. (1989), as Long et al. (2015, section 3.2) and Yu & Koltun (2016, section 4) use it. With a stride
s taken out of a layer, the map behind it is s times as dense: a layer that read neighbours at distance 1 reads them at
distance s now. Every s-th output is what it was; the others are what the network gives for the shifted image. What an
op is on a denser map it says itself, `Op.dilated`, and one that says nothing is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import mul

from segcompile.network.graph import Graph, Node, Role
from segcompile.network.selector import Selector
from segcompile.network.splice import remove, revised
from segcompile.ops import Op, Pool, Refusal
from segcompile.passes.edited import Edited, Layer
from segcompile.passes.edits.selection import layers_of
from segcompile.passes.edits.sizes import Known, shapes_while_edited
from segcompile.text.errors import CODES, Diagnostic, Span, fail, label_at

_Factor = tuple[int, ...]  # how many times as dense a map is, along each axis


def atrous(layers: tuple[Selector, ...], span: Span, graph: Graph, base: Graph) -> Edited:
    """The layers keep their kernels, and the network computes at every pixel what it computed at each stride-th.

    Raises SegcompileError: SC502 for a layer without a stride, SC507 for one that would not compute the same, SC503
    where other edits must come first.
    """
    taken = _take_out(graph, layers, span, "atrous")
    return Edited(taken.graph, _overhanging(taken, taken.graph, span))


def remove_stride(layers: tuple[Selector, ...], span: Span, graph: Graph, base: Graph) -> Edited:
    """As `atrous`, and then the pooling layers go, as in Yu & Koltun's front end."""
    taken = _take_out(graph, layers, span, "remove_stride")
    pools = frozenset(layer for layer in taken.layers if isinstance(graph.layers[layer][0].op, Pool))
    after = remove(taken.graph, pools, span)
    return Edited(after, _overhanging(taken, after, span))


@dataclass(frozen=True, slots=True)
class _Taken:
    """What has been done: the layers that lost a stride, and the pools on denser maps whose last window may overhang
    the border."""

    graph: Graph
    layers: frozenset[str]
    overhanging: tuple[str, ...]


def _take_out(graph: Graph, selectors: tuple[Selector, ...], span: Span, edit: str) -> _Taken:
    chosen: dict[str, Span] = {}
    for selector in selectors:
        chosen |= dict.fromkeys(_strided(selector, graph, edit), selector.span)
    one = (1,) * graph.rank
    factors: dict[str, _Factor] = dict.fromkeys(graph.inputs, one)  # input or node -> how dense its result is
    after: dict[str, Layer] = {}
    overhanging: list[str] = []
    shapes = shapes_while_edited(graph)
    for name, layer in graph.layers.items():
        factor = _entering(layer[0], graph, factors, span)
        if factor == one and name not in chosen:
            factors[layer[-1].name] = one
            continue
        overhanging += [name] if _overhangs(layer[0].op, shapes[layer[0].inputs[0]]) else []
        after[name], grown = _dilated(layer, factor, chosen.get(name), span)
        factors[layer[-1].name] = grown
    return _Taken(revised(graph, after), frozenset(chosen), tuple(overhanging))


def _strided(selector: Selector, graph: Graph, edit: str) -> list[str]:
    strided = [layer[0].layer for layer in layers_of(selector, graph) if max(_stride(layer[0].op), default=1) > 1]
    if not strided:
        help = f"`{edit}` takes convolutions and pools that have a stride"
        raise fail("SC502", f"`{selector.text}` has no stride to take out", selector.span, help=help)
    return strided


def _stride(op: Op) -> tuple[int, ...]:
    """How many pixels an op goes on along each axis; () for one that takes every pixel."""
    return op.sliding.stride if op.sliding is not None and not op.sliding.transposed else ()


def _entering(node: Node, graph: Graph, factors: Mapping[str, _Factor], span: Span) -> _Factor:
    """How dense the maps are that a layer computes with. Raises SegcompileError (SC503) where they are unequally so."""
    found = {factors[name]: graph.layer_of(name) for name in node.inputs}
    if len(found) > 1:
        (_, name), (_, sparse) = sorted(found.items(), reverse=True)[:2]
        verb = "joins" if node.op.joins else "reads"
        what = f"`{node.layer}` {verb} `{name}` and `{sparse}`"
        message = f"{what}, and the strides are taken out before one of them only"
        raise fail("SC503", message, span, help=f"take the strides before `{sparse}` out as well")
    return next(iter(found))


def _dilated(layer: Layer, factor: _Factor, chosen: Span | None, span: Span) -> tuple[Layer, _Factor]:
    """The layer on a map `factor` times as dense, without its stride if it was `chosen`; and how dense its result is.
    Raises SegcompileError for an op of it that is none there."""
    main, *carried = layer
    op, grown, at = main.op, factor, chosen or span
    if chosen is not None:
        grown = tuple(map(mul, factor, _stride(op)))
        op = op.model_copy(update={"stride": (1,) * len(factor)})
    after = [_on_denser(replace(main, op=op), factor, at, f"`remove: [{main.layer}]`")]
    for node in carried:
        after.append(_on_denser(node, grown, at, f"`set: {{{node.layer}: {{{node.role}: none}}}}`"))
    written = [name for name in type(op).model_fields if getattr(main.op, name) != getattr(after[0].op, name)]
    spans = {**main.origin.attributes, **dict.fromkeys(written, at)}
    after[0] = replace(after[0], origin=replace(main.origin, attributes=spans))
    return tuple(after), grown


def _on_denser(node: Node, factor: _Factor, at: Span, edit: str) -> Node:
    """The node on a map `factor` times as dense. Raises SegcompileError where its op is none there; `edit` would take
    it away."""
    if max(factor) == 1:
        return node
    try:
        return replace(node, op=node.op.dilated(factor))
    except Refusal as refusal:
        span = node.origin.at(refusal.attribute)
        labels = label_at(span, "written here")
        help = refusal.help or f"{edit} before this edit, or put another op in its place"
        subject = f"`{node.layer}`" if node.role is Role.MAIN else f"the {node.role} of `{node.layer}`"
        raise fail(refusal.code, f"{subject} {refusal.message}", at, labels=labels, help=help) from None


def _overhangs(op: Op, entering: Known) -> bool:
    """Whether the last window of a pool that rounds up may overhang the border."""
    if not isinstance(op, Pool) or op.round == "floor" or max(op.steps) == 1:
        return False
    if isinstance(entering, Refusal):
        return True
    rests = (size + (sum(op.pads(axis)) - op.spans[axis]) for axis, size in enumerate(entering.size))
    return any(not isinstance(rest, int) or rest % op.steps[axis] for axis, rest in enumerate(rests))


def _overhanging(taken: _Taken, after: Graph, span: Span) -> tuple[Diagnostic, ...]:
    """SC508, once an edit: outputs of the base that the denser network does not have."""
    names = [layer for layer in taken.overhanging if layer in after.layers]
    if not names:
        return ()
    few = ", ".join(f"`{name}`" for name in names[:3]) + (", ..." if len(names) > 3 else "")
    message = f"the last window of {few} overhangs the border (`round: ceil`), and has no place in the denser map"
    help = f"`set: {{{names[0]}: {{round: floor}}}}` before this edit, or an input that leaves nothing over"
    return (Diagnostic(CODES["SC508"], message, span, hint=help),)
