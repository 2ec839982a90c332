"""`segcompile show`: a spec as it is written, or as the flat spec that it means."""

from __future__ import annotations

import click

from segcompile.cli.options import Command, overrides, set_option, spec_argument, variant_option
from segcompile.cli.outcome import CLEAN, say_findings, status
from segcompile.compiler import compile_spec, find_spec
from segcompile.importers import is_network_file
from segcompile.show.flat import flat_spec
from segcompile.text.errors import Findings
from segcompile.text.source import read_text


@click.command(cls=Command)
@spec_argument
@click.option("--flat", is_flag=True, help="The network as one plain list of layers, with a number in every place.")
@variant_option
@set_option
def show(spec: str, flat: bool, variant: str | None, settings: tuple[str, ...]) -> int:
    """Print a spec: its file as it is, or the network that it means as a flat spec of its own. A file that is a network
    of another tool has no text, and is printed flat.

    The flat spec has no parameters, defaults, blocks, bases or edits, and is compiled to the same network. Its layers
    have `_` for the dots in their names; `about`, `cite`, `data`, `training` and the claims that hold go with it.
    Findings go to the standard error; the exit status is 1 if a claim does not hold.
    """
    path, findings = find_spec(spec), Findings()
    if not flat and not is_network_file(path):
        if variant or settings:
            raise click.UsageError("--variant and --set change the network: they need --flat")
        click.echo(read_text(path), nl=False)
        return CLEAN
    compiled = compile_spec(path, findings, variant=variant, overrides=overrides(settings))
    click.echo(flat_spec(compiled), nl=False)
    say_findings(findings.diagnostics)
    return status(findings.diagnostics)
