"""README's first training is true: its spec, its commands and what they print, tried on a small set of images. Each
program of the folder is a fresh process, as it is for a reader; of JAX, tests/harness/test_rendered.py tries that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from segcompile.cli import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Your own images")[2].partition("\n## ")[0]
SPEC, CONSOLE = (
    re.search(rf"^```{word}\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)[1] for word in ("yaml", "console")
)


def shown() -> dict[str, tuple[str, list[str]]]:
    """The commands by their program, each with the lines that it prints."""
    found = {}
    for part in CONSOLE.split("$ ")[1:]:
        command, *lines = part.splitlines()
        found[re.search(r"check|build|pip|train\.py|evaluate\.py|predict\.py", command)[0]] = command, lines
    return found


def masked(lines: list[str]) -> list[str]:
    """Lines whose numbers, and the device's name, may be others."""
    text = re.sub(r"(device: ).*", r"\1...", "\n".join(lines))
    return [re.sub(r" +", " ", re.sub(r"[0-9][0-9,.]*|-(?= |$)", "N", line)).strip() for line in text.splitlines()]


def make_data(folder: Path) -> None:
    """Tiles under the names that the README's commands have: the label is the brightest colour."""
    rng = np.random.default_rng(0)
    for name, count in (("train", 4), ("val", 2)):
        lines = []
        for index in range(count):
            mask = rng.integers(0, 3, (8, 8)).repeat(12, 0).repeat(12, 1).astype(np.uint8)
            Image.fromarray((np.eye(3)[mask] * 200).astype(np.uint8)).save(folder / f"{name}{index}.png")
            Image.fromarray(mask).save(folder / f"{name}{index}_mask.png")
            lines.append(f"{name}{index}.png {name}{index}_mask.png\n")
        (folder / f"{name}.txt").write_text("".join(lines))
    Image.new("RGB", (50, 40)).save(folder / "scene.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reader who has written the spec."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "my_images.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "data").mkdir()
    make_data(folder / "data")
    return folder


def test_the_spec_is_a_dozen_lines() -> None:
    assert len(SPEC.splitlines()) <= 14


def test_the_commands_print_what_is_shown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With numbers that may be others, as the images are, and few steps."""
    monkeypatch.chdir(place)
    commands = shown()
    assert list(commands) == ["check", "build", "pip", "train.py", "evaluate.py", "predict.py"]
    for word in ("check", "build"):
        command, lines = commands[word]
        arguments, _, tail = command.partition(" | ")
        printed = CliRunner().invoke(cli, arguments.split()[1:], standalone_mode=False).output.splitlines()
        assert masked(printed[-1:] if tail else printed) == masked(lines)
    for word in ("train.py", "evaluate.py", "predict.py"):
        command, lines = commands[word]
        arguments, _, tail = command.partition(" | ")
        more = ["--steps", "2", "--batch", "2"] if word == "train.py" else []
        program = [sys.executable, "-W", "error", *arguments.split()[1:], *more]
        done = subprocess.run(program, capture_output=True, text=True, check=True)
        printed = masked(done.stdout.splitlines())
        assert [line for line in masked(lines) if line not in printed] == [], done.stdout
    assert (place / "predictions/scene_overlay.png").exists()
