"""What the paper says: the cells of a table and the section `claims` -> typed claims, their numbers evaluated.

A derived spec inherits the claims of its base, but for those that it says itself or drops (`none`), and for those that
speak of another size of the input. A base that is edited is another network, whose claims stay with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from segcompile.language.expressions import Values
from segcompile.language.ledger import Ledger
from segcompile.language.loops import Pair, given_again
from segcompile.language.names import Names
from segcompile.language.place import Place
from segcompile.language.values import due_along, read_axes, read_each, read_integer, read_ratio, with_stride
from segcompile.language.words import Meant, called
from segcompile.network.claims import Claim, Number, Sizes
from segcompile.network.graph import Graph
from segcompile.ops import AXIS_NAMES, SPELLINGS, Shape
from segcompile.text.errors import Diagnostic, SegcompileError, Span, fail, gathering
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Node, Scalar, brief, describe

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
class Paper:
    """What claims are read with: the network that they speak of and its names, the spec whose they are, what enters the
    network of each step of it, the cells of its table that are claims, and what each step has under `claims`."""

    graph: Graph
    names: Names
    place: Place
    inputs: Sequence[Mapping[str, Shape]]
    cells: _Cells
    written: Sequence[Iterable[Pair]]
    ledger: Ledger


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """One claim as it is written: what is said of a layer, whose result is this node, or of the network. With `none`
    for the number it drops what is inherited of that kind, and without a kind all of that layer."""

    layer: str | None
    result: str | None
    kind: str
    word: Span
    number: Node
    place: Place  # in a turn of a loop
    of: Scalar | None = None  # the ops that are counted, or the size of the input for which a size is claimed
    made_for: Sizes = ()

    @property
    def drops(self) -> bool:
        return _is_none(self.number)

    @property
    def about(self) -> tuple[str | None, str, str]:
        """What it is a claim of; the later parts are empty where it drops all of them."""
        return self.result, self.kind, self.of.text if self.of is not None else ""

    @property
    def told(self) -> str:
        """What it is a claim of, for people."""
        what = f"`{self.kind}`" if self.kind else "claim"
        return f"{what} of `{self.layer}`" if self.layer else f"{what} of the network"


def read_claims(paper: Paper, wrong: list[Diagnostic]) -> tuple[Claim, ...]:
    """The table's claims and those under `claims`, of the spec and as far as it inherits them of its bases. Claims that
    cannot be read are left out, and told in `wrong`. Raises Stop."""
    found: dict[object, Claim] = {}
    sizes: set[str] = set()
    for said in _standing(paper, wrong):
        with gathering(wrong):
            claim = _claim(said, paper.graph, sizes)
            about = claim.layer, claim.kind, claim.elsewhere, claim.ops, claim.in_table
            if about in found:
                raise given_again(said.told, claim.word, found[about].word)
            found[about] = claim
    return tuple(found.values())


def _standing(paper: Paper, wrong: list[Diagnostic]) -> list[_Said]:
    """The claims that stand once each spec of the chain has inherited, dropped and said its own."""
    steps, standing = paper.place.document.steps, list[_Said]()
    edited = max((number for number, step in enumerate(steps) if step.edits is not None), default=0)
    for number in range(edited, len(steps)):
        before = _sizes(paper.inputs[number - 1]) if number > edited else ()
        if before and before != _sizes(paper.inputs[number]):
            standing = list(_at_another_size(standing, before))
        said = [*(_in_table(paper) if number == 0 else ()), *_in_section(paper.written[number], paper, wrong)]
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
                message = f"this drops nothing: no {drop.told} is inherited"
                raise fail("SC502", message, drop.number.span, help=help)
    return kept


def _is_none(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.quoted and node.text == "none"


def _in_table(paper: Paper) -> Iterator[_Said]:
    """The claims in the cells of a table."""
    for layer, kind, cell in paper.cells:
        if layer in paper.names.results:
            yield from _each(layer, paper.names.results[layer], Scalar(kind, cell.span), cell, paper.place)


def _in_section(written: Iterable[Pair], paper: Paper, wrong: list[Diagnostic]) -> Iterator[_Said]:
    """Each claim under `claims`, in the order written, and those of a loop once a turn."""
    for key, node, inside in written:
        with gathering(wrong):
            for said in _of_one(key, node, paper, inside):
                paper.ledger.step(said.word)
                yield said


def _of_one(key: Scalar, node: Node, paper: Paper, place: Place) -> Iterator[_Said]:
    """What stands under the name of a layer, or under a word for the network."""
    name, names = place.spelled(key), paper.names
    if name in OF_NETWORKS and name not in names.results:
        yield from _each(None, None, Scalar(name, key.span), node, place)
        return
    result = names.results.get(name)
    if result is None and name == "output":  # the only one, unless a layer has that name
        result = _only_output(key, paper.graph)
    if result is None:
        help = called("claim", name, OF_NETWORKS, node) if isinstance(node, Scalar) else None
        names.refuse(name, place, key.span, f"there is no layer `{brief(name)}` to claim this of", help)
    elif _is_none(node):
        yield _Said(name, result, "", key.span, node, place)
    elif not isinstance(node, MappingNode):
        message = f"a claim of a layer is {{what: value}}, not {describe(node)}"
        raise fail("SC004", message, node.span, help=f"{name}: {{size: 66}}")
    else:
        for word, value in node.entries.values():
            yield from _each(name, result, word, value, place)


def _only_output(key: Scalar, graph: Graph) -> str:
    if len(set(graph.outputs.values())) > 1:
        message = f"there is no layer `output`, and the network has several outputs: {', '.join(graph.outputs)}"
        raise fail("SC102", message, key.span, help="claim it of the layer of one of them")
    return next(iter(graph.outputs.values()))


def _each(layer: str | None, result: str | None, word: Scalar, node: Node, place: Place) -> Iterator[_Said]:
    """What stands under one word: one claim, or one for each entry of a `count` or of a `size` at several sizes."""
    if word.text == ("count" if layer is None else "size") and isinstance(node, MappingNode):
        for key, value in node.entries.values():
            yield _Said(layer, result, word.text, word.span, value, place, key if layer is None else _at(key, place))
    else:
        yield _Said(layer, result, word.text, word.span, node, place)


def _at(size: Scalar, place: Place) -> Scalar:
    """A size of the input in numbers, which are the same however it is written; as it is, where `_claim` refuses it."""
    with suppress(SegcompileError):
        axes = read_each(size, place.values, place.rank)
        return Scalar("x".join(map(str, axes if len({*axes}) > 1 else axes[:1])), size.span)
    return size


def _claim(said: _Said, graph: Graph, sizes: set[str]) -> Claim:
    """One claim. `sizes`: those of the input of which claims have spoken. Raises SegcompileError."""
    _refuse(said, sizes)
    kind, node, elsewhere, own = said.kind, said.number, None, None
    values = said.place.values
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
