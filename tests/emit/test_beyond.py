"""What a build says of the losses, heads and labels that its programs do not do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segcompile.build import build_each
from segcompile.text.report import render_text

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 16}\n"
TWO = """layers:
  - mid: {conv: 3, kernel: 1}
  - sem: {conv: 3, kernel: 1}
  - geo: {conv: 1, kernel: 1, from: mid}
outputs: {sem: sem, geo: geo}
"""


def built(folder: Path, text: str, backend: str = "torch", **options: object) -> tuple[str, str]:
    """What is said of a spec by its build, and the data.py that it gives."""
    (folder / "net.yaml").write_text(HEAD + text)
    (build,) = build_each(str(folder / "net.yaml"), [backend], **options)  # type: ignore[arg-type]
    assert build.built is not None, render_text(build.findings.diagnostics)
    files, said = build.built.files, render_text(build.findings.diagnostics)
    return said.replace(f"{folder}/", ""), str(files.get("data.py", ""))


def places(said: str) -> list[str]:
    return re.findall(r"^ *\| +-+ (.+)$", said, re.MULTILINE)


ALL = """training:
  loss: [{cross_entropy: {weight: 2, class_weights: balanced, at: mid, keep: 0.5}}, {dice: 0.5}]
  heads: {sem: 1, geo: {weight: 0.4, loss: dice}}
data:
  classes: {sem: [road, {sky: "#4682b4"}, sea], geo: [flat, upright]}
  ignore: {sem: [254, sky], geo: 255}
  map: {sem: {253: 1, "#800000": sea, 7: 254, 8: 0, 9: 1}}
"""
SAID = """\
warning[SC614 beyond-harness]: train.py trains one head, `sem`, with one cross entropy
  --> net.yaml:10:27
10 |   loss: [{cross_entropy: {weight: 2, class_weights: balanced, at: mid, keep: 0.5}}, {dice: 0.5}]
   |                           ^^^^^^
   |                           - left out: it is 1
   |                                      - left out
   |                                                               - left out
   |                                                                                      - left out
11 |   heads: {sem: 1, geo: {weight: 0.4, loss: dice}}
   |                   - trained alone, by `--head geo`
   |                                            - left out
   = help: the loop of train.py is yours to extend; `--head` names another head

warning[SC614 beyond-harness]: the generated programs do not use `classes` and `map` of `data` and ignore the labels \
of `sem` for every head
  --> net.yaml:13:3
13 |   classes: {sem: [road, {sky: "#4682b4"}, sea], geo: [flat, upright]}
   |   ^^^^^^^
   |   - label n is shown as n
14 |   ignore: {sem: [254, sky], geo: 255}
   |   - those of `sem` alone are read
15 |   map: {sem: {253: 1, "#800000": sea, 7: 254, 8: 0, 9: 1}}
   |   - left to the flag `--map`
   = help: `--map "253:1,#800000:2,7:254,8:0,..."` says the map"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_each_cause_is_told_once_with_all_its_places(tmp_path: Path, backend: str) -> None:
    said, data = built(tmp_path, TWO + ALL, backend)
    assert said == SAID
    assert "IGNORE: tuple[int, ...] = (254, 1)" in data


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("", []),
        ("training: {loss: {cross_entropy: {ignore: 255, reduction: sum, keep: 0.5}}}", []),
        ("training: {loss: [cross_entropy], heads: {sem: 1}}", []),
        ("training: {heads: {sem: {weight: 1, loss: {cross_entropy: 1}}}}", []),
        ("data: {ignore: 255}", []),
        ("training: {heads: {sem: 2}}", ["its weight is 1"]),
        ("training: {heads: {geo: 1}}", ["trained alone, by `--head geo`"]),
        ("training: {loss: dice}", ["left out"]),
        ("training: {loss: {cross_entropy: 2}}", ["left out: it is 1"]),
        ("training: {loss: [{cross_entropy: {at: mid}}, cross_entropy], heads: {sem: 1}}", ["left out"]),
        ("training: {loss: dice, stages: [a: {}, b: {loss: [cross_entropy, dice]}]}", ["left out", "left out"]),
        ("data: {map: {geo: {7: 1}}}", ["left to the flag `--map`"]),
        ("data: {ignore: {geo: 7}}", ["those of `sem` alone are read"]),
    ],
)
def test_what_the_programs_do_is_not_told(tmp_path: Path, section: str, told: list[str]) -> None:
    said, _ = built(tmp_path, f"{TWO}{section}\n")
    assert places(said) == told
    assert said.count("SC614") == bool(told)


def test_many_places_are_counted(tmp_path: Path) -> None:
    stages = ", ".join(f"s{n}: {{loss: dice}}" for n in range(10))
    said, _ = built(tmp_path, f"{TWO}training: {{stages: [{stages}]}}\n")
    assert len(places(said)) == 8 and said.endswith("   = note: 2 more such places")


def test_what_is_not_trained_or_has_no_harness_is_not_told_of_losses(tmp_path: Path) -> None:
    net = "layers: [a: {conv: 4, kernel: 1, norm: batch}, s: {conv: 2, kernel: 1}]\ntraining: {loss: dice}\n"
    assert "SC614" in built(tmp_path, net)[0]
    assert "SC614" not in built(tmp_path, net, lowerings=["fold_batch_norm"])[0]
    said, _ = built(tmp_path, "layers: [s: {linear: 2}]\ntraining: {loss: dice}\ndata: {classes: [a, b]}\n")
    assert re.findall(r"\[(SC\d+)", said) == ["SC608"]


def test_the_labels_that_data_ignores_are_those_of_the_harness(tmp_path: Path) -> None:
    net = "layers: [s: {conv: 3, kernel: 1}]\n"
    by_loss = built(tmp_path, f"{net}training: {{loss: {{cross_entropy: {{ignore: [7, class:0]}}}}}}\n")
    assert built(tmp_path, f"{net}data: {{ignore: [7, class:0]}}\n") == by_loss
    assert by_loss != built(tmp_path, net)
