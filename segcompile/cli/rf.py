"""`segcompile rf`: the architecture with its receptive fields, or what is asked of a layer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from segcompile.cli.options import Command, format_option, overrides, set_option, spec_argument, variant_option
from segcompile.cli.outcome import say, say_json, status
from segcompile.compiler import compile_spec, find_spec
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
@click.option("--phase", metavar="Y,X", help="The phase to look at (else: the widest).")
@click.option("--touches", metavar="Y,X[:Y,X]", help="The outputs that an input pixel, or a rectangle, touches.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the layer (else: the last output) as .png or .svg.",
)
@format_option
def rf(
    spec: str, variant: str | None, settings: tuple[str, ...], layer: str | None, phases: bool, coverage: bool,
    why: str | None, phase: str | None, touches: str | None, plot: Path | None, form: str,
) -> int:  # fmt: skip
    """Print the architecture with the receptive field of every layer, beside what the paper claims.

    --layer, --phases, --coverage, --why, --phase, --touches and --plot ask for more, and are answered in the table's
    place.
    """
    findings, at, pixels = Findings(), _phase(phase), _pixels(touches)
    asked = phases or coverage or any(option is not None for option in (layer, why, at, pixels, plot))
    compiled, text = None, ""
    data: dict[str, Any] = {"asked": {}} if asked else {}
    try:
        compiled = compile_spec(find_spec(spec), findings, variant=variant, overrides=overrides(settings))
        if asked:
            from segcompile.show.answers import Request, answer  # the notebook, as in build.py

            told = answer(compiled, Request(layer, phases, coverage, why, at, pixels, plot), findings)
            text, data = told.text, told.data
        else:
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


def _phase(text: str | None) -> tuple[int, int] | None:
    """`3,5` -> (3, 5)."""
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() and len(part) < 10 for part in parts):
        raise click.BadParameter(f"`{text}` is not Y,X", param_hint="--phase")
    return int(parts[0]), int(parts[1])


def _pixels(text: str | None) -> tuple[range, range] | None:
    """`3,5` and `3,5:9,9` -> the rows and columns, both ends included."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9}),(\d{1,9})(?::(\d{1,9}),(\d{1,9}))?", text, re.ASCII)
    if found is None:
        raise click.BadParameter(f"`{text}` is not Y,X or Y,X:Y,X", param_hint="--touches")
    top, left, bottom, right = (int(part or found[1 + index % 2]) for index, part in enumerate(found.groups()))
    if bottom < top or right < left:
        raise click.BadParameter(f"`{text}` ends before it begins", param_hint="--touches")
    return range(top, bottom + 1), range(left, right + 1)
