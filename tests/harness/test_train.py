"""Training: it learns, resumes exactly, and says clearly what is wrong."""

import functools
import json
import re
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image


def run(harness: SimpleNamespace, dataset: Path, out: str, *flags: str) -> int:
    """train.py's exit status on the whole data set, with 20 steps unless the flags say otherwise."""
    arguments = ["--list", str(dataset / "list.txt"), "--out", str(dataset / out), "--device", "cpu", *flags]
    return harness.train.main(arguments)


def parameters(dataset: Path, out: str) -> dict[str, torch.Tensor]:
    return torch.load(dataset / out / "last.pt", weights_only=True)["model"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def log(dataset: Path, out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (dataset / out / "log.jsonl").read_text().splitlines()]


def interrupt_at(side: Any, monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGINT) -> None:
    """As if the user pressed Ctrl-C, or a cluster sent SIGTERM, while batch `step` is read."""
    batches = side.modules.batches.Batches
    read = batches.__getitem__

    def interrupted(batches: Any, index: int) -> Any:
        if index == step:
            signal.raise_signal(number)
        return read(batches, index)

    monkeypatch.setattr(batches, "__getitem__", interrupted)


def test_learning_lowers_the_loss(side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    val = str(dataset / "list.txt")
    assert side.train(dataset, "a", "--steps", "60", "--val", val, "--val-every", "30", "--lr", "0.03") == 0
    lines = log(dataset, "a")
    losses = [line for line in lines if "loss" in line]
    assert [line["step"] for line in losses] == [10, 20, 30, 40, 50, 60]
    assert set(losses[0]) == {"step", "loss", "lr", "seconds"}
    assert losses[-1]["loss"] < 0.5 * losses[0]["loss"]
    metrics = [line for line in lines if "mean_iu" in line]
    assert [line["step"] for line in metrics] == [30, 60]
    assert metrics[-1]["mean_iu"] > 0.9
    last = dataset / "a" / side.last
    printed, _, wrote = capsys.readouterr().out.rpartition("wrote ")
    assert wrote == f"{last}\n"
    assert re.findall("^step ([0-9]+): pixel accuracy .*, mean IU ", printed, re.M) == ["30", "60"]
    assert [len(metrics[0]["classes"][column]) for column in ("pixels", "accuracy", "iu")] == [3, 3, 3]
    assert side.modules.evaluate.main(["--weights", str(last), "--list", val, "--device", "cpu"]) == 0
    assert printed.endswith(capsys.readouterr().out), "evaluate.py prints what training ended with"


@pytest.mark.parametrize("flags", [[], ["--optimizer", "adamw", "--lr", "0.01", "--scale", "0.5", "2"]])
def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    last = dataset / "parts" / side.last
    assert side.train(dataset, "whole", *flags) == 0
    assert capsys.readouterr().out.endswith(f"\nwrote {dataset}/whole/{side.last}\n")
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        interrupt_at(side, patch, 12)
        assert side.train(dataset, "parts", *flags) == 130
    assert capsys.readouterr().err.endswith(f"\ninterrupted after step 13; go on with --resume {last}\n")
    assert signal.getsignal(signal.SIGINT) is handler
    assert not side.same(side.learnt(dataset, "whole"), side.learnt(dataset, "parts"))
    assert side.train(dataset, "parts", *flags, "--resume", str(last)) == 0
    assert side.same(side.learnt(dataset, "whole"), side.learnt(dataset, "parts"))
    expected = [(line["step"], line["loss"], line["lr"]) for line in log(dataset, "whole")]
    assert [(line["step"], line["loss"], line["lr"]) for line in log(dataset, "parts")] == expected


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_sigterm_and_sighup_save_the_run_as_ctrl_c_does(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    number: int, status: int,
) -> None:  # fmt: skip
    before, last = signal.signal(number, signal.SIG_DFL), dataset / "a" / side.last
    try:
        interrupt_at(side, monkeypatch, 12, number)
        assert side.train(dataset, "a") == status
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert side.modules.weights.read_checkpoint(last)["step"] == 13
    assert capsys.readouterr().err.endswith(f"\ninterrupted after step 13; go on with --resume {last}\n")


def test_a_signal_that_is_ignored_stays_so(side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nohup has it of SIGHUP, and a shell of Ctrl-C for what it runs in the background."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT)}
    try:
        for number in before:
            with monkeypatch.context() as patch:
                interrupt_at(side, patch, 1, number)
                assert side.train(dataset, f"{number}", "--steps", "3") == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_run_resumed_from_an_earlier_checkpoint_forgets_the_later_log(side: Any, dataset: Path) -> None:
    last, kept = dataset / "a" / side.last, dataset / "kept"
    assert side.train(dataset, "a", "--steps", "10", "--schedule", "fixed") == 0
    side.copy(last, kept)
    resume = ["--resume", str(last), "--schedule", "fixed"]
    assert side.train(dataset, "a", "--steps", "30", *resume) == 0
    side.copy(kept, last)
    assert side.train(dataset, "a", "--steps", "20", *resume) == 0
    assert [line["step"] for line in log(dataset, "a")] == [10, 20]


def test_workers_change_nothing_and_without_a_terminal_progress_is_lines(side: Any, dataset: Path) -> None:
    flags = ["--steps", "6", "--scale", "0.5", "1.5", "--log-every", "3", "--schedule", "fixed"]
    # One process for both, and not this one, where XLA may have started without the commands' flag.
    first = f"import train\nassert train.main({side.flags(dataset, 'none', *flags)}) == 0"
    printed, told = side.started(dataset, "two", *flags, "--workers", "2", before=first).communicate()
    assert [re.sub(r"loss [0-9.]+, lr 0.1, [0-9]+ s", "...", line) for line in told.splitlines()] == [
        "step 3 of 6: ...", "step 6 of 6: ...",
    ] * 2  # fmt: skip
    assert printed.endswith(f"\nwrote {dataset}/two/{side.last}\n")
    assert side.same(side.learnt(dataset, "none"), side.learnt(dataset, "two"))


def test_seeds_differ(side: Any, dataset: Path) -> None:
    for seed in ("1", "2"):
        assert side.train(dataset, seed, "--seed", seed, "--steps", "2") == 0
    assert not side.same(side.learnt(dataset, "1"), side.learnt(dataset, "2"))


def test_speed_flags(harness: SimpleNamespace, dataset: Path) -> None:
    assert run(harness, dataset, "a", "--bf16", "--channels-last", "--steps", "5") == 0
    assert run(harness, dataset, "b", "--images", str(dataset / "images"), "--masks", str(dataset / "masks")) == 1
    folders = ["--images", str(dataset / "images"), "--masks", str(dataset / "masks")]
    assert harness.train.main([*folders, "--out", str(dataset / "c"), "--steps", "2"]) == 0


def test_a_compiled_model_learns_the_same(
    harness: SimpleNamespace, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dynamo's part of torch.compile, without the compiler that its default backend calls."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    assert run(harness, dataset, "compiled", "--compile", "--steps", "2") == 0
    assert run(harness, dataset, "plain", "--steps", "2") == 0
    assert same(parameters(dataset, "compiled"), parameters(dataset, "plain"))


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--lr", "1e18", "--save-every", "1", "--log-every", "20"]
    assert side.train(dataset, "a", *flags) == 1
    message = "error: the weights of step [0-9]+ are not finite, and are not saved; try a lower --lr\n"
    assert re.fullmatch(message, capsys.readouterr().err)
    assert all(np.isfinite(tensor).all() for tensor in side.learnt(dataset, "a").values())


BOTTLENECK = """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - mean:  {pool: global_avg}
  - mixed: {conv: 3, kernel: 1, norm: batch}
  - whole: {resize: input}
  - score: {conv: 3, kernel: 1}
"""


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("torch", "Expected more than 1 value per channel when training, got input size torch.Size([1, 3, 1, 1])"),
        ("jax", "batch normalisation needs more than one value a channel to train"),
    ],
)
def test_a_batch_too_small_for_batch_norm_is_one_line(
    built: Any, dataset: Path, capsys: pytest.CaptureFixture[str], backend: str, said: str
) -> None:
    side = built(backend, BOTTLENECK)
    assert side.train(dataset, "a", "--batch", "1", "--steps", "2") == 1
    assert capsys.readouterr().err == f"error: step 1: {said}; try a larger --batch\n"
    assert side.train(dataset, "b", "--batch", "2", "--steps", "2") == 0


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_network_that_ends_in_a_softmax_learns_what_it_would_without(built: Any, dataset: Path, backend: str) -> None:
    text = """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - hidden: {conv: 8, kernel: 3, pad: same, act: relu}
  - score:  {conv: 3, kernel: 1}
"""
    for out, end in (("without", ""), ("with", "  - likely: {softmax: channels}\n  - whole: {resize: input}\n")):
        assert built(backend, text + end).train(dataset, out, "--steps", "5", "--log-every", "1") == 0
    for line, other in zip(log(dataset, "without"), log(dataset, "with"), strict=True):
        assert other["loss"] == pytest.approx(line["loss"], rel=1e-4)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_each_head_has_its_own_number_of_classes(
    built: Any, dataset: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    side = built(
        backend,
        """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - semantic:  {conv: 2, kernel: 1}
  - geometric: {conv: 5, kernel: 1, from: input}
outputs: {semantic: semantic, geometric: geometric}
""",
    )
    assert (side.modules.data.HEADS, side.modules.data.HEAD) == ({"semantic": 2, "geometric": 5}, "semantic")
    flags = ["--steps", "2", "--val", str(dataset / "list.txt")]
    assert side.train(dataset, "a", "--head", "geometric", *flags) == 0
    table = capsys.readouterr().out
    assert "\n    4 " in table and "\n    5 " not in table
    assert side.train(dataset, "b", *flags) == 1
    assert " is neither a class, 0 to 1, nor the ignored label, 255; in all, " in capsys.readouterr().err


def test_loss_is_the_mean_over_labelled_pixels_and_zero_without_any(side: Any) -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(2, 4, 4, 3)).astype(np.float32), rng.integers(0, 3, (2, 4, 4))
    labels[0, :2] = 255
    likely = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    chosen = np.take_along_axis(likely, np.where(labels == 255, 0, labels)[..., None], -1)[..., 0]
    assert side.loss(scores, labels) == pytest.approx(-np.log(chosen[labels != 255]).mean())
    assert side.loss(scores, np.full((2, 4, 4), 255)) == 0


def test_no_labelled_pixel_gives_no_gradient(harness: SimpleNamespace) -> None:
    scores = torch.zeros(2, 3, 4, 4, requires_grad=True)
    loss = harness.losses.loss_of(scores, torch.full((2, 4, 4), 255), 255)
    loss.backward()
    assert loss.item() == 0 and scores.grad is not None and not scores.grad.any()


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("fixed", [0.1, 0.1, 0.1]),
        ("step", [0.1, 0.05, 0.025]),
        ("poly", [0.1, 0.1 * 0.75**0.9, 0.1 * 0.5**0.9]),
    ],
)
def test_schedules(harness: SimpleNamespace, schedule: str, rates: list[float]) -> None:
    flags = ["--out", "x", "--steps", "20", "--step-size", "5", "--gamma", "0.5", "--schedule", schedule]
    arguments = harness.train.arguments_of(flags)
    assert [harness.run.learning_rate(step, arguments) for step in (0, 5, 10)] == pytest.approx(rates)


