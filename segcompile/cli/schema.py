"""`segcompile schema`: the JSON Schema of a spec file."""

from __future__ import annotations

import click

from segcompile.cli.options import Command
from segcompile.cli.outcome import CLEAN, say_json
from segcompile.language.json_schema import spec_schema


@click.command(cls=Command)
def schema() -> int:
    """Print the JSON Schema of a spec file, for editors."""
    say_json(spec_schema())
    return CLEAN
