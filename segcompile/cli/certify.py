"""`segcompile certify`: one page of what is proved of a network."""

from __future__ import annotations

import click

from segcompile.checks.subject import Subject
from segcompile.cli.options import Command, overrides, set_option, variant_option
from segcompile.cli.outcome import CLEAN, say, say_json
from segcompile.compiler import Compiled, analyse_graph, compile_spec, find_spec
from segcompile.facts.facts import shapes_in
from segcompile.show.certificate import (
    certificate_json,
    certificate_markdown,
    certificate_of,
    certificate_text,
    usual_size,
)
from segcompile.text.errors import Findings


@click.command(cls=Command)
@click.argument("model")
@variant_option
@set_option
@click.option(
    "--tile", type=click.IntRange(1, 2**20), metavar="N", help="Cost of tiles of at most N pixels (else: 512)."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to report."
)
def certify(model: str, variant: str | None, settings: tuple[str, ...], tile: int | None, form: str) -> int:
    """Print one page of what is proved of a network: sizes, fields, exact tiles, borders, holes, joins.

    All of it is derived from the graph; no weight is read and nothing is run. MODEL is what SPEC is elsewhere.
    """
    compiled = compile_spec(find_spec(model), Findings(), variant=variant, overrides=overrides(settings))
    found = certificate_of(compiled.model, compiled.document.about, _at_a_size(compiled), tile)
    if form == "json":
        say_json(certificate_json(found))
    else:
        say(certificate_markdown(found) if form == "markdown" else certificate_text(found))
    return CLEAN


def _at_a_size(compiled: Compiled) -> Subject:
    """What is true of the network at the spec's size, or at a usual one where that is any."""
    graph = usual_size(compiled.graph, compiled.sizes)
    if graph.inputs != compiled.graph.inputs:
        return analyse_graph(graph, Findings())
    return Subject(compiled.graph, shapes_in(compiled.graph, compiled.facts), compiled.sizes, compiled.facts)
