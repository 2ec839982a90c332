"""A spec -> the files of a folder, and what writing them would change there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcompile import __version__
from segcompile.backend import BuildRequest, load_backend, run_backend
from segcompile.compiler import Compiled, compile_spec, own_files_first
from segcompile.emit.templates import camel, one_line
from segcompile.text.errors import Findings, fail
from segcompile.text.source import Scalar
from segcompile.writer import MANIFEST, Plan, plan


@dataclass(frozen=True, slots=True)
class Built:
    """What a backend made of a spec, not yet written; `plan` compares it with the folder."""

    request: BuildRequest
    files: Mapping[str, str]
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


def prepare(
    path: Path,
    backend: str,
    variant: str | None,
    overrides: Mapping[str, int],
    folder: Path | None,
    findings: Findings,
) -> Built:
    """Compile the spec in `path` and emit it; nothing is written. `folder` is generated/MODEL/BACKEND unless given.

    Raises SegcompileError for a spec with errors, false claims among them, and for what goes wrong in the backend.
    """
    compiled = compile_spec(path, findings, variant=variant, overrides=overrides)
    findings.stop_on_errors()
    return emit(compiled, path, backend, variant, overrides, folder, findings)


def emit(
    compiled: Compiled,
    path: Path,
    backend: str,
    variant: str | None,
    overrides: Mapping[str, int],
    folder: Path | None,
    findings: Findings,
) -> Built:
    """As `prepare`, of a spec that was compiled."""
    request = request_for(compiled, path)
    with own_files_first(findings):
        result = run_backend(load_backend(backend), request)
        findings.diagnostics += result.diagnostics
    findings.stop_on_errors()
    manifest = {
        "spec": path.name,
        "variant": variant,
        "set": dict(overrides),
        "backend": backend,
        "version": __version__,
    }
    folder = folder if folder is not None else Path("generated") / compiled.model / backend
    _check_folder(folder, path)
    return Built(request, result.files, manifest, plan(folder, result.files, manifest))


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
        bases=tuple(one_line(Path(source.name).name) for source in compiled.document.bases),
    )
