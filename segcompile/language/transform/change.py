"""`set: {"conv*": {pad: 0}}`: attributes of layers changed."""

from __future__ import annotations

from dataclasses import replace

from segcompile.errors import Findings, fail
from segcompile.graph import Origin
from segcompile.language.attributes import CARRIED, change_carried, change_op, changeable
from segcompile.language.flat import Layer
from segcompile.language.transform.draft import Draft
from segcompile.language.words import meant
from segcompile.source import Mapping, Node, describe


def change(draft: Draft, node: Node) -> None:
    """A pattern's layers take those of the attributes that they have. What is not said stays as it is, also where it
    was computed from what is: a kernel that was `2*stride` does not follow the stride.

    Raises SegcompileError: SC502, SC003 for an attribute that none of the layers has, SC004 for a wrong value. Adds
    SC506 (a warning) where nothing changes.
    """
    if not isinstance(node, Mapping):
        message = f"`set` maps layers to attributes, not {describe(node)}"
        raise fail("SC004", message, node.span, help='`set: {"conv*": {pad: 0}}`')
    for selector, attributes in node.entries.values():
        if not isinstance(attributes, Mapping):
            message = f"`{selector.text}` gets attributes, not {describe(attributes)}"
            raise fail("SC004", message, attributes.span, help="for example {pad: 0}")
        before = draft.matching(selector)
        _check_names(before, attributes)
        after = {layer.name: _changed(layer, attributes, draft) for layer in before}
        draft.warn_of_nothing(f"what `{selector.text}` is given", attributes)
        if attributes.entries and all(after[layer.name] == layer for layer in before):
            _warn(draft.ledger.findings, selector.text, attributes)
        draft.layers[:] = [after.get(layer.name, layer) for layer in draft.layers]


def _check_names(layers: list[Layer], attributes: Mapping) -> None:
    """Refuse (SC003) an attribute that no layer has."""
    known = {name for layer in layers for name in (*changeable(layer.op), *CARRIED)}
    for key, node in attributes.entries.values():
        if key.text not in known:
            near = meant("attribute", key.text, known, node, layers[0].op.spelling)
            help = near or f"it has {', '.join(sorted(known))}"
            few = layers[0].name if len(layers) == 1 else f"none of {len(layers)} layers"
            message = (
                f"`{few}` has no attribute `{key.text}`" if len(layers) == 1 else f"{few} has an attribute `{key.text}`"
            )
            raise fail("SC003", message, key.span, help=help)


def _changed(layer: Layer, attributes: Mapping, draft: Draft) -> Layer:
    values, origin = draft.place.values, layer.origin
    own = {name: pair for name, pair in attributes.entries.items() if name in changeable(layer.op)}
    if own:
        read = change_op(layer.op, Mapping(own, attributes.span), values)
        origin = Origin(origin.span, {**origin.attributes, **read.spans}, origin.calls)
        layer = replace(layer, op=read.op, origin=origin) if read.op != layer.op else layer
    carried = [key for key in CARRIED if key in attributes.entries and key not in own]
    for key in carried:
        origins = dict(zip((part for part, _ in layer.carried), layer.carried_origins, strict=True))
        ops = dict(layer.carried)
        node = attributes.entries[key][1]
        now = change_carried(key, node, draft.place.defaults, values)
        if now is None:
            ops.pop(key, None)
        elif ops.get(key) != now.op:
            ops[key], origins[key] = now.op, Origin(node.span, now.spans, origin.calls)
        parts = tuple((part, ops[part]) for part in CARRIED if part in ops)
        layer = replace(layer, carried=parts, carried_origins=tuple(origins[part] for part, _ in parts))
    return layer


def _warn(findings: Findings, selector: str, attributes: Mapping) -> None:
    named = " and ".join(f"`{key.text}`" for key, _ in attributes.entries.values())
    message = f"this changes nothing: {named} of `{selector}` has this value already"
    findings.add("SC506", message, attributes.span, help="remove it")
