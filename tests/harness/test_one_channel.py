"""A head of one channel: binary cross entropy, labels 0 and 1, a threshold; the same in both harnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CASES = Path(__file__).parents[1] / "data/cases/language"
BACKENDS = pytest.mark.parametrize("backend", ["torch", "jax"])
HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 16}\nlayers:\n"
# Stride 2, so that scores are interpolated, and --dense stitches them.
ONE = f"""{HEAD}  - a: {{conv: 4, kernel: 3, stride: 2, pad: 1, act: relu}}
  - s: {{conv: 1, kernel: 1}}
"""
LIKELY = ONE.replace("kernel: 1}", "kernel: 1, act: sigmoid}")
TWO = f"""{HEAD}  - a: {{conv: 4, kernel: 3, stride: 2, pad: 1, act: relu}}
  - many: {{conv: 3, kernel: 1}}
  - one:  {{conv: 1, kernel: 1, from: a}}
outputs: {{many: many, one: one}}
"""
TRAINED = (
    ONE
    + """training:
  loss: {cross_entropy: {ignore: 255, reduction: sum, keep: 0.75}}
  optimizer: {sgd: {momentum: 0.9, weight_decay: 5e-3}}
  input_padding: {edge: 3}
  lr: 1e-3
  batch: 4
  double_bias: yes
  stages:
    - head: {train: s, steps: 2}
    - all:  {steps: 4}
"""
)


@pytest.fixture
def blobs(dataset: Path) -> Path:
    """The data set with the labels 0 and 1: what is red, and what is not."""
    for path in (dataset / "masks").iterdir():
        with Image.open(path) as mask:
            labels = np.array(mask)
        Image.fromarray(np.where(labels == 255, 255, labels == 0).astype(np.uint8)).save(path)
    return dataset


def reference(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-log of the probability of each label, in float64: log(1 + e^z) - y z."""
    z = logits.astype(np.float64)
    return np.logaddexp(0, z) - np.where(labels == 1, z, 0)


@BACKENDS
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_is_the_binary_cross_entropy_of_the_labelled_pixels(built: Any, backend: str, reduction: str) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(scale=20, size=(2, 5, 6, 1)).astype(np.float32)
    labels = rng.choice([0, 1, 255], (2, 5, 6))
    counted = labels != 255
    expected = reference(scores[..., 0], labels)[counted].sum()
    text, more = (TRAINED, ["sum"]) if reduction == "sum" else (ONE, [])
    found = built(backend, text).loss(scores, labels, *more)
    assert found == pytest.approx(expected / (1 if more else counted.sum()), rel=1e-6)
    assert built(backend, text).loss(scores, np.full_like(labels, 255), *more) == 0
    if more:
        mean = built(backend, text).loss(scores, labels, "mean")
        assert mean == pytest.approx(expected / counted.sum(), rel=1e-6)


@BACKENDS
def test_of_two_heads_the_loss_is_that_of_the_heads_channels(built: Any, backend: str) -> None:
    side, rng = built(backend, TWO), np.random.default_rng(0)
    scores, labels = rng.normal(scale=3, size=(2, 5, 6, 3)).astype(np.float32), rng.choice([0, 1, 255], (2, 5, 6))
    counted, z = labels != 255, scores.astype(np.float64)
    known = np.where(counted, labels, 0)
    many = np.log(np.exp(z).sum(-1)) - np.take_along_axis(z, known[..., None], -1)[..., 0]
    assert side.loss(scores, labels) == pytest.approx(many[counted].mean(), rel=1e-6)
    assert side.loss(scores[..., :1], labels) == pytest.approx(reference(z[..., 0], labels)[counted].mean(), rel=1e-6)


def gradient(side: Any, scores: np.ndarray, labels: np.ndarray, head: str | None = None) -> np.ndarray:
    """Of the loss of scores (H, W, 1) or, with a head, probabilities."""
    losses = side.modules.losses
    if side.backend == "torch":
        import torch

        images = torch.from_numpy(scores.transpose(2, 0, 1)[None].copy()).requires_grad_()
        given = losses.logits_of(images, head) if head else images
        losses.loss_of(given, torch.from_numpy(labels)[None], 255).backward()
        return images.grad[0].permute(1, 2, 0).numpy()
    import jax

    def loss(x: Any) -> Any:
        return losses.loss_of(losses.logits_of(x, head) if head else x, labels[None], 255)

    return np.asarray(jax.grad(loss)(scores[None]))[0]


