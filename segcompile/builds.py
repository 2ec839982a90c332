"""The builds of one spec for several backends: all of them are written, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segcompile.build import Built, emit
from segcompile.compiler import compile_spec, find_spec
from segcompile.interruption import to_the_end
from segcompile.text.errors import Findings, SegcompileError, fail
from segcompile.writer import write


@dataclass(slots=True)
class Build:
    """The build for one backend: what it has to report, what was found on the way, and what came out, if anything."""

    report: dict[str, Any]
    findings: Findings = field(default_factory=Findings)
    built: Built | None = None


def prepare_each(
    spec: str,
    backends: Sequence[str],
    variant: str | None,
    overrides: Mapping[str, int],
    out: str | None,
    inspect: Callable[[Built, Findings], Mapping[str, Any]],
) -> list[Build]:
    """Compile the spec, a path or a bundled name, and emit it for each backend; nothing is written. `inspect` says what
    more there is to report of what came out. Every error is in the findings of its builds."""
    builds = [Build({"spec": spec, "backend": backend}) for backend in dict.fromkeys(backends)]
    said = Findings()
    try:
        folder, path = _folder(out, builds), find_spec(spec)
        compiled = compile_spec(path, said, variant=variant, overrides=overrides)
        said.stop_on_errors()
    except SegcompileError as error:
        said.absorb(error)
        for build in builds:
            build.findings.diagnostics += said.diagnostics
        return builds
    for build in builds:
        build.findings.diagnostics += said.diagnostics
        try:
            build.built = emit(compiled, path, build.report["backend"], variant, overrides, folder, build.findings)
            build.report |= build.built.report()
            build.report |= inspect(build.built, build.findings)
        except SegcompileError as error:
            build.findings.absorb(error)
    return builds


def write_all(builds: Sequence[Build]) -> None:
    """Write every build, but none if one has errors. What goes wrong is added to its findings."""
    if any(build.findings.has_errors for build in builds):
        return
    with to_the_end():
        for build in builds:
            assert build.built is not None
            try:
                write(build.built.plan, build.built.files, build.built.manifest)
            except SegcompileError as error:
                build.findings.absorb(error)


def _folder(out: str | None, builds: Sequence[Build]) -> Path | None:
    if out is not None and len(builds) > 1:
        help = "without it the code goes to generated/MODEL/BACKEND; or build for one backend at a time"
        raise fail("SC013", f"`--out` is one folder, and {len(builds)} backends write one each", help=help)
    if out is not None and not out.strip():  # Path("") would be the working directory
        raise fail("SC013", "`--out` names no folder", help="without it the code goes to generated/MODEL/BACKEND")
    return Path(out) if out is not None else None
