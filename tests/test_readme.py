"""The README is true: its spec is the file it names, its commands print what it shows, its code is emitted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def run(*arguments: str) -> str:
    return CliRunner().invoke(cli, arguments, standalone_mode=False).output


def test_the_first_spec_is_the_file_that_it_names() -> None:
    assert blocks("yaml")[0] == (ROOT / "specs/dilated_context.yaml").read_text(encoding="utf-8")


def test_the_derived_spec_is_the_file_that_it_names() -> None:
    assert blocks("yaml")[2] == (ROOT / "specs/fcn32s.yaml").read_text(encoding="utf-8")


def test_the_table_is_what_rf_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, _, shown = blocks("console")[0].partition("\n")
    assert run(*command.split()[2:]) == shown


def test_the_layer_is_what_rf_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, _, shown = blocks("console")[2].partition("\n")
    assert run(*command.split()[2:]) == shown


def test_the_error_is_what_check_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = blocks("yaml")[0].replace("8,    16,     1,", "8,     8,     1,")
    Path("my_context.yaml").write_text(spec, encoding="utf-8")
    command, _, shown = blocks("console")[1].partition("\n")
    assert run(*command.split()[2:]).rstrip("\n") == shown.rstrip("\n")


def test_the_plan_is_what_weights_plan_prints() -> None:
    command, _, shown = blocks("console")[5].partition("\n")
    told = run(*command.partition(" | ")[0].split()[2:]).splitlines()
    assert told[-13:] == shown.splitlines() and command.endswith(" | tail -13")


def test_the_list_is_what_list_prints() -> None:
    command, _, shown = blocks("console")[4].partition("\n")
    assert run(*command.split()[2:]) == shown


def test_the_new_spec_is_what_new_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, _, shown = blocks("console")[6].partition("\n")
    told, _, written = shown.partition("$ cat my_scenes.yaml\n")
    assert run(*command.split()[2:]) == told
    assert Path("my_scenes.yaml").read_text(encoding="utf-8") == written


def test_the_code_is_what_build_writes(tmp_path: Path) -> None:
    run("build", str(ROOT / "specs/dilated_large.yaml"), "--backend", "torch", "--out", str(tmp_path / "x"))
    assert blocks("python")[0] in (tmp_path / "x/model.py").read_text(encoding="utf-8")


def test_the_spec_of_your_own_checks_and_builds(tmp_path: Path) -> None:
    spec = tmp_path / "my_network.yaml"
    spec.write_text(blocks("yaml")[3], encoding="utf-8")
    assert run("check", str(spec)).startswith("ok ")
    run("build", str(spec), "--backend", "torch", "--out", str(tmp_path / "x"))
    assert "class MyNetwork(nn.Module)" in (tmp_path / "x/model.py").read_text(encoding="utf-8")


def test_every_file_that_the_readme_links_exists() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
