"""docs/certify.md shows what the commands print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

PAGE = (Path(__file__).parents[2] / "docs/certify.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```console\n\$ segcompile (.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", [block for block in BLOCKS if "--judge" not in block])
def test_the_page_shows_what_a_command_prints(block: str) -> None:
    command, _, shown = block.partition("\n")
    assert CliRunner().invoke(cli, command.split(), standalone_mode=False).output == shown


def test_all_blocks_are_found() -> None:
    assert len(BLOCKS) == 6
