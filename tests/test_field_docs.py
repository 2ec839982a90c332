"""docs/receptive_fields.md is true: its commands print what it shows, its Python answers so."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/receptive_fields.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
def test_a_command_prints_what_the_page_shows(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, _, shown = block.partition("\n")
    assert CliRunner().invoke(cli, command.split()[2:], standalone_mode=False).output == shown


def test_the_python_on_the_page_answers_so() -> None:
    assert doctest.testfile(str(ROOT / "docs/receptive_fields.md"), module_relative=False) == (0, 9)
