"""`segcompile certify`: one page of what is proved of a network, or what other tools want of it."""

from __future__ import annotations

from pathlib import Path

import click

from segcompile.cli.options import Command, overrides, set_option, sized, variant_option
from segcompile.cli.outcome import CLEAN, findings_json, say, say_findings, say_json, status
from segcompile.compiler import Compiled, at_usual_size, compile_spec, find_spec
from segcompile.facts.even_windows import NoWindows, Windows, whole_windows
from segcompile.facts.tiling import tile_axes, why_untiled
from segcompile.network.graph import Graph
from segcompile.ops import MEDIUM
from segcompile.show.certificate import (
    certificate_json,
    certificate_markdown,
    certificate_of,
    certificate_text,
)
from segcompile.show.tiling import USUAL
from segcompile.text.errors import Findings, fail


@click.command(cls=Command)
@click.argument("model")
@variant_option
@set_option
@click.option("--tile", type=click.IntRange(1, 2**20), metavar="N", help="Tiles of at most N pixels (else: 512).")
@click.option(
    "--for", "target", type=click.Choice(["monai", "bioimageio"]), help="What another tool is told, as its own code."
)
@click.option("--image", metavar="HxW", help="With --for monai: the image's size.")
@click.option(
    "--judge",
    type=click.Path(path_type=Path),
    metavar="RDF.yaml",
    help="With --for bioimageio: which numbers of this description are false.",
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to report."
)
def certify(
    model: str, variant: str | None, settings: tuple[str, ...], tile: int | None, target: str | None,
    image: str | None, judge: Path | None, form: str,
) -> int:  # fmt: skip
    """Print one page of what is proved of a network: sizes, fields, exact tiles, borders, holes, joins.

    All of it is derived from the graph; no weight is read and nothing is run. MODEL is what SPEC is elsewhere. With
    --for monai it is the code of a sliding window that gives what the whole image gives, with --for bioimageio an
    rdf.yaml of model spec 0.5.
    """
    if (image is None) == (target == "monai"):
        raise click.UsageError("--for monai and --image HxW belong together")
    if judge is not None and target != "bioimageio":
        raise click.UsageError("--judge is for --for bioimageio")
    if target is not None and form == "markdown":
        raise click.UsageError("a model card is of --format markdown without --for")
    compiled = compile_spec(find_spec(model), Findings(), variant=variant, overrides=overrides(settings))
    if target == "monai":
        return _for_monai(compiled, sized(image or "", compiled.graph.rank, "--image"), tile or USUAL, form)
    if target == "bioimageio":
        return _for_bioimageio(compiled, form) if judge is None else _judge(compiled, judge, form)
    found = certificate_of(compiled.model, compiled.document.about, at_usual_size(compiled.subject), tile)
    if form == "json":
        say_json(certificate_json(found))
    else:
        say(certificate_markdown(found) if form == "markdown" else certificate_text(found))
    return CLEAN


def _for_monai(compiled: Compiled, size: tuple[int, ...], most: int, form: str) -> int:
    from segcompile.show.monai import monai_json, monai_text

    windows = _windows(compiled.model, compiled.graph, size, most)
    if form == "json":
        say_json(monai_json(compiled.model, size, windows))
    else:
        say(monai_text(compiled.model, MEDIUM[compiled.graph.rank], size, windows))
    return CLEAN


def _for_bioimageio(compiled: Compiled, form: str) -> int:
    from segcompile.emit.templates import camel
    from segcompile.show.bioimageio import rdf_text

    along, name = tile_axes(compiled.graph), camel(compiled.model)
    text = rdf_text(compiled.model, compiled.document.about, name, at_usual_size(compiled.subject), along)
    if form == "json":
        say_json({"model": compiled.model, "rdf": text})
    else:
        say(text)
    return CLEAN


def _judge(compiled: Compiled, path: Path, form: str) -> int:
    from segcompile.rdf import judge

    along = tile_axes(compiled.graph)
    if not along:
        raise fail("SC918", f"nothing is known of {compiled.model} at other sizes: {why_untiled(compiled.graph)}")
    found = judge(path, compiled.graph, along)
    if form == "json":
        say_json({"model": compiled.model, "diagnostics": findings_json(found)})
    elif found:
        say_findings(found, err=False)
    else:
        say(f"{path}: its sizes, scales, offsets and halos are those of {compiled.model}")
    return status(found)


def _windows(model: str, graph: Graph, size: tuple[int, ...], most: int) -> tuple[Windows, ...]:
    """Raises SegcompileError (SC918) where there are none."""
    along, none = tile_axes(graph), f"no window of {model} is exact"
    if not along:
        raise fail("SC918", f"{none}: {why_untiled(graph)}")
    forbidden = next((each.forbidden for each in along if each.forbidden is not None), None)
    if forbidden is not None:
        raise fail("SC918", f"{none}: {forbidden}", forbidden.node.origin.span)
    try:
        return whole_windows(along, size, most)
    except NoWindows as why:
        raise fail("SC918", f"{none}: {why}", help="`segcompile rf --tiling` tells sizes and halos") from None
