"""What is said of a network's heads: their classes and losses, and activations that bound the scores."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from segcompile.cli import cli
from segcompile.compiler import compile_spec
from segcompile.emit.heads import view_heads
from segcompile.text.errors import Findings

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 16}\nlayers:\n"


def heads(folder: Path, text: str) -> dict[str, object]:
    (folder / "net.yaml").write_text(text)
    compiled = compile_spec(folder / "net.yaml", Findings())
    return view_heads(compiled.graph, compiled.facts)


def test_heads_of_one_channel_have_two_classes(tmp_path: Path) -> None:
    text = f"""{HEAD}  - a: {{conv: 4, kernel: 1, act: relu}}
  - many:   {{conv: 5, kernel: 1}}
  - likely: {{softmax: channels}}
  - one:    {{conv: 1, kernel: 1, from: a}}
  - sure:   {{conv: 1, kernel: 1, from: a, act: sigmoid}}
  - whole:  {{resize: input}}
  - marks:  {{conv: 2, kernel: 1, from: a, act: sigmoid}}
outputs: {{many: many, likely: likely, one: one, sure: whole, marks: marks}}
"""
    assert heads(tmp_path, text) == {
        "heads": {"many": 5, "likely": 5, "one": 2, "sure": 2, "marks": 2},
        "binary": ["one", "sure"],
        "several": True,
        "probabilities": ["likely", "sure"],
        "probable": ["softmax", "sigmoid"],
    }
    found = heads(tmp_path, f"{HEAD}  - s: {{conv: 1, kernel: 1}}\n")
    assert found == {
        "heads": {"output": 2},
        "binary": ["output"],
        "several": False,
        "probabilities": [],
        "probable": [],
    }


def build(folder: Path, *flags: str) -> tuple[int, str]:
    done = CliRunner().invoke(
        cli, ["build", str(folder / "net.yaml"), "--backend", "torch", "--dry-run", *flags], standalone_mode=False
    )
    return done.return_value, done.output


@pytest.mark.parametrize(
    ("channels", "act", "message"),
    [
        (1, "relu", "and its one channel is a logit: probabilities lie between 50 and 100 %"),
        (1, "elu", "and its one channel is a logit: probabilities lie between 27 and 100 %"),
        (1, "tanh", "and its one channel is a logit: probabilities lie between 27 and 73 %"),
        (3, "sigmoid", "and the loss takes the softmax of its 3 channels: no probability exceeds 58 %"),
        (21, "sigmoid", "and the loss takes the softmax of its 21 channels: no probability exceeds 12 %"),
    ],
)
def test_an_activation_that_bounds_the_scores_is_pointed_at(
    tmp_path: Path, channels: int, act: str, message: str
) -> None:
    line = f"  - score: {{conv: {channels}, kernel: 1, act: {act}}}"
    (tmp_path / "net.yaml").write_text(f"{HEAD}{line}\n  - whole: {{resize: input}}\n")
    column = line.index(act) + 1
    status, output = build(tmp_path)
    assert output.partition("\n\n")[0].startswith(
        f"warning[SC611 bounded-scores]: `score` ends in {act}, {message}\n"
        f"  --> {tmp_path}/net.yaml:5:{column}\n"
        f" 5 | {line}\n"
        f"   | {' ' * (column - 1)}{'^' * len(act)}\n"
        "   = help: `act: none` at `score`, or name another layer under `outputs`\n"
    )
    assert status == 0


@pytest.mark.parametrize(("channels", "act"), [(1, "sigmoid"), (1, "none"), (1, "prelu"), (3, "relu"), (3, "elu")])
def test_scores_without_bounds_and_probabilities_are_not(tmp_path: Path, channels: int, act: str) -> None:
    (tmp_path / "net.yaml").write_text(f"{HEAD}  - score: {{conv: {channels}, kernel: 1, act: {act}}}\n")
    status, output = build(tmp_path)
    assert status == 0 and "SC611" not in output


def test_a_softmax_of_one_channel_is_the_specs_fault(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "segcompile: 1\nmodel: net\nparams: {K: 2}\ninput: {channels: 3, size: 16}\nlayers:\n"
        "  - score: {conv: K, kernel: 1}\n  - prob: {softmax: channels}\n"
    )
    assert build(tmp_path)[0] == 0
    status, output = build(tmp_path, "--set", "K=1")
    assert status == 1 and output.startswith("error[SC319 constant-softmax]: prob: a softmax over 1 channel is 1 ")


def test_an_ignored_class_is_the_specs_fault(tmp_path: Path) -> None:
    ignored = "training: {loss: {cross_entropy: {ignore: 2}}}\n"
    (tmp_path / "net.yaml").write_text(f"{HEAD}  - score: {{conv: 3, kernel: 1}}\n{ignored}")
    status, output = build(tmp_path)
    assert status == 1 and output.startswith("error[SC117 ignored-class]: label 2 is a class of `output`")
