"""The engine: what runs in a model's place gives what the model gives, and says what it did."""

import argparse
import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

# Norms of a convolution with a bias, without one, of a transposed one in groups; one that stays; two heads.
SPEC = """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - hidden: {conv: 8, kernel: 3, pad: same, stride: 2, norm: batch, act: prelu, drop: 0.2}
  - bare:   {conv: 8, kernel: 3, pad: same, bias: no, norm: {batch: {eps: 0.01}}}
  - up:     {deconv: 6, kernel: 4, stride: 2, pad: 1, groups: 2, norm: batch, act: relu}
  - late:   {norm: batch}
  - score:  {conv: 3, kernel: 1}
"""
SIZE = (13, 18)


@pytest.fixture(params=["torch", "jax"])
def side(request: pytest.FixtureRequest, built: Callable[..., Any]) -> Any:
    return built(request.param, SPEC)


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where packages of this test are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/net-engine"


def asked(speed: str = "auto", dtype: str = "float32") -> argparse.Namespace:
    return argparse.Namespace(speed=speed, dtype=dtype)


def drawn(side: Any, path: Path) -> Path:
    """A file of weights and statistics far from those that a network starts from."""
    import safetensors.numpy

    rng, tensors = np.random.default_rng(1), {}
    for name, value in side.tensors(side.model()).items():
        values = rng.uniform(0.2, 3, value.shape) if name.endswith("running_var") else rng.normal(0.1, 0.5, value.shape)
        tensors[name] = value if value.dtype.kind == "i" else values.astype(np.float32)
    safetensors.numpy.save_file(tensors, path)
    return path


def image() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(*SIZE, 3)).astype(np.float32)


def faster(side: Any, model: Any, arguments: argparse.Namespace, images: int = 1) -> Any:
    """What the engine makes of the model."""
    more = (images,) if side.backend == "torch" else ()
    return side.modules.engine.fastest(model, arguments, *more)


def test_the_engine_scores_as_the_model_to_1e_5(side: Any, tmp_path: Path) -> None:
    weights = drawn(side, tmp_path / "w.safetensors")
    want = side.scores(side.load(weights), image())
    got = side.scores(faster(side, side.load(weights), asked()), image())
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    assert np.array_equal(side.scores(faster(side, side.load(weights), asked("eager")), image()), want)


def test_norms_are_folded_in_float64_to_1e_10(built: Callable[..., Any], tmp_path: Path) -> None:
    import torch

    side = built("torch", SPEC)
    model = side.load(drawn(side, tmp_path / "w.safetensors")).double()
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 16, 16)))
    with torch.no_grad():
        want = model(images)
        side.modules.engine.fold_norms(model)
        assert float((model(images) - want).abs().max() / want.abs().max()) < 1e-10
    assert [name for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)] == ["late"]


def test_both_frameworks_fold_the_same_norms(built: Callable[..., Any]) -> None:
    torch, jax = (built(backend, SPEC).modules.folding.FOLDED for backend in ("torch", "jax"))
    assert torch == jax and [*torch] == ["hidden", "bare", "up"]


def test_a_network_without_norms_has_no_folding(built: Callable[..., Any]) -> None:
    text = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 16}\nlayers: [score: {conv: 3, kernel: 1}]\n"
    assert not (built("torch", text).folder / "folding.py").exists()


def test_predictions_of_the_engine_are_those_of_the_model(side: Any, dataset: Path, tmp_path: Path) -> None:
    weights = drawn(side, tmp_path / "w.safetensors")
    for speed in ("auto", "eager"):
        command = [str(dataset / "images"), "--weights", str(weights), "--out", str(tmp_path / speed), "--speed", speed]
        assert side.modules.predict.main([*command, "--device", "cpu"]) == 0
        told = ["--list", str(dataset / "list.txt"), "--weights", str(weights), "--speed", speed, "--device", "cpu"]
        assert side.modules.evaluate.main(told) == 0
    for one in (tmp_path / "auto").iterdir():
        assert one.read_bytes() == (tmp_path / "eager" / one.name).read_bytes()


