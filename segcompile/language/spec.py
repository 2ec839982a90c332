"""A spec -> its network as one graph, what is claimed of it, and how it is trained.

The layers of the first base are written out as a graph once; what each derived spec says of it is done to the graph.
A used spec becomes a graph in the same way, and then a scope of this one. Reading always ends: blocks and specs cannot
contain themselves, and the number of layers is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from segcompile.language.acceptances import read_acceptances
from segcompile.language.calls import Library, SpecCall
from segcompile.language.channels import Channels
from segcompile.language.claims import Paper, read_claims
from segcompile.language.data import read_data
from segcompile.language.derive import Document, Locate, Step
from segcompile.language.expander import Expander, Use, Used
from segcompile.language.expressions import Values
from segcompile.language.ledger import Ledger, Stop
from segcompile.language.loops import Loops
from segcompile.language.names import Names
from segcompile.language.outputs import Head, read_outputs
from segcompile.language.place import Origins, Place, parameter_origins
from segcompile.language.sections import Sections, check_overrides, read_sections, settings
from segcompile.language.sharing import Owners
from segcompile.language.table import Table
from segcompile.language.training import read_training
from segcompile.network.claims import Claim
from segcompile.network.data import Data
from segcompile.network.graph import Gone, Graph, Node, Origin, layer_of
from segcompile.network.splice import Fragment, without
from segcompile.network.training import Training
from segcompile.ops import Shape
from segcompile.text.acceptance import Acceptance
from segcompile.text.errors import Diagnostic, Findings, Label, SegcompileError, fail, finding, gathering
from segcompile.text.source import Mapping as MappingNode
from segcompile.text.source import Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """A spec that was understood: its whole network, edited, before anything is derived or left out."""

    document: Document
    values: Values  # the parameters
    graph: Graph
    claims: tuple[Claim, ...]
    uses: tuple[Use, ...]
    data: Data
    training: Training
    acceptances: tuple[Acceptance, ...]  # of its own, and of the specs that it uses


def read_spec(
    document: Document, overrides: Mapping[str, int], locate: Locate, findings: Findings, given: Origins | None = None
) -> Spec:
    """The network of a document, its parameters overridden by `overrides`. `given`: where these are written, in a spec
    that uses this one; by default `--set`.

    Every mistake in it goes to `findings` (SC0xx, SC1xx, SC2xx, SC5xx); raises SegcompileError once all are found.
    """
    ledger = Ledger(findings)
    try:
        place, sections = _read_sections(document, overrides, given, ledger)
        if findings.has_errors:  # a default that could not be read is missing everywhere
            ledger.muted = frozenset({"SC008"})
        reader = _Reader(Library(locate), ledger, Loops(ledger))
        draft = reader.read(document, place, sections)
        wrong = _idle_outputs(draft, sections.network) if not findings.has_errors else []
        cells = sections.network.claims if not document.is_edited else ()  # they speak of the base
        written = [reader.loops.pairs(step.claims, place, "claims", wrong) for step in document.steps]
        paper = Paper(draft.graph, draft.names, place, sections.inputs, cells, written, ledger)
        claims = read_claims(paper, wrong)
        data = read_data(document, place.values, draft.graph, draft.heads, wrong)
        training = read_training(document, place.values, draft.graph.rank, wrong)
        acceptances = read_acceptances(document, (use.call.document for use in draft.uses), wrong)
        ledger.report(wrong, place)
    except Stop:
        raise SegcompileError(findings.diagnostics) from None
    findings.stop_on_errors()
    return Spec(document, place.values, draft.graph.verify(), claims, draft.uses, data, training, acceptances)


def _read_sections(
    document: Document, overrides: Mapping[str, int], given: Origins | None, ledger: Ledger
) -> tuple[Place, Sections]:
    """What the document says beside its layers, and the place of these. Raises Stop."""
    wrong, options = list[Diagnostic](), settings(overrides)
    with gathering(wrong):
        check_overrides(document, options)
    sections = read_sections(document, overrides, wrong)
    by_option = {name: (Label(span, "given here", "value"),) for name, span in options.items()}
    origins = parameter_origins(document, by_option if given is None else given)
    specs = (document.path.resolve(),)
    place = Place(
        document, sections.values, sections.defaults, sections.rank, origins, input=sections.only_input, specs=specs
    )
    ledger.report(wrong, place)
    return place, sections


def _input_origins(place: Place) -> dict[str, Origin]:
    """Where each input is written, its name and its shape."""
    section = place.document.section("input")
    found: dict[str, Origin] = {}
    for name, (key, node) in section.entries.items() if section is not None else ():
        if isinstance(node, MappingNode):
            found[name] = Origin(
                key.span, place.each_at({word: value.span for word, (_, value) in node.entries.items()})
            )
    if section is None or found:
        return found
    return {"input": Origin(attributes=place.each_at({word: node.span for word, (_, node) in section.entries.items()}))}


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """A network as far as it could be read; it holds together if nothing was found on the way."""

    graph: Graph
    names: Names
    uses: tuple[Use, ...]
    heads: Mapping[str, Head] = field(default_factory=dict)  # those that are written, if any are

    def with_heads(self, heads: Mapping[str, Head]) -> _Draft:
        """The network with the heads that a step names, if it names any."""
        outputs = {name: head.result for name, head in heads.items() if head.result is not None}
        return replace(self, graph=replace(self.graph, outputs=outputs) if outputs else self.graph, heads=heads)


@dataclass(slots=True)
class _Reader:
    """Makes graphs of documents. What is wrong goes to the ledger."""

    library: Library
    ledger: Ledger
    loops: Loops

    def read(self, document: Document, place: Place, sections: Sections) -> _Draft:
        """The network of a document: that of its first base, and what the specs derived from it make of that. Raises
        Stop."""
        errors, draft = self._errors(), self._layers(place, sections)
        for number, step in enumerate(document.steps):
            if number and (self._errors() > errors or not sections.network.whole):
                draft.names.hidden = True  # an edit would be blamed for what is not there
                break
            if number:
                draft = self._derived(draft, step, sections.inputs[number], place)
            wrong: list[Diagnostic] = []
            heads = read_outputs(self.loops.pairs(step.outputs, place, "outputs", wrong), draft.names, wrong)
            self.ledger.report(wrong, place)
            draft = draft.with_heads(heads) if step.outputs is not None else draft
        return draft

    def used(self, call: SpecCall) -> Used:
        """The network of a spec that another one uses. Raises Stop, and SegcompileError if there is none."""
        errors = self._errors()
        draft = self.read(call.document, call.inside, call.sections)
        if self._errors() > errors:
            raise SegcompileError(())  # which has been told
        return Used(draft.graph.verify(), draft.uses)

    def _errors(self) -> int:
        """How much has failed so far; some of it is told once only, or muted because of an edit that failed before."""
        return self.ledger.failures + sum(found.is_error for found in self.ledger.findings.diagnostics)

    def _layers(self, place: Place, sections: Sections) -> _Draft:
        """The network of the first base, whose result is that of its last layer."""
        inputs, network = sections.inputs[0], sections.network
        if (given := place.document.steps[0].graph) is not None:
            graph = replace(given, model=place.document.model, inputs=inputs)
            return _Draft(graph, Names.of(graph), ())
        known = Names(results={name: name for name in inputs}, inputs=tuple(inputs), hidden=not network.whole)
        expander = self._expander(Graph("", inputs, (), {}), known)
        end = expander.expand_list(network.layers, place, next(iter(inputs)))
        names = expander.names
        names.settle(_reads(expander), self.ledger.findings)
        nodes, scopes, gone = tuple(expander.nodes), tuple(expander.scopes), Gone(names.removed)
        graph = Graph(place.document.model, inputs, nodes, {"output": end}, scopes, end, gone, _input_origins(place))
        return _Draft(graph, names, tuple(expander.uses))

    def _derived(self, draft: _Draft, step: Step, inputs: dict[str, Shape], place: Place) -> _Draft:
        """The network of a derived spec, but for its own outputs."""
        from segcompile.language.edits import Desk, edit  # a spec without a base starts without the edits

        graph = replace(draft.graph, inputs=inputs)
        if step.outputs is not None:  # its own; those of its base do not matter any more
            graph = replace(graph, outputs={"output": graph.end})
        uses, broken, failed = list(draft.uses), set[str](), False
        desk = Desk(place, self.ledger, lambda *layers: self._fragment(uses, broken, *layers))
        if step.edits is not None:
            desk.warn_of_nothing("`transform`", step.edits)
            wrong: list[Diagnostic] = []
            written = self.loops.entries(step.edits, place, "edits", wrong)
            graph, failed = edit(graph, draft.graph, written, desk, wrong)
        made = {scope.name: scope.span for scope in graph.scopes}
        uses = [use for use in uses if made.get(use.name) == use.made]
        names = Names.of(graph)
        names.hidden = failed
        _give_up(broken, names)
        if step.outputs is None:
            self.ledger.report(_lost(graph), place)
        return _Draft(replace(graph, gone=Gone(graph.gone.names)), names, tuple(uses), draft.heads)

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
        expander = self._expander(graph, names)
        result = expander.expand_list(items, place, above)
        expander.names.settle(_reads(expander), self.ledger.findings)
        if self._errors() > errors or not _holds(there | {above}, expander.nodes, result):
            broken |= names.declared.keys() - known
            raise SegcompileError(())  # which has been told, or follows from what has
        uses += expander.uses
        return Fragment(tuple(expander.nodes), tuple(expander.scopes), result, expander.names.removed)

    def _expander(self, graph: Graph, names: Names) -> Expander:
        """What writes layers out that are called so, for a graph."""
        specs = {scope.name for scope in graph.scopes if scope.kind == "spec"}
        owners = Owners(names, graph.by_name, specs)
        channels = Channels(graph.inputs, graph.nodes)
        return Expander(self.library, self.ledger, self.loops, self.used, channels, owners)


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


def _idle_outputs(draft: _Draft, network: Table) -> list[Diagnostic]:
    """SC203 for a network without layers, or one that hands an input through."""
    idle = [head for head, name in draft.graph.outputs.items() if name in draft.graph.inputs]
    if not idle:
        return []
    if idle[0] in draft.heads:
        span = draft.heads[idle[0]].layer
        return [finding("SC203", f"output `{idle[0]}` is an input, not a layer", span, help="name a layer")]
    return [finding("SC203", "the network has no layers", network.layers.span, help="`layers:` needs at least one")]
