"""The pipeline, on one screen.

spec file -> document -> graph, edited -> NORMAL: what is needed of it, its crops resolved -> facts -> CHECKS -> files
where a build asks for some of LOWERINGS: facts -> CHECKS -> graph, lowered -> facts -> files
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from segcompile.checks import Subject, check
from segcompile.checks.claims import Verdict, macs_of
from segcompile.facts.facts import Facts, analyse, shapes_in
from segcompile.facts.fit import fit
from segcompile.facts.sizes import Sizes
from segcompile.facts.usual_size import usual_size
from segcompile.language.derive import Document, read_document, variants_of
from segcompile.language.expander import Use
from segcompile.language.lint import warn_unused_parameters
from segcompile.language.spec import Spec, read_spec
from segcompile.library import bundled, locate, own_files_first
from segcompile.network.claims import Claim
from segcompile.network.data import Data
from segcompile.network.graph import Graph, Node
from segcompile.network.training import Training
from segcompile.passes import normalise
from segcompile.passes.edited import Edited
from segcompile.passes.lowerings import lower
from segcompile.text.acceptance import Acceptance, Accepted, take_accepted
from segcompile.text.errors import Findings, Label, SegcompileError, did_you_mean, fail


@dataclass(frozen=True, eq=False)
class Compiled:
    """A spec that was understood: its graph, what is true of it, and what its claims are worth."""

    spec: Spec
    graph: Graph
    facts: Facts
    verdicts: tuple[Verdict, ...]
    sizes: Sizes
    used: tuple[Verdict, ...] = ()  # on what the used specs claim of themselves
    accepted: tuple[Accepted, ...] = ()  # the warnings that the spec accepts

    @property
    def document(self) -> Document:
        return self.spec.document

    @property
    def model(self) -> str:
        return self.document.model

    @property
    def subject(self) -> Subject:
        """What is true of its graph, as CHECKS see it."""
        return Subject(self.graph, shapes_in(self.graph, self.facts), self.sizes, self.facts)

    @property
    def own_acceptances(self) -> list[Acceptance]:
        """What the spec's own file accepts, and not a base or a used spec."""
        own = self.document.root.span.source
        return [each for each in self.spec.acceptances if each.span.source is own]

    @cached_property
    def verdicts_by_layer(self) -> Mapping[str, tuple[Verdict, ...]]:
        """Layer -> the verdicts on what is claimed of it, under whatever name."""
        found: dict[str, tuple[Verdict, ...]] = {}
        for verdict in self.verdicts:
            if verdict.layer != "output" and verdict.claim.result is not None:
                layer = self.graph.layer_of(verdict.claim.result)
                found[layer] = (*found.get(layer, ()), verdict)
        return found

    def cost(self, nodes: Iterable[Node]) -> tuple[int, int | None]:
        """Parameters and multiply-accumulates of some nodes together; no MACs where a size is symbolic."""
        listed = list(nodes)
        return sum(self.facts[node.name].parameter_count for node in listed), macs_of(listed, self.facts)


def find_spec(spec: str) -> Path:
    """The file that `spec` names: a path, or a bundled spec. Raises SegcompileError (SC009)."""
    path = Path(spec)
    if path.suffix and path.name == spec and path.stem in bundled() and not path.exists():
        raise fail("SC009", f"there is no file `{spec}`", help=f"the bundled spec is called `{path.stem}`")
    if path.suffix or len(spec) > 255 or path.exists():
        return path
    known = bundled()
    if spec in known:
        return known[spec]
    help = did_you_mean(spec, known) or "`segcompile list` shows the bundled specs"
    raise fail("SC009", f"there is no file and no bundled spec `{spec}`", help=help)


def compile_spec(
    path: Path,
    findings: Findings,
    *,
    variant: str | None = None,
    overrides: Mapping[str, int] | None = None,
    name: str | None = None,
) -> Compiled:
    """Read, check and analyse one spec. Warnings and false claims go to `findings`.

    Raises SegcompileError with everything found so far once a step cannot hand on a value; false claims do not stop.
    """
    with own_files_first(findings):
        return _understand(path, variant, overrides or {}, name, findings)


