"""What commands are made of: their class, and the arguments and options that several of them have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from segcompile.text.errors import SegcompileError


class Command(click.Command):
    """A command whose line in a list of commands is the first paragraph of its help, whole, and that tells a program
    what it refuses."""

    def invoke(self, ctx: click.Context) -> Any:
        """What the command gives; after --format json also an error is JSON."""
        try:
            return super().invoke(ctx)
        except SegcompileError as error:
            if ctx.params.get("form") != "json":
                raise
            from segcompile.cli.outcome import findings_json, say_json, status

            say_json({"diagnostics": findings_json(error.diagnostics)})
            return status(error.diagnostics)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Wrapped by click where it is too long, never cut: click's own ends at the first dot, that of "e.g." too."""
        return (self.help or "").partition("\n\n")[0]


class Group(Command, click.Group):
    """Commands of that kind, and groups of them."""

    command_class = Command
    group_class = type


spec_argument = click.argument("spec")
variant_option = click.option("--variant", help="One of the spec's variants.")
set_option = click.option("--set", "settings", multiple=True, metavar="NAME=N", help="Override a parameter, e.g. C=19.")
format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to report."
)
output_option = click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, metavar="OUT.safetensors", help="The file to write."
)


def overrides(settings: tuple[str, ...]) -> dict[str, int]:
    """`C=19` -> {"C": 19}."""
    found: dict[str, int] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.isidentifier() or not re.fullmatch("-?(0|[1-9][0-9]{0,17})", value.strip()):
            message = f"`{setting}` is not NAME=INTEGER, a plain decimal of at most 18 digits"
            raise click.BadParameter(message, param_hint="--set")
        if name in found:
            raise click.BadParameter(f"`{name}` is given twice, as {found[name]} and as {value}", param_hint="--set")
        found[name] = int(value)
    return found


def sized(text: str, rank: int, option: str) -> tuple[int, ...]:
    """`500x375` -> (500, 375); one number is that of every axis."""
    if re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8}){0,2}", text, re.ASCII) is None:
        raise click.BadParameter(f"`{text}` is no size such as 500x375", param_hint=option)
    numbers = tuple(map(int, text.split("x")))
    if len(numbers) == 1:
        return numbers * rank
    if len(numbers) != rank:
        from segcompile.ops import MEDIUM  # a list of commands needs no op

        message = f"`{text}` has {len(numbers)} axes, and the network's {MEDIUM[rank]}s have {rank}"
        raise click.BadParameter(message, param_hint=option)
    return numbers
