"""`append`, `insert` and `replace`: layers written out, at their place in the network."""

from __future__ import annotations

import dataclasses

from segcompile.network import splice
from segcompile.network.graph import Graph
from segcompile.network.selector import Selector
from segcompile.passes.edited import Body, Edited, Written
from segcompile.passes.edits.selection import one_layer, whole_of
from segcompile.text.errors import fail


def append(layers: Written, graph: Graph, base: Graph) -> Edited:
    """`append: [layers]`: at the end; the first one reads what the network ended with, and the last one is its end.

    Raises SegcompileError for what is wrong with the layers.
    """
    return Edited(splice.append(graph, layers(graph, graph.end)))


def insert_after(selector: Selector, layers: Written, graph: Graph, base: Graph) -> Edited:
    """`insert: {after: pool3, layers: [...]}`: whoever read the layer, block or used spec reads the last new one.

    Raises SegcompileError: SC502, SC503, SC205, and for what is wrong with the layers.
    """
    whole = whole_of(selector, graph, "insert")
    at = graph.nodes.index(whole.layers[-1][-1]) + 1
    fragment = layers(graph, whole.result)
    after = splice.insert(graph, fragment, at)
    return Edited(splice.redirect(after, whole.result, fragment.result, at + len(fragment.nodes)))


def insert_before(selector: Selector, layers: Written, graph: Graph, base: Graph) -> Edited:
    """`insert: {before: down, layers: [...]}`: the first one reads what the layer read, and the layer the last one.

    Raises SegcompileError: SC502, SC503 for a join, SC205, and for what is wrong with the layers.
    """
    main, *carried = one_layer(selector, graph, "insert")
    if main.op.joins:
        message = f"`{main.layer}` reads several layers: {', '.join(map(graph.layer_of, main.inputs))}"
        raise fail("SC503", message, selector.span, help="insert after one of them")
    fragment = layers(graph, main.inputs[0])
    after = splice.insert(graph, fragment, splice.position(graph, main.layer))
    led = dataclasses.replace(main, inputs=(fragment.result, *main.inputs[1:]))
    return Edited(splice.revised(after, {main.layer: (led, *carried)}))


def replace(bodies: tuple[tuple[Selector, Body], ...], graph: Graph, base: Graph) -> Edited:
    """`replace: {layer: {...}}`: another body under the same name, which reads what the old one read unless it says
    `from`. A block or a used spec goes as a whole.

    Raises SegcompileError: SC502, SC503 where something reads the inside of what goes, SC205, and for what is wrong
    with the layers.
    """
    for selector, body in bodies:
        whole = whole_of(selector, graph, "replace")
        entry, at = whole.entry(graph), splice.position(graph, whole.layers[0][0].layer)
        without = splice.take_out(graph, whole.name, whole.members, whole.result, selector.span)
        graph = splice.put(without, body(without, entry, whole.name), at, whole.result)
    return Edited(graph)
