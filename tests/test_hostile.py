"""What an adversary found: bad input ends in a diagnostic, soon, and never runs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.cli.outcome import guarded

ROOT = Path(__file__).resolve().parents[1]
HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 32}\n"
LAYERS = "layers:\n  - c: {conv: 3, kernel: 3, pad: same}\n"


def status(*arguments: str) -> int:
    return guarded(lambda: cli.main(list(arguments), standalone_mode=False))


def said(folder: Path, text: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What `check` says of a spec that it refuses."""
    (folder / "net.yaml").write_text(text)
    assert status("check", str(folder / "net.yaml"), *options) == 1
    return capsys.readouterr().out


def test_the_name_of_a_spec_is_text_in_the_code(tmp_path: Path) -> None:
    name = 'x""";import os;os.system("echo>pwned");"""y.yaml'
    (tmp_path / name).write_text(HEAD + LAYERS)
    assert status("build", str(tmp_path / name), "--backend", "torch", "--out", str(tmp_path / "out")) == 0
    for path in (tmp_path / "out").glob("*.py"):
        body = ast.parse(path.read_text()).body
        assert isinstance(body[0], ast.Expr) and not any(isinstance(part, ast.Expr) for part in body[1:]), path


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ("layers:\n  - c: {conv: " + "1" * 9_000 + "x, kernel: 3}\n", "SC104"),
        ("variants: [" + ", ".join(f"v{n}" for n in range(2000)) + "]\n" + LAYERS, "SC111"),
        ("variants: [a, a]\n" + LAYERS, "SC002"),
        ('about: "\\U80000000"\n' + LAYERS, "SC001"),
        (LAYERS + "  - a: {add: [" + ", ".join(["c"] * 100_000) + "]}\n", "SC111"),
        (LAYERS + "  - a: {add: [" + ", ".join(f"z{n}" for n in range(100_000)) + "]}\n", "SC102"),
        ("table: {kernel: [" + "3, " * 100_000 + "3]}\n", "SC111"),
    ],
    ids=["digits", "variants", "twice", "escape", "join", "unknown", "table"],
)
def test_it_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str], layers: str, code: str) -> None:
    assert f"error[{code} " in said(tmp_path, HEAD + layers, capsys)


def test_names_do_not_double_for_ever(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = '  b28: {args: [n], layers: ["{n}": {conv: 3, kernel: 1}]}\n'
    blocks = "".join(f'  b{n}: {{args: [n], layers: [{{block: b{n + 1}, n: "{{n}}{{n}}"}}]}}\n' for n in range(28))
    text = f"{HEAD}blocks:\n{blocks}{inner}layers:\n  - {{block: b0, n: xx}}\n"
    assert "error[SC111 " in said(tmp_path, text, capsys)


def test_a_chain_of_uses_is_checked_once_each(tmp_path: Path) -> None:
    for n in range(24):
        (tmp_path / f"s{n}.yaml").write_text(f"{HEAD}layers:\n  - u: {{use: s{n + 1}.yaml}}\n")
    (tmp_path / "s24.yaml").write_text(HEAD + LAYERS)
    assert status("check", str(tmp_path / "s0.yaml")) == 0


def test_tables_of_large_periods_end(tmp_path: Path) -> None:
    layers = 'layers:\n  - u: {resize: 4096}\n  - "c{i}": {conv: 3, kernel: 63, repeat: 200}\n'
    (tmp_path / "net.yaml").write_text(HEAD + layers)
    result = CliRunner().invoke(cli, ("rf", str(tmp_path / "net.yaml")), standalone_mode=False)
    assert "not listed" in result.output


@pytest.mark.parametrize("setting", ["C=²", "C=--5", "C=", "C=1e3"])
def test_a_setting_is_an_integer(setting: str) -> None:
    assert status("check", "dilated_large", "--set", setting) == 2


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert status("check", str(tmp_path / "pipe.yaml")) == 1
    assert status("check", "a" * 5000) == 1
    assert capsys.readouterr().out.count("error[SC009 ") == 2


def test_a_terminal_without_lines_gets_question_marks() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "segcompile", "rf", "dilated_large"]
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 0 and b"layer8" in done.stdout


@pytest.mark.parametrize(
    "mistakes",
    [
        "".join(f"k{n}: 1\n" for n in range(5000)),
        "claims: {" + ", ".join(f"k{n}: {{size: 1}}" for n in range(5000)) + "}\n",
        "outputs: {" + ", ".join(f"k{n}: x{n}" for n in range(5000)) + "}\n",
    ],
    ids=["keys", "claims", "outputs"],
)
def test_after_a_hundred_mistakes_of_one_kind_no_more_are_sought(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mistakes: str
) -> None:
    assert said(tmp_path, HEAD + LAYERS + mistakes, capsys).count("error[") == 100


@pytest.mark.parametrize(
    ("out", "text"),
    [
        ("", "SC013 unwritable-place]: `--out` names no folder"),
        ("/", "SC013 unwritable-place]: `/` is the root of the disk; code needs a folder of its own"),
        (".", "SC013 unwritable-place]: `.` is the spec's own folder; code needs a folder of its own"),
        ("file", "SC013 unwritable-place]: `file` is a file, not a folder"),
        ("file/below", "SC013 unwritable-place]: `file/below` cannot be read: Not a directory"),
        ("mine", "SC704 foreign-file]: `mine/model.py` was not written by segcompile"),
    ],
)
def test_no_code_goes_where_none_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(HEAD + LAYERS)
    Path("file").touch()
    Path("mine").mkdir()
    Path("mine/model.py").write_text("x = 1\n")
    before = sorted(tmp_path.rglob("*"))
    assert status("build", "net.yaml", "--backend", "torch", "--out", out) == 1
    assert capsys.readouterr().err.splitlines()[0] == f"error[{text}"
    assert sorted(tmp_path.rglob("*")) == before and Path("mine/model.py").read_text() == "x = 1\n"
