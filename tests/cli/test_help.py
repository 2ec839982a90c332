"""What `--help` says of each command is whole."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import segcompile.cli
from segcompile.cli import COMMANDS, cli, file_of

GROUPS = [(), ("weights",)]


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_no_line_in_a_list_of_commands_is_cut(path: tuple[str, ...], columns: str) -> None:
    group = cli
    for name in path:
        group = group.commands[name]  # type: ignore[assignment]
    assert isinstance(group, click.Group)
    said = CliRunner().invoke(cli, [*path, "--help"], env={"COLUMNS": columns}, terminal_width=int(columns)).output
    listed = " ".join(said.partition("Commands:")[2].split())
    for name, command in group.commands.items():
        assert f"{name} {' '.join((command.help or '').partition(chr(10) * 2)[0].split())}" in listed
    assert "..." not in listed


def test_every_file_of_a_command_is_a_command() -> None:
    room = Path(segcompile.cli.__file__).parent
    files = {path.stem for path in room.glob("*.py")} - {"__init__", "options", "outcome"}
    assert sorted(map(file_of, COMMANDS)) == sorted(files)


def test_a_line_does_not_end_at_the_dot_of_an_abbreviation() -> None:
    assert "Explain a diagnostic, e.g. SC401." in CliRunner().invoke(cli, ["--help"]).output
