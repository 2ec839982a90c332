"""Weights of the same layers at other widths, or of other classes: one line with the count, examples and the cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.text.errors import Findings
from segcompile.weights import misfits
from segcompile.weights.parameters import tensors

Run = Callable[..., tuple[int, str, str]]
FLAGS = ("--channels", "rgb", "-o", "out.safetensors")
SPEC = """\
segcompile: 1
model: net
params: {W: 8, K: 5, D: 2*W}
input: {channels: 3, size: 16}
defaults: {conv: {kernel: 3, pad: same}}
layers:
  - stem:  {conv: W, norm: batch}
  - deep:  {conv: D}
  - score: {conv: K, kernel: 1}
"""


@pytest.fixture(autouse=True)
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return path


def save(path: Path, spec: Path, prefix: str = "", **params: int) -> None:
    """The weights of the network with other parameters: a state dict, or safetensors."""
    import torch
    from safetensors.torch import save_file

    net = compile_spec(spec, Findings(), overrides=params)
    state = {f"{prefix}{each.name}": torch.ones(each.shape) for each in tensors(net.graph, net.facts)}
    if prefix == "x":  # names that say nothing
        state = {f"l{index}": value for index, value in enumerate(state.values())}
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)


@pytest.mark.parametrize(("params", "cause"), [
    ({"W": 64}, "built with W=64? then --set W=64"),
    ({"W": 16, "K": 19}, "built with W=16, K=19? then --set W=16 --set K=19"),
    ({"D": 32}, "built with D=32? then --set D=32"),
])  # fmt: skip
@pytest.mark.parametrize("form", ["pth", "safetensors", "order"])
def test_weights_of_another_width_say_what_they_were_built_with(
    params: dict[str, int], cause: str, form: str, spec: Path, run: Run, tmp_path: Path
) -> None:
    name = f"a.{form}" if form != "order" else "a.pth"
    save(tmp_path / name, spec, "x" if form == "order" else "", **params)
    status, told, errors = run("import", name, "--spec", spec, *FLAGS)
    assert cause in told + errors
    assert status == (1 if "W" in params else 0)  # most of it does not fit
    flags = [word for pair in params.items() for word in ("--set", "{}={}".format(*pair))]
    assert run("import", name, "--spec", spec, *FLAGS, *flags, "--strict")[0] == 0


def test_nothing_fits_is_one_line_with_the_count_and_three_examples(spec: Path, run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.pth", spec, W=64, K=19)
    assert run("import", "a.pth", "--spec", spec, *FLAGS)[2] == (
        "error[SC802 other-network]: of `a.pth` nothing fits: 10 of 10 tensors have another shape in the file: "
        "`stem.weight` is 8 x 3 x 3 x 3, there 64 x 3 x 3 x 3; `stem.bias` is 8, there 64; `stem_norm.weight` is 8, "
        "there 64\n"
        "   = help: built with W=64, K=19? then --set W=64 --set K=19\n"
    )


def test_a_head_of_other_classes_is_said_where_no_parameter_makes_it(spec: Path, run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.pth", spec, K=19)
    spec.write_text(SPEC.replace("conv: K", "conv: 5").replace(" K: 5,", ""))
    status, told, _ = run("import", "a.pth", "--spec", spec, *FLAGS)
    assert (
        status == 0
        and (
            "\n2 of 10 tensors have another shape in the file: `score.weight` is 5 x 16 x 1 x 1, there "
            "19 x 16 x 1 x 1; `score.bias` is 5, there 19; `score` has 19 channels there: a layer for other classes?\n"
        )
        in told
    )
    report = json.loads(run("import", "a.pth", "--spec", spec, *FLAGS, "--format", "json")[1])
    assert report["notes"][0].startswith("2 of 10 tensors have another shape")


def test_another_width_or_network_without_a_parameter_for_it(spec: Path, run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.pth", spec, W=16, K=10)
    spec.write_text(
        SPEC.replace("params: {W: 8, K: 5, D: 2*W}\n", "").replace("W", "8").replace("D", "16").replace("K", "5")
    )
    said = run("import", "a.pth", "--spec", spec, *FLAGS)[2]
    assert said.endswith("   = help: every layer has 2 times as many channels: a network of another width?\n")
    spec.write_text(spec.read_text().replace("conv: 16", "conv: 12"))
    assert run("import", "a.pth", "--spec", spec, *FLAGS)[2].endswith("   = help: weights of another network?\n")


def test_no_more_is_compiled_than_the_limit(
    spec: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec.write_text(
        SPEC.replace("D: 2*W", ", ".join(f"P{i}: {i + 1}" for i in range(30))).replace("conv: D", "conv: 16")
    )
    save(tmp_path / "a.pth", spec, W=7, K=11)
    calls: list[object] = []
    monkeypatch.setattr(misfits, "_fitting", lambda *arguments: calls.append(arguments) or 0)
    run("import", "a.pth", "--spec", spec, *FLAGS)
    assert len(calls) == misfits.MOST_TRIES


def test_names_that_lack_the_networks_prefix(spec: Path, run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", spec)
    block = "blocks: {enc: {layers: [{stem: {conv: W, norm: batch}}, {deep: {conv: D}}]}}\n"
    layers = "layers:\n  - encoder: {block: enc}\n  - head: {conv: K, kernel: 1}\n"
    spec.write_text(SPEC.partition("layers:")[0] + block + layers)
    assert run("import", "a.safetensors", "--spec", spec, *FLAGS)[2].endswith(
        "   = help: the network's names start with `encoder.`: --names with `*: encoder.*`\n"
    )
    (tmp_path / "names.txt").write_text("s*m*: encoder.s*m*\ndeep: encoder.deep\nscore: head\n")
    assert run("import", "a.safetensors", "--spec", spec, *FLAGS, "--names", "names.txt", "--strict")[0] == 0


def test_a_transfer_says_it_too(spec: Path, run: Run, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", spec, W=64, K=19)
    status, _, errors = run("transfer", spec, "--from", "a.safetensors", "-o", "out.safetensors")
    assert status == 1 and errors == (
        "error[SC802 other-network]: no tensor of `a.safetensors` fits: every layer of net has another shape\n"
        "   = help: built with W=64, K=19? then --set W=64 --set K=19\n"
    )


@pytest.mark.parametrize(("channels", "told"), [(1, "1 channel"), (4, "4 channels")])
def test_a_first_kernel_for_other_images_is_said_to_be_one(
    channels: int, told: str, spec: Path, run: Run, tmp_path: Path
) -> None:
    spec.write_text(SPEC.replace("channels: 3", f"channels: {channels}"))
    save(tmp_path / "a.safetensors", spec)
    spec.write_text(SPEC)
    assert run("import", "a.safetensors", "--spec", spec, *FLAGS)[2] == (
        f"error[SC804 image-channels]: `stem.weight` reads images of 3 channels, and in the file of {told}: "
        f"8 x {channels} x 3 x 3\n"
        f"   = help: a spec whose `input` has {told}; or leave --channels, --mean and --std out, and it starts fresh\n"
    )
    status, note, _ = run("import", "a.safetensors", "--spec", spec, "-o", "out.safetensors")
    cause = f"`stem` reads {told} there: a network for other images? then a spec whose `input` has {told}"
    assert status == 0 and f"there 8 x {channels} x 3 x 3; {cause}\n" in note