@BACKENDS
def test_saturated_logits_have_a_finite_gradient(built: Any, backend: str) -> None:
    scores = np.array([-1e30, -200, -1, 0, 1, 200, 1e30, 1e30], np.float32).reshape(1, -1, 1)
    labels = np.array([[1, 1, 1, 0, 0, 0, 0, 255]])
    found = gradient(built(backend, ONE), scores, labels)[0, :, 0]
    expected = np.array([-1, -1, -1 / (1 + np.exp(-1)), 0.5, 1 / (1 + np.exp(-1)), 1, 1, 0]) / 7
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@BACKENDS
def test_a_head_that_ends_in_a_sigmoid_is_read_as_probabilities(built: Any, backend: str) -> None:
    side = built(backend, LIKELY)
    assert side.modules.losses.PROBABILITIES == ["output"]
    likely = np.array([0, 1e-20, 0.25, 0.5, 0.875, 1], np.float32).reshape(1, -1, 1)
    for label in (0, 1):
        labels = np.full((1, 6), label)
        assert np.isfinite(gradient(side, likely, labels, "output")).all()
    logits = np.asarray(side.modules.losses.logits_of(_tensor(side, likely[None, :, 2:5]), "output"), np.float64)
    np.testing.assert_allclose(logits.flatten(), np.log([1 / 3, 1, 7]), rtol=1e-6, atol=1e-7)


def _tensor(side: Any, array: np.ndarray) -> Any:
    if side.backend == "jax":
        return array
    import torch

    return torch.from_numpy(array.copy())


@BACKENDS
def test_a_sigmoid_in_the_network_changes_no_step(built: Any, blobs: Path, backend: str) -> None:
    import torch

    losses = {}
    text = ONE.replace("stride: 2", "stride: 1")
    start, model = blobs / "start.safetensors", built("torch", text).model()
    for number, weight in enumerate(model.parameters()):  # small: a sigmoid near 1 loses the digits of its logit
        weight.data = 0.2 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
    built("torch", text).save(start, model)
    for name, spec in (("logits", text), ("likely", text.replace("kernel: 1}", "kernel: 1, act: sigmoid}"))):
        side = built(backend, spec)
        flags = ["--init", str(start), "--log-every", "1", "--steps", "8", "--batch", "2", "--lr", "0.02"]
        assert side.train(blobs, name, *flags) == 0
        losses[name] = [json.loads(line) for line in (blobs / name / "log.jsonl").read_text().splitlines()]
    for mine, theirs in zip(losses["logits"], losses["likely"], strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-4)


ONE_TAP = f"{HEAD}  - s: {{conv: 1, kernel: 1, bias: no}}\n"


@BACKENDS
@pytest.mark.parametrize("act", ["", ", act: sigmoid"])
def test_class_1_begins_at_the_threshold(built: Any, tmp_path: Path, backend: str, act: str) -> None:
    side = built(backend, ONE_TAP.replace("bias: no", f"bias: no{act}"))
    torch = built("torch", ONE_TAP)
    model = torch.model()
    model.s.weight.data[:] = model.s.weight.new_tensor([1, 0, 0])[None, :, None, None]
    torch.save(tmp_path / "w.safetensors", model)
    probabilities = np.array([0.1, 0.19, 0.21, 0.499, 0.5, 0.501, 0.79, 0.81, 0.999])
    image = np.zeros((1, 9, 3), np.float32)
    image[0, :, 0] = np.log(probabilities / (1 - probabilities))
    np.save(tmp_path / "x.npy", image)
    files = ["--weights", str(tmp_path / "w.safetensors"), "--device", "cpu"]
    for flags, threshold in (([], 0.5), (["--threshold", "0.2"], 0.2), (["--threshold", "0.8"], 0.8)):
        assert side.modules.predict.main([str(tmp_path / "x.npy"), *files, "--out", str(tmp_path / "out"), *flags]) == 0
        with Image.open(tmp_path / "out/x.png") as labels:
            assert np.array(labels)[0].tolist() == (probabilities >= threshold).astype(int).tolist()


