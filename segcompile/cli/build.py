"""`segcompile build`: what the backends made of a spec is verified, compared, or written."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segcompile.backend import load_backend
from segcompile.cli.options import Command, format_option, overrides, set_option, spec_argument, variant_option
from segcompile.cli.outcome import findings_json, say, say_findings, say_json, status
from segcompile.text.errors import Diagnostic, SegcompileError

if TYPE_CHECKING:
    from segcompile.build import Build, Built


@click.command(cls=Command)
@spec_argument
@click.option("--backend", "backends", multiple=True, required=True, help="What to build for, e.g. torch; repeatable.")
@variant_option
@set_option
@click.option(
    "--lowering",
    "lowerings",
    multiple=True,
    metavar="NAME",
    help="Change the network for inference first, e.g. fold_batch_norm: no train.py; weights.py converts; repeatable.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="All tensors of the network, under its names: for a backend whose files hold them, as onnx.",
)
@click.option("--out", metavar="DIR", help="The folder to write (default: generated/MODEL/BACKEND[-LOWERING]).")
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; exit 3 if the folder is not what would be written."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand or are not ours.")
@click.option("--dry-run", is_flag=True, help="Write nothing; list what would be written.")
@click.option("--draft", is_flag=True, help="Build although claims are false; the header of every file says so.")
@click.option("--verify", is_flag=True, help="Run it first; write it only if it agrees with the analysis.")
@format_option
def build(
    spec: str, backends: tuple[str, ...], variant: str | None, settings: tuple[str, ...], lowerings: tuple[str, ...],
    weights: Path | None, out: str | None, only_check: bool, diff: bool, force: bool, dry_run: bool, draft: bool,
    verify: bool, form: str,
) -> int:  # fmt: skip
    """Write the standalone code of a spec: for several backends all of it, or none."""
    # Templates, plugins and hashing: 0.1 s that a reader of the list of commands should not pay.
    from segcompile.build import build_each, write_all
    from segcompile.writer import drift, refusals, unified_diff

    builds = build_each(spec, backends, variant, overrides(settings), out, lowerings, draft, weights)
    reports = [_report(spec, each) for each in builds]
    for each, report in zip(builds, reports, strict=True):
        if each.built is None:
            continue
        try:
            if verify:
                report["verified"] = _verified(each.built, form)
            if only_check:
                drift(each.built.plan, each.findings)
            elif diff:
                report["diff"] = unified_diff(each.built.plan, each.built.files)
            elif not force:
                refusals(each.built.plan, each.findings)
        except SegcompileError as error:
            each.findings.absorb(error)
    unwritten = dry_run or diff or only_check
    if not unwritten:
        write_all(builds)
    _print_builds(builds, reports, form, unwritten)
    return max(status(each.findings.diagnostics, only_check) for each in builds)


def _report(spec: str, build: Build) -> dict[str, Any]:
    return {"spec": spec, "backend": build.backend, **(build.built.report() if build.built is not None else {})}


def _verified(built: Built, form: str) -> list[str]:
    """The numbers that agree with the analysis, told as they are found. Raises SegcompileError (SC609)."""
    from segcompile.testing.verify import verify  # NumPy

    gc.enable()  # see verify_backend.py
    found = []
    backend = built.manifest["backend"]
    for agreement in verify(load_backend(backend), built.request):
        found.append(agreement)
        if form == "text":
            say(f"  ✓ {backend}: {agreement}")
    return found


def _print_builds(builds: Sequence[Build], reports: Sequence[dict[str, Any]], form: str, unwritten: bool) -> None:
    if form == "json":
        found = [{"diagnostics": findings_json(each.findings.diagnostics)} for each in builds]
        say_json({"builds": [{**report, **more} for report, more in zip(reports, found, strict=True)]})
        return
    stopped = any(each.findings.has_errors for each in builds)
    told: set[Diagnostic] = set()  # what the spec itself has wrong is the same for every backend
    for each, report in zip(builds, reports, strict=True):
        say_findings([found for found in each.findings.diagnostics if found not in told])
        told.update(each.findings.diagnostics)
        if not stopped:
            _print_build(report, unwritten)


def _print_build(report: dict[str, Any], unwritten: bool) -> None:
    if "diff" in report:
        click.echo(report["diff"], nl=False)
        return
    for word, mark in (("new", "+"), ("changed", "~"), ("removed", "-")):
        for name in report[word]:
            click.echo(f"  {mark} {name}")
    verb, count = "would write" if unwritten else "wrote", len(report["new"]) + len(report["changed"])
    what = f"{verb} {count} of {len(report['files'])} files" if count or report["removed"] else "up to date"
    click.echo(f"{report['folder']}: {what}")
