"""Which networks have a training harness, and why another has none: SC608."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from segcompile_torch import BACKEND

from segcompile.backend import run_backend
from segcompile.build import build_each, request_for
from segcompile.text.report import render_text

NONE = {
    "free": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n  - b: {resize: 2}\n"
        "  - c: {conv: 2, kernel: 4}\n  - d: {add: [a, c], align: center_crop}\n",
        "which sizes of images fit is not known: d: the size cannot be stated for any image: which of H and 2H-3 is "
        "smaller depends on how large the input is", "d", 8,
    ),
    "y": (
        "input: {x: {channels: 3, size: 64}, y: {channels: 3, size: 64}}\nlayers:\n"
        "  - a: {conv: 2, kernel: 1, from: x}\n  - b: {conv: 2, kernel: 1, from: y}\n  - c: {add: [a, b]}\n",
        "`y` is a second input, and the harness reads one image", "b", 6,
    ),
    "vector": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {pool: global_avg}\n  - b: {linear: 10}\n",
        "`b` gives a vector, and the harness trains maps", "b", 6,
    ),
    "heads": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n"
        "  - b: {conv: 2, kernel: 2, stride: 2}\noutputs: {main: a, aux: b}\n",
        "the outputs `main` and `aux` do not lie over each other", "b", 6,
    ),
    "finer": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n  - b: {resize: 2}\n",
        "a step of `b` is 1/2 pixels of the image, not a whole number", "b", 6,
    ),
    "pixel": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n  - b: {pool: global_avg}\n",
        "where `b` lies over the image is not known", "b", 6,
    ),
    "frozen": (
        "input: {channels: 3, size: 64}\nlayers:\n  - b: {conv: 2, kernel: 1, frozen: yes}\n",
        "the network has no weights to train", "b", 5,
    ),
    "bare": (
        "input: {channels: 3, size: 64}\nlayers:\n  - b: {act: relu}\n",
        "the network has no weights to train", "b", 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NONE)
def test_a_network_without_a_harness_says_why(
    nets: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    network, reason, layer, line = NONE[case]
    monkeypatch.chdir(tmp_path)
    text = f"segcompile: 1\nmodel: net\n{network}"
    Path("net.yaml").write_text(text)
    (build,) = build_each("net.yaml", ["torch"])
    source = text.splitlines()[line - 1]
    found = [warning for warning in build.findings.diagnostics if warning.code.slug == "no-harness"]
    assert render_text(found) == (
        f"warning[SC608 no-harness]: there is no training harness: {reason}\n"
        f"  --> net.yaml:{line}:5\n"
        f"{line:2} | {source}\n"
        f"   |     {'^' * len(layer)}\n"
        "   = help: model.py and weights.py are whole; a training loop around them is yours to write"
    )
    files = build.built.files if build.built is not None else {}
    in_rows = {"schedule.py", "stream.py"}  # of those that can be run so
    assert sorted({*files} - in_rows) == [
        "README.md",
        "command.py",
        "files.py",
        "forms.py",
        "model.py",
        "quiet.py",
        "requirements.txt",
        "weights.py",
    ]


def test_what_is_said_of_a_base_names_the_line_that_led_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(f"segcompile: 1\nmodel: net\n{NONE['finer'][0]}")
    Path("derived.yaml").write_text("segcompile: 1\nmodel: derived\nbase: net.yaml\n")
    (build,) = build_each("derived.yaml", ["torch"])
    assert "derived.yaml:3:7" in render_text(build.findings.diagnostics)


def test_the_backend_itself_hands_the_warning_over(nets: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\n{NONE['finer'][0]}")
    result = run_backend(BACKEND, request_for(nets.compiled(path), path))
    assert [found.code.code for found in result.diagnostics] == ["SC608"]
