"""`append`, `insert` and `replace`: layers written out, at their place in the network."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as but

from segcompile.network.graph import Graph
from segcompile.network.splice import append, insert, position, put, redirect, revised, take_out
from segcompile.ops import Join
from segcompile.passes.edits.edited import Body, Edited, Written
from segcompile.passes.edits.selection import Selector
from segcompile.text.errors import fail


@dataclass(frozen=True, slots=True)
class Append:
    """`append: [layers]`: at the end; the first one reads what the network ended with, and the last one is its end."""

    layers: Written

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """Raises SegcompileError for what is wrong with the layers."""
        return Edited(append(graph, self.layers(graph, graph.end)))


@dataclass(frozen=True, slots=True)
class InsertAfter:
    """`insert: {after: pool3, layers: [...]}`: whoever read the layer, block or used spec reads the last new one."""

    selector: Selector
    layers: Written

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """Raises SegcompileError: SC502, SC503, SC205, and for what is wrong with the layers."""
        whole = self.selector.whole(graph, "insert")
        last = whole.layers[-1][-1]
        at = graph.nodes.index(last) + 1
        fragment = self.layers(graph, whole.result)
        after = insert(graph, fragment, at)
        return Edited(redirect(after, whole.result, fragment.result, at + len(fragment.nodes)))


@dataclass(frozen=True, slots=True)
class InsertBefore:
    """`insert: {before: down, layers: [...]}`: the first one reads what the layer read, and the layer the last one."""

    selector: Selector
    layers: Written

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """Raises SegcompileError: SC502, SC503 for a join, SC205, and for what is wrong with the layers."""
        main, *carried = self.selector.one(graph, "insert")
        if isinstance(main.op, Join):
            message = f"`{main.layer}` reads several layers: {', '.join(map(graph.layer_of, main.inputs))}"
            raise fail("SC503", message, self.selector.span, help="insert after one of them")
        fragment = self.layers(graph, main.inputs[0])
        after = insert(graph, fragment, position(graph, main.layer))
        led = but(main, inputs=(fragment.result, *main.inputs[1:]))
        return Edited(revised(after, {main.layer: (led, *carried)}))


@dataclass(frozen=True, slots=True)
class Replace:
    """`replace: {layer: {...}}`: another body under the same name, which reads what the old one read unless it says
    `from`. A block or a used spec goes as a whole."""

    bodies: tuple[tuple[Selector, Body], ...]

    def __call__(self, graph: Graph, base: Graph) -> Edited:
        """Raises SegcompileError: SC502, SC503 where something reads the inside of what goes, SC205, and for what is
        wrong with the layers."""
        for selector, body in self.bodies:
            whole = selector.whole(graph, "replace")
            entry, at = whole.entry(graph), position(graph, whole.layers[0][0].layer)
            without = take_out(graph, whole.name, whole.members, whole.result, selector.span)
            graph = put(without, body(without, entry, whole.name), at, whole.result)
        return Edited(graph)
