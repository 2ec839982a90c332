"""`share: layer`, while layers are still written out: whose weights a layer has, or all layers of a block."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace

from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.network.graph import Node, Scope, enclosing
from segcompile.ops.base import STARTS
from segcompile.text.errors import Span, fail, label_at
from segcompile.text.source import Mapping, Scalar


@dataclass(slots=True)
class Owners:
    """The nodes whose weights others can have: those from `before`, and the new ones. `specs`: the used specs."""

    names: Names
    before: MappingOf[str, Node] = field(default_factory=dict)
    specs: set[str] = field(default_factory=set)
    new: dict[str, Node] = field(default_factory=dict)
    looked_at: int = 0

    def share(self, node: Node, body: Mapping, place: Place, above: str, nodes: SequenceOf[Node]) -> Node:
        """The node of a layer, with the weights that its body says. Raises SegcompileError (SC206, SC011)."""
        written = body.get("share")
        name = self._named(body, node.layer, node.origin.span, place, above)
        if written is None or name is None:
            return node
        if not node.op.has_weights():
            message = f"`{node.layer}` ({node.op.title}) has no weights to share"
            raise fail("SC206", message, written.span, help="remove `share`")
        found = self._known(name, nodes)
        if found is None:
            message, help = f"`{name}` is no layer, but `share` means the weights of one", "a layer that stands above"
            if name in self.names.declared:
                help = f"a layer in it, `{name}.NAME`; or `share` where a block is called"
            raise fail("SC206", message, written.span, help=help)
        owner = self._owner(node, found, written.span, nodes)
        for word in (word for word in STARTS if word in body.entries):
            if getattr(node.op, word) != getattr(owner.op, word):
                message = f"`{word}` belongs to `{owner.layer}`, whose weights these are"
                made = label_at(owner.origin.span, "made here")
                raise fail("SC011", message, body.key(word).span, labels=made, help="say it there")
        return _with_weights_of(owner, node, place.at(written.span))

    def share_all(
        self, scope: Scope, body: Mapping, place: Place, above: str, nodes: SequenceOf[Node], start: int
    ) -> list[Node]:
        """The nodes of a block's call, those from number `start` on, each with the weights of the one that is called so
        in the call that its body says. Raises SegcompileError (SC206)."""
        written, inside = body.get("share"), list(nodes[start:])
        name, call = self._named(body, scope.name, scope.span, place, above), scope.name
        if written is None or name is None:
            return inside
        used = next((spec for spec in self.specs if spec.startswith(f"{call}.")), None)
        if used is not None:
            message = f"`{call}` cannot share weights: `{used}` is a used spec, whose weights are its own"
            raise fail("SC206", message, written.span, help="a block in the place of the used spec")
        if self._known(name, nodes) is not None or name not in self.names.declared:
            help = "another call of this block; a layer shares those of a layer"
            raise fail("SC206", f"`{name}` is no block, and `{call}` is one", written.span, help=help)
        found = []
        for node in inside:
            if node.op.has_weights():
                node = self._as_in(name, call, node, place.at(written.span), nodes)
                self.new[node.name] = node
            found.append(node)
        return found

    def _as_in(self, name: str, call: str, node: Node, span: Span, nodes: SequenceOf[Node]) -> Node:
        """A node of a block's call with the weights of the one that is called so in the call `name`."""
        own = node.name.removeprefix(f"{call}.")
        found = self._known(f"{name}.{own}", nodes)
        if found is None:
            message = f"`{name}` has no `{own.replace(':', '` with a `')}` whose weights `{call}` could share"
            raise fail("SC206", message, span, help="another call of the same block")
        owner = self._owner(node, found, span, nodes)
        said = next((w for w in STARTS if getattr(node.op, w, None) != getattr(owner.op, w, None)), None)
        if said is not None and node.weights is None:
            message = f"`{said}` of `{node.layer}` is not that of `{owner.layer}`, whose weights it would share"
            made = label_at(owner.origin.span, "made here")
            raise fail("SC206", message, span, labels=made, help="weights start in one way")
        return _with_weights_of(owner, node, span)

    def _named(self, body: Mapping, reader: str, made: Span | None, place: Place, above: str) -> str | None:
        """The absolute name that `share` means; None where that is not known, or the layer or block itself, as in the
        first turn of a loop or by an argument. `made`: where that got its name. Raises SegcompileError (SC206) where it
        is itself every time."""
        written = body.get("share")
        if written is None:
            return None
        name = self.names.whose(written, place, reader, above)
        if name != reader:
            return name
        passed = any(written.span == argument.span for argument in place.passed.values())
        if isinstance(written, Scalar) and not passed and made is not None and made.text.strip("\"'") == written.text:
            message = f"`{written.text}` cannot share its weights with itself"
            raise fail("SC206", message, written.span, help="name the layer whose weights it is to have")
        return None

    def _known(self, name: str, nodes: SequenceOf[Node]) -> Node | None:
        for node in nodes[self.looked_at :]:
            self.new[node.name] = node
        self.looked_at = len(nodes)
        return self.new.get(name) or self.before.get(name)

    def _owner(self, node: Node, found: Node, span: Span, nodes: SequenceOf[Node]) -> Node:
        """The node whose weights those of `found` are. Raises SegcompileError (SC206) if `node` cannot share them."""
        if type(found.op) is not type(node.op):
            message = f"`{node.layer}` ({node.op.title}) cannot share the weights of `{found.layer}` ({found.op.title})"
            if not found.op.has_weights():
                message = f"`{found.layer}` ({found.op.title}) has no weights that `{node.layer}` could share"
            made = label_at(found.origin.span, "made here")
            raise fail("SC206", message, span, labels=made, help="name a layer of the same op")
        sides = [{name for name in enclosing(each.layer) if name in self.specs} for each in (node, found)]
        if sides[0] != sides[1]:
            message = f"`{node.layer}` cannot share the weights of `{found.layer}`: those of a used spec are its own"
            raise fail("SC206", message, span, help="a block in the place of the used spec")
        owner = self._known(found.owner, nodes)
        assert owner is not None
        return owner


def _with_weights_of(owner: Node, node: Node, span: Span) -> Node:
    """A node that computes with the tensors of another one, as is said at `span`; how they start the owner says."""
    origin = replace(node.origin, attributes={**node.origin.attributes, "share": span})
    return replace(node, weights=owner.name, op=node.op.starting_as(None), origin=origin)
