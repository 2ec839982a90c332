"""`segcompile prove`: are two networks equal for all weights and all images?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
from segcompile.importers import is_network_file
from segcompile.passes.lowerings import LOWERINGS
from segcompile.text.errors import Findings, SegcompileError

if TYPE_CHECKING:
    from segcompile.prove.pairing import Tensors


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

    Weights are paired by their names. Where both networks are files of other tools, and no --names are given, weights
    are the numbers that the files hold. Exit status 0: proved; 1: refuted; 5: not decided, the terms part, and no image
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
        graphs = [each.spec.graph for each in compiled]
        held = (_tensors(a), _tensors(b))
        found = compare(graphs[0], graphs[1], names, lowerings, say_progress, tensors=held)
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


def _tensors(spec: str) -> Tensors | None:
    """What a file of another tool holds; None for a spec, whose weights are any."""
    path = Path(spec)
    if not is_network_file(path):
        return None
    from segcompile.importers.network_file import import_network  # numpy: a spec does not need it

    return import_network(path).tensors


def _stopped(findings: Findings, form: str) -> int:
    if form == "json":
        say_json({"answer": None, "diagnostics": findings_json(findings.diagnostics)})
    else:
        say_findings(findings.diagnostics)
    return DIAGNOSTICS
