"""`segcompile explain`: the page of a diagnostic."""

from __future__ import annotations

import click

from segcompile.cli.options import Command
from segcompile.cli.outcome import CLEAN, USAGE
from segcompile.explain import page
from segcompile.text.errors import CODES, did_you_mean


@click.command(cls=Command)
@click.argument("code", metavar="CODE")
def explain(code: str) -> int:
    """Explain a diagnostic, e.g. SC401."""
    text = page(code)
    if text is None:
        help = did_you_mean(code.upper(), CODES) or f"codes go from {min(CODES)} to {max(CODES)}"
        click.echo(f"there is no diagnostic `{code}`; {help}", err=True)
        return USAGE
    click.echo(text.rstrip())
    return CLEAN
