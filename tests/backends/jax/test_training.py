"""Training mode: batch norm keeps PyTorch's statistics, dropout drops its share; names and outputs of modules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 4, size: [5, 6]}\nlayers:\n"


def pair(nets: SimpleNamespace, siblings: Callable[..., Any], folder: Path, text: str) -> Any:
    (folder / "net.yaml").write_text(text if text.startswith("segcompile") else HEAD + text)
    return siblings(nets.compiled(folder / "net.yaml").graph)


def module_of(found: Any) -> Any:
    """The nnx module with the siblings' weights, in float64 and training mode."""
    module = found.jax.module()
    module.train()
    return module


@pytest.mark.parametrize("norm", ["batch", "{batch: {eps: 1e-3, momentum: 0.25}}"])
@pytest.mark.parametrize("layer", ["conv: 3, kernel: 3", "linear: 3"])
def test_running_statistics_are_pytorchs(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path, norm: str, layer: str
) -> None:
    import jax
    import torch

    found = pair(nets, siblings, tmp_path, f"  - a: {{{layer}, norm: {norm}}}\n")
    image = torch.rand(3, 4, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = found.torch.model.train()(image)
    ours = module_of(found)
    with jax.enable_x64(True):
        output = ours(image.permute(0, 2, 3, 1).numpy())
    assert np.allclose(np.moveaxis(np.asarray(output), -1, 1), wanted.detach().numpy(), atol=1e-9)
    statistics = found.torch.model.a_norm
    assert np.allclose(ours.a_norm.mean[...], statistics.running_mean.numpy(), rtol=1e-9)
    assert np.allclose(ours.a_norm.var[...], statistics.running_var.numpy(), rtol=1e-9)


def test_one_value_a_channel_cannot_train_a_batch_norm(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path
) -> None:
    import jax

    found = pair(nets, siblings, tmp_path, "  - a: {pool: global_avg, norm: batch}\n")
    with jax.enable_x64(True), pytest.raises(ValueError, match="more than one value a channel"):
        module_of(found)(np.ones((1, 5, 6, 4)))


def test_dropout_drops_its_share_and_scales_the_rest_in_training_alone(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path
) -> None:
    import jax.numpy as jnp

    found = pair(nets, siblings, tmp_path, "  - a: {dropout: 0.25}\n")
    module, image = module_of(found), jnp.ones((1, 100, 100, 4))
    output = np.asarray(module(image))
    assert {*np.unique(output)} == {np.float32(0), np.float32(1 / 0.75)}
    assert np.mean(output == 0) == pytest.approx(0.25, abs=0.01)
    module.eval()
    assert np.array_equal(module(image), image)


@pytest.mark.parametrize(("word", "alike"), [("spatial", (1, 2)), ("path", (1, 2, 3))])
def test_spatial_dropout_drops_channels_and_drop_path_images(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path, word: str, alike: tuple[int, ...]
) -> None:
    import jax.numpy as jnp
    import torch

    found = pair(nets, siblings, tmp_path, f"  - a: {{dropout: {{{word}: 0.25}}}}\n")
    ours = np.asarray(module_of(found)(jnp.ones((800, 2, 3, 4))))
    torch.manual_seed(0)
    theirs = found.torch.model.train()(torch.ones(800, 4, 2, 3)).movedim(1, -1).numpy()
    for output in (ours, theirs):
        assert {*np.unique(output)} == {np.float32(0), np.float32(1 / 0.75)}
        assert np.array_equal(output.min(alike), output.max(alike))
        assert np.mean(output == 0) == pytest.approx(0.25, abs=0.05)
        assert (output.min(0) < output.max(0)).all()
    assert len(np.unique(ours.min((1, 2)), axis=0)) > (2 if word == "spatial" else 1)


NAMES = [
    "train", "eval", "x", "y", "self_", "conv1_norm", "conv1", "jax", "nnx", "jnp", "crop", "center_crop",
    "rngs", "deterministic", "use_running_average", "sow", "perturb", "kernel", "bias", "scale", "mean", "var",
    "_x", "super", "image", "features", "modules", "xpu", "a_drop", "a", "he", "identity", "flatten", "unpool",
    "BatchNorm", "ConvTranspose", "freeze", "match", "dict",
]  # fmt: skip


def test_any_name_of_a_layer_gives_a_working_model(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path
) -> None:
    layers = "".join(f"  - {name}: {{conv: 4, kernel: 3, pad: same, norm: batch, drop: 0.5}}\n" for name in NAMES)
    cut = "  - cut: {crop: input, from: jax, offset: 0}\n"
    joined = f"  - join: {{concat: [{', '.join(NAMES)}, cut]}}\n  - end: {{add: [join, join]}}\n"
    found = pair(nets, siblings, tmp_path, layers + cut + joined)
    found.check(gradients=False)
    module = module_of(found)
    assert not module.train_norm.use_running_average and not module.train_drop.deterministic


def test_any_name_of_a_block_and_its_argument_gives_a_working_model(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path
) -> None:
    for block, argument in (("conv_transpose", "rngs"), ("batch_norm", "nnx"), ("frozen", "in_features"), ("net", "w")):
        text = f"""segcompile: 1
model: net
input: {{channels: 4, size: 6}}
blocks:
  {block}:
    args: [{argument}]
    layers: [c: {{conv: "{argument}", kernel: 1}}, d: {{conv: "2*{argument}", kernel: 1}}]
layers:
  - one: {{block: {block}, {argument}: 3}}
  - two: {{block: {block}, {argument}: 5}}
"""
        found = pair(nets, siblings, tmp_path, text)
        found.check(gradients=False)
        assert found.source.count("(nnx.Module)") == 2  # both blocks share a class


def test_several_outputs_are_a_dict_and_several_inputs_arguments(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path
) -> None:
    text = """segcompile: 1
model: net
input: {x: {channels: 3, size: 16}, self: {channels: 2, size: 16}, jax: {channels: 1, size: 16}}
defaults: {conv: {kernel: 3, pad: same}}
layers:
  - a: {conv: 4, from: x}
  - b: {conv: 4, from: self}
  - c: {conv: 4, from: jax}
  - sum: {add: [a, b, c]}
  - late: {concat: [sum, x]}
outputs: {main: late, aux: a, again: a}
"""
    pair(nets, siblings, tmp_path, text).check(gradients=True)


def test_a_stranger_reads_the_numbers_of_the_paper(
    nets: SimpleNamespace, siblings: Callable[..., Any], tmp_path: Path
) -> None:
    layers = """\
  - down:  {pool: max, kernel: 2, round: ceil}
  - mean:  {pool: avg, kernel: 3, stride: 1, pad: 1}
  - up:    {deconv: 4, kernel: 3, stride: 2, pad: 1, output_pad: 1, groups: 4, norm: {batch: {momentum: 0.003}}}
  - group: {conv: 8, kernel: 3, pad: 1, mode: reflect, dilation: [1, 2], norm: {group: 4}, act: gelu}
  - lrn:   {norm: {lrn: {alpha: 5e-4, k: 2}}}
"""
    source = pair(nets, siblings, tmp_path, layers).source
    lines = (
        "self.up = ConvTranspose(",
        "4, 4, (3, 3), strides=2, padding=((1, 0), (1, 0)), groups=4,\n"
        "            kernel_init=he_transposed(4, groups=4), rngs=rngs,\n",
        "self.up_norm = BatchNorm(4, momentum=0.997, rngs=rngs)",
        "self.group = nnx.Conv(4, 8, (3, 3), padding=0, kernel_dilation=(1, 2), kernel_init=he, rngs=rngs)",
        "self.group_norm = nnx.GroupNorm(8, 4, epsilon=1e-05, rngs=rngs)",
        "x: jax.Array = nnx.max_pool(image, (2, 2), (2, 2), ((0, 1), (0, 1)))",
        "x = nnx.avg_pool(x, (3, 3), (1, 1), ((1, 1), (1, 1)))",
        "x = self.up_norm(self.up(x))",
        'x = self.group_norm(self.group(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")))',
        "x = nnx.gelu(x, approximate=False)",
        "x = local_response_norm(x, 5, alpha=0.0005, k=2)",
    )
    for line in lines:
        assert line in source or line in nets.unbroken(source), f"{line}\n{source}"
