"""`segcompile weights plan` and `transfer`: a layer keeps its name, and with it its weights; where the shape changed it
starts fresh; a linear layer made a convolution is reshaped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from segcompile.cli import cli
from segcompile.language.derive import variants_of
from segcompile.library import bundled, locate

Run = Callable[..., tuple[int, str, str]]
Built = Callable[..., SimpleNamespace]
SPECS = {
    "classifier": """\
params: {K: 7}
input: {channels: 3, size: 8}
layers:
  - c1:  {conv: 4, kernel: 3, pad: 1, norm: batch, act: relu}
  - p1:  {pool: max, kernel: 2, stride: 2}
  - fc2: {linear: 6, act: relu}
  - fc3: {linear: K}
""",
    "coarse": """\
base: classifier.yaml
params: {K: 5}
input: {size: 16}
transform:
  - convolutionalize: [fc2]
  - remove: [fc3]
  - append:
      - score: {conv: K, kernel: 1, init: zeros}
      - up:    {deconv: K, kernel: 4, stride: 2, bias: no, init: bilinear, frozen: yes}
""",
    "fine": """\
base: coarse.yaml
transform:
  - remove: [up]
  - set: {fc2: {bias: no}}
  - append: [up4: {deconv: K, kernel: 8, stride: 4, bias: no, init: bilinear}]
""",
    "smooth": """\
params: {C: 5}
input: {channels: C, size: 9}
layers:
  - a: {conv: C, kernel: 3, pad: same, init: identity}
""",
    "both": """\
params: {K: 5}
input: {channels: 3, size: 16}
layers:
  - front:  {use: coarse.yaml, K: K}
  - smooth: {use: smooth.yaml, C: K}
  - more:   {use: smooth.yaml, C: K}
