"""The two harnesses compute the same: losses, scores, metrics; and JAX the same on any devices, in any processes."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

SPEC = """segcompile: 1
model: net
input: {{channels: 3, size: {size}}}
layers:
  - score: {{conv: 3, kernel: [{kernel}, 5], stride: [{stride}, 3], pad: [{pad}, {pad}, 1, 2]}}
"""
# No dropout, whose masks are each framework's own; no bias before batch norm, whose gradient is a rounding error.
TRAINED = """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - stem:   {conv: 8, kernel: 3, stride: 2, pad: 1, bias: no, norm: batch, act: prelu}
  - middle: {conv: 8, kernel: 3, pad: same, act: relu}
  - score:  {conv: 3, kernel: 1}
  - whole:  {deconv: 3, kernel: 4, stride: 2, pad: 1, groups: 3, bias: no, init: bilinear, frozen: yes}
training:
  loss: {cross_entropy: {ignore: 255}}
  optimizer: {sgd: {momentum: 0.9, weight_decay: 5e-2}}
  schedule: {poly: 0.9}
  lr: 0.05
  batch: 4
  steps: 20
  double_bias: yes
"""


def log(data: Path, out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / out / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--optimizer", "adamw", "--lr", "0.01", "--schedule", "step", "--step-size", "6", "--gamma", "0.5"],
        ["--no-double-bias", "--schedule", "fixed", "--optimizer", "adamw", "--lr", "0.003", "--weight-decay", "0.5"],
    ],
)
def test_twenty_steps_from_the_same_weights_give_the_same_losses_and_weights(
    built: Any, dataset: Path, flags: list[str]
) -> None:
    torch, jax = built("torch", TRAINED), built("jax", TRAINED)
    torch.save(dataset / "start.safetensors", torch.model())
    every = ["--init", str(dataset / "start.safetensors"), "--log-every", "1", "--val", str(dataset / "list.txt")]
    for side, out in ((torch, "torch"), (jax, "jax")):
        assert side.train(dataset, out, *every, *flags) == 0
    for mine, theirs in zip(log(dataset, "jax"), log(dataset, "torch"), strict=True):
        assert mine.keys() == theirs.keys() and mine.get("lr") == theirs.get("lr")
        if "loss" in mine:
            assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-3)
    expected = torch.learnt(dataset, "torch")
    for name, tensor in jax.learnt(dataset, "jax").items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_allclose(tensor, expected[name], atol=2e-3, err_msg=name)


def test_the_metrics_of_the_same_weights_are_the_same(
    built: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch, jax = built("torch", TRAINED), built("jax", TRAINED)
    torch.save(dataset / "w.safetensors", torch.model())
    tables = []
    for side in (torch, jax):
        flags = ["--weights", str(dataset / "w.safetensors"), "--list", str(dataset / "list.txt"), "--device", "cpu"]
        assert side.modules.evaluate.main(flags) == 0
        images = [str(path) for path in sorted((dataset / "images").iterdir())]
        assert side.modules.predict.main([*images, *flags[:2], "--out", str(dataset / side.backend)]) == 0
        tables.append(capsys.readouterr().out.partition("wrote")[0])
    assert tables[0] == tables[1]
    for path in (dataset / "torch").iterdir():
        assert path.read_bytes() == (dataset / "jax" / path.name).read_bytes()


@pytest.mark.parametrize(("kernel", "stride", "pad"), [(1, 1, 0), (7, 1, 0), (8, 4, 2), (12, 5, 0), (3, 2, 1)])
def test_scores_lie_over_the_same_pixels(built: Any, tmp_path: Path, kernel: int, stride: int, pad: int) -> None:
    text = SPEC.format(size=40, kernel=kernel, stride=stride, pad=pad)
    torch, jax = built("torch", text), built("jax", text)
    torch.save(tmp_path / "w.safetensors", torch.model())
    theirs, mine = torch.load(tmp_path / "w.safetensors"), jax.load(tmp_path / "w.safetensors")
    for size in ((1, 9), (37, 41)):
        image = np.random.default_rng(0).normal(size=(*size, 3)).astype(np.float32)
        np.testing.assert_allclose(jax.scores(mine, image), torch.scores(theirs, image), atol=1e-5)


def test_neither_devices_nor_processes_change_a_run(built: Any, dataset: Path) -> None:
    jax = built("jax", TRAINED)
    flags = ["--steps", "6", "--log-every", "2", "--val", str(dataset / "list.txt")]
    assert jax.train(dataset, "one", *flags) == 0
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = f"localhost:{free.getsockname()[1]}"

    def process(index: int) -> Any:
        return jax.script(dataset, "processes", *flags, "--distributed", place, "2", str(index))

    two = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(process, (0, 1))
    devices = jax.script(dataset, "devices", *flags, **two)
    assert (first.returncode, second.returncode, devices.returncode) == (0, 0, 0), first.stderr + devices.stderr
    assert "mean IU" in first.stdout and "wrote" not in second.stdout, "the first speaks for both"
    expected = jax.learnt(dataset, "one")
    for out in ("devices", "processes"):
        for name, tensor in jax.learnt(dataset, out).items():
            np.testing.assert_allclose(tensor, expected[name], atol=1e-5, err_msg=f"{out} {name}")
        for mine, theirs in zip(log(dataset, out), log(dataset, "one"), strict=True):
            assert mine.get("loss") == pytest.approx(theirs.get("loss"), abs=1e-5)
            assert mine.get("mean_iu") == pytest.approx(theirs.get("mean_iu"), abs=1e-12)


def test_a_batch_that_devices_cannot_share_and_a_place_that_is_none_are_one_line(
    built: Any, dataset: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    side = built("jax", TRAINED)
    assert side.train(dataset, "a", "--distributed", "localhost:1", "2") == 1
    monkeypatch.setattr("jax.device_count", lambda: 3)
    assert side.train(dataset, "a") == 1
    assert capsys.readouterr().err == (
        "error: --distributed: give HOST:PORT COUNT INDEX, or nothing where those are found\n"
        "error: --batch 4: must be a multiple of the number of devices, 3\n"
    )
    assert not (dataset / "a").exists()


def prepared(side: Any, *flags: str) -> SimpleNamespace:
    """What a training step takes, as train.py makes it."""
    import jax
    from flax import nnx

    arguments = side.modules.flags.arguments_of(["--out", "x", *flags])
    model = side.modules.model.Net(rngs=nnx.Rngs(0))
    graph, weights, statistics, rest = nnx.split(model, nnx.Param, nnx.BatchStat, ...)
    optimizer = side.modules.step.optimizer_of(arguments)
    state = side.modules.step.State(weights, statistics, optimizer.init(weights))
    images = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    labels = np.zeros((2, 16, 16), np.int32)
    inputs = rest, images, labels, np.uint32(1), np.float32(0.1)
    step = side.modules.step.step_of(graph, optimizer, arguments, jax.sharding.SingleDeviceSharding(jax.devices()[0]))
    return SimpleNamespace(step=step, state=state, inputs=inputs)


@pytest.mark.parametrize("flags", [[], ["--bf16", "--optimizer", "adamw"]])
def test_the_step_is_lowered_for_cuda_and_tpu(built: Any, flags: list[str]) -> None:
    side = built("jax", TRAINED)
    run = prepared(side, *flags)
    lowered = run.step.trace(run.state, *run.inputs).lower(lowering_platforms=("cuda", "tpu"))
    text = lowered.as_text()
    assert "stablehlo.convolution" in text and ("bf16" in text) == bool(flags)
    assert "tf.aliasing_output" in text or "jax.buffer_donor" in text, "the state's memory is given to the next"


def test_bf16_keeps_weights_statistics_and_loss_in_float32(built: Any, dataset: Path) -> None:
    import jax

    side = built("jax", TRAINED)
    run = prepared(side, "--bf16")
    state, loss = run.step(run.state, *run.inputs)
    kinds = {leaf.dtype for leaf in jax.tree.leaves((state.weights, state.statistics, loss))}
    assert kinds == {np.dtype(np.float32)}
    for out, flags in (("plain", []), ("bf16", ["--bf16"])):
        assert side.train(dataset, out, "--log-every", "1", "--steps", "5", *flags) == 0
    for mine, theirs in zip(log(dataset, "bf16"), log(dataset, "plain"), strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=0.05)


def test_dropout_differs_by_step_and_layer_and_by_nothing_else(built: Any) -> None:
    import jax
    from flax import nnx

    side = built(
        "jax",
        "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 16}\nlayers:\n"
        "  - a: {conv: 3, kernel: 1, drop: 0.5}\n  - b: {conv: 3, kernel: 1, drop: 0.5}\n",
    )
    assert len({tuple(jax.random.key_data(stream.key[...]).tolist()) for _, stream in nnx.iter_graph(side.model())
                if isinstance(stream, nnx.RngStream)}) == 2  # fmt: skip

    def loss(number: int) -> float:
        run = prepared(side)
        *start, _, lr = run.inputs
        return float(run.step(run.state, *start, np.uint32(number), lr)[1])

    assert loss(1) == loss(1) != loss(2)


def test_a_checkpoint_takes_the_place_of_a_checkpoint_and_of_nothing_else(built: Any, tmp_path: Path) -> None:
    jax, folder = built("jax", TRAINED), tmp_path / "weights"
    for _ in range(2):
        jax.save(folder, jax.model())
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("a page")
    with pytest.raises(jax.modules.files.InputError) as caught:
        jax.save(tmp_path / "mine", jax.model())
    assert str(caught.value) == f"{tmp_path}/mine: is a folder, not a checkpoint; choose another name"
    assert (tmp_path / "mine/notes.txt").read_text() == "a page"
