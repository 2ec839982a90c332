"""`segcompile prove`: are two networks equal for all weights and all images?"""

from __future__ import annotations

from pathlib import Path

import click

from segcompile.cli.options import Command, format_option, overrides, set_option
from segcompile.cli.outcome import (
    CLEAN,
    DIAGNOSTICS,
    UNDECIDED,
    findings_json,
    say,
    say_findings,
    say_json,
    say_progress,
)
from segcompile.compiler import Compiled, compile_variant
from segcompile.passes.lowerings import LOWERINGS
from segcompile.text.errors import Findings, SegcompileError


@click.command(cls=Command)
@click.argument("a", metavar="SPEC[@VARIANT]")
@click.argument("b", metavar="SPEC[@VARIANT]")
@click.option(
    "--names",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Lines `tensor of the first: its place in the second`, as of `weights import`.",
)
@click.option(
    "--lowering", "lowerings", multiple=True, type=click.Choice([*LOWERINGS]), help="Take the second one after this."
)
@set_option
@format_option
def prove(a: str, b: str, names: Path | None, lowerings: tuple[str, ...], settings: tuple[str, ...], form: str) -> int:
    """Prove that two networks give the same for all weights and all images, or show an image on which they differ.

    Weights are paired by their names. Exit status 0: proved; 1: refuted; 5: not decided, the terms part, and no image
    was found on which the networks differ.
    """
    from segcompile.prove import Answer
    from segcompile.prove import prove as compare
    from segcompile.show.prove import prove_json, prove_text

    findings, compiled = Findings(), list[Compiled]()
    for spec in (a, b):
        try:
            compiled.append(compile_variant(spec, overrides(settings)))
        except SegcompileError as error:
            findings.absorb(error)
    if findings.has_errors:
        return _stopped(findings, form)
    try:
        found = compare(compiled[0].spec.graph, compiled[1].spec.graph, names, lowerings, say_progress)
    except SegcompileError as error:
        findings.absorb(error)
        return _stopped(findings, form)
    finally:
        say_progress()
    models = (a, b)
    if form == "json":
        say_json(prove_json(found, models) | {"diagnostics": []})
    else:
        say(prove_text(found, models))
    return {Answer.PROVED: CLEAN, Answer.REFUTED: DIAGNOSTICS, Answer.UNDECIDED: UNDECIDED}[found.answer]


def _stopped(findings: Findings, form: str) -> int:
    if form == "json":
        say_json({"answer": None, "diagnostics": findings_json(findings.diagnostics)})
    else:
        say_findings(findings.diagnostics)
    return DIAGNOSTICS
