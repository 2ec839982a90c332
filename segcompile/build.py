"""A spec -> the files of a folder for each backend, and what writing them would change there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segcompile import __version__
from segcompile.backend import BuildRequest, Options, Trained, check_lowerings, check_weighs, load_backend, run_backend
from segcompile.checks.claim_errors import is_of_a_claim
from segcompile.compiler import Compiled, compile_spec, find_spec, lower_graph
from segcompile.emit.templates import camel, one_line
from segcompile.interruption import to_the_end
from segcompile.library import own_files_first
from segcompile.text.acceptance import take_accepted
from segcompile.text.errors import Diagnostic, Findings, SegcompileError, Severity, fail
from segcompile.text.source import Scalar
from segcompile.writer import MANIFEST, Plan, plan, write


@dataclass(frozen=True, slots=True)
class Built:
    """What a backend made of a spec, not yet written; `plan` compares it with the folder."""

    request: BuildRequest
    files: Mapping[str, str | bytes]
    manifest: Mapping[str, Any]
    plan: Plan

    def report(self) -> dict[str, Any]:
        """What a person or a program is told of it; a forced build overwrites what was edited by hand, too."""
        overwritten = {*self.plan.changed, *self.plan.hand_edited, *self.plan.foreign} & {*self.files}
        return {
            "folder": str(self.plan.folder),
            "files": sorted(self.files),
            "new": [path for path in self.plan.new if path != MANIFEST],
            "changed": sorted(overwritten),
            "removed": [
                *(path for path in self.plan.orphans if path not in self.plan.hand_edited),
                *self.plan.leftovers,
            ],
        }


@dataclass(slots=True)
class Build:
    """The build for one backend: what was found on the way, and what came out, if anything."""

    backend: str
    findings: Findings = field(default_factory=Findings)
    built: Built | None = None


def build_each(
    spec: str,
    backends: Sequence[str],
    variant: str | None = None,
    overrides: Mapping[str, int] | None = None,
    out: str | None = None,
    lowerings: Sequence[str] = (),
    draft: bool = False,
    weights: Path | None = None,
) -> list[Build]:
    """Compile a spec, a path or a bundled name, and emit it for each backend; nothing is written. `out` is the folder
    for the one backend, instead of generated/MODEL/BACKEND, or generated/MODEL/BACKEND-LOWERING: a lowered network is
    another product, beside the one that is trained. `weights`: a file of all tensors, for a backend whose files hold
    them. In a `draft` false claims are warnings. Every error is in the findings of its builds."""
    builds = [Build(backend) for backend in dict.fromkeys(backends)]
    said, settings, lowers = Findings(), overrides or {}, tuple(dict.fromkeys(lowerings))
    try:
        folder, path = _folder(out, builds), find_spec(spec)
        compiled = compile_spec(path, said, variant=variant, overrides=settings)
        doubts = _doubts(compiled, said.diagnostics)
        said.diagnostics[:] = map(_as_warning, said.diagnostics) if draft else _with_ways_out(said.diagnostics, spec)
        said.stop_on_errors()
    except SegcompileError as error:
        said.absorb(error)
        for each in builds:
            each.findings.diagnostics += said.diagnostics
        return builds
    for each in builds:
        each.findings.diagnostics += said.diagnostics
        try:
            asked = (variant, settings, lowers, folder, weights)
            each.built = _emit(compiled, doubts, path, each.backend, *asked, each.findings)
        except SegcompileError as error:
            each.findings.absorb(error)
        take_accepted(compiled.spec.acceptances, each.findings)  # what the backend says, too
    return builds


def write_all(builds: Sequence[Build]) -> None:
    """Write every build, but none if one has errors. What goes wrong is added to its findings."""
    if any(each.findings.has_errors for each in builds):
        return
    with to_the_end():
        for each in builds:
            assert each.built is not None
            try:
                write(each.built.plan, each.built.files, each.built.manifest)
            except SegcompileError as error:
                each.findings.absorb(error)


def _folder(out: str | None, builds: Sequence[Build]) -> Path | None:
    if out is not None and len(builds) > 1:
        help = "without it the code goes to generated/MODEL/BACKEND; or build for one backend at a time"
        raise fail("SC013", f"`--out` is one folder, and {len(builds)} backends write one each", help=help)
    if out is not None and not out.strip():  # Path("") would be the working directory
        raise fail("SC013", "`--out` names no folder", help="without it the code goes to generated/MODEL/BACKEND")
    return Path(out) if out is not None else None


def _emit(
    compiled: Compiled,
    doubts: str,
    path: Path,
    backend: str,
    variant: str | None,
    overrides: Mapping[str, int],
    lowerings: tuple[str, ...],
    folder: Path | None,
    weights: Path | None,
    findings: Findings,
) -> Built:
    """What a backend makes of a network. Raises SegcompileError for what it cannot emit, and what goes wrong in it."""
    request = replace(request_for(compiled, path), draft=doubts)
    with own_files_first(findings):
        target = load_backend(backend)
        check_lowerings(target, lowerings)
        if lowerings:
            request = lowered(request, lowerings, findings)
        if weights is not None:
            check_weighs(target)
            request = replace(request, weights=_whole(weights, request))
        result = run_backend(target, request)
        findings.diagnostics += result.diagnostics
    findings.stop_on_errors()
    manifest = {
        "spec": path.name,
        "variant": variant,
        "set": dict(overrides),
        "backend": backend,
        "version": __version__,
        **({"lowerings": list(lowerings)} if lowerings else {}),
        **({"weights": weights.name} if weights is not None else {}),
        **({"draft": doubts} if doubts else {}),
    }
    folder = folder if folder is not None else Path("generated") / compiled.model / "-".join((backend, *lowerings))
    _check_folder(folder, path)
    return Built(request, result.files, manifest, plan(folder, result.files, manifest))


def _whole(file: Path, request: BuildRequest) -> dict[str, bytes]:
    """The tensors of a file. Raises SegcompileError as `whole_weights` does."""
    from segcompile.weights.whole import whole_weights  # NumPy, and whatever reads the file

    return whole_weights(file, request.model, request.graph, request.facts)


def _doubts(compiled: Compiled, found: Iterable[Diagnostic]) -> str:
    """What a draft says of itself; empty where all claims hold, of the used specs too."""
    false = sum(verdict.worth == "false" for verdict in (*compiled.verdicts, *compiled.used))
    undecided = sum(each.code.code == "SC406" for each in found)
    counts = [(false, "false"), (undecided, "undecided")]
    told = [f"{count} {'is' if count == 1 else 'are'} {what}" for count, what in counts if count]
    return f"Draft: of the spec's claims {' and '.join(told)}." if told else ""


def _as_warning(found: Diagnostic) -> Diagnostic:
    """What is wrong with a claim, where that stops nothing."""
    return replace(found, code=replace(found.code, severity=Severity.WARNING)) if is_of_a_claim(found) else found


def _with_ways_out(diagnostics: Sequence[Diagnostic], spec: str) -> list[Diagnostic]:
    """The findings, the last of which says what can be done if nothing but claims is wrong."""
    errors = [found for found in diagnostics if found.is_error]
    if not errors or not all(map(is_of_a_claim, errors)):
        return list(diagnostics)
    fix = f"`segcompile fix {spec}` writes the computed numbers, and "
    ways = ("" if all(found.code.code == "SC406" for found in errors) else fix) + "`--draft` builds all the same"
    last = errors[-1]
    told = replace(last, hint=f"{last.help}; or {ways}" if last.help else ways)
    return [told if found is last else found for found in diagnostics]


def _check_folder(folder: Path, spec: Path) -> None:
    """SC013 for a folder that is no place for generated code."""
    try:
        place, home = folder.resolve(), spec.resolve().parent
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name that no folder can have
        raise fail("SC013", f"`{folder}` cannot be read: {error}") from None
    what = "the root of the disk" if place == place.parent else "the spec's own folder" if place == home else None
    if what is not None:
        raise fail(
            "SC013",
            f"`{folder}` is {what}; code needs a folder of its own",
            help=f"for example `generated/{spec.stem}`",
        )


def request_for(compiled: Compiled, path: Path) -> BuildRequest:
    """The request for a spec read from `path`, of which only the file's name is told. Raises SegcompileError."""
    cite = compiled.document.section("cite")
    return BuildRequest(
        model=compiled.model,
        class_name=camel(compiled.model),
        spec=one_line(path.name),
        about=one_line(compiled.document.about),
        cite={key.text: one_line(node.text) for key, node in cite.entries.values() if isinstance(node, Scalar)}
        if cite
        else {},
        graph=compiled.graph,
        facts=compiled.facts,
        training=compiled.spec.training,
        data=compiled.spec.data,
        bases=tuple(one_line(Path(source.name).name) for source in compiled.document.bases),
    )


def lowered(request: BuildRequest, lowerings: tuple[str, ...], findings: Findings) -> BuildRequest:
    """The request for the network after some lowerings that exist. What they leave goes to `findings`."""
    found, facts = lower_graph(request.graph, lowerings, findings)
    trained = Trained(request.graph, found.weights)
    return replace(request, graph=found.graph, facts=facts, options=Options(lowerings), trained=trained)
