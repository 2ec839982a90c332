"""A lowered network: for inference, with the weights of the trained one taken over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

# A norm that a layer carries, one that is a layer and leaves its act, one of two groups, one that stays.
SPEC = """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - hidden: {conv: 8, kernel: 3, pad: same, stride: 2, norm: batch, act: prelu, drop: 0.2}
  - bare:   {conv: 8, kernel: 3, pad: same, bias: no}
  - bn:     {norm: {batch: {eps: 0.01}}, act: prelu}
  - up:     {deconv: 6, kernel: 4, stride: 2, pad: 1, groups: 2, norm: batch, act: relu}
  - down:   {conv: 8, kernel: 2, stride: 2, groups: 2, norm: batch}
  - sum:    {add: [down, bn]}
  - late:   {norm: batch}
  - score:  {conv: 3, kernel: 1}
training: {input_padding: {edge: 4}}
"""
FOLD = "fold_batch_norm"
TRAINS = {"train.py", "batches.py", "flags.py", "run.py", "loading.py", "losses.py", "keeping.py", "checkpoints.py"}
TRAINS |= {"sweeps.py", "split.py", "on_tile.py", "whole_image.py"}


@pytest.fixture(params=["torch", "jax"])
def both(request: pytest.FixtureRequest, built: Callable[..., Any]) -> tuple[Any, Any]:
    """The trained network and the lowered one, in one framework."""
    return built(request.param, SPEC), built(request.param, SPEC, FOLD)


def trained_file(path: Path, trained: Any) -> dict[str, np.ndarray]:
    """Weights far from those that a network starts from, in a safetensors file; the tensors."""
    rng = np.random.default_rng(1)
    tensors = {}
    for name, value in trained.tensors(trained.model()).items():
        positive = name.endswith("running_var")
        drawn = rng.uniform(0.2, 3, value.shape) if positive else rng.normal(0.1, 0.5, value.shape)
        tensors[name] = value if value.dtype.kind == "i" else drawn.astype(np.float32)
    safetensors.numpy.save_file(tensors, path)
    return tensors


def test_a_folded_network_scores_as_the_trained_one_to_1e_5(both: tuple[Any, Any], tmp_path: Path) -> None:
    check_folded(*both, (13, 18), tmp_path)


@pytest.mark.parametrize("size", [(13,), (13, 18, 15)])
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_folded_network_of_a_signal_or_a_volume_scores_so_too(
    built: Callable[..., Any], tmp_path: Path, backend: str, size: tuple[int, ...]
) -> None:
    text = SPEC.replace("size: 16", f"size: [{', '.join(['16'] * len(size))}]")
    check_folded(built(backend, text), built(backend, text, FOLD), size, tmp_path)


def check_folded(trained: Any, lowered: Any, size: tuple[int, ...], tmp_path: Path) -> None:
    """A random image of this size gets the trained network's scores, whatever file the folded weights come from."""
    source = tmp_path / "trained.safetensors"
    trained_file(source, trained)
    image = np.random.default_rng(2).integers(0, 256, (*size, 3)).astype(np.uint8)
    want = trained.scores(trained.load(source), image)
    assert np.ptp(want) > 1
    checkpoint = tmp_path / trained.last
    trained.save(checkpoint, trained.load(source))
    folded, from_checkpoint = tmp_path / "folded.safetensors", tmp_path / f"folded_{trained.last}"
    assert lowered.modules.weights.main(["convert", str(source), str(folded)]) == 0
    assert lowered.modules.weights.main(["convert", str(checkpoint), str(from_checkpoint)]) == 0
    model = lowered.load(folded)
    np.testing.assert_allclose(lowered.scores(model, image), want, rtol=1e-5, atol=1e-5)
    assert lowered.same(lowered.tensors(model), lowered.tensors(lowered.load(from_checkpoint)))


def test_a_file_that_is_not_the_trained_networks_is_refused(both: tuple[Any, Any], tmp_path: Path) -> None:
    trained, lowered = both
    source, broken, target = (tmp_path / f"{name}.safetensors" for name in ("trained", "broken", "folded"))
    tensors = trained_file(source, trained)
    weights, error = lowered.modules.weights, lowered.modules.files.InputError
    with pytest.raises(error, match=r"is of the trained network; `weights.py convert` makes this one's of it$"):
        weights.load(source, lowered.model())
    assert weights.main(["convert", str(source), str(target)]) == 0
    with pytest.raises(error, match=r"does not fit the network that was trained: missing: hidden_norm.weight, "):
        weights.load_trained(target, lowered.model())
    one = np.ones(1, np.float32)
    for change, fault in (
        ({"hidden.bias": None}, "does not fit the network that was trained: missing: hidden.bias$"),
        ({"bare.bias": one}, "does not fit the network that was trained: unexpected: bare.bias$"),
        ({"up_norm.bias": one}, "`up_norm` does not fit `up`, which has 6 channels$"),
        ({"up.weight": np.ones((7, 3, 4, 4), np.float32)}, "cannot be read: it is damaged, or no file of weights$"),
        ({"up.weight": np.ones((), np.float32)}, "cannot be read: it is damaged, or no file of weights$"),
        ({"hidden.weight": np.ones((8, 1, 3, 3), np.float32)}, r"misshapen: hidden.weight float64\[8, 1, 3, 3\]"),
        ({"bn.running_var": tensors["bn.running_var"] * -1}, "not finite: bare.bias, bare.weight$|bare.weight, bare"),
        ({"score.bias": None}, "missing: score.bias$"),
        ({"other.bias": one}, "unexpected: other.bias$"),
    ):
        changed = {name: value for name, value in {**tensors, **change}.items() if value is not None}
        safetensors.numpy.save_file(changed, broken)
        with pytest.raises(error, match=fault):
            weights.load_trained(broken, lowered.model())


def test_a_lowered_folder_has_what_inference_needs_and_no_training(both: tuple[Any, Any]) -> None:
    there, lowered = ({path.name for path in each.folder.iterdir()} for each in both)
    assert there - lowered == TRAINS | ({"step.py"} if both[0].backend == "jax" else set())
    assert lowered < there and "folding.py" in lowered
    told = "\n".join(path.read_text() for path in both[1].folder.iterdir() if path.suffix in (".py", ".md"))
    assert "train.py --" not in told and "runs/a" not in told and "--init" not in told
    assert "Lowered by fold_batch_norm, for inference" in (both[1].folder / "model.py").read_text()


def test_both_frameworks_fold_to_the_same_weights(built: Callable[..., Any], tmp_path: Path) -> None:
    source, found = tmp_path / "trained.safetensors", []
    trained_file(source, built("torch", SPEC))
    for backend in ("torch", "jax"):
        target = tmp_path / f"{backend}.safetensors"
        assert built(backend, SPEC, FOLD).modules.weights.main(["convert", str(source), str(target)]) == 0
        found.append(safetensors.numpy.load_file(target))
    torch, jax = found
    assert torch.keys() == jax.keys() and {"bn.weight", "up.bias", "late.running_var"} <= {*torch}
    for name in torch:
        np.testing.assert_allclose(torch[name], jax[name], rtol=1e-6, atol=1e-7)
