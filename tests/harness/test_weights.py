"""Weights, both ways, and from files that cannot be trusted."""

import json
import pickle
import shutil
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from .conftest import SPEC

PLAIN = (
    "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\nlayers:\n  - score: {conv: 3, kernel: 3, pad: same}\n"
)


def message(harness: SimpleNamespace, path: Path) -> str:
    with pytest.raises(harness.files.InputError) as caught:
        harness.weights.load(path, harness.model.StandIn())
    return str(caught.value)


def test_export_and_import_keep_every_bit(harness: SimpleNamespace, tmp_path: Path) -> None:
    main, model = harness.weights.main, harness.model.StandIn().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters())
    harness.checkpoints.save_checkpoint(tmp_path / "a.pt", model, optimizer, 1, {}, [])
    assert main(["export", str(tmp_path / "a.pt"), str(tmp_path / "b.safetensors")]) == 0
    assert main(["import", str(tmp_path / "b.safetensors"), str(tmp_path / "c.pt")]) == 0
    there = safetensors.torch.load_file(tmp_path / "b.safetensors")
    back = torch.load(tmp_path / "c.pt", weights_only=True)["model"]
    expected = model.state_dict()
    assert list(back) == list(expected) and set(there) == set(expected)
    for name, tensor in expected.items():
        assert tensor.dtype == there[name].dtype == back[name].dtype
        assert torch.equal(tensor, there[name]) and torch.equal(tensor, back[name])


