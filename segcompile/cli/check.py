"""`segcompile check`: every variant of the specs compiled, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from segcompile.cli.options import Command, format_option, overrides, set_option, variant_option
from segcompile.cli.outcome import CLEAN, DIAGNOSTICS, say, say_json
from segcompile.compiler import compile_spec, find_spec
from segcompile.language.derive import variants_of
from segcompile.library import locate
from segcompile.show.check import Checked, Network, check_json, check_text
from segcompile.text.acceptance import Acceptance, idle
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_one


@click.command(cls=Command)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@variant_option
@set_option
@format_option
def check(specs: tuple[str, ...], variant: str | None, settings: tuple[str, ...], form: str) -> int:
    """Check specs: structure, shapes, and every number the paper claims. All variants unless one is named."""
    given = overrides(settings)
    reports = [_check(spec, variant, given) for spec in specs]
    if form == "json":
        say_json(check_json(reports))
    else:
        for checked in reports:
            say(check_text(checked))
    return DIAGNOSTICS if any(checked.findings.has_errors for checked in reports) else CLEAN


def _check(spec: str, variant: str | None, overrides: Mapping[str, int]) -> Checked:
    """Every variant of one spec (or the one that is named), with the findings that they share reported once."""
    checked, told, stated = Checked(spec, spec), set[str](), list[Acceptance]()
    try:
        path = find_spec(spec)
        checked.path = str(path)
        if variant is None:
            checked.variants = variants_of(path, locate, spec if path == Path(spec) else None)
        for chosen in checked.variants or (variant,):
            part = Findings()
            try:
                compiled = compile_spec(path, part, variant=chosen, overrides=overrides)
                checked.networks.append(Network.of(compiled, chosen))
                checked.accepted |= {render_one(each.found): each for each in compiled.accepted}
                stated += compiled.own_acceptances
            except SegcompileError as error:
                part.absorb(error)
            shown = [(render_one(found), found) for found in part.diagnostics]
            checked.findings.diagnostics += [found for text, found in shown if text not in told]
            told.update(text for text, _ in shown)
        if variant is None and not overrides and not checked.findings.has_errors:
            checked.findings.diagnostics += idle(stated, checked.accepted.values())
    except SegcompileError as error:
        checked.findings.diagnostics += error.diagnostics
    return checked
