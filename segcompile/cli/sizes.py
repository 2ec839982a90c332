"""`segcompile sizes`: the images that a network takes, the layers that decide it, and what is lost at one size."""

from __future__ import annotations

from dataclasses import replace

import click

from segcompile.cli.options import Command, format_option, overrides, set_option, sized, spec_argument, variant_option
from segcompile.cli.outcome import CLEAN, DIAGNOSTICS, say, say_json
from segcompile.compiler import compile_spec, find_spec
from segcompile.facts.fit import fit
from segcompile.facts.shapes import of_any_size
from segcompile.facts.size_causes import rounded, size_causes
from segcompile.facts.sizes import Sizes
from segcompile.network.graph import Graph
from segcompile.ops.size import times
from segcompile.passes import normalise
from segcompile.show.dims import dims_text
from segcompile.show.sizes import Answer, Looked, sizes_json, sizes_text
from segcompile.text.errors import Findings, SegcompileError


@click.command(cls=Command)
@spec_argument
@variant_option
@set_option
@click.option("--at", metavar="HxW", help="Look closely at this size: whether it is taken, and what strides leave out.")
@click.option("--dims", type=click.Choice(["torch"]), help="Print the sizes as the code that torch.export takes.")
@format_option
def sizes(
    spec: str, variant: str | None, settings: tuple[str, ...], at: str | None, dims: str | None, form: str
) -> int:
    """Print which sizes of the image a network takes, with the layers that decide it.

    They are those of the same layers for an image of any size, whatever size the spec gives. Sizes are taken where
    every layer has an output and every join agrees; where a stride rounds, its last window ends before the map, or
    beyond it.
    """
    if dims and at is not None:
        raise click.UsageError("--dims is code for all sizes, and --at looks at one: ask for one of them")
    compiled = compile_spec(find_spec(spec), Findings(), variant=variant, overrides=overrides(settings))
    graph, found = _with_its_sizes(compiled.spec.graph)
    looked = _looked(graph, found, sized(at, graph.rank, "--at")) if at is not None else None
    answer = Answer(compiled.model, found, size_causes(graph, found), looked)
    if form == "json":
        code = {"dims": {dims: dims_text(graph, found)}} if dims else {}
        say_json({**sizes_json(answer), **code})
    else:
        say(dims_text(graph, found) if dims else sizes_text(answer))
    return CLEAN if looked is None or _is_taken(found, looked.size) else DIAGNOSTICS


def _with_its_sizes(written: Graph) -> tuple[Graph, Sizes]:
    """The same layers for an image of any size, and the sizes that they take. Raises SegcompileError (SC310) where it
    is one size alone."""
    findings = Findings()
    graph = normalise(of_any_size(written), findings)
    try:
        return graph, fit(graph, findings)[1]
    except SegcompileError as error:
        first = error.diagnostics[0]
        if first.code.code != "SC310" or written.takes_any_size:
            raise
        sizes = " and ".join(times(*shape.size) for shape in written.inputs.values())
        note = f"the spec gives it {sizes}, and it takes that size alone"
        raise SegcompileError([replace(first, hint="make it a convolution", notes=(note,))]) from error


def _looked(graph: Graph, found: Sizes, size: tuple[int, ...]) -> Looked:
    return Looked(size, tuple(rounded(graph, size)) if _is_taken(found, size) else ())


def _is_taken(found: Sizes, size: tuple[int, ...]) -> bool:
    return all(axis is None or axis.legal.legal(each) for axis, each in zip(found, size, strict=True))
