"""`segcompile new`: a spec of one's own, started from another one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from segcompile.cli.options import Command, format_option, overrides, set_option, variant_option
from segcompile.cli.outcome import findings_json, say, say_findings, say_json, status
from segcompile.compiler import Compiled
from segcompile.start import start
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.listing import counted


@click.command(cls=Command)
@click.argument("name")
@click.option("--base", metavar="SPEC", help="The spec to derive from: a YAML file, or a bundled spec. Required.")
@variant_option
@set_option
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="The file to write (default: NAME.yaml).")
@format_option
def new(
    name: str, base: str | None, variant: str | None, settings: tuple[str, ...], out: Path | None, form: str
) -> int:
    """Start a spec of your own: write one that derives from SPEC, ready to edit.

    It has the parameters that --set gives, an example of an edit, and those claims of the base that hold for these
    parameters. A file that is there already is never overwritten.
    """
    if base is None:
        message = "a new spec derives from another one: say which with --base"
        raise click.UsageError(f"{message}, for example\n  segcompile new {name} --base unet --set K=3")
    target, findings, compiled = out or Path(f"{name}.yaml"), Findings(), None
    try:
        compiled = start(name, base, variant, overrides(settings), target, findings)
    except SegcompileError as error:
        findings.absorb(error)
    if form == "json":
        say_json({"file": str(target) if compiled else None, "diagnostics": findings_json(findings.diagnostics)})
    else:
        say_findings(findings.diagnostics)
        if compiled is not None:
            say(_told(compiled, target))
    return status(findings.diagnostics)


def _told(compiled: Compiled, target: Path) -> str:
    """What was written, and the command that shows it."""
    layers, parameters = len(compiled.graph.layers), compiled.cost(compiled.graph.nodes)[0]
    held = sum(verdict.ok for verdict in compiled.verdicts)
    counts = (counted(layers, "layer"), counted(parameters, "parameter"), counted(held, "claim holds", "claims hold"))
    return f"wrote {target}: {', '.join(counts)}\nnext: segcompile rf {shlex.quote(str(target))}"
