"""Ops of channels: their numbers as claims, their refusals at the value, their code."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for
from segcompile.compiler import Compiled, compile_spec
from segcompile.language.write import write_spec
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_text

SPLIT = """\
segcompile: 1
model: net
params: {C: 8}
input: {channels: 3, size: 16}
layers:
  - score: {conv: C, kernel: 3, pad: same}
  - left:  {slice: [0, channels//2]}
  - right: {slice: [C//2, channels], from: score}
  - deep:  {conv: 4, kernel: 3, pad: same}
  - both:  {concat: [left, deep]}
  - mixed: {channel_shuffle: 2}
claims: {left: {channels: 4}, right: {channels: 4}, mixed: {channels: 8, receptive_field: 5}, parameters: 372}
"""


def compiled(tmp_path: Path, text: str) -> tuple[Compiled, str, str]:
    """A spec without a finding, and its model.py of both backends."""
    spec, findings = tmp_path / "net.yaml", Findings()
    spec.write_text(text)
    found = compile_spec(spec, findings)
    assert findings.diagnostics == []  # every claim holds
    request = request_for(found, spec)
    torch, jax = (str(run_backend(load_backend(name), request).files["model.py"]) for name in ("torch", "jax"))
    return found, torch, jax


def refused(tmp_path: Path, text: str) -> str:
    spec = tmp_path / "net.yaml"
    spec.write_text(text)
    with pytest.raises(SegcompileError) as caught:
        compile_spec(spec, Findings(), name="net.yaml")
    return render_text(caught.value.diagnostics)


def test_a_split_is_two_slices_and_a_shuffle_mixes_their_channels(tmp_path: Path) -> None:
    found, torch, jax = compiled(tmp_path, SPLIT)
    for code in ("score[:, :4]", "score[:, 4:]", "F.channel_shuffle(x, 2)"):
        assert code in torch
    for code in ("score[..., :4]", "score[..., 4:]", "channel_shuffle(x, 2)"):
        assert code in jax
    flat = write_spec(found.graph)
    assert "{slice: [0, 4]}" in flat and "{slice: [4, 8], from: score}" in flat and "{channel_shuffle: 2}" in flat


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("[4, 4]", "no channel lies from 4 to 4 | `to` is excluded: `[4, 5]` is one channel"),
        ("[6, 2]", "no channel lies from 6 to 2 | `to` is excluded: `[6, 7]` is one channel"),
        ("[4, C + 1]", "channels 4 to 8 of 8 | `to` is at most `8`, which `channels` stands for"),
    ],
)
def test_a_slice_of_no_channels_or_of_more_than_there_are_is_refused_at_it(
    tmp_path: Path, part: str, told: str
) -> None:
    said = refused(tmp_path, SPLIT.replace("[0, channels//2]", part))
    message, help = told.split(" | ")
    assert f"error[SC301 channel-mismatch]: left: {message}" in said
    assert "--> net.yaml:7:20" in said and f"= help: {help}" in said


@pytest.mark.parametrize(
    ("part", "code", "help"),
    [
        ("4", "SC004", "for example `[0, channels // 2]`; `to` is excluded"),
        ("[0, 2, 4]", "SC004", "for example `[0, channels // 2]`; `to` is excluded"),
        ("[-4, 8]", "SC105", "the least is `0`"),
        ("[0, channels/2]", "SC104", "integers only: `//` divides and rounds down"),
    ],
)
def test_what_is_no_pair_of_numbers_is_told_how_a_slice_is_written(
    tmp_path: Path, part: str, code: str, help: str
) -> None:
    said = refused(tmp_path, SPLIT.replace("[0, channels//2]", part))
    assert said.startswith(f"error[{code} ") and f"= help: {help}" in said


def test_channels_that_are_no_equal_groups_are_refused_at_their_number(tmp_path: Path) -> None:
    said = refused(tmp_path, SPLIT.replace("channel_shuffle: 2", "channel_shuffle: 3"))
    assert "error[SC308 indivisible]: mixed: 8 channels are no 3 groups of equal size" in said
    assert "--> net.yaml:11:30" in said and "= help: a multiple of 3 channels before it" in said


PADDED = """\
segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - main:  {conv: 8, kernel: 3, stride: 2, pad: 1}
  - short: [{pool: max, kernel: 3, stride: 2, pad: 1, from: input}, {pad: {channels: 8 - channels}}]
  - sum:   {add: [main, short]}
claims: {short: {channels: 8, receptive_field: 3}, sum: {receptive_field: 3}, parameters: 224}
"""


def test_enets_shortcut_has_zeros_behind_its_channels(tmp_path: Path) -> None:
    found, torch, jax = compiled(tmp_path, PADDED)
    assert "F.pad(" in torch and "(0, 0, 0, 0, 0, 5))" in torch
    assert "jnp.pad(" in jax and "((0, 0), (0, 0), (0, 0), (0, 5)))" in jax
    assert "{pad: {channels: 5}}" in write_spec(found.graph)


@pytest.mark.parametrize(
    ("layer", "code", "help"),
    [
        ("{pad: {channels: -1}}", "SC105", "the least is `0`"),
        ("{pad: {channel: 5}}", "SC004", "or `pad: {channels: ...}`"),
        ("{pad: {channels: 5, mode: edge}}", "SC004", "or `pad: {channels: ...}`"),
        ("{pad: {channels: 5}, mode: edge}", "SC003", "conv, pad, resize, position have it"),
        ("{pad: 1, channels: 5}", "SC011", "`pad: {channels: ...}`"),
    ],
)
def test_what_is_wrong_with_zeros_behind_channels(tmp_path: Path, layer: str, code: str, help: str) -> None:
    said = refused(tmp_path, PADDED.replace("{pad: {channels: 8 - channels}}", layer))
    assert said.startswith(f"error[{code} ") and help in said, said


def test_an_edit_says_zeros_behind_channels_as_a_layer_does(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(PADDED.replace("model: net", "model: base"))
    head = "segcompile: 1\nmodel: net\nbase: base.yaml\ntransform:\n"
    both = "  - set: {main: {conv: 9}, short.pad: {pad: %s}}\nclaims: {sum: {channels: 9}}\n"
    found, _, _ = compiled(tmp_path, head + both % "{channels: 6}")
    assert "{pad: {channels: 6}}" in write_spec(found.graph)
    said = refused(tmp_path, head + both % "6")
    assert "this `pad` takes `channels`, not `6`" in said and "= help: `pad: {channels: ...}`" in said


def test_a_vector_has_channels_too(tmp_path: Path) -> None:
    layers = "  - fc:    {linear: 6}\n  - mixed: {channel_shuffle: 3}\n  - some:  {slice: [1, 5]}\n"
    head = SPLIT.partition("layers:\n")[0].replace("params: {C: 8}\n", "")
    _, torch, jax = compiled(tmp_path, f"{head}layers:\n{layers}claims: {{some: {{channels: 4}}}}\n")
    assert "self.fc(torch.flatten(image, 1))" in torch
    assert ".unflatten(1, (3, -1)).mT.flatten(1)" in torch and "[:, 1:5]" in torch
    assert "channel_shuffle(x, 3)" in jax and "[..., 1:5]" in jax