@BACKENDS
def test_a_threshold_is_a_probability(
    built: Any, tmp_path: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    side = built(backend, ONE)
    for module in (side.modules.predict, side.modules.evaluate):
        for value in ("0", "1", "1.5", "half", "nan"):
            with pytest.raises(SystemExit):
                module.main(["x.png", "--weights", "w", "--out", "o", "--threshold", value])
            assert f"argument --threshold: invalid probability value: '{value}'" in capsys.readouterr().err


@BACKENDS
def test_a_threshold_for_a_head_of_several_channels_is_an_error(
    built: Any, blobs: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    side = built(backend, TWO)
    side.save(blobs / "w.safetensors", side.model())
    common = ["--weights", str(blobs / "w.safetensors"), "--threshold", "0.4", "--device", "cpu"]
    image, listed = str(blobs / "images/0.png"), str(blobs / "list.txt")
    assert side.modules.predict.main([image, "--out", str(blobs / "out"), *common]) == 1
    assert side.modules.evaluate.main(["--list", listed, *common]) == 1
    message = "error: --threshold: is for heads of one channel (one); of `many` the likeliest class is taken\n"
    assert capsys.readouterr().err == message * 2
    assert side.modules.predict.main([image, "--out", str(blobs / "out"), *common, "--head", "one"]) == 0
    assert side.modules.evaluate.main(["--list", listed, *common, "--head", "one"]) == 0


def test_the_siblings_train_evaluate_and_predict_alike(
    built: Any, blobs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With everything that the loss is said to work with: a sum, sampling, padding, doubled biases, stages."""
    torch, jax = built("torch", TRAINED), built("jax", TRAINED)
    torch.save(blobs / "start.safetensors", torch.model())
    flags = ["--stage", "all", "--init", str(blobs / "start.safetensors"), "--log-every", "1"]
    for side in (torch, jax):
        assert side.train(blobs, side.backend, *flags, "--val", str(blobs / "list.txt")) == 0
    logs = [(blobs / name / "log.jsonl").read_text().splitlines() for name in ("torch", "jax")]
    assert len(logs[0]) == 5
    for mine, theirs in zip(*(map(json.loads, lines) for lines in logs), strict=True):
        assert mine.keys() == theirs.keys() and mine.get("classes") == theirs.get("classes")
        for key in {*mine} - {"seconds", "classes"}:
            assert mine[key] == pytest.approx(theirs[key], rel=1e-5), key
    expected = torch.learnt(blobs, "torch")
    for name, tensor in jax.learnt(blobs, "jax").items():
        np.testing.assert_allclose(tensor, expected[name], atol=1e-5, err_msg=name)
    torch.save(blobs / "w.safetensors", torch.load(blobs / "torch/last.pt"))
    capsys.readouterr()
    tables = []
    for side in (torch, jax):
        common = ["--weights", str(blobs / "w.safetensors"), "--device", "cpu", "--threshold", "0.4"]
        assert side.modules.evaluate.main([*common, "--list", str(blobs / "list.txt")]) == 0
        tables.append(capsys.readouterr().out)
        for out, more in (("plain", []), ("dense", ["--dense"])):
            images = [str(path) for path in sorted((blobs / "images").iterdir())]
            target = blobs / f"{out}_{side.backend}"
            assert side.modules.predict.main([*images, *common, "--out", str(target), *more]) == 0
        capsys.readouterr()
    assert tables[0] == tables[1]
    assert [line.split()[0] for line in tables[0].splitlines() if line] == [
        "class", "0", "1", "pixel", "mean", "mean", "frequency",
    ]  # fmt: skip
    differ = False
    for out in ("plain", "dense"):
        for path in (blobs / f"{out}_torch").iterdir():
            assert path.read_bytes() == (blobs / f"{out}_jax" / path.name).read_bytes()
            differ |= path.read_bytes() != (blobs / "plain_torch" / path.name).read_bytes()
    assert differ, "--dense does something else"


@BACKENDS
def test_language_bug_one_class_learns(
    built: Any, blobs: Path, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (CASES / "bug_one_class.yaml").read_text().replace("model: k1", "model: net")
    side = built(backend, text)
    assert (side.modules.data.CLASSES, side.modules.data.HEADS) == (2, {"output": 2})
    flags = ["--crop", "16", "--steps", "60", "--batch", "4", "--val", str(blobs / "list.txt")]
    assert side.train(blobs, "a", *flags) == 0
    last = [json.loads(line) for line in (blobs / "a/log.jsonl").read_text().splitlines()][-1]
    assert last["mean_iu"] > 0.9