""",
}
CLASSIFIER = {
    "c1.weight": (4, 3, 3, 3), "c1.bias": (4,), "c1_norm.weight": (4,), "c1_norm.bias": (4,),
    "c1_norm.running_mean": (4,), "c1_norm.running_var": (4,), "fc2.weight": (6, 64), "fc2.bias": (6,),
    "fc3.weight": (7, 6), "fc3.bias": (7,),
}  # fmt: skip


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    for name, text in SPECS.items():
        (tmp_path / f"{name}.yaml").write_text(f"segcompile: 1\nmodel: {name}\n{text}")
    return tmp_path


@pytest.fixture
def built(specs: Path, nets: SimpleNamespace) -> Built:
    """The modules of the folder that `segcompile build` makes of a spec, by its name, the backend, and flags."""

    def build(name: str, backend: str, *flags: str) -> SimpleNamespace:
        arguments = ["build", str(specs / f"{name}.yaml"), "--backend", backend, "--out", str(specs / name), *flags]
        done = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert done.return_value == 0, done.output
        return nets.imported(specs / name)

    return build


def write(path: Path, shapes: Mapping[str, tuple[int, ...]], notes: Mapping[str, str] | None = None) -> dict:
    """A file as the harness exports it, with random values."""
    rng = np.random.default_rng(len(shapes))
    tensors = {name: rng.uniform(0.5, 1, shape).astype(np.float32) for name, shape in shapes.items()}
    counters = {f"{name[:-12]}num_batches_tracked": np.ones((), np.int64) for name in shapes if "running_mean" in name}
    save_file({**tensors, **counters}, path, dict(notes or {}))
    return tensors


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in load_file(path).items() if value.ndim}


def test_the_plan_of_a_derived_spec(specs: Path, run: Run) -> None:
    assert run("plan", "coarse.yaml") == (
        0,
        "coarse starts from classifier\n"
        "\n"
        "parameter             shape          from\n"
        "────────────────────  ─────────────  ───────────────────────────────\n"
        "c1.weight             4 x 3 x 3 x 3  classifier c1.weight\n"
        "c1.bias               4              classifier c1.bias\n"
        "c1_norm.weight        4              classifier c1_norm.weight\n"
        "c1_norm.bias          4              classifier c1_norm.bias\n"
        "c1_norm.running_mean  4              classifier c1_norm.running_mean\n"
        "c1_norm.running_var   4              classifier c1_norm.running_var\n"
        "fc2.weight            6 x 4 x 4 x 4  classifier fc2.weight            reshaped from 6 x 64\n"
        "fc2.bias              6              classifier fc2.bias\n"
        "score.weight          5 x 6 x 1 x 1  fresh: zeros                     new here\n"
        "score.bias            5              fresh: zeros                     new here\n"
        "up.weight             5 x 5 x 4 x 4  fresh: bilinear                  new here\n"
        "\n"
        "no place:\n"
        "  classifier fc3.weight\n"
        "  classifier fc3.bias\n"
        "\n"
        "8 of 11 tensors come from there\n",
        "",
    )


def test_shared_weights_are_one_tensor_and_go_to_whoever_shared_them(specs: Path, run: Run) -> None:
    """A spec without the layer that had them in its base, and one that gives the other layer weights of its own."""
    layers = "[a: {conv: 3, kernel: 1, bias: no}, b: {conv: 3, kernel: 1, bias: no, share: a}]"
    pair = f"segcompile: 1\nmodel: pair\ninput: {{channels: 3, size: 8}}\nlayers: {layers}\n"
    (specs / "pair.yaml").write_text(pair)
    alone = "segcompile: 1\nmodel: alone\nbase: pair.yaml\ntransform: [remove: [a]]\n"
    (specs / "alone.yaml").write_text(alone)
    (specs / "apart.yaml").write_text(alone.replace("remove: [a]", "replace: {b: {conv: 3, kernel: 1, bias: no}}"))
    assert run("plan", "alone.yaml")[1].splitlines()[-3:] == [
        "b.weight   3 x 3 x 1 x 1  pair a.weight", "", "1 of 1 tensors come from there"
    ]  # fmt: skip
    tensors = write(specs / "pair.safetensors", {"a.weight": (3, 3, 1, 1)})
    assert run("transfer", "apart.yaml", "--from", "pair.safetensors", "-o", "apart.safetensors")[0] == 0
    found = load_file(specs / "apart.safetensors")
    assert {*found} == {"a.weight", "b.weight"}
    assert all((value == tensors["a.weight"]).all() for value in found.values())


def test_the_plan_of_a_spec_that_uses_others(specs: Path, run: Run) -> None:
    status, told, _ = run("plan", "both.yaml")
    lines = told.splitlines()
    assert status == 0
    assert lines[0] == "both starts from coarse in `front`, smooth in `smooth`, smooth in `more`"
    assert "front.fc2.weight            6 x 4 x 4 x 4  coarse fc2.weight" in lines
    assert "more.a.bias                 5              smooth a.bias" in lines
    assert lines[-1] == "15 of 15 tensors come from there"


def test_a_changed_shape_is_in_the_plan_with_both(specs: Path, run: Run) -> None:
    _, told, _ = run("plan", "coarse.yaml", "--set", "K=9")
    assert "score.weight          9 x 6 x 1 x 1  fresh: zeros                     new here\n" in told
    (specs / "more.yaml").write_text("segcompile: 1\nmodel: more\nbase: coarse.yaml\nparams: {K: 9}\n")
    _, told, _ = run("plan", "more.yaml", "--format", "json")
    entries = {entry["name"]: entry for entry in json.loads(told)["parameters"]}
    assert entries["score.weight"] == {
        "name": "score.weight", "shape": [9, 6, 1, 1], "from": None, "fresh": "zeros", "why": "was 5 x 6 x 1 x 1",
        "network": None,
    }  # fmt: skip
    assert entries["c1.bias"] == {
        "name": "c1.bias", "shape": [4], "from": "c1.bias", "reshaped_from": None, "widened_from": None,
        "network": "coarse",
    }  # fmt: skip


def test_stage_after_stage_keeps_every_bit(specs: Path, run: Run) -> None:
    first = write(specs / "classifier.safetensors", CLASSIFIER)
    status, told, _ = run("transfer", "coarse.yaml", "--from", "classifier.safetensors", "-o", "coarse.safetensors")
    assert status == 0 and told.endswith(
        "no place:\n  fc3.bias  7\n  fc3.weight  7 x 6\n\ncoarse.safetensors: 8 of 11 tensors of coarse\n"
    )
    found = load_file(specs / "coarse.safetensors")
    assert np.array_equal(found["fc2.weight"], first["fc2.weight"].reshape(6, 4, 4, 4))
    assert np.array_equal(found["c1_norm.running_var"], first["c1_norm.running_var"])
    assert found["c1_norm.num_batches_tracked"] == 0

    status, told, _ = run("transfer", "fine.yaml", "--from", "coarse.safetensors", "-o", "fine.safetensors")
    assert status == 0
    assert "score.weight          5 x 6 x 1 x 1  fresh: zeros             fresh in coarse.safetensors, too\n" in told
    with safe_open(specs / "fine.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["fresh"]) == ["score.weight", "score.bias", "up4.weight"]
    assert np.array_equal(load_file(specs / "fine.safetensors")["c1.weight"], first["c1.weight"])


def test_new_channels_of_the_image_start_as_the_mean_of_the_others(specs: Path, run: Run) -> None:
    """As FCN's release starts conv1_1 for colour and depth."""
    (specs / "depth.yaml").write_text("segcompile: 1\nmodel: depth\nbase: classifier.yaml\ninput: {channels: 5}\n")
    first = write(specs / "classifier.safetensors", CLASSIFIER)
    status, told, _ = run("transfer", "depth.yaml", "--from", "classifier.safetensors", "-o", "depth.safetensors")
    how = "was 4 x 3 x 3 x 3; new input channels: the mean of the others"
    assert status == 0 and f"c1.weight             4 x 5 x 3 x 3  c1.weight                    {how}\n" in told
    found = load_file(specs / "depth.safetensors")["c1.weight"]
    assert np.array_equal(found[:, :3], first["c1.weight"])
    for channel in (3, 4):
        np.testing.assert_allclose(found[:, channel], first["c1.weight"].mean(1), rtol=1e-6)