def compile_variant(spec: str, overrides: Mapping[str, int] | None = None) -> Compiled:
    """`dilated_context@large`, or a spec without variants. What is wrong with its claims is for `check` to say."""
    name, _, variant = (spec, "", "") if Path(spec).exists() else spec.partition("@")
    if not name:
        raise fail(
            "SC009",
            f"there is no spec before the `@` of `{spec}`",
            help="SPEC or SPEC@VARIANT, for example dilated_context@large",
        )
    path = find_spec(name)
    variants = variants_of(path, locate) if not variant else ()
    if variants:
        help = " or ".join(f"{name}@{variant}" for variant in variants)
        raise fail("SC110", f"`{name}` has variants, and none is chosen", help=help)
    return compile_spec(path, Findings(), variant=variant or None, overrides=overrides)


def _understand(
    path: Path, variant: str | None, overrides: Mapping[str, int], name: str | None, findings: Findings
) -> Compiled:
    document = read_document(path, variant, locate, findings, name)
    compiled = _compile(read_spec(document, overrides, locate, findings), findings, set())
    warn_unused_parameters(document, findings)
    return replace(compiled, accepted=take_accepted(compiled.spec.acceptances, findings))


_Alone = tuple[Path, str | None, tuple[tuple[str, object], ...]]  # a used spec, its variant, its parameters


def _compile(spec: Spec, findings: Findings, checked: set[_Alone]) -> Compiled:
    found = analyse_graph(spec.graph, findings, spec.claims, spec.training, spec.data)
    used = tuple(_check_used(spec, findings, checked))
    return Compiled(spec, found.graph, found.facts, found.verdicts, found.sizes, used)


def analyse_graph(
    graph: Graph,
    findings: Findings,
    claims: tuple[Claim, ...] = (),
    training: Training | None = None,
    data: Data | None = None,
) -> Subject:
    """What is true of a graph, from a spec or not, after NORMAL. What CHECKS find goes to `findings`; raises
    SegcompileError for a graph that has no facts."""
    graph = normalise(graph, findings)
    shapes, sizes = fit(graph, findings)
    subject = Subject(graph, shapes, sizes, analyse(graph, shapes), claims, training or Training(), data or Data())
    check(subject, findings)
    return subject


def at_usual_size(subject: Subject) -> Subject:
    """What is true of a network at its own size, or at a usual one where that is any."""
    graph = usual_size(subject.graph, subject.sizes)
    return subject if graph is subject.graph else analyse_graph(graph, Findings())


def lower_graph(graph: Graph, lowerings: Sequence[str], findings: Findings) -> tuple[Edited, Facts]:
    """A compiled graph after some of LOWERINGS, and what is true of it. What they leave goes to `findings`."""
    lowered = lower(graph, lowerings)
    findings.diagnostics += lowered.findings
    shapes, _ = fit(lowered.graph, findings)
    return lowered, analyse(lowered.graph, shapes)


def _check_used(spec: Spec, findings: Findings, checked: set[_Alone]) -> Iterator[Verdict]:
    """A used spec keeps its own promises: it is compiled alone, with the parameters it was given; once in a run,
    however many specs use it. Gives the verdicts on its claims."""
    for use in spec.uses:
        key = (use.call.document.path, use.call.document.variant, tuple(use.call.values.items()))
        if key not in checked:
            checked.add(key)
            yield from _compile_alone(use, findings, checked)


def _compile_alone(use: Use, findings: Findings, checked: set[_Alone]) -> tuple[Verdict, ...]:
    alone, verdicts = Findings(), tuple[Verdict, ...]()
    values = {name: value for name, value in use.call.values.items() if isinstance(value, int)}
    try:
        spec = read_spec(use.call.document, values, locate, alone, use.call.inside.parameters)
        compiled = _compile(spec, alone, checked)
        verdicts = (*compiled.verdicts, *compiled.used)
    except SegcompileError as error:
        alone.absorb(error)
    call = (Label(use.target, "used here", "use"),)
    findings.diagnostics += [found.called(call) for found in alone.diagnostics if found.is_error]
    return verdicts
