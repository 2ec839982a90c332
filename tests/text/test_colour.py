"""Colour: on a terminal, never in a pipe, and as NO_COLOR and FORCE_COLOR say; without it the text is the same."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.text.colour import coloured, wanted

ANSI = re.compile(r"\033\[[0-9;]*m")
SPEC = """segcompile: 1
model: net
input: {channels: 3, size: 64}
layers:
  - a: {conv: 8, kernel: 3, dilation: 2}
claims:
  a: {receptive_field: 7}
"""
DIAGNOSTIC = """error[SC401 receptive-field]: a claims 7, computed 5
  --> net.yaml:7:23
 5 |   - a: {conv: 8, kernel: 3, dilation: 2} # ✓
   |                                       - 1 + 2*2 = 5
 7 |   a: {receptive_field: 7}
   |                        ^
   = help: dilation 3 gives 7
   = note: 1 later claim"""
RED, YELLOW, BLUE, CYAN, END = "\033[1;31m", "\033[1;33m", "\033[34m", "\033[1;36m", "\033[0m"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path / "net.yaml"


def test_a_diagnostic_has_its_severity_code_caret_and_help_in_colour() -> None:
    lines = coloured(DIAGNOSTIC).split("\n")
    assert lines[0] == f"{RED}error[SC401 receptive-field]{END}\033[1m: a claims 7, computed 5{END}"
    assert lines[1] == f"{BLUE}  --> {END}net.yaml:7:23"
    assert lines[2] == f"{BLUE} 5 |{END}   - a: {{conv: 8, kernel: 3, dilation: 2}} # ✓", (
        "a quoted line keeps its colour"
    )
    assert lines[3] == f"{BLUE}   | {END}{' ' * 38}{BLUE}- 1 + 2*2 = 5{END}"
    assert lines[5] == f"{BLUE}   | {END}{' ' * 23}{RED}^{END}"
    assert lines[6] == f"{BLUE}   = {END}{CYAN}help{END}: dilation 3 gives 7"
    assert lines[7] == f"{BLUE}   = {END}{CYAN}note{END}: 1 later claim"
    warning = coloured(DIAGNOSTIC.replace("error", "warning")).split("\n")
    assert warning[0].startswith(f"{YELLOW}warning[") and warning[5].endswith(f"{YELLOW}^{END}")


def test_marks_of_tables_are_green_and_red() -> None:
    assert coloured("fc6  404  404 ✓\nfc7  404  ✗ 340") == f"fc6  404  404 \033[32m✓{END}\nfc7  404  \033[31m✗{END} 340"
    assert coloured("size 64 ✓\n\n" + DIAGNOSTIC + "\n\nsize 64 ✓").count("\033[32m✓") == 2


def test_without_its_colours_the_text_is_the_same() -> None:
    for path in sorted((Path(__file__).parent / "data/invalid").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert ANSI.sub("", coloured(text)) == text and (not text.strip() or coloured(text) != text)


@pytest.mark.parametrize(
    ("environment", "answer"),
    [
        ({}, None), ({"TERM": "xterm"}, None), ({"NO_COLOR": ""}, None), ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)  # fmt: skip
def test_the_environment_says_whether(environment: dict[str, str], answer: bool | None) -> None:
    assert wanted(environment) is answer


def test_a_pipe_has_no_colour_unless_it_is_forced(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def output() -> str:
        return CliRunner().invoke(cli, ["rf", str(spec)], standalone_mode=False).output

    plain = output()
    assert "✗" in plain and "error[SC401" in plain and not ANSI.search(plain)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ANSI.sub("", output()) == plain != output()
    monkeypatch.setenv("NO_COLOR", "1")
    assert output() == plain


def test_data_has_no_colour(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for command in ("rf", "check"):
        result = CliRunner().invoke(cli, [command, str(spec), "--format", "json"], standalone_mode=False)
        assert not ANSI.search(result.output)


@pytest.mark.parametrize(("environment", "colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_a_terminal_has_it(spec: Path, environment: dict[str, str], colour: bool) -> None:
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "segcompile", "check", str(spec)]
    there = {**os.environ, "TERM": "xterm", **environment}
    done = subprocess.run(command, stdout=end, stderr=end, env=there, check=False)
    os.close(end)
    text = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert done.returncode == 1 and "SC401" in text
    assert bool(ANSI.search(text)) == colour
