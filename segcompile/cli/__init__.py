"""The command line: a file for each command, imported when that command is asked for."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword

import click

from segcompile import __version__
from segcompile.cli.options import Group
from segcompile.cli.outcome import guarded

COMMANDS = (
    "build", "certify", "check", "diff", "explain", "fix", "import", "list", "new", "prove", "rf", "schema", "show",
    "sizes", "verify-backend", "weights", "why-grid",
)  # fmt: skip


def file_of(name: str) -> str:
    """The file of a command, and its function there."""
    return name.replace("-", "_") + "_" * iskeyword(name)


class _Files(Mapping[str, click.Command]):
    """Name -> command: the function of that name in the file of that name. Nothing is imported before."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in COMMANDS:
            raise KeyError(name)
        file = file_of(name)
        command: click.Command = getattr(import_module(f"{__name__}.{file}"), file)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


@click.group(
    cls=Group,
    commands=_Files(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="segcompile")
def cli() -> None:
    """From a paper's architecture table to checked, standalone code.

    SPEC is a YAML file, or the name of a bundled spec (`segcompile list`).
    """


def main() -> None:
    """Run the command line. The exit statuses are those of `outcome`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a table's lines and ticks, on a terminal that has none
    gc.disable()  # one short run whose values all live to its end: collecting would only look at them again and again
    sys.exit(guarded(lambda: cli.main(standalone_mode=False)))
