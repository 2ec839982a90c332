"""A stage trains its own layers and no others, starts from the stage before, and has a regime of its own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPEC = """segcompile: 1
model: net
input: {channels: 3, size: 16}
blocks:
  pair:
    args: [w]
    layers:
      - one: {conv: w, kernel: 3, pad: same, norm: batch, act: relu, drop: 0.5}
      - two: {conv: w, kernel: 3, pad: same, act: prelu}
layers:
  - front:   {block: pair, w: 6}
  - context: {block: pair, w: 4}
  - mixed:   {conv: 4, kernel: 1, norm: batch, drop: 0.5}
  - score:   {conv: 3, kernel: 1}
  - whole:   {deconv: 3, kernel: 1, groups: 3, bias: no, init: bilinear, frozen: yes}
training:
  schedule: fixed
  lr: 0.05
  batch: 2
  steps: 3
  stages:
    - front:   {train: [front, score], lr: 0.1}
    - context: {train: "*", freeze: [fro*, mixed], optimizer: adamw, steps: 2}
    - joint:   {schedule: {step: {every: 2, gamma: 0.5}}}
    - score:   {train: score}
"""
FROZEN = {
    "front": ["context", "mixed", "mixed_norm", "mixed_drop", "whole"],
    "context": ["front", "mixed", "mixed_norm", "mixed_drop"],
    "joint": [],
    "score": ["front", "context", "mixed", "mixed_norm", "mixed_drop", "whole"],
}


@pytest.fixture(params=["torch", "jax"])
def staged(built: Any, request: pytest.FixtureRequest) -> Any:
    return built(request.param, SPEC)


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    """The layers of which any weight or statistic is another, to the last bit."""
    names = [name for name in before if not name.endswith("num_batches_tracked")]  # JAX does not count
    return {name.rpartition(".")[0] for name in names if not np.array_equal(before[name], after[name])}


def test_each_stage_freezes_what_it_does_not_train(staged: Any) -> None:
    stages = staged.modules.stages.STAGES
    assert {name: list(stage.frozen) for name, stage in stages.items()} == FROZEN
    assert {name: dict(stage.flags) for name, stage in stages.items()} == {
        "front": {"lr": 0.1},
        "context": {"optimizer": "adamw", "steps": 2},
        "joint": {"schedule": "step", "step_size": 2, "gamma": 0.5},
        "score": {},
    }


def test_stages_one_after_the_other_train_their_own_layers_alone(staged: Any, dataset: Path) -> None:
    val = ["--val", str(dataset / "list.txt"), "--val-every", "1", "--workers", "0"]
    start = dataset / "start.safetensors"
    staged.save(start, staged.model())
    before, init = staged.tensors(staged.load(start)), start
    layers = {name.rpartition(".")[0] for name in before}
    fixed = {"front": {"context", "mixed", "mixed_norm"}, "context": {"front", "mixed", "mixed_norm"}, "joint": set()}
    for stage, steps in (("front", 3), ("context", 2), ("joint", 3)):
        assert staged.train(dataset, stage, "--stage", stage, "--init", str(init), *val) == 0
        after = staged.learnt(dataset, stage)
        kept = {layer for layer in layers if layer.partition(".")[0] in {*fixed[stage], "whole"}}
        assert changed(before, after) == layers - kept, stage
        lines = [json.loads(line) for line in (dataset / stage / "log.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines if "loss" in line] == [steps]
        before, init = after, dataset / stage / staged.last


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_frozen_layers_drop_nothing_and_the_others_do(built: Any, dataset: Path, backend: str) -> None:
    """The losses of a network are those of one without dropout where all layers that have it are frozen."""
    sides = {"with": built(backend, SPEC), "without": built(backend, SPEC.replace(", drop: 0.5", ""))}
    start = dataset / "start.safetensors"
    sides["with"].save(start, sides["with"].model())
    for stage in ("score", "joint"):
        losses = []
        for name, side in sides.items():
            flags = ["--stage", stage, "--init", str(start), "--steps", "2", "--log-every", "1"]
            assert side.train(dataset, stage + name, *flags) == 0
            lines = (dataset / (stage + name) / "log.jsonl").read_text().splitlines()
            losses.append([json.loads(line)["loss"] for line in lines])
        assert (losses[0] == losses[1]) == (stage == "score"), losses


def test_a_run_goes_on_in_its_own_stage_alone(staged: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = dataset / "a" / staged.last
    flags = ["--stage", "front", "--save-every", "2"]
    assert staged.train(dataset, "whole", *flags, "--steps", "4") == 0
    assert staged.train(dataset, "a", *flags, "--steps", "2") == 0
    capsys.readouterr()
    for stage in ("joint", "context"):
        assert staged.train(dataset, "b", "--stage", stage, "--resume", str(last)) == 1
        told = f"--stage was front and is now {stage}; resume with what it was, or start anew with --init"
        assert capsys.readouterr().err == f"error: {last}: {told}\n"
    assert not (dataset / "b").exists()
    assert staged.train(dataset, "a", *flags, "--steps", "4", "--resume", str(last)) == 0
    assert staged.same(staged.learnt(dataset, "whole"), staged.learnt(dataset, "a"))


def test_which_stage_must_be_said_and_one_alone_need_not(
    built: Any, staged: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, said in (
        ([], "--stage: say which of front, context, joint, score"),
        (["--stage", "jint"], "argument --stage: invalid choice: 'jint' (choose from "),
    ):
        with pytest.raises(SystemExit, match="2"):
            staged.train(dataset, "a", *flags)
        assert f"error: {said}" in capsys.readouterr().err
    one = built(staged.backend, SPEC[: SPEC.index("    - context")])
    arguments = one.modules.flags.arguments_of(["--out", "x"])
    assert (arguments.stage, arguments.lr, arguments.steps) == ("front", 0.1, 3)


def test_flags_win_over_the_stage_and_the_stage_over_the_section(staged: Any) -> None:
    of = staged.modules.flags.arguments_of
    regime = of(["--out", "x", "--stage", "context"])
    assert (regime.optimizer, regime.lr, regime.steps, regime.batch) == ("adamw", 0.05, 2, 2)
    regime = of(["--out", "x", "--stage=joint", "--lr", "3", "--gamma", "0.1"])
    assert (regime.optimizer, regime.lr, regime.schedule, regime.step_size, regime.gamma) == ("sgd", 3, "step", 2, 0.1)


def test_a_stage_freezes_single_layers_and_whole_scopes(built: Any) -> None:
    spec = SPEC.replace("[front, score]", "[front.two, context.*, score, mixed]")
    frozen = built("torch", spec).modules.stages.STAGES["front"].frozen
    assert frozen == ["front.one", "front.one_norm", "front.one_drop", "whole"]
