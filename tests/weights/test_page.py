"""docs/weights.md is true: its commands print what it shows, its lines rename as it says, its codes are codes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segcompile.text.errors import CODES, SourceText, Span
from segcompile.weights.naming import Rename
from segcompile.weights.reading import FORMS

Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/weights.md").read_text(encoding="utf-8")
CASE = ROOT / "tests/data/cases/order_guess"


def test_the_commands_print_what_the_page_shows(run: Run, tmp_path: Path) -> None:
    shutil.copy(CASE / "a.pth", tmp_path)
    for name, text in re.findall(r"^```\w+ (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(text, encoding="utf-8")
    shown = re.findall(r"^```console\n\$ segcompile weights (.*?)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(shown) == 2
    for command, output in shown:
        assert run(*command.split()) == (0, output, "")


def test_the_spec_of_the_page_is_the_cases() -> None:
    assert (CASE / "a.yaml").read_text(encoding="utf-8") in PAGE


ROWS = re.findall(r"^\| `(\S+): (\S+)` \| `(\S+)` \| `(\S+)` \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("pattern", "place", "theirs", "ours"), ROWS)
def test_a_line_renames_as_the_page_says(pattern: str, place: str, theirs: str, ours: str) -> None:
    assert Rename(pattern, place, Span(SourceText("x", ()), 1, 1, 1)).renamed(theirs) == ours


def test_the_page_has_its_rows_its_suffixes_and_its_codes() -> None:
    assert len(ROWS) == 5
    assert set(re.findall(r"SC\d{3}", PAGE)) <= CODES.keys()
    suffixes = {suffix for form in FORMS for suffix in form.suffixes} - {".safetensors", ".onnx", ".tar", ".hdf5"}
    assert [suffix for suffix in suffixes if f"`{suffix}`" not in PAGE] == []
