"""The entries of a `transform`, as text -> the edits that they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from segcompile.language.attributes import change_carried, change_op, changeable
from segcompile.language.expander import carried_node
from segcompile.language.items import list_under, only
from segcompile.language.ledger import Ledger
from segcompile.language.loops import Entry, Loops
from segcompile.language.owners import CARRIED
from segcompile.language.passing import passed_into
from segcompile.language.place import Place
from segcompile.language.words import Meant
from segcompile.network.graph import Graph, Node, Origin, Role, enclosing
from segcompile.network.selector import Selector
from segcompile.network.splice import Fragment
from segcompile.passes import edits
from segcompile.passes.edited import Edit, Edited, Layer
from segcompile.text.errors import Diagnostic, Span, fail, gathering, stop_on
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node as SpecNode
from segcompile.text.source import Scalar, Sequence, describe

_LOOKED_AT = 10  # as many layers a selector looks at while an edit goes through one
_CHANGED = 10  # through as many an edit goes while the attributes of one are read
Expand = Callable[[Sequence, Graph, Place, str], Fragment]  # lists of layers for a place in a graph, behind a result


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What reading an edit takes: the place of a spec's own layers, and how layers are written out."""

    place: Place
    ledger: Ledger
    expand: Expand
    layers: int = 0  # of the network that is edited
    empty: set[Span] = field(default_factory=set)  # where nothing stands, as has been told

    def warn_of_nothing(self, what: str, node: SpecNode) -> None:
        """SC506 for an empty list or mapping, once however often a loop reads it."""
        nothing = (isinstance(node, MappingNode) and not node.entries) or (
            isinstance(node, Sequence) and not node.items
        )
        if nothing and node.span not in self.empty:
            self.empty.add(node.span)
            self.ledger.findings.add("SC506", f"this changes nothing: {what} is empty", node.span, help="remove it")

    def selector(self, scalar: Scalar) -> Selector:
        self.ledger.add_edit(max(1, self.layers // _LOOKED_AT), scalar.span)
        return Selector(self.place.spelled(scalar), scalar.span)

    def selectors(self, node: SpecNode, edit: str) -> tuple[Selector, ...]:
        """Each of a list, in which loops may stand, or the only one. Raises SegcompileError (SC004)."""
        found, wrong = list[Selector](), list[Diagnostic]()
        for item, place in Loops(self.ledger).entries(node, self.place, "name", wrong):
            if not isinstance(item, Scalar):
                message = f"`{edit}` takes the names of layers, not {describe(item)}"
                raise fail("SC004", message, item.span, help=f"`{edit}: [fc6, fc7]`")
            found.append(replace(self, place=place).selector(item))
        stop_on(wrong)
        return tuple(found)


Reader = Callable[[SpecNode, Desk], Edit]


def _layers(desk: Desk, items: Sequence, graph: Graph, above: str) -> Fragment:
    """Layers that stand in an edit (`Written`)."""
    return desk.expand(items, graph, desk.place, above)


def _body(desk: Desk, body: SpecNode, span: Span, graph: Graph, above: str, name: str) -> Fragment:
    """The body of what is replaced (`Body`); `span` is that of the name that it gets."""
    scope, _, own = name.rpartition(".")
    item = MappingNode({own: (Scalar(own, span), body)}, span)
    return desk.expand(Sequence((item,), span), graph, _place_in(graph, scope, desk.place), above)


def _place_in(graph: Graph, scope: str, place: Place) -> Place:
    """The place of layers in a scope of a network, where `input` means what enters the block or used spec around."""
    if not scope:
        return place
    around = [graph.by_scope[name] for name in enclosing(scope) if name in graph.by_scope]
    entry = next((one.entry for one in around if one.kind != "written"), None)
    own = graph.by_scope.get(scope)
    above = own.entry if own is not None and own.kind == "written" else None
    return replace(place, prefix=f"{scope}.", input=entry or place.input, above=above or "")


_OF_A_LINE = {  # what a layer's line says beside attributes -> what does it behind an edit
    "accept": "`accept` at the top of the spec, beside `transform`, speaks of the network that the edits make",
    "from": "`replace` gives a layer another input",
    "share": "`replace` gives a layer the weights of another",
    "repeat": "`insert` puts in more layers",
}


def _changed(desk: Desk, attributes: MappingNode, layers: list[Layer]) -> list[Layer]:
    """Some layers with the attributes that stand in an edit (`Change`), each with those that it has.

    Raises Stop, and SegcompileError: SC003 for an attribute that none of them has, SC004 and the like for a wrong
    value.
    """
    desk.ledger.add_edit(_CHANGED * len(layers), attributes.span)
    known = {name for layer in layers for name in (*changeable(layer[0].op), *CARRIED)}
    for key, node in attributes.entries.values():
        if key.text not in known:
            listed = f"it has {', '.join(sorted(known))}"
            meant = _OF_A_LINE.get(key.text) or Meant(
                "attribute", key.text, tuple(known), node, layers[0][0].op.spelling, listed
            )
            single, several = f"`{layers[0][0].layer}` has no", f"none of {len(layers)} layers has an"
            message = f"{single if len(layers) == 1 else several} attribute `{key.text}`"
            raise fail("SC003", message, key.span, help=meant)
    return [_with_attributes(desk.place, attributes, layer) for layer in layers]


def _with_attributes(place: Place, attributes: MappingNode, layer: Layer) -> Layer:
    main, *carried = layer
    own = {name: pair for name, pair in attributes.entries.items() if name in changeable(main.op)}
    if own:
        read = change_op(main.op, MappingNode(own, attributes.span), place.values, place.rank)
        if read.op != main.op:
            spans = {**main.origin.attributes, **place.each_at(read.spans)}
            main = replace(main, op=read.op, origin=replace(main.origin, attributes=spans))
    parts = {node.role: node for node in carried}
    for role in CARRIED:
        if role in attributes.entries and role not in own:
            _carry(place, parts, role, attributes.entries[role][1], main)
    nodes = [main]
    before = {node.role: node for node in carried}
    for role in CARRIED:
        if role in parts:
            now = carried_node(nodes[-1], role, parts[role].op, parts[role].origin)
            nodes.append(_sharing_as(before[role], now) if role in before else now)
    return tuple(nodes)


def _sharing_as(before: Node, now: Node) -> Node:
    """What a layer carries now, with the weights that it shared before."""
    if before.weights is None or not now.op.has_weights():
        return now
    said = {"share": before.origin.attributes["share"]} if "share" in before.origin.attributes else {}
    origin = replace(now.origin, attributes={**now.origin.attributes, **said})
    return replace(now, weights=before.weights, origin=origin)


def _carry(place: Place, parts: dict[Role, Node], role: Role, node: SpecNode, main: Node) -> None:
    """Let a layer carry what is written for a role; nothing, for `none`."""
    now = change_carried(role, node, place.defaults, place.values)
    if now is None:
        parts.pop(role, None)
    elif role not in parts or parts[role].op != now.op:
        parts[role] = carried_node(main, role, now.op, Origin(place.at(node.span), place.each_at(now.spans)))


def edit(
    graph: Graph, base: Graph, written: Iterable[Entry], desk: Desk, wrong: list[Diagnostic]
) -> tuple[Graph, bool]:
    """The network that the edits of a `transform` make of `graph`, each written with its place, and whether one of them
    failed. What they find is reported, as what goes wrong with writing them out; goes on behind a mistake, so that one
    run shows them all. Raises Stop."""
    said: dict[Span, list[tuple[Diagnostic, ...]]] = {}  # by an edit, each time that it is made
    failed = False
    for item, place in written:
        layers = len(graph.nodes)
        desk.ledger.add_edit(layers, item.span)
        with gathering(wrong):
            edited = read_edit(item, replace(desk, place=place, layers=layers))(graph, base)
            graph = edited.graph.verify()
            said.setdefault(item.span, []).append(tuple(map(place.explained, edited.findings)))
        failed |= desk.ledger.give_up(wrong, place)
    failed |= desk.ledger.give_up(wrong, desk.place)
    desk.ledger.findings.diagnostics += (found for times in said.values() for found in _worth_telling(times))
    return graph, failed


def _worth_telling(times: Iterable[tuple[Diagnostic, ...]]) -> Iterator[Diagnostic]:
    """What an edit said, each thing once. One of a loop changes nothing (SC506) if it does so in every turn."""
    idle = set.intersection(*({found.span for found in said if found.code.code == "SC506"} for said in times))
    for found in dict.fromkeys(found for said in times for found in said):
        if found.code.code != "SC506":
            yield found
        elif found.span in idle:
            idle.remove(found.span)
            yield found


def read_edit(item: SpecNode, desk: Desk) -> Edit:
    """One edit. Raises SegcompileError: SC003 for one that there is not, SC004, SC011 or SC012 for its outline."""
    if not isinstance(item, MappingNode) or len(item.entries) != 1:
        written = describe(item) if not isinstance(item, MappingNode) else f"{len(item.entries)} keys"
        help = "`- remove: [fc8]`; the next edit is the next item of the list"
        raise fail("SC004", f"an edit is one key and what it does, not {written}", item.span, help=help)
    ((key, node),) = item.entries.values()
    if key.text not in READERS:
        meant = Meant("edit", key.text, tuple(READERS), node, otherwise=f"edits: {', '.join(READERS)}")
        raise fail("SC003", f"there is no edit `{key.text}`", key.span, help=meant)
    desk.warn_of_nothing(f"`{key.text}`", node)
    return partial(edits.with_owners, READERS[key.text](node, desk), key.span)


def _convolutionalize(node: SpecNode, desk: Desk) -> Edit:
    return partial(edits.convolutionalize, desk.selectors(node, "convolutionalize"))


def _of_layers(word: str, edit: Callable[..., Edited]) -> Reader:
    """The reader of an edit that takes layers, and points at their list."""
    return lambda node, desk: partial(edit, desk.selectors(node, word), node.span)


def _set(node: SpecNode, desk: Desk) -> Edit:
    if not isinstance(node, MappingNode):
        message = f"`set` maps layers to attributes, not {describe(node)}"
        raise fail("SC004", message, node.span, help='`set: {"conv*": {pad: 0}}`')
    changes = []
    for key, attributes in node.entries.values():
        if not isinstance(attributes, MappingNode):
            message = f"`{key.text}` gets attributes, not {describe(attributes)}"
            raise fail("SC004", message, attributes.span, help="for example {pad: 0}")
        desk.warn_of_nothing(f"what `{key.text}` is given", attributes)
        words = tuple(word.text for word, _ in attributes.entries.values())
        given = passed_into(attributes, desk.place.passed)
        changes.append((desk.selector(key), partial(_changed, desk, given), words, attributes.span))
    return partial(edits.change, tuple(changes))


def _replace(node: SpecNode, desk: Desk) -> Edit:
    if not isinstance(node, MappingNode):
        message = f"`replace` maps a layer to its new body, not {describe(node)}"
        raise fail("SC004", message, node.span, help="`replace: {pool5: {conv: 512, kernel: 3, stride: 2}}`")
    bodies = [(desk.selector(key), partial(_body, desk, body, key.span)) for key, body in node.entries.values()]
    return partial(edits.replace, tuple(bodies))


def _append(node: SpecNode, desk: Desk) -> Edit:
    if not isinstance(node, Sequence):
        message = f"`append` takes a list of layers, not {describe(node)}"
        raise fail("SC004", message, node.span, help="`append: [score: {conv: K, kernel: 1}]`")
    return partial(edits.append, partial(_layers, desk, node))


_INSERT = "`insert: {after: pool3, layers: [...]}`"


def _insert(node: SpecNode, desk: Desk) -> Edit:
    if not isinstance(node, MappingNode):
        raise fail("SC004", f"`insert` is a mapping, not {describe(node)}", node.span, help=_INSERT)
    only(node, ("after", "before", "layers"))
    where = [key for key in ("after", "before") if key in node.entries]
    if not where:
        raise fail("SC012", "`insert` needs a place, `after` or `before` a layer", node.span, help=_INSERT)
    if len(where) > 1:
        message = "`insert` has one place, `after` or `before` a layer"
        raise fail("SC011", message, node.key("before").span, help=_INSERT)
    name = node.entries[where[0]][1]
    if not isinstance(name, Scalar):
        raise fail("SC004", f"`{where[0]}` is a layer's name, not {describe(name)}", name.span, help=_INSERT)
    items = list_under(node, "layers")
    desk.warn_of_nothing("`layers`", items)
    edit = edits.insert_after if where[0] == "after" else edits.insert_before
    return partial(edit, desk.selector(name), partial(_layers, desk, items))


READERS: Mapping[str, Reader] = {
    "convolutionalize": _convolutionalize,
    "remove": _of_layers("remove", edits.remove),
    "remove_stride": _of_layers("remove_stride", edits.remove_stride),
    "atrous": _of_layers("atrous", edits.atrous),
    "set": _set,
    "replace": _replace,
    "append": _append,
    "insert": _insert,
}