def test_bf16_is_close_where_the_processor_has_it_and_else_told(
    side: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, engine = drawn(side, tmp_path / "w.safetensors"), side.modules.engine
    want = side.scores(side.load(weights), image())
    monkeypatch.setattr(engine, "has_bf16", lambda *device: True)
    got = side.scores(faster(side, side.load(weights), asked(dtype="bf16")), image())
    assert 0 < np.abs(got - want).max() < 0.05 * np.abs(want).max()
    monkeypatch.setattr(engine, "has_bf16", lambda *device: False)
    got = side.scores(faster(side, side.load(weights), asked(dtype="bf16")), image())
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    assert capsys.readouterr().err == "--dtype bf16: this processor has none; it computes in float32\n"


@pytest.mark.parametrize(
    ("speed", "images", "shapes", "compiled"),
    [
        ("auto", 99, "aaaa", ""),
        ("auto", 100, "abaab", "a"),
        ("auto", 100, "abcd", ""),
        ("compiled", 1, "abcdea", "abcd"),
        ("eager", 100, "aa", ""),
    ],
)
def test_what_is_compiled(
    built: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, speed: str, images: int, shapes: str, compiled: str
) -> None:
    import torch

    side, found = built("torch", SPEC), list[int]()

    def stand_in(model: Any, images: torch.Tensor) -> Any:
        found.append(images.shape[3] // 16)
        return model

    monkeypatch.setattr(side.modules.engine, "compiled", stand_in)
    model = faster(side, side.model(), asked(speed), images)
    with torch.inference_mode():
        for shape in shapes:
            model(torch.zeros(1, 3, 16, 16 * (1 + "abcde".index(shape))))
    assert found == [1 + "abcde".index(shape) for shape in compiled]


def test_a_compiled_model_that_differs_is_not_used(
    built: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    side = built("torch", SPEC)
    monkeypatch.setattr(side.modules.engine, "compiled", lambda model, images: lambda x: 1.5 * model(x))
    want = side.scores(side.model(), image())
    got = side.scores(faster(side, copy.deepcopy(side.model()), asked("compiled")), image())
    assert got.shape == want.shape
    assert capsys.readouterr().err == (
        "not compiled, which costs speed alone: its `output` differs from the model's by 5.0e-01 of the largest score\n"
    )


@pytest.mark.long  # it imports all of Inductor
def test_without_a_compiler_the_model_runs_all_the_same(
    built: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    side = built("torch", SPEC)
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (str(tmp_path / "none"),))
    weights = drawn(side, tmp_path / "w.safetensors")
    model = faster(side, side.load(weights), asked("report"))
    want = side.scores(side.load(weights), image())
    np.testing.assert_allclose(side.scores(model, image()), want, rtol=1e-5, atol=1e-5)
    out, err = capsys.readouterr()
    assert "\nnot compiled, which costs speed alone: " in err and "C++ compiler" in err
    ways = [line[:26].strip() for line in out.splitlines()[1:]]
    assert ways == ["as it is written", "3 batch norms folded", "channels_last"]


def test_a_folder_in_which_others_write_is_not_used(
    side: Any, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept if side.backend == "torch" else kept.with_name("net-engine-jax")
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    if side.backend == "jax":
        nobodys = SimpleNamespace(config=SimpleNamespace(jax_compilation_cache_dir=None))
        monkeypatch.setattr(side.modules.engine, "jax", nobodys)
        side.modules.engine.keep_compilations()
    else:
        side.scores(faster(side, side.model(), asked("compiled")), image())
    err = capsys.readouterr().err
    assert f"{folder}: others can write there, and what it keeps is run; try chmod 700\n" in err
    assert not [*folder.iterdir()]


def test_a_package_is_another_ones_for_other_weights_shapes_threads_and_code(
    built: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    side, images = built("torch", SPEC), torch.zeros(1, 3, 16, 16)
    model, key_of = side.model(), side.modules.engine.key_of
    first = key_of(model, images)
    assert key_of(copy.deepcopy(model), images + 1) == first
    others = {
        key_of(model, torch.zeros(1, 3, 16, 32)),
        key_of(side.modules.engine.InBf16(copy.deepcopy(model)), images),
    }
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1
    others.add(key_of(model, images))
    monkeypatch.setattr("torch.get_num_threads", lambda: 7)
    others.add(key_of(model, images))
    monkeypatch.setattr(side.modules.engine, "processor", lambda: "another")
    others.add(key_of(model, images))
    assert len({*others, first}) == 6


def test_the_memory_of_images_is_given_to_scores_as_large(built: Callable[..., Any]) -> None:
    """A network of three classes, of three channels and no stride."""
    import jax
    from flax import nnx

    engine = built("jax", SPEC).modules.engine
    for channels, given in ((3, True), (4, False)):
        model = nnx.Conv(3, channels, (1, 1), rngs=nnx.Rngs(0))
        graph, state = nnx.split(model)
        images = np.ones((1, 8, 8, 3), np.float32)
        run = engine.compiled(lambda state, images, graph=graph: nnx.merge(graph, state)(images), state, images)
        assert ("input_output_alias" in run.as_text()) == given
        assert jax.numpy.isfinite(run(state, images)).all()


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.long), "bf16"])
def test_inference_is_lowered_for_cuda_and_tpu(
    built: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """There is no GPU here: that JAX lowers what `predict.py` computes is all that is known."""
    import functools

    import jax
    from flax import nnx

    side = built("jax", SPEC)
    monkeypatch.setattr(side.modules.engine, "has_bf16", lambda: True)
    graph, state = nnx.split(side.modules.engine.fastest(side.model(), asked("eager", dtype)))
    function = functools.partial(side.modules.predict.compute, graph, "output", SIZE)
    images = jax.ShapeDtypeStruct((1, 16, 18, 3), np.float32)
    exported = jax.export.export(jax.jit(function), platforms=("cuda", "tpu"))(state, images)
    assert exported.platforms == ("cuda", "tpu") and exported.out_avals[0].shape == (1, *SIZE, 3)
    assert ("bf16" in exported.mlir_module()) == (dtype == "bf16")


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.long), "bf16"])
def test_inference_is_exported_whole(
    built: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dtype: str
) -> None:
    """What AOTInductor gets, for a CPU or for CUDA, which is not here."""
    import torch

    side = built("torch", SPEC)
    monkeypatch.setattr(side.modules.engine, "has_bf16", lambda device: True)
    model = faster(side, side.load(drawn(side, tmp_path / "w.safetensors")), asked(dtype=dtype)).model
    images = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        program = torch.export.export(model, (images,))
        assert torch.equal(program.module()(images), model(images))
    norms = [node for node in program.graph.nodes if "batch_norm" in str(node.target)]
    assert len(norms) == 1, "three are folded"


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "bf16"])
def test_a_compiled_model_is_kept_for_the_next_start(
    built: Callable[..., Any], kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], dtype: str
) -> None:
    side = built("torch", SPEC)
    weights = drawn(side, tmp_path / "w.safetensors")
    want = side.scores(side.load(weights), image())
    for told in (f"; {kept} keeps it for the next start, ", "compiled before, in "):
        got = side.scores(faster(side, side.load(weights), asked("compiled", dtype)), image())
        assert np.abs(got - want).max() < (1e-5 if dtype == "float32" else 0.05) * np.abs(want).max()
        assert told in capsys.readouterr().err
    assert len([*kept.glob("*.pt2")]) == 1 and kept.stat().st_mode & 0o777 == 0o700