def test_a_grouped_kernel_is_no_narrow_one(specs: Path, run: Run) -> None:
    """Of three groups a kernel has one channel of the image's three; nothing is new about the others."""
    for name, of in (("grouped", "groups: 3, "), ("plain", "")):
        layers = f"layers: [a: {{conv: 6, {of}kernel: 3}}]\n"
        (specs / f"{name}.yaml").write_text(f"segcompile: 1\nmodel: {name}\ninput: {{channels: 3, size: 9}}\n{layers}")
    (specs / "whole.yaml").write_text(
        "segcompile: 1\nmodel: whole\nbase: grouped.yaml\ntransform: [set: {a: {groups: 1}}]\n"
    )
    assert "a.weight   6 x 3 x 3 x 3  fresh: he       was 6 x 1 x 3 x 3\n" in run("plan", "whole.yaml")[1]
    (specs / "depth.yaml").write_text("segcompile: 1\nmodel: depth\nbase: plain.yaml\ninput: {channels: 4}\n")
    write(specs / "a.safetensors", {"a.weight": (6, 2, 3, 3), "a.bias": (6,)})
    _, told, _ = run("transfer", "depth.yaml", "--from", "a.safetensors", "-o", "b.safetensors")
    assert "a.weight   6 x 4 x 3 x 3  fresh: he           was 6 x 2 x 3 x 3\n" in told, told


