"""What the paper says: the cells of a table and the section `claims` -> typed claims, their numbers evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from segcompile.language.derive import Document
from segcompile.language.expressions import Values
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.sections import collecting
from segcompile.language.values import read_axes, read_integer, read_pair, read_ratio, with_stride
from segcompile.language.words import Meant
from segcompile.network.claims import Claim, Number
from segcompile.network.graph import Graph
from segcompile.ops import SPELLINGS
from segcompile.text.errors import Findings, Span, fail
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, describe

OF_LAYERS = ("receptive_field", "stride", "margin", "offset", "size", "channels", "kernel", "dilation", "parameters")
OF_NETWORKS = ("parameters", "weights", "count")
MAX_SIZES = 64  # of the input that `size` claims speak of: all shapes are computed anew for each
_PIXELS = "an integer, `3x3` or [height, width]"


def read_claims(
    document: Document,
    cells: tuple[tuple[str, str, Node], ...],
    graph: Graph,
    names: Names,
    place: Place,
    findings: Findings,
) -> tuple[Claim, ...]:
    """The table's claims and those under `claims`. Those that cannot be read are left out, and told to `findings`."""
    reader = _Reader(graph, place.values)
    found: list[Claim] = []
    for layer, kind, node in cells:
        if layer in names.results:
            with collecting(findings, place):
                found += reader.of_layer(layer, names.results[layer], kind, node, node.span)
    section = document.section("claims")
    for key, node in section.entries.values() if section else ():
        with collecting(findings, place):
            if key.text in OF_NETWORKS and key.text not in names.results:
                found += reader.of_network(key.text, node, key.span)
                continue
            result = _claimed(key, names, graph.outputs, place)
            for what, value in _of_a_layer(key, node).entries.values() if result is not None else ():
                with collecting(findings, place):
                    found += reader.of_layer(key.text, result, what.text, value, what.span)
    return tuple(found)


def _of_a_layer(key: Scalar, node: Node) -> MappingNode:
    if isinstance(node, MappingNode):
        return node
    message = f"a claim of a layer is {{what: value}}, not {describe(node)}"
    raise fail("SC004", message, node.span, help=f"{key.text}: {{size: 66}}")


def _claimed(key: Scalar, names: Names, outputs: Mapping[str, str], place: Place) -> str | None:
    """The node that a claim speaks of; None for one that could not be read. `output` is the only output, unless a
    layer has that name."""
    if key.text in names.results:
        return names.results[key.text]
    if key.text == "output":
        if len(set(outputs.values())) > 1:
            heads = ", ".join(outputs)
            message = f"there is no layer `output`, and the network has several outputs: {heads}"
            raise fail("SC102", message, key.span, help="claim it of the layer of one of them")
        return next(iter(outputs.values()))
    if names.is_lost(key.text, place):
        return None
    gone = names.gone(key.text, place)
    message = f"there is no layer `{key.text}` to claim this of"
    raise fail("SC102", message, key.span, labels=gone, help=None if gone else names.nearest(key.text, place))


@dataclass(slots=True)
class _Reader:
    """Reads claims of a graph; each raises SegcompileError for what cannot be read."""

    graph: Graph
    values: Values
    sizes: set[str] = field(default_factory=set)  # of the input, as far as claims have spoken of others

    def of_network(self, kind: str, node: Node, at: Span) -> Iterator[Claim]:
        """What is claimed of the network; `at`: where the word `kind` stands."""
        if kind != "count":
            yield Claim(None, kind, _twice(read_integer(node, self.values)), node.span, at)
            return
        if not isinstance(node, MappingNode):
            message = f"`count` is {{ops: number}}, not {describe(node)}"
            raise fail("SC004", message, node.span, help="count: {conv+deconv: 23}")
        for key, value in node.entries.values():
            ops = tuple(word.strip() for word in key.text.split("+"))
            unknown = next((word for word in ops if word not in SPELLINGS), None)
            if unknown is not None:
                help = Meant("op", unknown, tuple(SPELLINGS))
                raise fail("SC109", f"there is no op `{unknown}` to count", key.span, help=help)
            number = _twice(read_integer(value, self.values))
            yield Claim(None, kind, number, value.span, at, ops=ops, written=key.text)

    def of_layer(self, layer: str, result: str | None, kind: str, node: Node, at: Span) -> Iterator[Claim]:
        """What is claimed of a layer."""
        if kind not in OF_LAYERS:
            help = Meant("claim", kind, OF_LAYERS, node, otherwise=f"known: {', '.join(OF_LAYERS)}")
            raise fail("SC003", f"a layer has no `{kind}` to claim", at, help=help)
        values = self._scope(result)
        if kind != "size":
            yield Claim(layer, kind, _number(kind, node, values), node.span, at, result)
        elif isinstance(node, MappingNode):
            for key, value in node.entries.values():
                self._limit(key)
                size, number = read_pair(key, self.values), read_axes(value, values, read_integer, _PIXELS)
                yield Claim(layer, kind, number, value.span, at, result, elsewhere=size, written=key.text)
        elif isinstance(node, Scalar) and node.text in self.graph.inputs:
            height, width = self.graph.inputs[node.text].size
            yield Claim(layer, kind, (height, width), node.span, at, result, input=node.text)
        else:
            yield Claim(layer, kind, read_axes(node, values, read_integer, _PIXELS), node.span, at, result)

    def _scope(self, result: str | None) -> Values:
        """What names mean in the claims of a layer: `stride` is that of its own op, as in the layer itself."""
        nodes = self.graph.layers.get(self.graph.layer_of(result or ""), ())
        window = nodes[0].op.sliding if nodes else None
        return with_stride(self.values, window.stride) if window is not None else self.values

    def _limit(self, size: Scalar) -> None:
        """Refuse (SC111) claims at more sizes of the input than any paper has."""
        new = size.text not in self.sizes
        self.sizes.add(size.text)
        if new and len(self.sizes) == MAX_SIZES + 1:
            message = f"the claims speak of more than {MAX_SIZES} sizes of the input"
            raise fail("SC111", message, size.span, help="claim fewer of them")


def _number(kind: str, node: Node, values: Values) -> tuple[Number, Number]:
    if kind in ("channels", "parameters"):
        return _twice(read_integer(node, values))
    if kind in ("stride", "margin"):
        return read_axes(node, values, read_ratio, "a number or [height, width]")
    return read_axes(node, values, read_integer, _PIXELS)


def _twice(number: int) -> tuple[Number, Number]:
    return number, number
