"""`append`, `insert` and `replace`: layers written out in the language of `layers:`, at their place in the network."""

from __future__ import annotations

from dataclasses import replace as but

from segcompile.errors import fail
from segcompile.language.items import list_under, only
from segcompile.language.transform.draft import Draft
from segcompile.ops import Join
from segcompile.source import Mapping, Node, Scalar, Sequence, describe


def append(draft: Draft, node: Node) -> None:
    """`append: [layers]`: at the end; the first one reads what the network ended with."""
    if not isinstance(node, Sequence):
        message = f"`append` takes a list of layers, not {describe(node)}"
        raise fail("SC004", message, node.span, help="`append: [score: {conv: K, kernel: 1}]`")
    draft.append(node)


def insert(draft: Draft, node: Node) -> None:
    """`insert: {after: pool3, layers: [...]}`: what read the layer, block or used spec reads the last one inserted, an
    output of the base, too; or `before` a layer, where the first one reads what that read."""
    if not isinstance(node, Mapping):
        raise fail("SC004", f"`insert` is a mapping, not {describe(node)}", node.span, help=_INSERT)
    only(node, ("after", "before", "layers"))
    where = [key for key in ("after", "before") if key in node.entries]
    if not where:
        raise fail("SC012", "`insert` needs a place, `after` or `before` a layer", node.span, help=_INSERT)
    if len(where) > 1:
        raise fail(
            "SC011", "`insert` has one place, `after` or `before` a layer", node.key("before").span, help=_INSERT
        )
    selector = node.entries[where[0]][1]
    if not isinstance(selector, Scalar):
        raise fail("SC004", f"`{where[0]}` is a layer's name, not {describe(selector)}", selector.span, help=_INSERT)
    items = list_under(node, "layers")
    draft.warn_of_nothing("`layers`", items)
    if where[0] == "after":
        _, found, above = draft.whole(selector, "insert")
        at = draft.index(found[-1].name) + 1
        new = draft.splice(items, above, at, draft.place, above)
        if draft.moves_outputs:
            draft.names.follow(above, new)
        return
    layer = draft.one(selector, "insert")
    at = draft.index(layer.name)
    if isinstance(layer.op, Join):
        message = f"`{layer.name}` reads several layers: {', '.join(layer.inputs)}"
        raise fail("SC503", message, selector.span, help="insert after one of them")
    result = draft.write(items, layer.inputs[0], at, draft.place)
    draft.put(but(layer, inputs=(result, *layer.inputs[1:])))


_INSERT = "`insert: {after: pool3, layers: [...]}`"


def replace(draft: Draft, node: Node) -> None:
    """`replace: {layer: {...}}`: another body under the same name, which reads what the old one read unless it says
    `from`. A block or a used spec goes as a whole.

    Raises SegcompileError: SC502, SC503 where something reads the inside of what goes.
    """
    if not isinstance(node, Mapping):
        message = f"`replace` maps a layer to its new body, not {describe(node)}"
        raise fail("SC004", message, node.span, help="`replace: {pool5: {conv: 512, kernel: 3, stride: 2}}`")
    for key, body in node.entries.values():
        name, old, result = draft.whole(key, "replace")
        at, entries = draft.index(old[0].name), draft.names.entries
        above = entries.get(name, old[0].inputs[0])
        draft.take_out(old, result, key.span)
        scope, _, own = name.rpartition(".")
        place = draft.place
        if f"{scope}." != place.prefix and scope:
            start = entries.get(scope, "") if scope in draft.names.inline else ""
            place = but(place, prefix=f"{scope}.", input=draft.names.entering(scope, place), above=start)
        item = Mapping({own: (Scalar(own, key.span), body)}, key.span)
        new = draft.splice(Sequence((item,), key.span), above, at, place, result)
        draft.names.redirect({result: new})
