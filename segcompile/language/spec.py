"""A spec -> its network as one graph, what is claimed of it, and how it is trained.

The layers of the first base are written out as a graph once; what each derived spec says of it is done to the graph.
A used spec becomes a graph in the same way, and then a scope of this one. Reading always ends: blocks and specs cannot
contain themselves, and the number of layers is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from segcompile.language.attributes import Defaults, check_defaults
from segcompile.language.calls import Library, SpecCall
from segcompile.language.claims import read_claims
from segcompile.language.derive import Document, Locate, Step
from segcompile.language.edits import Desk, read_edit
from segcompile.language.expander import Expander, Use, Used
from segcompile.language.expressions import Values
from segcompile.language.ledger import Ledger, Stop
from segcompile.language.names import Names
from segcompile.language.place import Place, parameter_origins
from segcompile.language.sections import (
    check_overrides,
    collecting,
    input_names,
    read_defaults,
    read_input_section,
    read_inputs,
    read_network,
    read_outputs,
    read_parameters,
    settings,
)
from segcompile.language.table import Table
from segcompile.language.training import read_training
from segcompile.network.claims import Claim
from segcompile.network.graph import Gone, Graph, Node, layer_of
from segcompile.network.splice import Fragment, without
from segcompile.network.training import Training
from segcompile.ops import Shape
from segcompile.text.errors import Diagnostic, Findings, Label, SegcompileError, Span, fail
from segcompile.text.source import Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """A spec that was understood: its whole network, edited, before anything is derived or left out."""

    document: Document
    values: Values  # the parameters
    graph: Graph
    claims: tuple[Claim, ...]
    uses: tuple[Use, ...]
    training: Training


def read_spec(document: Document, overrides: Mapping[str, int], locate: Locate, findings: Findings) -> Spec:
    """The network of a document, its parameters overridden by `overrides` (--set, `use`).

    Every mistake in it goes to `findings` (SC0xx, SC1xx, SC2xx, SC5xx); raises SegcompileError once all are found.
    """
    place, network = _read_sections(document, overrides, findings)
    told = {(found.code.code, found.span) for found in findings.diagnostics}  # a wrong default, before it is used
    ledger = Ledger(findings, told=told)
    if findings.has_errors:  # a default that could not be read is missing everywhere
        ledger.muted = frozenset({"SC008"})
    reader = _Reader(Library(locate), ledger)
    try:
        draft = reader.read(document, place, network)
    except Stop:
        raise SegcompileError(findings.diagnostics) from None
    _check_outputs(draft.graph, document, network, findings)
    cells = network.claims if not document.is_edited else ()  # they speak of the base
    claims = read_claims(document, cells, draft.graph, draft.names, place, findings)
    training = Training()
    with collecting(findings, place):
        training = read_training(document, place.values)
    findings.stop_on_errors()
    graph = replace(draft.graph, input_spans=_input_spans(document)).verify()
    return Spec(document, place.values, graph, claims, draft.uses, training)


def _input_spans(document: Document) -> dict[str, Span]:
    """Where each named input is written."""
    section = document.section("input")
    return {name: key.span for name, (key, _) in section.entries.items()} if section is not None else {}


def _read_sections(document: Document, overrides: Mapping[str, int], findings: Findings) -> tuple[Place, Table]:
    """The place of the document's own layers, and these; stand-ins for what is wrong."""
    given = {name: (Label(span, "given here", "value"),) for name, span in settings(overrides).items()}
    bare = Place(document, {}, Defaults(), parameter_origins(document, given), specs=(document.path.resolve(),))
    network = None
    with collecting(findings, bare):
        check_overrides(document, settings(overrides))
    values = read_parameters(document, overrides, findings)
    with collecting(findings, bare):
        read_inputs(document, values)
    with collecting(findings, bare):
        check_defaults(document.section("defaults"), values)
    with collecting(findings, bare):
        network = read_network(document, findings)
    if network is None:
        findings.stop_on_errors()
    assert network is not None
    names = input_names(document)
    first = names[0] if len(names) == 1 else ""
    return replace(bare, values=values, defaults=read_defaults(document, values), input=first), network


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """A network as far as it could be read; it holds together if nothing was found on the way."""

    graph: Graph
    names: Names
    uses: tuple[Use, ...]


