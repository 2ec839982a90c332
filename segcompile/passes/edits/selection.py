"""Which layers an edit means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segcompile.network.graph import Graph
from segcompile.network.selector import Selector
from segcompile.passes.edited import Layer
from segcompile.text.errors import SegcompileError, did_you_mean, fail

_NEAR = 1000  # names that are looked through for a near one


@dataclass(frozen=True, slots=True)
class Whole:
    """A layer, block or used spec: its name, its layers, and the node whose result it has."""

    name: str
    layers: list[Layer]
    result: str

    @property
    def members(self) -> frozenset[str]:
        return frozenset(layer[0].layer for layer in self.layers)

    def entry(self, graph: Graph) -> str:
        """What enters it: of a layer, what that reads first."""
        scope = graph.by_scope.get(self.name)
        return scope.entry if scope is not None and scope.entry is not None else self.layers[0][0].inputs[0]


def layers_of(selector: Selector, graph: Graph) -> list[Layer]:
    """The layers that a selector means: at least one. Raises SegcompileError (SC502)."""
    found = selector.among(graph.layers)
    if not found:
        raise _unmatched(selector, graph)
    return [graph.layers[layer] for layer in found]


def one_layer(selector: Selector, graph: Graph, edit: str) -> Layer:
    """The only layer that it means. Raises SegcompileError (SC502, SC503)."""
    found = layers_of(selector, graph)
    if len(found) > 1:
        few = ", ".join(layer[0].layer for layer in found[:3])
        message = f"`{edit}` is done to one layer, and `{selector.text}` means {len(found)}: {few}, ..."
        raise fail("SC503", message, selector.span, help=f"name one of them, for example `{found[0][0].layer}`")
    return found[0]


def whole_of(selector: Selector, graph: Graph, edit: str) -> Whole:
    """The layer, block or used spec that it means as a whole.

    Raises SegcompileError: SC502, SC503 for a pattern that means several layers or a block without a result.
    """
    found, name = layers_of(selector, graph), selector.text
    if name in graph.names:
        return Whole(name, found, graph.names[name])
    if name in graph.by_scope:
        help = "remove all of it, and insert another"
        raise fail("SC503", f"`{name}` has no result: its end was removed", selector.span, help=help)
    layer = one_layer(selector, graph, edit)  # a pattern's
    return Whole(layer[0].layer, [layer], layer[-1].name)


def all_of(selectors: Iterable[Selector], graph: Graph) -> frozenset[str]:
    """The names of the layers that any of the selectors means. Raises SegcompileError (SC502)."""
    return frozenset(layer[0].layer for selector in selectors for layer in layers_of(selector, graph))


def _unmatched(selector: Selector, graph: Graph) -> SegcompileError:
    labels = selector.removed(graph.gone.names)
    near = did_you_mean(selector.text, list(graph.layers)[-_NEAR:]) or "`segcompile rf` on the base shows its layers"
    help = "edits are done in their order" if labels else near
    return fail("SC502", f"no layer matches `{selector.text}`", selector.span, labels=labels, help=help)
