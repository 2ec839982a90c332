"""Stages of training: what a stage says itself, what the section says for it, and which layers it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segcompile.checks.ignored import unused_label
from segcompile.checks.stages import frozen_nodes
from segcompile.compiler import compile_spec
from segcompile.library import bundled
from segcompile.network.training import Regime, Training
from segcompile.text.errors import Findings

TEXT = """
blocks:
  pair:
    layers:
      - a: {{conv: 4, kernel: 1, norm: batch, drop: 0.5}}
      - b: {{conv: 4, kernel: 1, frozen: yes}}
layers:
  - one: {{block: pair}}
  - two: {{block: pair}}
  - end: {{conv: 2, kernel: 1}}
training: {{{training}}}
"""


def frozen(bench: Any, stage: str) -> set[str]:
    """The layers that a stage leaves alone."""
    compiled = bench.compile(TEXT.format(training=f"stages: [only: {{{stage}}}]"))
    found = frozen_nodes(compiled.spec.training.stages[0], compiled.graph, compiled.facts)
    return set(map(compiled.graph.layer_of, found))


def test_what_a_stage_does_not_say_the_section_says(bench: Any) -> None:
    section = "optimizer: {sgd: {momentum: 0.8, weight_decay: 0}}, lr: 1e-2, batch: 3"
    stages = "[a: {}, b: {lr: 1, optimizer: adamw}, c: {loss: {cross_entropy: {reduction: sum}}, schedule: {step: 5}}]"
    training: Training = bench.compile(TEXT.format(training=f"{section}, stages: {stages}")).spec.training
    usual = {"lr": 0.01, "batch": 3, "momentum": 0.8, "weight_decay": 0.0}
    assert [stage.regime for stage in training.stages] == [
        Regime(**usual),
        Regime(**(usual | {"lr": 1.0}), optimizer="adamw"),
        Regime(**usual, reduction="sum", schedule="step", step_size=5),
    ]


@pytest.mark.parametrize(
    ("stage", "left"),
    [
        ("", set()),
        ("train: one", {"two.a", "two.b", "end"}),
        ("train: one.*", {"two.a", "two.b", "end"}),
        ("train: [one.a, e*]", {"one.b", "two.a", "two.b"}),
        ('train: "*.a", freeze: two', {"one.b", "two.a", "two.b", "end"}),
        ("freeze: [o?e.*, end]", {"one.a", "one.b", "end"}),
    ],
)
def test_a_stage_leaves_alone_what_it_does_not_train(bench: Any, stage: str, left: set[str]) -> None:
    assert frozen(bench, stage) == left


def test_a_pattern_is_of_whole_names(bench: Any) -> None:
    assert bench.errors(TEXT.format(training="stages: [only: {freeze: o?e}]")) == ["SC102 no layer matches `o?e`"]


def test_what_is_frozen_anyway_cannot_be_all_that_a_stage_trains(bench: Any) -> None:
    text = TEXT.format(training="stages: [only: {train: '*.b'}]")
    assert bench.errors(text) == ["SC113 stage `only` trains nothing"]


def test_a_derived_spec_says_of_the_regime_what_it_changes() -> None:
    def training(name: str) -> Training:
        found = compile_spec(bundled()[name], Findings()).spec.training
        assert [str(label) for label in found.ignore] == ["255"]
        return replace(found, ignore=())

    release = {"momentum": 0.99, "batch": 1, "reduction": "sum", "schedule": "fixed", "double_bias": True}
    for name, lr in {"fcn32s": 1e-10, "fcn16s": 1e-12, "fcn8s": 1e-14}.items():
        assert training(name) == Training(lr=lr, steps=100000, **release)
    assert training("fcn8s_atonce") == Training(lr=1e-10, steps=300000, **release)


def test_the_stages_of_a_used_spec_are_its_own(bench: Any, tmp_path: Path) -> None:
    """They are checked, and the network that uses it has those that it says itself."""
    part = "segcompile: 1\nmodel: part\ninput: {channels: 3, size: 64}\nlayers: [a: {conv: 3, kernel: 1}]\n"
    (tmp_path / "part.yaml").write_text(f"{part}training: {{stages: [first: {{train: b}}]}}\n")
    whole = "segcompile: 1\nmodel: whole\ninput: {channels: 3, size: 64}\nlayers: [p: {use: part.yaml}]\n"
    (tmp_path / "whole.yaml").write_text(whole)
    findings = Findings()
    compiled = compile_spec(tmp_path / "whole.yaml", findings)
    assert compiled.spec.training == Training()
    assert [found.message for found in findings.diagnostics] == ["no layer matches `b`"]


@pytest.mark.parametrize(
    ("classes", "ignore", "wrong"),
    [
        (256, "", []),
        (255, "{ignore: 255}", []),
        (256, "{ignore: 255}", ["SC117 label 255 is a class of `output`, whose classes are 0 to 255"]),
        (21, "{ignore: class:0}", []),
        (21, "{ignore: [255, class:20, 254]}", []),
        (21, "{ignore: class:21}", ["SC117 `class:21` is no class: classes are 0 to 20"]),
        (1, "{ignore: 1}", ["SC117 label 1 is a class of `output`, whose classes are 0 to 1"]),
        (21, "{ignore: []}", ["SC105 one to 32 labels are due here, not a list of 0"]),
        (21, "{ignore: 1000000000}", ["SC105 a label is below 1000000000, not `1000000000`"]),
    ],
)
def test_an_ignored_label_is_no_class_or_says_that_it_is(
    bench: Any, classes: int, ignore: str, wrong: list[str]
) -> None:
    loss = f"training: {{loss: {{cross_entropy: {ignore}}}}}" if ignore else ""
    text = f"layers: [score: {{conv: {classes}, kernel: 1}}]\n{loss}\n"
    assert bench.errors(text) == wrong


def test_the_label_that_is_ignored_unless_one_is_written_is_no_class() -> None:
    assert [unused_label(classes) for classes in (2, 255, 256, 65535, 65536)] == [255, 255, 65535, 65535, 999999999]
