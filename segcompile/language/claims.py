"""What the paper says: the cells of a table and the section `claims` -> typed claims, their numbers evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segcompile.language.expressions import Values
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.values import due_along, read_axes, read_each, read_integer, read_ratio, with_stride
from segcompile.language.words import Meant
from segcompile.network.claims import Claim, Number
from segcompile.network.graph import Graph
from segcompile.ops import AXIS_NAMES, SPELLINGS
from segcompile.text.errors import Diagnostic, Span, fail, gathering
from segcompile.text.source import Mapping, Node, Scalar, describe

OF_LAYERS = (
    "receptive_field",
    "stride",
    "margin",
    "offset",
    "size",
    "channels",
    "kernel",
    "dilation",
    "parameters",
    "macs",
)
OF_NETWORKS = ("parameters", "weights", "macs", "count")
MAX_SIZES = 64  # of the input that `size` claims speak of: all shapes are computed anew for each
_ONE = ("channels", *OF_NETWORKS)  # without axes


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """One claim as it is written: what is said of a layer, whose result is this node, or of the network."""

    layer: str | None
    result: str | None
    kind: str
    word: Span
    number: Node
    of: Scalar | None = None  # the ops that are counted, or the size of the input for which a size is claimed


def read_claims(
    cells: tuple[tuple[str, str, Node], ...], graph: Graph, names: Names, place: Place, wrong: list[Diagnostic]
) -> tuple[Claim, ...]:
    """The table's claims and those under `claims`. Those that cannot be read are left out, and told in `wrong`."""
    found: list[Claim] = []
    sizes: set[str] = set()
    for said in _all_said(cells, graph, names, place, wrong):
        with gathering(wrong):
            found.append(_claim(said, graph, place.values, sizes))
    return tuple(found)


def _all_said(
    cells: tuple[tuple[str, str, Node], ...], graph: Graph, names: Names, place: Place, wrong: list[Diagnostic]
) -> Iterator[_Said]:
    """Each claim, in the order written."""
    for layer, kind, cell in cells:
        if layer in names.results:
            yield from _each(layer, names.results[layer], Scalar(kind, cell.span), cell)
    section = place.document.section("claims")
    for key, node in section.entries.values() if section else ():
        with gathering(wrong):
            if key.text in OF_NETWORKS and key.text not in names.results:
                yield from _each(None, None, key, node)
                continue
            result = names.results.get(key.text)
            if result is None and key.text == "output":  # the only one, unless a layer has that name
                result = _only_output(key, graph)
            if result is None:
                names.refuse(key.text, place, key.span, f"there is no layer `{key.text}` to claim this of")
            elif not isinstance(node, Mapping):
                message = f"a claim of a layer is {{what: value}}, not {describe(node)}"
                raise fail("SC004", message, node.span, help=f"{key.text}: {{size: 66}}")
            else:
                for word, value in node.entries.values():
                    yield from _each(key.text, result, word, value)


def _only_output(key: Scalar, graph: Graph) -> str:
    if len(set(graph.outputs.values())) > 1:
        message = f"there is no layer `output`, and the network has several outputs: {', '.join(graph.outputs)}"
        raise fail("SC102", message, key.span, help="claim it of the layer of one of them")
    return next(iter(graph.outputs.values()))


def _each(layer: str | None, result: str | None, word: Scalar, node: Node) -> Iterator[_Said]:
    """What stands under one word: one claim, or one for each entry of a `count` or of a `size` at several sizes."""
    if word.text == ("count" if layer is None else "size") and isinstance(node, Mapping):
        for key, value in node.entries.values():
            yield _Said(layer, result, word.text, word.span, value, key)
    else:
        yield _Said(layer, result, word.text, word.span, node)


def _claim(said: _Said, graph: Graph, values: Values, sizes: set[str]) -> Claim:
    """One claim. `sizes`: those of the input of which claims have spoken. Raises SegcompileError."""
    _refuse(said, sizes)
    kind, node, elsewhere, own = said.kind, said.number, None, None
    scope = _scope(said.result, graph, values)
    if kind == "size" and said.of is not None:
        elsewhere = read_each(said.of, values, graph.rank)
    if kind == "size" and said.of is None and isinstance(node, Scalar) and node.text in graph.inputs:
        own = node.text
        number: tuple[Number, ...] = graph.inputs[own].size
    elif kind in _ONE:
        number = (read_integer(node, scope),) * graph.rank
    elif kind in ("stride", "margin"):
        due = f"a number or [{', '.join(AXIS_NAMES[graph.rank])}]"
        number = read_axes(node, scope, read_ratio, due, graph.rank)
    else:
        number = read_axes(node, scope, read_integer, due_along("an integer", "3", graph.rank), graph.rank)
    ops = _ops(said.of) if kind == "count" and said.of is not None else ()
    written = said.of.text if said.of is not None else ""
    return Claim(said.layer, kind, number, node.span, said.word, said.result, own, elsewhere, ops, written)


def _refuse(said: _Said, sizes: set[str]) -> None:
    """Refuse what no layer or network has to claim (SC003, SC004, SC109), and claims at more sizes of the input than
    any paper has (SC111)."""
    if said.layer is not None and said.kind not in OF_LAYERS:
        help = Meant("claim", said.kind, OF_LAYERS, said.number, otherwise=f"known: {', '.join(OF_LAYERS)}")
        raise fail("SC003", f"a layer has no `{said.kind}` to claim", said.word, help=help)
    if said.kind == "count" and said.of is None:
        message = f"`count` is {{ops: number}}, not {describe(said.number)}"
        raise fail("SC004", message, said.number.span, help="count: {conv+deconv: 23}")
    if said.kind == "count" and said.of is not None:
        unknown = next((word for word in _ops(said.of) if word not in SPELLINGS), None)
        if unknown is not None:
            help = Meant("op", unknown, tuple(SPELLINGS))
            raise fail("SC109", f"there is no op `{unknown}` to count", said.of.span, help=help)
    elif said.of is not None and said.of.text not in sizes:
        sizes.add(said.of.text)
        if len(sizes) == MAX_SIZES + 1:
            message = f"the claims speak of more than {MAX_SIZES} sizes of the input"
            raise fail("SC111", message, said.of.span, help="claim fewer of them")


def _ops(written: Scalar) -> tuple[str, ...]:
    """The ops of `conv+deconv`."""
    return tuple(word.strip() for word in written.text.split("+"))


def _scope(result: str | None, graph: Graph, values: Values) -> Values:
    """What names mean in the claims of a layer: `stride` is that of its own op, as in the layer itself."""
    nodes = graph.layers.get(graph.layer_of(result or ""), ())
    window = nodes[0].op.sliding if nodes else None
    return with_stride(values, window.stride) if window is not None else values
