"""The initial weights that the papers describe, in the emitted models."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import pytest

from segcompile.text.errors import SegcompileError

SPEC = "segcompile: 1\nmodel: net\ninput: {{channels: {channels}, size: 24}}\nlayers:\n  - layer: {{{layer}}}\n"


def net_of(nets: SimpleNamespace, folder: Path, layer: str, channels: int = 4):
    path = folder / "net.yaml"
    path.write_text(SPEC.format(layer=layer, channels=channels))
    return nets.emitted(nets.compiled(path).graph)


def context(nets: SimpleNamespace, folder: Path, variant: str, init: str):
    text = (nets.root / "specs/dilated_context.yaml").read_text()
    path = folder / "context.yaml"
    path.write_text(text.replace("init: {identity: {groups: C}}", init).replace("C: 21", "C: 3"))
    return nets.emitted(nets.compiled(path, variant=variant).graph)


def test_identity_of_basic_gives_a_non_negative_input_back_exactly(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = context(nets, tmp_path, "basic", "init: {identity: {groups: C}}")
    (image,) = net.inputs()
    assert net.outputs(image)["output"].equal(image)


def test_identity_of_large_without_noise_gives_it_back_equation_5(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = context(nets, tmp_path, "large", "init: {identity: {groups: C, std: 0}}")
    (image,) = net.inputs()
    assert float((net.outputs(image)["output"] - image).detach().abs().max()) < 1e-6


def test_identity_of_large_has_noise_of_001_over_the_width(nets: SimpleNamespace, tmp_path: Path) -> None:
    weight = context(nets, tmp_path, "large", "init: {identity: {groups: C}}").model.layer6.weight.detach()
    corner = weight[:, :, 0, 0]
    assert float(corner.std()) == pytest.approx(0.01 / 32, rel=0.1) and abs(float(corner.mean())) < 1e-4


def test_identity_without_groups_passes_all_maps_on(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = net_of(nets, tmp_path, "conv: 8, kernel: 3, pad: same, init: {identity: {std: 0}}")
    (image,) = net.inputs()
    assert net.outputs(image)["output"].allclose(image.repeat_interleave(2, 1) / 2)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("groups", [1, 4])
def test_bilinear_deconvolution_interpolates(nets: SimpleNamespace, tmp_path: Path, factor: int, groups: int) -> None:
    import torch.nn.functional as F

    kernel = 2 * factor - factor % 2
    pad = (kernel - factor) // 2 if (kernel - factor) % 2 == 0 else 0
    layer = f"deconv: 4, kernel: {kernel}, stride: {factor}, pad: {pad}, groups: {groups}, bias: no, init: bilinear"
    net = net_of(nets, tmp_path, layer)
    (image,) = net.inputs()
    found, wanted = net.outputs(image)["output"], F.interpolate(image, scale_factor=factor, mode="bilinear")
    edge = 2 * factor
    assert found.shape == wanted.shape
    assert found[..., edge:-edge, edge:-edge].allclose(wanted[..., edge:-edge, edge:-edge], atol=1e-6)


@pytest.mark.parametrize(
    ("init", "variance"),
    [("he", 2 / (64 * 9)), ("xavier", 2 / (64 * 9 + 64 * 9)), ("{normal: 0.003}", 0.003**2), ("zeros", 0.0)],
)
def test_moments(nets: SimpleNamespace, tmp_path: Path, init: str, variance: float) -> None:
    net = net_of(nets, tmp_path, f"conv: 64, kernel: 3, init: {init}", channels=64)
    weight, bias = (value.detach() for value in net.model.layer.parameters())
    assert float(weight.std()) == pytest.approx(sqrt(variance), rel=0.02)
    assert abs(float(weight.mean())) <= 0.02 * sqrt(variance)
    assert not bias.any()


@pytest.mark.parametrize(
    ("layer", "channels", "fan_in"),
    [
        ("deconv: 8, kernel: 4, stride: 2", 256, 256 * 16 / 4),
        ("deconv: 256, kernel: 4, stride: 2", 8, 8 * 16 / 4),
        ("deconv: 64, kernel: [4, 6], stride: [2, 3], groups: 4", 64, 64 * 24 / 6 / 4),
        ("deconv: 64, kernel: 3", 64, 64 * 9),
        ("conv: 64, kernel: 5, groups: 4", 64, 64 * 25 / 4),
        ("conv: 256, kernel: 3, stride: 2", 32, 32 * 9),
    ],
)
def test_he_keeps_the_second_moment_behind_a_relu(
    nets: SimpleNamespace, tmp_path: Path, layer: str, channels: int, fan_in: float
) -> None:
    """He et al. (2015), section 2.2: a layer of weights of variance 2 / n keeps the variance that it had before the
    rectifier, if n is the number of values that one output sums up."""
    import torch

    net = net_of(nets, tmp_path, f"{layer}, bias: no", channels)
    weight = net.model.layer.weight.detach()
    assert float(weight.var()) == pytest.approx(2 / fan_in, rel=0.1)
    generator = torch.Generator().manual_seed(0)
    before = torch.randn(8, channels, 24, 24, generator=generator, dtype=torch.float64)
    after = net.outputs(before.relu())["output"].detach()[..., 4:-4, 4:-4]
    assert float(after.square().mean()) == pytest.approx(1, rel=0.25)


def test_what_the_analysis_says_of_a_start_is_how_the_model_starts(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = net_of(nets, tmp_path, "conv: 8, kernel: 3, norm: batch, act: prelu, init: zeros")
    started = {}
    for node in net.graph.nodes:
        for parameter in net.facts[node.name].parameters:
            init = parameter.init
            started[(node.role, parameter.name)] = 0.0 if init.scheme == "zeros" else init.value
    model = net.model
    modules = {"main": model.layer, "norm": model.layer_norm, "act": model.layer_act}
    found = {
        (role, name): set(value.flatten().tolist())
        for role, m in modules.items()
        for name, value in m.named_parameters()
    }
    assert found == {key: {value} for key, value in started.items()}


def test_a_standard_deviation_is_written_in_full(nets: SimpleNamespace, tmp_path: Path) -> None:
    assert "std=0.0012345678" in net_of(nets, tmp_path, "conv: 4, kernel: 3, init: {normal: 0.0012345678}").source


def test_frozen_parameters_are_not_trained(nets: SimpleNamespace, tmp_path: Path) -> None:
    net = net_of(nets, tmp_path, "deconv: 4, kernel: 4, stride: 2, init: bilinear, frozen: yes")
    assert [value.requires_grad for value in net.model.parameters()] == [False, False]
    for layer in ("attention: 2, reduce: 2", "attention: 2, window: 4, positions: relative", "token: 2"):
        net = net_of(nets, tmp_path, f"{layer}, frozen: yes")
        assert not any(value.requires_grad for value in net.model.parameters())
    trained = nets.emitted(nets.slim(nets.compiled("unet.yaml").graph))
    assert all(value.requires_grad for value in trained.model.parameters())


def test_a_seed_gives_the_same_weights_again(nets: SimpleNamespace) -> None:
    import torch

    module = nets.emitted(nets.slim(nets.compiled("unet.yaml").graph)).module
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(module.Net().state_dict())
    assert all(value.equal(states[1][name]) for name, value in states[0].items())
    assert any(not value.equal(states[2][name]) for name, value in states[0].items())


def test_each_layer_gets_its_own_initialisation_also_inside_scopes(nets: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("""segcompile: 1
model: net
input: {channels: 4, size: 24}
defaults: {conv: {kernel: 3, pad: same}}
blocks:
  pair: {args: [w], layers: [a: {conv: w, init: zeros}, b: {conv: w, init: {normal: 0.5}}]}
layers:
  - one: {block: pair, w: 4}
  - two: {block: pair, w: 8}
  - head: {conv: 8, init: {identity: {std: 0}}}
""")
    model = nets.emitted(nets.compiled(path).graph).model
    for scope in (model.one, model.two):
        assert not scope.a.weight.any() and 0.4 < float(scope.b.weight.detach().std()) < 0.6
    assert float(model.head.weight.detach().sum()) == 8


def test_identity_is_refused_of_a_transposed_convolution(nets: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(SegcompileError, match="identity initialisation is defined for conv"):
        net_of(nets, tmp_path, "deconv: 4, kernel: 3, init: identity")