@dataclass(slots=True)
class _Reader:
    """Makes graphs of documents. What is wrong goes to the ledger."""

    library: Library
    ledger: Ledger

    def read(self, document: Document, place: Place, network: Table) -> _Draft:
        """The network of a document: that of its first base, and what the specs derived from it make of that. Raises
        Stop."""
        first, *later = document.steps
        errors = self._errors()
        draft = self._layers(document, first, place, network)
        for step in later:
            if self._errors() > errors:
                draft.names.hidden = True  # an edit would be blamed for what is not there
                break
            draft = self._derived(draft, step, place)
        return draft

    def used(self, call: SpecCall) -> Used:
        """The network of a spec that another one uses. Raises Stop, and SegcompileError if there is none."""
        errors = self._errors()
        draft = self.read(call.document, call.inside, call.network)
        if self._errors() > errors:
            raise SegcompileError(())  # which has been told
        return Used(draft.graph.verify(), draft.uses)

    def _errors(self) -> int:
        """How much has failed so far; some of it is told once only, or muted because of an edit that failed before."""
        return self.ledger.failures + sum(found.is_error for found in self.ledger.findings.diagnostics)

    def _layers(self, document: Document, step: Step, place: Place, network: Table) -> _Draft:
        inputs = self._inputs(step, document, place)
        expander = self._expander(Names(results={name: name for name in inputs}, hidden=not network.whole))
        end = expander.expand_list(network.layers, place, next(iter(inputs)))
        names = expander.names
        names.settle(_reads(expander), self.ledger.findings)
        nodes, scopes, gone = tuple(expander.nodes), tuple(expander.scopes), Gone(names.removed)
        graph = Graph(document.model, inputs, nodes, {"output": end}, scopes, end, gone)
        return _Draft(self._with_outputs(graph, step, names, place), names, tuple(expander.uses))

    def _derived(self, draft: _Draft, step: Step, place: Place) -> _Draft:
        """The network of a derived spec."""
        graph = replace(draft.graph, inputs=self._inputs(step, place.document, place))
        if step.outputs is not None:  # its own; those of its base do not matter any more
            graph = replace(graph, outputs={"output": graph.end})
        uses, broken, hidden = list(draft.uses), set[str](), False
        desk = Desk(place, self.ledger, lambda *layers: self._fragment(uses, broken, *layers))
        if step.edits is not None:
            desk.warn_of_nothing("`transform`", step.edits)
        for item in step.edits.items if step.edits is not None else ():
            try:
                edited = read_edit(item, desk)(graph, draft.graph)
            except SegcompileError as error:
                hidden |= bool(error.diagnostics)  # what is missing now is no news, nor what was to go
                self.ledger.muted |= {"SC102", "SC103"} if hidden else set()
                self.ledger.report(error, place)
            else:
                graph = edited.graph.verify()
                self.ledger.findings.diagnostics += place.explained(SegcompileError(edited.findings))
        made = {scope.name: scope.span for scope in graph.scopes}
        uses = [use for use in uses if made.get(use.name) == use.made]
        names = Names.of(graph)
        names.hidden = hidden
        _give_up(broken, names)
        if step.outputs is None:
            self.ledger.report(SegcompileError(_lost(graph)), place)
        graph = replace(self._with_outputs(graph, step, names, place), gone=Gone(graph.gone.names))
        return _Draft(graph, names, tuple(uses))

    def _fragment(
        self, uses: list[Use], broken: set[str], items: Sequence, graph: Graph, place: Place, above: str
    ) -> Fragment:
        """Layers written out for a graph. Raises Stop, and SegcompileError if there is something wrong with them; their
        names are `broken` then."""
        errors, names = self._errors(), Names.of(graph)
        there = {*graph.inputs, *graph.by_name}
        names.results = {name: node for name, node in names.results.items() if node in there}  # not what is replaced
        known = names.declared.keys() | broken
        _give_up(broken, names)
        expander = self._expander(names)
        result = expander.expand_list(items, place, above)
        expander.names.settle(_reads(expander), self.ledger.findings)
        if self._errors() > errors or not _holds(there | {above}, expander.nodes, result):
            broken |= names.declared.keys() - known
            raise SegcompileError(())  # which has been told, or follows from what has
        uses += expander.uses
        return Fragment(tuple(expander.nodes), tuple(expander.scopes), result, expander.names.removed)

    def _expander(self, names: Names) -> Expander:
        return Expander(self.library, self.ledger, self.used, names)

    def _inputs(self, step: Step, document: Document, place: Place) -> dict[str, Shape]:
        """What enters the network of a step: as many channels as the parameters say that hold here, and of the size
        that the step's own say, for which its weights are. A stand-in for what could not be read, which has been told.
        """
        section, at = step.root.get("input"), document.root.span
        try:
            inputs = read_input_section(section, at, place.values)
            if step.root is document.root:
                return inputs
            own = read_parameters(replace(document, root=step.root), {}, Findings())
            sized = read_input_section(section, at, {**place.values, **own})
            return {name: Shape(shape.channels, sized[name].size) for name, shape in inputs.items()}
        except SegcompileError:
            return dict.fromkeys(input_names(document), Shape(1, (1, 1)))

    def _with_outputs(self, graph: Graph, step: Step, names: Names, place: Place) -> Graph:
        outputs = read_outputs(step.outputs, names, place, self.ledger.findings)
        return replace(graph, outputs=outputs) if outputs else graph


def _holds(there: set[str], nodes: list[Node], result: str) -> bool:
    """Whether each node reads what is there or made before, and so the result: an edit that failed before leaves names
    without a node."""
    for node in nodes:
        if not there.issuperset(node.inputs):
            return False
        there.add(node.name)
    return result in there


def _reads(expander: Expander) -> list[tuple[str, str]]:
    """(reader, read), as layers."""
    return [(node.layer, layer_of(name)) for node in expander.nodes for name in node.inputs]


def _lost(graph: Graph) -> Iterator[Diagnostic]:
    """SC503 for each head whose layer an edit took away."""
    for head, layer in graph.gone.heads.items():
        end = graph.gone.end
        if end is not None and end.layer == layer:
            help = "`replace` it, append a layer with `from`, or say under `outputs` what the network ends with"
            yield from without(end.join, end.span, "the network ends with it", help).diagnostics
        else:
            message, help = f"`{layer}` is the output `{head}`", "say under `outputs` what this network gives"
            yield from fail("SC503", message, graph.gone.names[layer], help=help).diagnostics


def _give_up(broken: set[str], names: Names) -> None:
    """Know the names of layers that could not be read."""
    for name in sorted(broken):
        names.give_up(name, None)


def _check_outputs(graph: Graph, document: Document, network: Table, findings: Findings) -> None:
    """SC203 for a network without layers, or one that hands an input through."""
    idle = [head for head, name in graph.outputs.items() if name in graph.inputs]
    if not idle or findings.has_errors:
        return
    section = document.section("outputs")
    if section is not None and idle[0] in section.entries:
        span = section.entries[idle[0]][1].span
        findings.add("SC203", f"output `{idle[0]}` is an input, not a layer", span, help="name a layer")
    else:
        span = network.layers.span
        findings.add("SC203", "the network has no layers", span, help="`layers:` needs at least one")