def test_weights_have_the_names_that_the_model_gives_them(specs: Path, run: Run, built: Built) -> None:
    """Frameworks keep some names for themselves, and `c_norm` is what c's norm is called."""
    layers = (
        "layers: [half: {conv: 4, kernel: 3}, c: {conv: 4, kernel: 1, norm: batch}, c_norm: {conv: 2, kernel: 1}]\n"
    )
    (specs / "odd.yaml").write_text(f"segcompile: 1\nmodel: odd\ninput: {{channels: 3, size: 9}}\n{layers}")
    (specs / "new.yaml").write_text("segcompile: 1\nmodel: new\nbase: odd.yaml\ninput: {size: 12}\n")
    used = "layers: [train: {use: odd.yaml}, end: {conv: 1, kernel: 1}]\n"
    (specs / "uses.yaml").write_text(f"segcompile: 1\nmodel: uses\ninput: {{channels: 3, size: 9}}\n{used}")
    odd = built("odd", "torch", "--verify").model.Odd()
    save_file({name: value.numpy() for name, value in odd.state_dict().items()}, specs / "odd/odd.safetensors")
    for name in ("new", "uses"):
        status, told, _ = run("transfer", f"{name}.yaml", "--from", "odd/odd.safetensors", "-o", f"{name}.safetensors")
        assert status == 0 and "no place" not in told
    found = load_file(specs / "uses.safetensors")
    assert {"train_.half_.weight", "train_.c_norm.running_mean", "train_.c_norm_2.weight"} <= set(found)


def test_only_what_reads_the_image_is_widened(specs: Path, run: Run) -> None:
    """Other channels, or as many with other kernels, mean something else; and fewer channels are another image."""
    wide = "transform: [set: {c1: {conv: 8}}]\n"
    for name, change in (("wide", wide), ("kernel", "transform: [set: {c1: {kernel: 5}}]\ninput: {channels: 4}\n")):
        (specs / f"{name}.yaml").write_text(f"segcompile: 1\nmodel: {name}\nbase: classifier.yaml\n{change}")
    (specs / "grey.yaml").write_text("segcompile: 1\nmodel: grey\nbase: classifier.yaml\ninput: {channels: 1}\n")
    for name in ("wide", "kernel", "grey"):
        _, told, _ = run("plan", f"{name}.yaml")
        assert "was 4 x 3 x 3 x 3\n" in told and "mean" not in told.replace("running_mean", "")
    layers = "layers: [a: {conv: 3, kernel: 3}, b: {conv: 2, kernel: 3, pad: 1}]\n"
    (specs / "two.yaml").write_text(f"segcompile: 1\nmodel: two\ninput: {{channels: 3, size: 9}}\n{layers}")
    (specs / "behind.yaml").write_text(
        "segcompile: 1\nmodel: behind\nbase: two.yaml\ntransform: [set: {a: {conv: 4}}]\n"
    )
    _, told, _ = run("plan", "behind.yaml")
    assert "b.weight   2 x 4 x 3 x 3  fresh: he     was 2 x 3 x 3 x 3\n" in told


def test_the_convolution_computes_what_the_linear_layer_did(specs: Path, run: Run, nets: SimpleNamespace) -> None:
    import torch
    from safetensors.torch import load_file as load

    whole = "base: classifier.yaml\ntransform: [convolutionalize: [fc2, fc3]]\n"
    (specs / "dense.yaml").write_text(f"segcompile: 1\nmodel: dense\n{whole}")
    write(specs / "a.safetensors", CLASSIFIER)
    assert run("transfer", "dense.yaml", "--from", "a.safetensors", "-o", "b.safetensors")[0] == 0
    scores = []
    for name, file in (("classifier", "a"), ("dense", "b")):
        compiled = nets.compiled(specs / f"{name}.yaml")
        model = nets.load(nets.source_of(compiled.graph, compiled.facts)["model.py"]).Net().eval()
        model.load_state_dict(load(specs / f"{file}.safetensors"))
        image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        scores.append(model(image).flatten(1).detach())
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-5, atol=1e-5)


