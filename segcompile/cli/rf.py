"""`segcompile rf`: the architecture with its receptive fields, or what is asked of a layer."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from segcompile.cli.options import Command, format_option, overrides, set_option, spec_argument, variant_option
from segcompile.cli.outcome import say, say_json, status
from segcompile.compiler import Compiled, compile_spec, find_spec
from segcompile.facts.shapes import infer_shapes
from segcompile.show.architecture import rf_json, rf_table
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_text


@click.command(cls=Command)
@spec_argument
@variant_option
@set_option
@click.option("--layer", "layer", metavar="NAME", help="Look closely at this layer (else: at each output).")
@click.option("--phases", is_flag=True, help="The field of every phase, with the period after which fields repeat.")
@click.option("--coverage", is_flag=True, help="Which input pixels one output sees, and how many paths lead there.")
@click.option("--why", metavar="NAME", help="For each side of a layer's field, the path of layers that reaches it.")
@click.option("--phase", metavar="Y,X", help="The phase to look at (else: the widest), one number an axis.")
@click.option("--touches", metavar="Y,X[:Y,X]", help="The outputs that an input pixel, or a box, touches.")
@click.option("--tiling", is_flag=True, help="Exact tiles: halo, origins, sizes, or the layer that forbids them.")
@click.option("--tile", type=click.IntRange(1, 2**20), metavar="N", help="With --tiling: tiles of at most N pixels.")
@click.option(
    "--stream", is_flag=True, help="The network in rows: what each layer keeps, or the layer that forbids it."
)
@click.option(
    "--block", type=click.IntRange(1, 2**20), metavar="N", help="With --stream: N rows of the image at a time."
)
@click.option("--size", metavar="HxW", help="With --stream: of an image of this size (else: the spec's).")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the layer (else: the last output) as .png or .svg.",
)
@format_option
def rf(
    spec: str, variant: str | None, settings: tuple[str, ...], layer: str | None, phases: bool, coverage: bool,
    why: str | None, phase: str | None, touches: str | None, tiling: bool, tile: int | None,
    stream: bool, block: int | None, size: str | None, plot: Path | None, form: str,
) -> int:  # fmt: skip
    """Print the architecture with the receptive field of every layer, beside what the paper claims.

    --layer, --phases, --coverage, --why, --phase, --touches, --tiling, --stream and --plot ask for more, and are
    answered in the table's place.
    """
    if tile is not None and not tiling:
        raise click.UsageError("--tile is a size of --tiling")
    if (block is not None or size is not None) and not stream:
        raise click.UsageError("--block and --size are of --stream")
    findings, at, pixels = Findings(), _phase(phase), _pixels(touches)
    asked = phases or coverage or any(option is not None for option in (layer, why, at, pixels, plot))
    compiled, text = None, ""
    data: dict[str, Any] = {"asked": {}} if asked or tiling or stream else {}
    try:
        compiled = compile_spec(find_spec(spec), findings, variant=variant, overrides=overrides(settings))
        if asked:
            from segcompile.show.answers import Request, answer  # the notebook, as in build.py

            told = answer(compiled, Request(layer, phases, coverage, why, at, pixels, plot), findings)
            text, data = told.text, told.data
        if tiling:
            from segcompile.show.tiling import tiles_of, tiling_json, tiling_text

            tiles = tiles_of(compiled.graph, tile)
            text = "\n\n".join(part for part in (text, tiling_text(compiled.model, tiles)) if part)
            data["asked"]["tiling"] = tiling_json(tiles)
        if stream:
            from segcompile.show.streaming import in_rows, streaming_json, streaming_text

            found = in_rows(compiled, block, _size(size, compiled))
            text = "\n\n".join(part for part in (text, streaming_text(compiled.model, found)) if part)
            data["asked"]["stream"] = streaming_json(found)
        if not asked and not tiling and not stream:
            text = rf_table(compiled)
    except SegcompileError as error:
        findings.absorb(error)
    if form == "json":
        say_json(rf_json(compiled, variant, findings.diagnostics) | data)
    else:
        say(text, nl=bool(text))
        if findings.diagnostics:
            say(("\n" if text else "") + render_text(findings.diagnostics), err=not text)
    return status(findings.diagnostics)


_INDEX = r"\d{1,9}(?:\s*,\s*\d{1,9}){0,2}"  # one number an axis: the network's rank is known once it is compiled


def _phase(text: str | None) -> tuple[int, ...] | None:
    """`3,5` -> (3, 5)."""
    if text is None:
        return None
    if re.fullmatch(_INDEX, text.strip(), re.ASCII) is None:
        raise click.BadParameter(f"`{text}` is not Y,X (of a signal T, of a volume Z,Y,X)", param_hint="--phase")
    return _numbers(text)


def _pixels(text: str | None) -> tuple[range, ...] | None:
    """`3,5` and `3,5:9,9` -> the rows and columns, both ends included."""
    if text is None:
        return None
    first, _, last = text.partition(":")
    ends = [first, last or first] if not text.endswith(":") else []
    if not ends or any(re.fullmatch(_INDEX, end.strip(), re.ASCII) is None for end in ends):
        message = f"`{text}` is not Y,X or Y,X:Y,X (of a signal T, of a volume Z,Y,X)"
        raise click.BadParameter(message, param_hint="--touches")
    low, high = map(_numbers, ends)
    if len(low) != len(high):
        raise click.BadParameter(f"`{text}` has ends of unequal lengths", param_hint="--touches")
    if any(end < start for start, end in zip(low, high, strict=True)):
        raise click.BadParameter(f"`{text}` ends before it begins", param_hint="--touches")
    return tuple(range(start, end + 1) for start, end in zip(low, high, strict=True))


def _size(text: str | None, compiled: Compiled) -> tuple[int, ...] | None:
    """`4000x40000` -> (4000, 40000), a size of images that the network takes."""
    if text is None:
        return None
    rank = compiled.graph.rank
    if re.fullmatch(r"\d{1,9}(x\d{1,9})*", text, re.ASCII) is None or text.count("x") + 1 != rank:
        raise click.BadParameter(
            f"`{text}` is no size of {rank} axes, as {'x'.join(['512'] * rank)}", param_hint="--size"
        )
    size = tuple(map(int, text.split("x")))
    sized = replace(
        compiled.graph, inputs={name: replace(each, size=size) for name, each in compiled.graph.inputs.items()}
    )
    refused = Findings()
    infer_shapes(sized, refused)
    refused.stop_on_errors()
    return size


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))
