"""docs/receptive_fields.md is true: its commands print what it shows, its Python answers so; and so are the commands of
docs/signals_and_volumes.md."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import segcompile
from segcompile.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGE, OTHER = (
    (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("receptive_fields", "signals_and_volumes")
)


@pytest.mark.parametrize("block", re.findall(r"^```console\n(.*?)^```", PAGE + OTHER, re.DOTALL | re.MULTILINE))
def test_a_command_prints_what_the_page_shows(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, _, shown = block.partition("\n")
    assert CliRunner().invoke(cli, command.split()[2:], standalone_mode=False).output == shown


def test_the_python_on_the_page_answers_so() -> None:
    assert doctest.testfile(str(ROOT / "docs/receptive_fields.md"), module_relative=False) == (0, 12)


def rows(heading: str) -> list[list[str]]:
    """What stands between backticks, cell by cell, in the table whose first line starts so."""
    lines = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[re.sub(r"[^`]*`([^`]*)`[^`]*", r"\1 ", cell).strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_the_table_of_the_objects_has_what_they_have() -> None:
    view = segcompile.receptive_field("unet")
    layer = view["logits"]
    objects = (
        view,
        layer,
        layer,
        layer.phase(0, 0),
        layer.touched_by(0, 0),
        layer.padding,
        layer.coverage(),
        layer.path_counts(),
    )
    for value, (_, names) in zip(objects, rows("of"), strict=True):
        known = [re.sub(r"\(.*", "", name) for name in names.split() if re.match(r"[a-z_]+(\(|$)", name)]
        assert known and [name for name in known if not hasattr(value, name)] == []


def test_the_table_of_the_data_has_every_key(tmp_path: Path) -> None:
    for option, keys in rows("asked"):
        value = {
            "--layer": "c",
            "--phase": "0,0",
            "--touches": "0,0",
            "--why": "c",
            "--plot": str(tmp_path / "a.svg"),
        }.get(option)
        spec = tmp_path / "net.yaml"
        layers = "layers: [c: {conv: 1, kernel: 3}]"
        spec.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 1, size: 9}}\n{layers}\n")
        arguments = ["rf", str(spec), option, *([value] if value else []), "--format", "json"]
        data = json.loads(CliRunner().invoke(cli, arguments, standalone_mode=False).output)
        assert list(data["asked"]["c"]) == keys.split()
