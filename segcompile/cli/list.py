"""`segcompile list`: what there is to name."""

from __future__ import annotations

import click

from segcompile.backend import installed
from segcompile.cli.options import Command, format_option
from segcompile.cli.outcome import CLEAN, say_json
from segcompile.library import bundled
from segcompile.ops import ALL_OPS, kinds
from segcompile.show.list import list_json, list_text


@click.command(cls=Command)
@format_option
def list(form: str) -> int:
    """List the bundled specs, the installed backends and the ops."""
    specs = bundled()
    backends = {name: point.value for name, point in installed().items()}
    ops = [(op.spelling, ", ".join(kinds(op)), op.summary) for op in ALL_OPS]
    if form == "json":
        say_json(list_json(specs, backends, ops))
    else:
        click.echo(list_text(specs, backends, ops))
    return CLEAN