def test_biases_have_a_doubled_rate_and_no_decay(harness: SimpleNamespace) -> None:
    model = harness.model.StandIn()
    model[0].weight.requires_grad = False
    for flag, counts in (("--double-bias", [2, 3]), ("--no-double-bias", [5, 0])):
        arguments = harness.train.arguments_of(["--out", "x", flag])
        groups = harness.train.optimizer_of(model, arguments).param_groups
        assert [len(group["params"]) for group in groups] == counts
        assert [(group["factor"], group["weight_decay"]) for group in groups] == [(1.0, 0.0005), (2.0, 0.0)]


def test_labels_are_those_under_the_output(tap: Any, dataset: Path) -> None:
    for kernel, stride, offset in ((9, 1, 4), (8, 4, 3)):
        harness = tap(kernel, stride, offset)
        # The tap's scores are the colours, and the brightest colour is the label: evaluation must find every one,
        # and training has next to nothing to learn. Between four-pixel blocks bilinear scores may err.
        out = f"{kernel}{stride}{offset}"
        flags = ["--lr", "0", "--steps", "4", "--log-every", "1", "--no-mirror"]
        assert run(harness, dataset, out, *flags, "--val", str(dataset / "list.txt")) == 0
        lines = log(dataset, out)
        assert max(line["loss"] for line in lines if "loss" in line) < (0.25 if stride == 1 else 0.6)
        assert lines[-1]["pixel_accuracy"] > (0.999 if stride == 1 else 0.85)


