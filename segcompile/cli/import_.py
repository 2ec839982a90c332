"""`segcompile import`: a network that came from elsewhere, as a spec that a person can read."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from segcompile.cli.options import Command, overrides, set_option, variant_option
from segcompile.cli.outcome import say, say_findings, status
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.text.errors import Findings
from segcompile.text.listing import counted


@click.command("import", cls=Command)
@click.argument("file")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE.yaml", help="The spec to write. Required.")
@variant_option
@set_option
def import_(file: str, out: Path | None, variant: str | None, settings: tuple[str, ...]) -> int:
    """Write a network as a readable spec: with blocks, loops and defaults, and short names.

    What is written is read again, and is the same network. A file that is there already is never overwritten. What the
    file cannot say, as how the network was trained, is left out.
    """
    if out is None:
        raise click.UsageError(f"say which file to write, for example\n  segcompile import {shlex.quote(file)} -o net.yaml")
    from segcompile.restate import restate, restated  # as in build.py

    findings = Findings()
    compiled = compile_spec(find_spec(file), findings, variant=variant, overrides=overrides(settings))
    text = restated(compiled.graph, compiled.facts)
    written, _ = restate(compiled.graph, text, out, Findings())
    say(_told(written, text, out))
    say_findings(findings.diagnostics)
    return status(findings.diagnostics)


def _told(compiled: Compiled, text: str, out: Path) -> str:
    """What was written, and the command that shows it."""
    lines, layers = counted(len(text.splitlines()), "line"), counted(len(compiled.graph.layers), "layer")
    parameters = counted(compiled.cost(compiled.graph.nodes)[0], "parameter")
    return f"wrote {out}: {lines}, {layers}, {parameters}\nnext: segcompile rf {shlex.quote(str(out))}"
