"""`segcompile diff`: two specs compared by meaning."""

from __future__ import annotations

from pathlib import Path

import click

from segcompile.cli.options import Command, format_option
from segcompile.cli.outcome import CLEAN, DIAGNOSTICS, findings_json, say, say_findings, say_json
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.language.derive import variants_of
from segcompile.library import locate
from segcompile.text.errors import Findings, SegcompileError, fail


@click.command(cls=Command)
@click.argument("a", metavar="SPEC[@VARIANT]")
@click.argument("b", metavar="SPEC[@VARIANT]")
@format_option
def diff(a: str, b: str, form: str) -> int:
    """Compare two specs by meaning: equal, renamed, equal but for the padding at the border, or different.

    Exit status 0 if they are one graph, under whatever names, and 1 if not.
    """
    from segcompile.diff import Verdict, compare  # as in build.py
    from segcompile.show.diff import diff_json, diff_text

    findings, compiled = Findings(), list[Compiled]()
    for spec in (a, b):
        try:
            compiled.append(_compile_variant(spec))
        except SegcompileError as error:
            findings.absorb(error)
    found = None if findings.has_errors else compare(*compiled)
    if form == "json":
        models = [each.model for each in compiled] if found is not None else [None, None]
        say_json(diff_json(found, (a, b), models) | {"diagnostics": findings_json(findings.diagnostics)})
    elif found is None:
        say_findings(findings.diagnostics)
    else:
        say(diff_text(found, (a, b), compiled[0]))
    return CLEAN if found is not None and found.verdict in (Verdict.EQUAL, Verdict.RENAMED) else DIAGNOSTICS


def _compile_variant(spec: str) -> Compiled:
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
    return compile_spec(path, Findings(), variant=variant or None)
