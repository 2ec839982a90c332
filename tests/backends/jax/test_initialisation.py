"""How a JAX model starts: as its PyTorch sibling, exactly where that is not random; and what training keeps."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from segcompile_jax import BACKEND
from segcompile_jax.runner import RUNNER, JaxModel

from segcompile.backend import run_backend
from segcompile.build import request_for
from segcompile.emit import camel

SPEC = "segcompile: 1\nmodel: net\ninput: {{channels: {channels}, size: 24}}\nlayers:\n  - layer: {{{layer}}}\n"
Start = Callable[..., JaxModel]


@pytest.fixture
def start(nets: SimpleNamespace, tmp_path: Path) -> Start:
    """Text of a spec -> the model as it starts from a seed, in float32."""

    def started(text: str, seed: int = 0, **options: Any) -> JaxModel:
        (tmp_path / "net.yaml").write_text(text)
        compiled = nets.compiled(tmp_path / "net.yaml", **options)
        files = run_backend(BACKEND, request_for(compiled, tmp_path / "net.yaml")).files
        (tmp_path / "model.py").write_text(files["model.py"])
        return RUNNER.load(tmp_path, camel(compiled.model), double=False, seed=seed)

    return started


def one(layer: str, channels: int = 4) -> str:
    return SPEC.format(layer=layer, channels=channels)


def context(nets: SimpleNamespace, std: str) -> str:
    text = (nets.root / "specs/dilated_context.yaml").read_text().replace("C: 21", "C: 3")
    return text.replace("init: {identity: {groups: C}}", f"init: {{identity: {{groups: C{std}}}}}")


def image(channels: int) -> np.ndarray:
    return np.random.default_rng(0).random((1, channels, 64, 64), np.float32)


@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        ("conv: 8, kernel: 3, init: {identity: {std: 0}}", 4),
        ("conv: 8, kernel: [3, 5], init: {identity: {groups: 2, std: 0}}", 4),
        ("conv: 4, kernel: 3, init: identity", 4),
        ("conv: 8, kernel: 3, init: zeros", 4),
        ("linear: 8, init: zeros", 4),
        ("conv: 4, kernel: [4, 7], init: bilinear", 4),
        ("conv: 4, kernel: 4, groups: 2, init: bilinear", 4),
        ("deconv: 4, kernel: [4, 7], stride: 2, init: bilinear", 4),
        ("deconv: 4, kernel: 16, stride: 8, groups: 4, init: bilinear", 4),
        ("deconv: 4, kernel: 3, stride: 2, groups: 2, init: bilinear", 4),
        ("act: prelu", 4),
        ("norm: batch", 4),
        ("norm: instance", 4),
        ("norm: {group: 2}", 4),
    ],
)
def test_what_is_not_random_starts_as_in_pytorch(
    nets: SimpleNamespace, start: Start, tmp_path: Path, layer: str, channels: int
) -> None:
    found = start(one(layer, channels)).parameters()
    net = nets.emitted(nets.compiled(tmp_path / "net.yaml").graph)
    wanted = {name: value for name, value in net.module.Net().state_dict().items() if value.is_floating_point()}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], value.numpy()), name


def test_identity_of_basic_gives_a_non_negative_input_back_exactly(nets: SimpleNamespace, start: Start) -> None:
    model = start(context(nets, ""), variant="basic")
    assert np.array_equal(model.forward(image(3))["output"], image(3))


def test_identity_of_large_without_noise_gives_it_back_equation_5(nets: SimpleNamespace, start: Start) -> None:
    model = start(context(nets, ", std: 0"), variant="large")
    assert np.abs(model.forward(image(3))["output"] - image(3)).max() < 1e-6


def test_identity_of_large_has_noise_of_001_over_the_width(nets: SimpleNamespace, start: Start) -> None:
    corner = start(context(nets, ""), variant="large").parameters()["layer6.weight"][:, :, 0, 0]
    assert corner.std() == pytest.approx(0.01 / 32, rel=0.1) and abs(corner.mean()) < 1e-4


GAUSSIAN, UNIFORM = 3.0, 1.8  # fourth moment over the square of the variance


@pytest.mark.parametrize(
    ("layer", "channels", "variance", "shape"),
    [
        ("conv: 64, kernel: 3", 64, 2 / (64 * 9), GAUSSIAN),
        ("conv: 64, kernel: 5, groups: 4", 64, 2 / (64 * 25 / 4), GAUSSIAN),
        ("conv: 256, kernel: 3, stride: 2", 32, 2 / (32 * 9), GAUSSIAN),
        ("linear: 16", 4, 2 / (4 * 24 * 24), GAUSSIAN),
        ("deconv: 8, kernel: 4, stride: 2", 256, 2 / (256 * 16 / 4), GAUSSIAN),
        ("deconv: 256, kernel: 4, stride: 2", 8, 2 / (8 * 16 / 4), GAUSSIAN),
        ("deconv: 64, kernel: [4, 6], stride: [2, 3], groups: 4", 64, 2 / (64 * 24 / 6 / 4), GAUSSIAN),
        ("conv: 64, kernel: 3, init: {normal: 0.003}", 64, 0.003**2, GAUSSIAN),
        ("conv: 32, kernel: 3, init: xavier", 96, 2 / (96 * 9 + 32 * 9), UNIFORM),
        ("deconv: 32, kernel: 3, groups: 2, init: xavier", 96, 2 / (96 * 9 + 16 * 9), UNIFORM),
    ],
)
def test_moments(start: Start, layer: str, channels: int, variance: float, shape: float) -> None:
    found = start(one(layer, channels)).parameters()
    weight = found["layer.weight"].astype(np.float64)
    assert weight.std() == pytest.approx(sqrt(variance), rel=0.03)
    assert abs(weight.mean()) <= 0.02 * sqrt(variance)
    assert np.mean(weight**4) / np.mean(weight**2) ** 2 == pytest.approx(shape, rel=0.05)  # no truncated gaussian
    assert not found["layer.bias"].any()


def test_a_seed_gives_the_same_weights_again(start: Start) -> None:
    first, again, other = (start(one("conv: 4, kernel: 3"), seed).parameters()["layer.weight"] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


SCHEMES = """segcompile: 1
model: net
input: {channels: 4, size: 24}
defaults: {conv: {kernel: 3, bias: no}}
layers:
  - he:       {conv: 5, norm: batch}
  - xavier:   {conv: 6, init: xavier}
  - normal:   {conv: 7, init: {normal: 0.5}}
  - identity: {conv: 14, init: {identity: {std: 0.5}}}
  - up:       {deconv: 9, kernel: 2, stride: 2}
  - bilinear: {deconv: 9, kernel: 4, stride: 2, init: bilinear}
