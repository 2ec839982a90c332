"""docs/diff.md is true: its commands print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

PAGE = (Path(__file__).parents[2] / "docs/diff.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
def test_a_command_prints_what_the_page_shows(block: str) -> None:
    command, _, shown = block.partition("\n")
    assert CliRunner().invoke(cli, command.split()[2:], standalone_mode=False).output == shown
