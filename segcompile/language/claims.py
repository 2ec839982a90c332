"""What the paper says: the cells of a table and the section `claims` -> typed claims, their numbers evaluated.

A derived spec inherits the claims of its base, but for those that it says itself or drops (`none`), and for those that
speak of another size of the input. A base that is edited is another network, whose claims stay with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from segcompile.language.expressions import Values
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.values import due_along, read_axes, read_each, read_integer, read_ratio, with_stride
from segcompile.language.words import Meant, called
from segcompile.network.claims import Claim, Number, Sizes
from segcompile.network.graph import Graph
from segcompile.ops import AXIS_NAMES, SPELLINGS, Shape
from segcompile.text.errors import Diagnostic, Span, fail, gathering
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, describe

OF_LAYERS = (
    "receptive_field", "stride", "margin", "offset", "size", "channels", "kernel", "dilation", "parameters", "macs",
)  # fmt: skip
OF_NETWORKS = ("parameters", "weights", "macs", "count")
MAX_SIZES = 64  # of the input that `size` claims speak of: all shapes are computed anew for each
_ONE = ("channels", *OF_NETWORKS)  # without axes
_OF_A_SIZE = ("size", "offset", "macs")  # numbers of one size of the input
_OF_MATRICES = ("parameters", "weights")  # numbers of one size where a `linear` reads a map
_Cells = Sequence[tuple[str, str, Node]]  # of a table: (layer, kind, cell)


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """One claim as it is written: what is said of a layer, whose result is this node, or of the network. With `none`
    for the number it drops what is inherited of that kind, and without a kind all of that layer."""

    layer: str | None
    result: str | None
    kind: str
    word: Span
    number: Node
    of: Scalar | None = None  # the ops that are counted, or the size of the input for which a size is claimed
    made_for: Sizes = ()

    @property
    def drops(self) -> bool:
        return _is_none(self.number)

    @property
    def about(self) -> tuple[str | None, str, str]:
        """What it is a claim of; the later parts are empty where it drops all of them."""
        return self.result, self.kind, self.of.text if self.of is not None else ""


def read_claims(
    cells: _Cells,
    graph: Graph,
    names: Names,
    place: Place,
    inputs: Sequence[Mapping[str, Shape]],
    wrong: list[Diagnostic],
) -> tuple[Claim, ...]:
    """The table's claims and those under `claims`, of the spec and as far as it inherits them of its bases. `inputs`:
    what enters the network of each step. Claims that cannot be read are left out, and told in `wrong`."""
    found: list[Claim] = []
    sizes: set[str] = set()
    for said in _standing(cells, graph, names, place, inputs, wrong):
        with gathering(wrong):
            found.append(_claim(said, graph, place.values, sizes))
    return tuple(found)


def _standing(
    cells: _Cells,
    graph: Graph,
    names: Names,
    place: Place,
    inputs: Sequence[Mapping[str, Shape]],
    wrong: list[Diagnostic],
) -> list[_Said]:
    """The claims that stand once each spec of the chain has inherited, dropped and said its own."""
    steps, standing = place.document.steps, list[_Said]()
    edited = max((number for number, step in enumerate(steps) if step.edits is not None), default=0)
    for number, step in enumerate(steps[edited:], edited):
        before = _sizes(inputs[number - 1]) if number > edited else ()
        if before and before != _sizes(inputs[number]):
            standing = list(_at_another_size(standing, before))
        said = list(_all_said(cells if number == 0 else (), step.claims, graph, names, place, wrong))
        help = "remove it"
        if number == edited:
            help = f"a spec {'with a `transform`' if number else 'without a `base`'} inherits no claims: remove it"
        standing = _without(standing, [each for each in said if each.drops], help, wrong)
        own = [each for each in said if not each.drops]
        theirs = {_overridden(each) for each in own}
        standing = [*(each for each in standing if _overridden(each) not in theirs), *own]
    return standing


def _sizes(inputs: Mapping[str, Shape]) -> Sizes:
    return tuple((name, shape.size) for name, shape in inputs.items())


def _at_another_size(inherited: Iterable[_Said], before: Sizes) -> Iterator[_Said]:
    """Of the claims that a base makes with inputs of the sizes `before`, those that a spec inherits which changes
    these. Whether a number of parameters is among them, the shapes decide. A size that is claimed for a size of the
    input that it names is a claim as before."""
    for each in inherited:
        if each.kind in _OF_MATRICES:
            yield replace(each, made_for=each.made_for or before)
        elif each.kind not in _OF_A_SIZE or each.of is not None:
            yield each


def _overridden(said: _Said) -> tuple[str | None, str, str]:
    """What a derived spec says anew with a claim: all sizes of a layer together, each count of ops by itself."""
    result, kind, of = said.about
    return result, kind, of if kind == "count" else ""


def _without(inherited: list[_Said], drops: list[_Said], help: str, wrong: list[Diagnostic]) -> list[_Said]:
    """What is left of the inherited claims. SC502, with this help, for a `none` that drops nothing."""
    kept, needed = list[_Said](), set[tuple[str | None, str, str]]()
    known = {drop.about for drop in drops}
    for each in inherited:
        result, kind, _ = each.about
        found = known & {(result, "", ""), (result, kind, ""), each.about}
        needed |= found
        if not found:
            kept.append(each)
    for drop in drops:
        with gathering(wrong):
            if drop.kind:
                _refuse_kind(drop)
            if drop.about not in needed:
                what = f"`{drop.kind}`" if drop.kind else "claim"
                of = f"`{drop.layer}`" if drop.layer else "the network"
                raise fail("SC502", f"this drops nothing: no {what} of {of} is inherited", drop.number.span, help=help)
    return kept


def _is_none(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.quoted and node.text == "none"


def _all_said(
    cells: _Cells, section: Node | None, graph: Graph, names: Names, place: Place, wrong: list[Diagnostic]
) -> Iterator[_Said]:
    """Each claim that one spec makes in the cells of its table and its section `claims`, in the order written."""
    for layer, kind, cell in cells:
        if layer in names.results:
            yield from _each(layer, names.results[layer], Scalar(kind, cell.span), cell)
    for key, node in section.entries.values() if isinstance(section, MappingNode) else ():
        with gathering(wrong):
            if key.text in OF_NETWORKS and key.text not in names.results:
                yield from _each(None, None, key, node)
                continue
            result = names.results.get(key.text)
            if result is None and key.text == "output":  # the only one, unless a layer has that name
                result = _only_output(key, graph)
            if result is None:
                help = called("claim", key.text, OF_NETWORKS, node) if isinstance(node, Scalar) else None
                names.refuse(key.text, place, key.span, f"there is no layer `{key.text}` to claim this of", help)
            elif _is_none(node):
                yield _Said(key.text, result, "", key.span, node)
            elif not isinstance(node, MappingNode):
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
    if word.text == ("count" if layer is None else "size") and isinstance(node, MappingNode):
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
    return Claim(
        said.layer, kind, number, node.span, said.word, said.result, own, elsewhere, ops, written, said.made_for
    )


def _refuse(said: _Said, sizes: set[str]) -> None:
    """Refuse what no layer or network has to claim (SC003, SC004, SC109), and claims at more sizes of the input than
    any paper has (SC111)."""
    _refuse_kind(said)
    if said.kind == "count" and said.of is None:
        message = f"`count` is {{ops: number}}, not {describe(said.number)}"
        raise fail("SC004", message, said.number.span, help="count: {conv+deconv: 23}")
    if said.kind == "count" and said.of is not None:
        unknown = next((word for word in _ops(said.of) if word not in SPELLINGS), None)
        if unknown is not None:
            help = Meant("op", unknown, SPELLINGS)
            raise fail("SC109", f"there is no op `{unknown}` to count", said.of.span, help=help)
    elif said.of is not None and said.of.text not in sizes:
        sizes.add(said.of.text)
        if len(sizes) == MAX_SIZES + 1:
            message = f"the claims speak of more than {MAX_SIZES} sizes of the input"
            raise fail("SC111", message, said.of.span, help="claim fewer of them")


def _refuse_kind(said: _Said) -> None:
    """Refuse (SC003) a kind of claim that no layer has."""
    if said.layer is not None and said.kind not in OF_LAYERS:
        help = Meant("claim", said.kind, OF_LAYERS, said.number, otherwise=f"known: {', '.join(OF_LAYERS)}")
        raise fail("SC003", f"a layer has no `{said.kind}` to claim", said.word, help=help)


def _ops(written: Scalar) -> tuple[str, ...]:
    """The ops of `conv+deconv`."""
    return tuple(word.strip() for word in written.text.split("+"))


def _scope(result: str | None, graph: Graph, values: Values) -> Values:
    """What names mean in the claims of a layer: `stride` is that of its own op, as in the layer itself."""
    nodes = graph.layers.get(graph.layer_of(result or ""), ())
    window = nodes[0].op.sliding if nodes else None
    return with_stride(values, window.stride) if window is not None else values