def test_a_bare_state_dict_loads(harness: SimpleNamespace, tmp_path: Path) -> None:
    a, b = harness.model.StandIn(), harness.model.StandIn()
    torch.save(a.state_dict(), tmp_path / "a.pt")
    harness.weights.load(tmp_path / "a.pt", b)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_every_tensor_that_does_not_fit_is_named_in_one_error(harness: SimpleNamespace, tmp_path: Path) -> None:
    path, model = tmp_path / "x.safetensors", harness.model.StandIn()
    tensors = model.state_dict()
    del tensors["0.bias"], tensors["4.weight"]
    tensors["fc.weight"] = torch.zeros(2)
    tensors["0.weight"] = torch.zeros(8, 3, 1, 1)
    tensors["4.bias"] = torch.zeros(3, dtype=torch.complex64)
    safetensors.torch.save_file(tensors, path)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(harness.files.InputError) as caught:
        harness.weights.load(path, model)
    assert str(caught.value) == (
        f"{path}: does not fit StandIn: missing: 0.bias, 4.weight; unexpected: fc.weight; "
        "misshapen: 0.weight float32[8, 3, 1, 1] (not float32[8, 3, 3, 3]), 4.bias complex64[3] (not float32[3])"
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_a_file_leaves_to_the_initialisation_stays_as_it_is(side: Any, tmp_path: Path) -> None:
    path, model = tmp_path / "x.safetensors", side.model()
    before = side.tensors(model)
    name = next(name for name in before if name.endswith("weight"))
    rest = {key: value + 1 if value.ndim else value for key, value in before.items() if key != name}
    safetensors.numpy.save_file(rest, path, {"fresh": json.dumps([name])})
    assert side.modules.weights.start_from(path, model) == [name]
    assert side.same(side.tensors(model), {**rest, name: before[name]})
    with pytest.raises(side.modules.files.InputError, match=f"does not fit Net: missing: {name}$"):
        side.modules.weights.load(path, model)  # for training alone: nobody evaluates what is half random
    side.save(path, model)
    assert side.modules.weights.start_from(path, model) == []


@pytest.mark.parametrize("fresh", ["[", "3", "[1]", '["other.weight"]'])
def test_only_what_the_network_has_can_be_left_out(side: Any, tmp_path: Path, fresh: str) -> None:
    path, model = tmp_path / "x.safetensors", side.model()
    before = side.tensors(model)
    name, *_ = before
    safetensors.numpy.save_file({key: before[key] for key in before if key != name}, path, {"fresh": fresh})
    fault = f"missing: {name}" if "other" in fresh else "it is damaged, or no file of weights"
    with pytest.raises(side.modules.files.InputError, match=f"{fault}$"):
        side.modules.weights.start_from(path, model)
    assert side.same(side.tensors(model), before)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


def test_hostile_and_damaged_files_get_one_line(harness: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    damaged = f"{path}: cannot be read: it is damaged, or no file of weights"
    assert message(harness, path) == f"{path}: no such file"
    for content in (b"", b"text", pickle.dumps(Hostile()), pickle.dumps({"model": Hostile()})):
        path.write_bytes(content)
        assert message(harness, path) == damaged
    for value in ([1, 2], {"model": [1]}, {"model": {"0.weight": 3}}, torch.zeros(2)):
        torch.save(value, path)
        assert message(harness, path) == damaged
    torch.save(Hostile(), path)
    assert message(harness, path) == damaged
    torch.save(harness.model.StandIn().state_dict(), path)
    whole = path.read_bytes()
    for end in (10, 100, len(whole) // 2):
        path.write_bytes(whole[:-end])
        assert message(harness, path) == damaged


@pytest.mark.filterwarnings("ignore")
def test_tensors_of_odd_kinds_and_values_get_one_line(harness: SimpleNamespace, tmp_path: Path) -> None:
    path, good = tmp_path / "x.pt", harness.model.StandIn().state_dict()
    kernel = good["0.weight"]
    quantized = torch.quantize_per_tensor(kernel, 0.1, 0, torch.qint8)
    for odd in (kernel.to_sparse(), kernel.to("meta"), quantized, torch.nested.nested_tensor([kernel])):
        torch.save({**good, "0.weight": odd}, path)
        assert message(harness, path) == f"{path}: cannot be read: it is damaged, or no file of weights"
    torch.save({**good, "0.weight": kernel * float("nan")}, path)
    assert message(harness, path) == f"{path}: does not fit StandIn: not finite: 0.weight"
    good._metadata = 3
    torch.save(good, path)
    harness.weights.load(path, harness.model.StandIn())


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_malformed_run_gets_one_line(harness: SimpleNamespace, tmp_path: Path, kind: Any) -> None:
    path, model = tmp_path / "x.pt", harness.model.StandIn()
    optimizer = kind(
        [{"params": model.parameters(), "factor": 1.0}],
        lr=0.1,
        **({"momentum": 0.9} if kind is torch.optim.SGD else {}),
    )
    model(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    harness.checkpoints.save_checkpoint(path, model, optimizer, 1, {"lr": 0.1}, ["a"])
    good = torch.load(path, weights_only=True)
    assert harness.checkpoints.resume(path, model, optimizer, {"lr": 0.1}, ["a"]) == 1
    groups, states = good["optimizer"]["param_groups"], good["optimizer"]["state"]
    changes = [
        {"flags": 3}, {"flags": {"lr": torch.zeros(2)}}, {"step": "a"}, {"step": -1}, {"optimizer": {}},
        {"optimizer": {"state": states, "param_groups": []}},
        {"optimizer": {"state": {**states, 0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": groups}},
        {"optimizer": {"state": {**states, 0: {"other": 1}}, "param_groups": groups}},
    ]  # fmt: skip
    for change in changes:
        torch.save({**good, **change}, path)
        with pytest.raises(harness.files.InputError) as caught:
            harness.checkpoints.resume(path, model, optimizer, {"lr": 0.1}, ["a"])
        assert str(caught.value) == f"{path}: cannot be read: it is damaged, or no file of weights", change
    torch.save({**good, "optimizer": {"state": states, "param_groups": [{"params": groups[0]["params"]}]}}, path)
    harness.checkpoints.resume(path, model, optimizer, {"lr": 0.1}, ["a"])
    assert optimizer.param_groups[0]["factor"] == 1.0


@pytest.mark.parametrize("target", ["x" * 240 + ".safetensors", "file/b.safetensors"])
def test_an_export_that_cannot_be_written_is_one_line(
    harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    harness.weights.save(tmp_path / "a.pt", harness.model.StandIn().state_dict())
    (tmp_path / "file").write_text("")
    assert harness.weights.main(["export", str(tmp_path / "a.pt"), str(tmp_path / target)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_whatever_bytes_come_in_an_input_error_comes_out(harness: SimpleNamespace, tmp_path: Path, suffix: str) -> None:
    path, model, rng = tmp_path / f"x{suffix}", harness.model.StandIn(), np.random.default_rng(0)
    harness.weights.save(path, model.state_dict())
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(100):
        damaged = whole[: rng.integers(0, whole.size + 1)].copy()
        if damaged.size:
            damaged[rng.integers(0, damaged.size, 5)] = rng.integers(0, 256, 5)
        path.write_bytes(damaged.tobytes())
        try:
            harness.weights.load(path, model)
        except harness.files.InputError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_command_line_errors(harness: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harness.weights.main(["export", "a.pt", str(tmp_path / "b.pt")]) == 1
    assert harness.weights.main(["import", str(tmp_path / "a.safetensors"), str(tmp_path / "b.pt")]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path}/b.pt: the name of a safetensors file ends in .safetensors\n"
        f"error: {tmp_path}/a.safetensors: no such file\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("input: {channels: 3, size: 8}\nlayers:\n  - score: {linear: 5}\n", "a classifier"),
        (
            "input: {a: {channels: 3, size: 8}, b: {channels: 3, size: 8}}\n"
            "layers:\n  - both: {add: [a, b]}\n  - score: {conv: 5, kernel: 1}\n",
            "two inputs",
        ),
    ],
)
def test_networks_without_a_harness_have_weights_too(from_spec: Any, tmp_path: Path, network: str, reason: str) -> None:
    built = from_spec(f"segcompile: 1\nmodel: net\n{network}")
    assert {path.name for path in built.folder.iterdir() if path.is_file()} == {
        "model.py", "weights.py", "quiet.py", "command.py", "files.py", "forms.py", "requirements.txt", "README.md",
    }, reason  # fmt: skip
    a, b = built.model.Net(), built.model.Net()
    built.weights.save(tmp_path / "a.safetensors", a.state_dict())
    built.weights.load(tmp_path / "a.safetensors", b)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_safetensors_file_of_either_backend_gives_both_the_same_scores(
    built: Any, tmp_path: Path, backend: str
) -> None:
    """Also through a checkpoint of the other, and to the last bit of every weight."""
    spec = """segcompile: 1
model: net
input: {channels: 3, size: 24}
defaults: {conv: {pad: same, norm: batch, act: prelu}}
layers:
  - stem:   {conv: 8, kernel: [3, 5], stride: 2}
  - groups: {conv: 8, kernel: 3, groups: 4, norm: {group: 2}}
  - up:     {deconv: 8, kernel: 4, stride: 2, pad: 1, groups: 8, init: bilinear, frozen: yes}
  - score:  {conv: 3, kernel: 1, norm: none, act: none}
"""
    mine, other = built(backend, spec), built("jax" if backend == "torch" else "torch", spec)
    model = mine.model()
    mine.save(tmp_path / "a.safetensors", model)
    weights = other.modules.weights
    assert weights.main(["import", str(tmp_path / "a.safetensors"), str(tmp_path / other.last)]) == 0
    assert weights.main(["export", str(tmp_path / other.last), str(tmp_path / "b.safetensors")]) == 0
    theirs, back = other.load(tmp_path / other.last), mine.load(tmp_path / "b.safetensors")
    assert mine.same(mine.tensors(model), other.tensors(theirs)) and mine.same(mine.tensors(model), mine.tensors(back))
    image = np.random.default_rng(0).normal(size=(21, 27, 3)).astype(np.float32)
    expected, found = mine.scores(model, image), other.scores(theirs, image)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * abs(expected).max())


def test_every_misfit_is_named_in_one_error_in_either_backend(side: Any, tmp_path: Path) -> None:
    path, model = tmp_path / "x.safetensors", side.model()
    before = {name: tensor.copy() for name, tensor in side.tensors(model).items()}
    tensors = dict(before)
    del tensors["hidden.bias"], tensors["score.weight"]
    tensors["fc.weight"] = np.zeros(2, np.float32)
    tensors["hidden.weight"] = np.zeros((8, 3, 1, 1), np.float32)
    tensors["score.bias"] = np.zeros(3, np.complex64)
    safetensors.numpy.save_file(tensors, path)
    with pytest.raises(side.modules.files.InputError) as caught:
        side.modules.weights.load(path, model)
    assert str(caught.value) == (
        f"{path}: does not fit Net: missing: hidden.bias, score.weight; unexpected: fc.weight; "
        "misshapen: hidden.weight float32[8, 3, 1, 1] (not float32[8, 3, 3, 3]), "
        "score.bias complex64[3] (not float32[3])"
    )
    safetensors.numpy.save_file({**before, "score.bias": np.full(3, np.nan, np.float16)}, path)
    with pytest.raises(side.modules.files.InputError) as caught:
        side.modules.weights.load(path, model)
    assert str(caught.value) == f"{path}: does not fit Net: not finite: score.bias"
    assert side.same(side.tensors(model), before), "none was copied"


def test_a_file_without_the_counters_of_batch_norms_is_complete(side: Any, tmp_path: Path) -> None:
    path, model = tmp_path / "x.safetensors", side.model()
    tensors = side.tensors(model)
    counters = [name for name in tensors if name.endswith("num_batches_tracked")]
    assert counters
    rest = {name: value + 1 for name, value in tensors.items() if name not in counters}
    safetensors.numpy.save_file(rest, path)
    side.modules.weights.load(path, model)
    found = side.tensors(model)
    assert all(found[name] == 0 for name in counters) and all(np.array_equal(found[name], rest[name]) for name in rest)


def test_weights_of_another_width_or_network_are_counted_with_three_names(side: Any, tmp_path: Path) -> None:
    path, model = tmp_path / "x.safetensors", side.model()
    tensors = side.tensors(model)

    def said(theirs: dict[str, np.ndarray]) -> str:
        safetensors.numpy.save_file(theirs, path)
        with pytest.raises(side.modules.files.InputError) as caught:
            side.modules.weights.load(path, model)
        return str(caught.value)

    more = sum(value.ndim > 0 for value in tensors.values()) - 3
    wide = {name: np.zeros((64, *value.shape[1:]), np.float32) for name, value in tensors.items() if value.ndim}
    width = said(wide)
    assert width.startswith(f"{path}: does not fit Net: misshapen: hidden.") and width.count("float32[64") == 3
    assert width.endswith(f" and {more} more; the same layers at another width, or for other classes?")
    another = said({f"l{index}": value for index, value in enumerate(tensors.values())})
    assert f" and {more} more; unexpected: l" in another
    assert another.endswith(" more; weights of another network?")


def test_weights_of_another_kind_are_told_as_what_they_are(
    built: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(dataset)
    sides = {backend: built(backend, SPEC) for backend in ("torch", "jax")}
    for backend, side in sides.items():
        assert side.train(dataset, backend, "--steps", "1") == 0
        side.save(Path(f"{backend}.safetensors"), side.model())
    shutil.copy("torch.safetensors", "renamed.pt")
    shutil.copy("torch/last.pt", "a.safetensors")
    shutil.copytree("jax/last", "b.safetensors")
    torch.save(sides["torch"].model().state_dict(), "old.pt", _use_new_zipfile_serialization=False)
    Path("a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    Path("a.onnx").write_bytes(b"\x08\x07")
    Path("a.caffemodel").write_bytes(b"\x0a\x01a")
    with zipfile.ZipFile("a.keras", "w") as archive:
        archive.writestr("model.weights.h5", "")
    export = "`python weights.py export` in the folder of its code"
    pytorch = f"is a file of PyTorch; {export}, or `segcompile weights import`, makes a safetensors file of it"
    flax = f"is a checkpoint of JAX; {export} makes a safetensors file of it"
    other = "; `segcompile weights import` makes a safetensors file of it"
    foreign = {
        "a.h5": f"is a file of Keras{other}", "a.keras": f"is a file of Keras{other}",
        "a.onnx": f"is an ONNX model{other}", "a.caffemodel": f"is a caffemodel{other}",
        "renamed.pt": "is a safetensors file; give it a name that ends in .safetensors",
    }  # fmt: skip
    rename = "give it a name that does not end in .safetensors"
    told = {
        "torch": {"jax/last": flax, "b.safetensors": flax, "a.safetensors": f"is a file of PyTorch; {rename}"},
        "jax": {
            "torch/last.pt": pytorch, "old.pt": pytorch, "a.safetensors": pytorch,
            "b.safetensors": f"is a checkpoint of JAX; {rename}",
        },
    }  # fmt: skip
    for backend, side in sides.items():
        own = "torch/last.pt" if backend == "torch" else "jax/last"
        modules, flags = side.modules, [*side.flags(dataset, "o"), "--init"]
        for name, why in {**foreign, **told[backend]}.items():
            capsys.readouterr()
            assert modules.train.main([*flags, name]) == 1
            assert modules.predict.main(["--weights", name, "images/0.png", "--out", "o"]) == 1
            assert modules.evaluate.main(["--weights", name, "--list", "list.txt"]) == 1
            assert modules.weights.main(["export", name, "c.safetensors"]) == 1
            assert capsys.readouterr().err == f"error: {name}: {why}\n" * 4
            if why != foreign.get("renamed.pt"):
                assert modules.train.main([*flags[:-1], "--resume", name]) == 1
                assert capsys.readouterr().err == f"error: {name}: {why}\n"
        for name in ("renamed.pt", "jax.safetensors", "torch.safetensors"):
            assert modules.train.main([*flags[:-1], "--resume", name]) == 1
            run = "holds weights and no run to resume; start a run from them with --init"
            assert capsys.readouterr().err == f"error: {name}: {run}\n"
        for name in (own, "torch.safetensors", "jax.safetensors"):  # and what is of the right kind is read
            modules.weights.load(Path(name), side.model())
    sides["torch"].modules.weights.load(Path("old.pt"), sides["torch"].model())


def test_a_damaged_or_foreign_checkpoint_of_jax_is_one_line(
    built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    side = built("jax", PLAIN)
    weights, checkpoints, path = side.modules.weights, side.modules.checkpoints, tmp_path / "last"
    damaged = f"{path}: cannot be read: it is damaged, or no file of weights"

    def said() -> str:
        with pytest.raises(side.modules.files.InputError) as caught:
            checkpoints.resume(path, side.model(), optimizer, flags, ["a"])
        return str(caught.value)

    optimizer, flags = {"momentum": np.zeros((2, 3), np.float32), "count": np.zeros((), np.int32)}, {"lr": 0.1}
    assert said() == f"{path}: no such file"
    path.mkdir()
    assert said() == damaged
    path.rmdir()
    checkpoints.save_checkpoint(path, side.model(), optimizer, 3, flags, ["a"])
    assert checkpoints.resume(path, side.model(), optimizer, flags, ["a"])[1] == 3
    good = weights.read_checkpoint(path)
    momentum = good["optimizer"]["['momentum']"]
    changes = [
        {"flags": "{"}, {"flags": 3}, {"step": -1}, {"step": "a"}, {"optimizer": {}}, {"model": 3}, {"pairs": 3},
        {"optimizer": {**good["optimizer"], "['momentum']": momentum.T}},
        {"optimizer": {**good["optimizer"], "['momentum']": momentum.astype(np.int32)}},
    ]  # fmt: skip
    for change in changes:
        shutil.rmtree(path)
        weights.write_checkpoint(path, {**good, **change})
        assert said() == damaged, change
