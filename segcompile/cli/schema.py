"""`segcompile schema`: the JSON Schema of a spec file."""

from __future__ import annotations

import click

from segcompile.cli.options import Command
from segcompile.cli.outcome import CLEAN, say_json
from segcompile.language.schema import Spec


@click.command(cls=Command)
def schema() -> int:
    """Print the JSON Schema of a spec file, for editors."""
    say_json(Spec.model_json_schema())
    return CLEAN
