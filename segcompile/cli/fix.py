"""`segcompile fix`: the computed numbers in the place of false claims."""

from __future__ import annotations

import click

from segcompile.cli.options import Command, format_option, spec_argument, variant_option
from segcompile.cli.outcome import findings_json, say_findings, say_json, status
from segcompile.compiler import find_spec
from segcompile.text.errors import Findings, SegcompileError


@click.command(cls=Command)
@spec_argument
@variant_option
@click.option("--dry-run", is_flag=True, help="Write nothing; print what would change.")
@format_option
def fix(spec: str, variant: str | None, dry_run: bool, form: str) -> int:
    """Write the computed numbers into the claims of a spec that are false, and print the difference.

    An expression is replaced as a whole; no other character of the file changes. Claims of another file, a base or a
    used spec, and claims that cannot be decided are told and left. The exit status is 0 if all claims hold then.
    """
    from segcompile.fix import fix, write  # difflib, as in build.py

    findings, diff, written = Findings(), None, False
    try:
        found = fix(find_spec(spec), variant)
        diff, left = found.diff, found.left
        if found.changes and not dry_run:
            write(found)
            written = True
            left = fix(found.path, variant).left if left else ()  # at their places in the new text
        findings.diagnostics += left
    except SegcompileError as error:
        findings.absorb(error)
    if form == "json":
        told = findings_json(findings.diagnostics)
        say_json({"spec": spec, "diff": diff or "", "written": written, "diagnostics": told})
    else:
        if diff is not None and (written or dry_run or not diff):
            click.echo(diff or "nothing to fix\n", nl=False)
        say_findings(findings.diagnostics)
    return status(findings.diagnostics)
