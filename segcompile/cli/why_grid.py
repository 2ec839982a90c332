"""`segcompile why-grid`: which layers make a grid, and the smallest edit that takes it away."""

from __future__ import annotations

import click

from segcompile.cli.options import Command, format_option, overrides, set_option, variant_option
from segcompile.cli.outcome import CLEAN, say, say_json
from segcompile.compiler import at_usual_size, compile_spec, find_spec
from segcompile.show.why_grid import grids_json, grids_of, grids_text
from segcompile.text.errors import Findings


@click.command("why-grid", cls=Command)
@click.argument("model")
@variant_option
@set_option
@format_option
def why_grid(model: str, variant: str | None, settings: tuple[str, ...], form: str) -> int:
    """Print which layers make outputs repeat in a grid, and the smallest edit that takes it away.

    Of each phase of an output it tells the weight of the paths that lead there, with all weights one; and of pixels of
    the input that with which they are read. Edits are made on the graph, and the weights computed again.
    """
    compiled = compile_spec(find_spec(model), Findings(), variant=variant, overrides=overrides(settings))
    found = grids_of(compiled.model, at_usual_size(compiled.subject))
    if form == "json":
        say_json(grids_json(found))
    else:
        say(grids_text(found))
    return CLEAN
