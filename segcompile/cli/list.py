"""`segcompile list`: what there is to name."""

from __future__ import annotations

import re
from fractions import Fraction

import click

from segcompile.backend import installed
from segcompile.cli.options import Command, format_option
from segcompile.cli.outcome import CLEAN, say, say_json
from segcompile.library import bundled_networks
from segcompile.ops import ALL_OPS, kinds
from segcompile.show.list import chosen, list_json, list_text, table

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


@click.command(cls=Command)
@click.option("--rank", type=click.Choice(["1", "2", "3"]), help="Networks of signals (1), images (2) or volumes (3).")
@click.option("--max-parameters", "most", metavar="N", help="Networks with at most so many, e.g. 5M, 500k, 1.2G.")
@click.option("--about", metavar="WORDS", help="Networks whose name, description or paper has each of these words.")
@format_option
def list(rank: str | None, most: str | None, about: str | None, form: str) -> int:
    """List the networks of the bundled specs, the installed backends and the ops.

    A network is a spec, or SPEC@VARIANT. Its receptive field and stride are those of its output, of several outputs
    those of the one that sees most. With --rank, --max-parameters or --about the networks that are asked for are all
    that is listed.
    """
    limit = None if most is None else _count(most)
    networks = chosen(bundled_networks(), None if rank is None else int(rank), limit, about or "")
    backends = {name: point.value for name, point in installed().items()}
    ops = [(op.spelling, ", ".join(kinds(op)), op.summary) for op in ALL_OPS]
    if form == "json":
        say_json(list_json(networks, backends, ops))
    elif any(asked is not None for asked in (rank, most, about)):
        say(table(networks) if networks else "no bundled spec is such a network")
    else:
        say(list_text(networks, backends, ops))
    return CLEAN


def _count(text: str) -> Fraction:
    """`1.2G` -> 1,200,000,000."""
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)([kMG]?)", text, re.ASCII)
    if found is None:
        raise click.BadParameter(
            f"`{text}` is not a number like 5M, 500k, 1.2G or 5000000", param_hint="--max-parameters"
        )
    return Fraction(found[1]) * _UNITS[found[2]]