def test_used_specs_get_their_own_files(specs: Path, run: Run) -> None:
    first, second = write(specs / "c.safetensors", CLASSIFIER), write(specs / "s.safetensors", SMOOTH)
    flags = ("--from", "c.safetensors", "--into", "front", "--from", "s.safetensors", "--into", "more")
    status, told, _ = run("transfer", "both.yaml", *flags, "-o", "both.safetensors")
    assert status == 0 and "both.safetensors: 10 of 15 tensors of both\n" in told
    assert "smooth.a.weight             5 x 5 x 3 x 3  fresh: identity                    no file for it\n" in told
    found = load_file(specs / "both.safetensors")
    assert np.array_equal(found["front.fc2.weight"].ravel(), first["fc2.weight"].ravel())
    assert np.array_equal(found["more.a.weight"], second["a.weight"])
    assert "smooth.a.weight" not in found


SMOOTH = {"a.weight": (5, 5, 3, 3), "a.bias": (5,)}


def test_a_place_that_is_plain_need_not_be_named(specs: Path, run: Run) -> None:
    write(specs / "c.safetensors", CLASSIFIER)
    assert run("transfer", "both.yaml", "--from", "c.safetensors", "-o", "b.safetensors")[0] == 0
    assert "front.fc2.weight" in load_file(specs / "b.safetensors")


def test_weights_of_other_classes_of_the_same_network(specs: Path, run: Run) -> None:
    write(specs / "c.safetensors", CLASSIFIER)
    status, told, _ = run(
        "transfer", "classifier.yaml", "--set", "K=3", "--from", "c.safetensors", "-o", "d.safetensors"
    )
    assert status == 0 and "fc3.weight            3 x 6          fresh: he             was 7 x 6\n" in told


def refused(run: Run, folder: Path, *arguments: str) -> str:
    """What a transfer says that writes nothing."""
    before = sorted(folder.rglob("*"))
    status, told, errors = run("transfer", *arguments, "-o", "out.safetensors")
    assert (status, told) == (1, "")
    assert sorted(folder.rglob("*")) == before
    return errors


def test_weights_of_another_network(specs: Path, run: Run) -> None:
    write(specs / "s.safetensors", SMOOTH)
    assert refused(run, specs, "coarse.yaml", "--from", "s.safetensors") == (
        "error[SC802 other-network]: `s.safetensors` holds the weights of another network than coarse, classifier\n"
        "   = help: nearest is classifier, of which it lacks `c1.weight` and 9 more, and which lacks "
        "`a.bias` and 1 more\n"
    )
    part = {name: shape for name, shape in CLASSIFIER.items() if name != "fc2.bias"}
    write(specs / "p.safetensors", part)
    assert refused(run, specs, "coarse.yaml", "--from", "p.safetensors") == (
        "error[SC802 other-network]: `p.safetensors` holds the weights of another network than coarse, classifier\n"
        "   = help: nearest is classifier, of which it lacks `fc2.bias`\n"
    )
    write(specs / "f.safetensors", part, {"fresh": '["fc2.bias"]'})  # as `import` leaves it
    assert run("transfer", "coarse.yaml", "--from", "f.safetensors", "-o", "g.safetensors")[0] == 0


def test_all_layers_of_other_shapes(specs: Path, run: Run) -> None:
    write(specs / "s.safetensors", {"a.weight": (4, 4, 3, 3), "a.bias": (4,)})
    assert refused(run, specs, "smooth.yaml", "--from", "s.safetensors") == (
        "error[SC802 other-network]: no tensor of `s.safetensors` fits: every layer of smooth has another shape\n"
        "   = help: built with C=4? then --set C=4\n"
    )


def test_a_checkpoint_is_to_be_exported_first(specs: Path, run: Run) -> None:
    (specs / "last.pt").write_bytes(b"PK")
    assert refused(run, specs, "smooth.yaml", "--from", "last.pt") == (
        "error[SC801 unreadable-weights]: `last.pt` cannot be read as weights: `transfer` takes safetensors\n"
        "   = help: `python weights.py export` of the generated folder makes it one; `segcompile weights import` reads"
        " others\n"
    )


