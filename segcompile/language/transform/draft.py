"""The flat network of one spec while its edits are applied, in the order in which they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field, replace

from segcompile.errors import Label, SegcompileError, Span, did_you_mean, fail
from segcompile.graph import Scope, enclosing
from segcompile.language.flat import Layer, Use
from segcompile.language.ledger import Ledger
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.selector import selects
from segcompile.ops import Crop, Join, Shape, Unpool
from segcompile.source import Mapping, Node, Scalar, Sequence, describe


@dataclass(slots=True)
class Draft:
    """The layers of one spec, in the order of the data. Edits change them in place, and none hands anything on."""

    layers: list[Layer]  # `grow` appends to it
    scopes: list[Scope]  # and to these two
    uses: list[Use]
    names: Names
    ledger: Ledger
    place: Place  # of the spec's own layers
    grow: Callable[[Sequence, Place, str], str]  # writes out a list of layers; returns the name of the last result
    last: str  # the layer whose result the network ends with
    joined: tuple[Layer, Span] | None = None  # the join that it ended with, of which nothing can stand for all
    moves_outputs: bool = False  # whether `outputs` is the base's, and its heads follow what is inserted
    base: tuple[Layer, ...] = ()  # as the base has them, whose weights are mapped
    base_inputs: MappingOf[str, Shape] = field(default_factory=dict)  # what enters the base
    inputs: MappingOf[str, Shape] = field(default_factory=dict)  # what enters this network

    # --- selectors ---------------------------------------------------------------------------------------------

    def each(self, node: Node, edit: str) -> Iterator[tuple[Scalar, list[Layer]]]:
        """Each selector of a list (or the only one), with the layers it matches. Raises SegcompileError (SC502)."""
        for item in node.items if isinstance(node, Sequence) else (node,):
            if not isinstance(item, Scalar):
                message = f"`{edit}` takes the names of layers, not {describe(item)}"
                raise fail("SC004", message, item.span, help=f"`{edit}: [fc6, fc7]`")
            self.ledger.step(item.span)
            yield item, self.matching(item)

    def matching(self, selector: Scalar) -> list[Layer]:
        """The layers that a name, a name of a block or used spec, or a pattern with `*` means: at least one."""
        pattern = self.place.prefix + self.place.spelled(selector)
        self.ledger.step(selector.span, len(self.layers))
        found = [layer for layer in self.layers if selects(pattern, layer.name)]
        if not found:
            raise self._unmatched(selector, pattern)
        return found

    def one(self, selector: Scalar, edit: str) -> Layer:
        """The only layer that a selector means. Raises SegcompileError (SC502, SC503)."""
        found = self.matching(selector)
        if len(found) > 1:
            few = ", ".join(layer.name for layer in found[:3])
            message = f"`{edit}` is done to one layer, and `{selector.text}` means {len(found)}: {few}, ..."
            raise fail("SC503", message, selector.span, help=f"name one of them, for example `{found[0].name}`")
        return found[0]

    def whole(self, selector: Scalar, edit: str) -> tuple[str, list[Layer], str]:
        """The absolute name of one layer, block or used spec, its layers, and the one whose result it has.

        Raises SegcompileError: SC502, SC503 for a pattern that means several layers or a block without a result.
        """
        found = self.matching(selector)
        name = self.place.prefix + self.place.spelled(selector)
        if name in self.names.results:
            return name, found, self.names.results[name]
        if name in self.names.declared:
            help = "remove all of it, and insert another"
            raise fail("SC503", f"`{selector.text}` has no result: its end was removed", selector.span, help=help)
        layer = self.one(selector, edit)  # a pattern's
        return layer.name, [layer], layer.name

    def _unmatched(self, selector: Scalar, pattern: str) -> SegcompileError:
        if any(selects(pattern, name) for name in self.names.broken):
            return SegcompileError(())  # a layer that could not be read was meant, which is said there
        local = [layer.name.removeprefix(self.place.prefix) for layer in self.layers]
        gone = self.names.removed.get(pattern)
        labels = [Label(gone, "removed here")] if gone is not None else []
        help = did_you_mean(selector.text, local[-1000:]) or "`segcompile rf` on the base shows its layers"
        help = "edits are done in their order" if labels else help
        return fail("SC502", f"no layer matches `{selector.text}`", selector.span, labels=labels, help=help)

    def warn_of_nothing(self, what: str, node: Node) -> None:
        """SC506 for an empty list or mapping."""
        if (isinstance(node, Mapping) and not node.entries) or (isinstance(node, Sequence) and not node.items):
            self.ledger.findings.add("SC506", f"this changes nothing: {what} is empty", node.span, help="remove it")

    # --- changes -----------------------------------------------------------------------------------------------

    def put(self, layer: Layer) -> None:
        """The layer instead of that of the same name."""
        self.layers[self.index(layer.name)] = layer

    def index(self, name: str) -> int:
        """Where a layer stands."""
        return next(index for index, layer in enumerate(self.layers) if layer.name == name)

    def remove(self, names: frozenset[str], span: Span) -> None:
        """Take layers out; what read one of them reads what it read. Raises SegcompileError (SC503) for a join."""
        stands_for: dict[str, str] = {}  # a layer that goes -> what those who read it read now
        joins: dict[str, Layer] = {}  # a layer that goes -> the join before it, of which nothing can stand for all
        kept: list[Layer] = []
        for layer in self.layers:
            read = tuple(stands_for.get(name, name) for name in layer.inputs)
            if layer.name in names:
                stands_for[layer.name] = read[0]
                if isinstance(layer.op, Join) and len(set(read)) > 1:
                    joins[layer.name] = layer
                elif layer.inputs[0] in joins:
                    joins[layer.name] = joins[layer.inputs[0]]
            else:
                _check_join(layer, joins, span)
                _check_unpool(layer, names, span)
                kept.append(replace(layer, inputs=read) if read != layer.inputs else layer)
        self.layers[:] = kept
        if self.last in joins:
            self.joined = joins[self.last], span
        self.last = stands_for.get(self.last, self.last)
        self.forget(names, span)
        self.names.redirect(stands_for)

    def append(self, items: Sequence) -> None:
        """Write layers out at the end. Raises SegcompileError (SC503) for one that reads a join that was removed."""
        start = len(self.layers)
        result = self.write(items, "" if self.joined else self.last, start, self.place)
        reader = next((layer for layer in self.layers[start:] if "" in layer.inputs), None)
        if reader is not None and self.joined is not None:
            raise _without(*self.joined, f"`{reader.name}` reads it", f"`from: {self.joined[0].inputs[0]}`")
        if result:
            self.last, self.joined = result, None

    def check_end(self) -> None:
        """Refuse (SC503) a network that would end with a join which was removed."""
        if self.joined is not None:
            help = "`replace` it, append a layer with `from`, or say under `outputs` what the network ends with"
            self.ledger.report(_without(*self.joined, "the network ends with it", help), self.place)

    def take_out(self, old: list[Layer], result: str, span: Span) -> None:
        """Take layers out to put others in their place.

        Raises SegcompileError (SC503) if a layer that stays reads one of them that is not `result`.
        """
        names = frozenset(layer.name for layer in old)
        kept = [layer for layer in self.layers if layer.name not in names]
        for layer in kept:
            inner = next((name for name in layer.inputs if name in names and name != result), None)
            if inner is not None:
                message = f"`{layer.name}` reads `{inner}`, which would go"
                raise fail("SC503", message, span, help=f"`replace` or remove `{layer.name}` first")
        self.layers[:] = kept
        self.forget(names, span)

    def forget(self, names: frozenset[str], span: Span) -> None:
        """Free the names of layers that are taken out, and of the blocks and used specs of which nothing is left."""
        own = len(self.place.prefix)
        left = {scope for layer in self.layers for scope in enclosing(layer.name)}
        gone = {scope for name in names for scope in enclosing(name) if len(scope) > own} - left
        self.names.remove(names | gone, span)
        for scope in gone:
            self.names.entries.pop(scope, None)
        self.scopes[:] = [scope for scope in self.scopes if scope.name not in gone]
        self.uses[:] = [use for use in self.uses if use.name not in gone]

    def write(self, items: Sequence, above: str, at: int, place: Place) -> str:
        """Write layers out behind the first `at` ones, the first reading `above`; returns the name of the last result.

        Raises SegcompileError (SC205) if one reads a layer that comes later.
        """
        after = self.layers[at:]
        del self.layers[at:]
        try:
            result = self.grow(items, place, above)
        finally:
            new = self.layers[at:]
            self.layers += after
        later = {layer.name for layer in after}
        for layer in new:
            early = next((name for name in layer.inputs if name in later), None)
            if early is not None:
                message = f"`{layer.name}` reads `{early}`, which is made later"
                raise fail("SC205", message, layer.origin.span, help=f"insert it after `{early}`")
        return result

    def splice(self, items: Sequence, above: str, at: int, place: Place, old: str) -> str:
        """As `write`; what comes behind the new layers, and the network's end, reads their result instead of `old`."""
        count = len(self.layers)
        new = self.write(items, above, at, place)
        self._lead(old, new, at + len(self.layers) - count)
        return new

    def _lead(self, old: str, new: str, start: int) -> None:
        """Let the layers from `start` on, and the network's end, read `new` where they read `old`."""
        for index in range(start, len(self.layers)):
            layer = self.layers[index]
            if old in layer.inputs:
                inputs = tuple(new if name == old else name for name in layer.inputs)
                if isinstance(layer.op, Unpool):
                    inputs = (inputs[0], layer.inputs[1])  # the pool whose maxima it puts back, whatever follows that
                self.layers[index] = replace(layer, inputs=inputs)
        self.names.lead({scope for layer in self.layers[start:] for scope in enclosing(layer.name)}, old, new)
        self.last = new if self.last == old else self.last


def _without(join: Layer, span: Span, reads: str, help: str) -> SegcompileError:
    """SC503 for a join that goes: which of its inputs should stand for it, where `reads` says what reads it?"""
    message = f"`{join.name}` joins {' and '.join(join.inputs)}, and {reads}"
    return fail("SC503", message, span, help=help)


def _check_unpool(reader: Layer, names: frozenset[str], span: Span) -> None:
    """Refuse that an unpooling stays whose pool goes."""
    if isinstance(reader.op, Unpool) and reader.inputs[1] in names:
        message = f"`{reader.name}` undoes `{reader.inputs[1]}`, which would go"
        raise fail("SC503", message, span, help=f"remove `{reader.name}` with it, or `replace` it first")


def _check_join(reader: Layer, joins: MappingOf[str, Layer], span: Span) -> None:
    """Refuse that a layer that stays reads a join that goes: which of its inputs should it read?"""
    gone = next((name for name in reader.inputs if name in joins), None)
    if gone is None or (isinstance(reader.op, Crop) and reader.inputs[0] != gone):
        return
    raise _without(joins[gone], span, f"`{reader.name}` reads it", f"`replace` it, or remove `{reader.name}` with it")