def test_crop_is_rounded_up_to_a_legal_size(special: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harness = special(multiple=(8, 4))
    arguments = harness.train.arguments_of(["--out", "x", "--crop", "18"])
    assert arguments.crop == [24, 20]
    assert capsys.readouterr().out == "--crop 18 18: rounded up to 24 20, which the network takes\n"
    assert harness.train.arguments_of(["--out", "x", "--crop", "24", "12"]).crop == [24, 12]
    assert capsys.readouterr().out == ""


def test_init_starts_from_weights(side: Any, dataset: Path) -> None:
    given = side.model()
    side.save(dataset / "w.safetensors", given)
    flags = ["--init", str(dataset / "w.safetensors"), "--lr", "0", "--steps", "1", "--seed", "5"]
    assert side.train(dataset, "a", *flags) == 0
    assert np.array_equal(side.learnt(dataset, "a")["hidden.weight"], side.tensors(given)["hidden.weight"])


def test_errors_are_one_line_and_write_nothing(side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(out: str, *flags: str) -> str:
        assert side.train(dataset, out, *flags) == 1
        assert not (dataset / out / side.last).exists() or out == "a"
        assert not (dataset / out).exists() or out in "ab"
        return capsys.readouterr().err

    last, weights = dataset / "a" / side.last, dataset / ("w" + Path(side.last).suffix)
    assert side.train(dataset, "a", "--steps", "2") == 0
    capsys.readouterr()
    earlier = f"error: {last}: is an earlier run's; go on with --resume {last}, or choose another --out\n"
    assert error("a") == earlier
    assert error("b", "--resume", str(last), "--steps", "2") == (
        f"error: {last}: has done 2 steps; start a run from it with --init\n"
    )
    assert error("b", "--resume", str(last), "--steps", "4") == (
        f"error: {last}: --steps was 2 and is now 4; resume with what it was, or start anew with --init\n"
    )
    assert error("b", "--resume", str(last), "--steps", "2", "--lr", "0.2") == (
        f"error: {last}: --lr was 0.1 and is now 0.2; resume with what it was, or start anew with --init\n"
    )
    side.save(weights, side.model())
    assert error("b", "--resume", str(weights)) == (
        f"error: {weights}: holds weights and no run to resume; start a run from them with --init\n"
    )
    assert error("b", "--resume", str(dataset / "none")) == f"error: {dataset}/none: no such file\n"
    assert error("b", "--val", str(dataset / "none.txt")) == f"error: {dataset}/none.txt: no such file\n"
    assert error("b", "--resume", "/").startswith("error: /: cannot be read: ")
    assert side.train(dataset, "x" * 300) == 1
    assert capsys.readouterr().err == f"error: {dataset}/{'x' * 300}: cannot be written: File name too long\n"
    assert error("b", "--images", "x") == "error: give either --list, or both --images and --masks\n"
    if side.backend == "torch" and not torch.cuda.is_available():
        assert error("b", "--device", "cuda") == "error: --device cuda: there is no CUDA device\n"
    assert error("b", "--lr", "1e30", "--steps", "10").startswith("error: the loss of step 10 is nan; try a lower --lr")
    (dataset / "d").write_bytes(b"")
    assert error("d/e") == f"error: {dataset}/d/e: cannot be written: Not a directory\n"
    (dataset / "d").unlink()
    for path in (dataset / "masks").iterdir():
        Image.fromarray(np.full((20, 24), 7, np.uint8)).save(path)
    assert error("c").startswith(
        f"error: {dataset}/masks/0.png: label 7 (row 0, column 0; 480 pixels) "
        "is neither a class, 0 to 2, nor the ignored label, 255"
    )


def test_a_bad_file_in_the_middle_keeps_what_was_learnt(side: Any, dataset: Path) -> None:
    """Behind the first sixteen crops, which are read before the first step."""
    names = [f"{i}.png" for i in range(24)]
    for name in names[6:]:
        for folder in ("images", "masks"):
            shutil.copy(dataset / folder / "0.png", dataset / folder / name)
    (dataset / "list.txt").write_text("".join(f"images/{name} masks/{name}\n" for name in names))
    bad = dataset / "images" / names[side.modules.batches.shuffled(0, 0, 24)[20]]
    whole = bad.read_bytes()
    bad.write_bytes(whole[:200])
    flags = ["--batch", "1", "--steps", "23", "--log-every", "100", "--no-scan"]
    failed = side.script(dataset, "parts", *flags, "--workers", "1")
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {bad}: cannot be read: ") and failed.stderr.count("\n") == 1
    bad.write_bytes(whole)
    assert side.train(dataset, "parts", *flags, "--resume", str(dataset / "parts" / side.last)) == 0
    assert side.train(dataset, "whole", *flags) == 0
    assert side.same(side.learnt(dataset, "parts"), side.learnt(dataset, "whole"))


@pytest.mark.parametrize(
    "flags",
    [
        ["--steps", "0"], ["--scale", "2", "1"], ["--crop", "1", "2", "3"], ["--seed", "-1"], ["--seed", str(2**63)],
        ["--lr", "-1"], ["--lr", "nan"], ["--lr", "inf"], ["--momentum", "1"], ["--momentum", "-0.1"],
        ["--weight-decay", "-1"], ["--power", "-1"], ["--gamma", "-1"], ["--workers", "-1"],
        ["--power", "nan"],
        ["--gamma", "2", "--step-size", "1", "--steps", "5000"], ["--gamma", "1e300"],
        ["--seed", str(2**64)], ["--scale", "1", "inf"],
        ["--scale", "1e-300", "1"], ["--scale", "nan", "nan"], ["--crop", "1000000"], ["--ignore", str(10**20)],
        ["--batch", str(10**12)], ["--workers", "10000"], ["--steps", str(10**30)],
    ],
)  # fmt: skip
def test_impossible_flags_are_usage_errors(harness: SimpleNamespace, flags: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        harness.train.arguments_of(["--out", "x", *flags])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: x")])
def test_too_little_memory_is_one_line(
    harness: SimpleNamespace, dataset: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, error: Exception,
) -> None:  # fmt: skip
    def starved(self: Any, image: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(harness.model.StandIn, "forward", starved)
    assert run(harness, dataset, "a") == 1
    assert capsys.readouterr().err == "error: there is not enough memory; try a smaller --batch or --crop\n"