def test_two_places_for_one_file(specs: Path, run: Run) -> None:
    write(specs / "s.safetensors", SMOOTH)
    assert refused(run, specs, "both.yaml", "--from", "s.safetensors") == (
        "error[SC803 ambiguous-weights]: the weights in `s.safetensors` fit into `more` and into `smooth`\n"
        "   = help: say which, for example --into smooth\n"
    )
    twice = ("--from", "s.safetensors", "--into", "more") * 2
    assert refused(run, specs, "both.yaml", *twice) == (
        "error[SC803 ambiguous-weights]: `s.safetensors` and `s.safetensors` both have weights for `more.a.weight`\n"
        "   = help: give only one of them\n"
    )


def test_a_place_that_is_none(specs: Path, run: Run) -> None:
    write(specs / "s.safetensors", SMOOTH)
    assert refused(run, specs, "both.yaml", "--from", "s.safetensors", "--into", "frond") == (
        "error[SC802 other-network]: both uses no spec as `frond`\n   = help: did you mean `front`?\n"
    )
    assert refused(run, specs, "smooth.yaml", "--from", "s.safetensors", "--into", "x") == (
        "error[SC802 other-network]: smooth uses no spec as `x`\n   = help: its used specs are: none\n"
    )
    assert (
        run("transfer", "both.yaml", "--from", "s.safetensors", "--into", "a", "--into", "b", "-o", "o.safetensors")[0]
        == 2
    )


@pytest.mark.parametrize("fresh", ["[", "3", "[1]", "[" * 100_000])
def test_a_note_that_is_no_list(specs: Path, run: Run, fresh: str) -> None:
    write(specs / "s.safetensors", SMOOTH, {"fresh": fresh})
    assert refused(run, specs, "smooth.yaml", "--from", "s.safetensors") == (
        "error[SC801 unreadable-weights]: `s.safetensors` cannot be read as weights: "
        "its note `fresh` is no list of names\n"
    )


def test_a_transfer_reads_safetensors_only_and_whole(specs: Path, run: Run) -> None:
    write(specs / "s.safetensors", SMOOTH)
    whole = (specs / "s.safetensors").read_bytes()
    (specs / "s.safetensors").write_bytes(whole[:-9])
    assert refused(run, specs, "smooth.yaml", "--from", "s.safetensors").startswith("error[SC801 unreadable-weights]: ")


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_generated_harness_starts_from_it(
    specs: Path, run: Run, built: Built, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    write(specs / "c.safetensors", CLASSIFIER)
    assert run("transfer", "coarse.yaml", "--from", "c.safetensors", "-o", "coarse.safetensors")[0] == 0
    modules = built("coarse", backend)
    if backend == "torch":
        net = modules.model.Coarse()
    else:
        from flax import nnx

        net = modules.model.Coarse(rngs=nnx.Rngs(0))
    fresh = modules.weights.start_from(specs / "coarse.safetensors", net)
    assert fresh == ["score.weight", "score.bias", "up.weight"] and capsys.readouterr() == ("", "")
    modules.weights.save(specs / "whole.safetensors", net.state_dict() if backend == "torch" else net)
    whole, part = load_file(specs / "whole.safetensors"), load_file(specs / "coarse.safetensors")
    assert all(np.array_equal(whole[name], value) for name, value in part.items())
    assert not whole["score.weight"].any() and whole["up.weight"][0, 0].max() == 0.5625  # bilinear: 0.75²


@pytest.mark.long
@pytest.mark.parametrize("spec", bundled())
def test_every_bundled_spec_has_a_plan(spec: str, run: Run) -> None:
    """With a reason for each parameter that starts fresh."""
    for variant in variants_of(bundled()[spec], locate) or (None,):
        chosen = () if variant is None else ("--variant", variant)
        status, told, errors = run("plan", spec, *chosen, "--format", "json")
        plan = json.loads(told)
        assert (status, errors) == (0, "")
        assert all(bool(entry.get("why")) == (entry["from"] is None) for entry in plan["parameters"])
