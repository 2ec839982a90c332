"""`segcompile diff`: two specs compared by meaning."""

from __future__ import annotations

from pathlib import Path

import click

from segcompile.cli.options import Command, format_option
from segcompile.cli.outcome import CLEAN, DIAGNOSTICS, findings_json, say, say_findings, say_json
from segcompile.compiler import Compiled, compile_variant
from segcompile.importers import is_network_file
from segcompile.text.errors import Findings, SegcompileError


@click.command(cls=Command)
@click.argument("a", metavar="SPEC[@VARIANT]")
@click.argument("b", metavar="SPEC[@VARIANT]")
@click.option(
    "--inference",
    is_flag=True,
    help="Compare what they do at inference: starts, freezing and dropout do not count. So are networks' files.",
)
@format_option
def diff(a: str, b: str, inference: bool, form: str) -> int:
    """Compare two specs by meaning: equal, renamed, equal but for the padding at the border, or different.

    Exit status 0 if they are one graph, under whatever names, and 1 if not.
    """
    from segcompile.diff import Verdict, compare, compare_at_inference  # as in build.py
    from segcompile.show.diff import diff_json, diff_text

    findings, compiled = Findings(), list[Compiled]()
    for spec in (a, b):
        try:
            compiled.append(compile_variant(spec))
        except SegcompileError as error:
            findings.absorb(error)
    inference = inference or _is_file(a) or _is_file(b)
    found = None if findings.has_errors else (compare_at_inference if inference else compare)(*compiled)
    if form == "json":
        models = [each.model for each in compiled] if found is not None else [None, None]
        say_json(diff_json(found, (a, b), models) | {"diagnostics": findings_json(findings.diagnostics)})
    elif found is None:
        say_findings(findings.diagnostics)
    else:
        say(diff_text(found, (a, b), compiled[0]))
    return CLEAN if found is not None and found.verdict in (Verdict.EQUAL, Verdict.RENAMED) else DIAGNOSTICS


def _is_file(spec: str) -> bool:
    """Whether it is a network's file, which holds what inference needs and no more."""
    return Path(spec).is_file() and is_network_file(Path(spec))