"""


def test_nothing_is_compiled_for_the_shape_of_a_kernel(
    nets: SimpleNamespace, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import jax
    from flax import nnx

    start(SCHEMES)  # compiles what is needed once: keys, and vectors of these lengths
    source = (tmp_path / "model.py").read_text().replace("(3, 3)", "(5, 3)").replace("(4, 4)", "(6, 3)")
    with jax.log_compiles():
        net = nets.load(source).Net(rngs=nnx.Rngs(0))
        assert net.he.kernel.shape[:2] == (5, 3) and "Compiling" not in caplog.text
        jax.random.normal(jax.random.key(0), (5, 3, 4, 1))
        assert "Compiling" in caplog.text


def test_a_constructor_that_is_traced_draws_the_same(nets: SimpleNamespace, start: Start, tmp_path: Path) -> None:
    import jax
    from flax import nnx

    start(SCHEMES)
    net = nets.load((tmp_path / "model.py").read_text()).Net
    shapes = nnx.state(nnx.eval_shape(lambda: net(rngs=nnx.Rngs(3))))
    traced, wanted = nnx.state(nnx.jit(net)(rngs=nnx.Rngs(3))), nnx.state(net(rngs=nnx.Rngs(3)))
    assert jax.tree.map(np.shape, shapes) == jax.tree.map(np.shape, wanted)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), traced, wanted))


def test_each_layer_gets_its_own_initialisation_also_inside_scopes(start: Start) -> None:
    found = start("""segcompile: 1
model: net
input: {channels: 4, size: 24}
defaults: {conv: {kernel: 3, pad: same}}
blocks:
  pair: {args: [w], layers: [a: {conv: w, init: zeros}, b: {conv: w, init: {normal: 0.5}}]}
layers:
  - one: {block: pair, w: 4}
  - two: {block: pair, w: 8}
  - head: {conv: 8, init: {identity: {std: 0}}}
""").parameters()
    for scope in ("one", "two"):
        assert not found[f"{scope}.a.weight"].any() and 0.4 < found[f"{scope}.b.weight"].std() < 0.6
    assert found["head.weight"].sum() == 8


FROZEN = """segcompile: 1
model: net
input: {channels: 2, size: 8}
blocks:
  pair: {args: [w], layers: [a: {conv: w, kernel: 3, frozen: yes}, b: {deconv: w, kernel: 2, stride: 2}]}
layers:
  - one: {block: pair, w: 2}
  - two: {block: pair, w: 3}
  - up: {deconv: 3, kernel: 4, stride: 2, init: bilinear, bias: no, frozen: yes}
"""

ATTENDING = """segcompile: 1
model: net
input: {channels: 2, size: 8}
layers:
  - reduced: {attention: 2, reduce: 2, frozen: yes}
  - inside:  {attention: 2, window: 4, positions: relative, frozen: yes}
  - places:  {position: learned, size: 8, frozen: yes}
  - trained: {attention: 1, bias: no}
"""


def test_frozen_attention_is_kept_but_not_trained(start: Start) -> None:
    model = start(ATTENDING)
    pixels = np.ones((1, 2, 8, 8), np.float32)
    _, trained = model.gradients([pixels], {"output": np.ones((1, 2, 8, 8), np.float32)})
    assert {*trained} == {"trained.qkv.weight", "trained.proj.weight", "trained.proj.bias"}
    assert {"reduced.sr.weight", "reduced.norm.bias", "inside.relative_position_bias_table", "places.weight"} < {
        *model.parameters()
    }


def test_frozen_layers_are_kept_but_not_trained(start: Start) -> None:
    model = start(FROZEN)
    pixels = np.ones((1, 2, 8, 8), np.float32)
    output = model.forward(pixels)["output"]
    _, trained = model.gradients([pixels], {"output": np.ones_like(output)})
    assert {*trained} == {f"{scope}.b.{name}" for scope in ("one", "two") for name in ("weight", "bias")}
    kept = {f"{scope}.a.{name}" for scope in ("one", "two") for name in ("weight", "bias")} | {"up.weight"}
    assert {*model.parameters()} == {*trained} | kept
