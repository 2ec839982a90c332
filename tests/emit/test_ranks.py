"""Signals and volumes: what is emitted of them reads like what it is. What it computes, the kit's cases tell."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from segcompile.backend import check_capabilities, load_backend, run_backend
from segcompile.build import request_for
from segcompile.text.errors import Findings

RANKS = pytest.mark.parametrize("rank", [1, 3])
BACKENDS = pytest.mark.parametrize("backend", ["torch", "jax"])
SIZES = {1: "[24]", 3: "[12, 12, 16]"}
EVERY_HELPER = """\
segcompile: 1
model: net
input: {channels: 8, size: SIZE}
layers:
  - a:  {conv: 8, kernel: 3, pad: same, init: identity, norm: batch, act: prelu}
  - l:  {norm: lrn}
  - p:  {pool: avg, kernel: 3, stride: 2, pad: 1, round: ceil}
  - m:  {pool: max, kernel: 2, stride: 1, dilation: 2, pad: same}
  - n:  {resize: a, mode: nearest}
  - s:  {space_to_depth: 2}
  - t:  {pixel_shuffle: 2}
  - d:  {deconv: 8, kernel: 3, stride: 2, pad: 1, dilation: 2}
  - b:  {deconv: 8, kernel: 4, stride: 2, groups: 8, bias: no, init: bilinear, frozen: yes}
  - k:  {add: [b, d], align: center_crop}
  - q:  {concat: [k, b], align: pad}
  - r:  {crop: a, offset: 1}
  - mp: {pool: max, kernel: 2}
  - mc: {conv: 16, kernel: 1, init: xavier}
  - u:  {unpool: mp}
  - i:  {resize: input, mode: bilinear, align_corners: yes}
  - j:  {resize: input, mode: bilinear}
  - z:  {conv: 4, kernel: 3, pad: same, mode: edge}
  - g:  {pool: global_avg}
  - fc: {linear: 4, from: z}
outputs: {out: z, mean: g, scores: fc}
"""


def written(folder: Path, text: str, backend: str, nets: SimpleNamespace) -> Path:
    """The folder that a spec becomes."""
    path = folder / "net.yaml"
    path.write_text(text)
    for name, content in run_backend(load_backend(backend), request_for(nets.compiled(path), path)).files.items():
        (folder / name).write_text(content)
    return folder


@BACKENDS
@RANKS
def test_a_model_that_needs_every_helper_is_clean(
    nets: SimpleNamespace, tmp_path: Path, backend: str, rank: int
) -> None:
    folder = written(tmp_path, EVERY_HELPER.replace("SIZE", SIZES[rank]), backend, nets)
    command = ["ruff", "check", "--isolated", "--no-cache", "--line-length", "110", "--select", "E,F,W,I,B,UP", "."]
    told = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert told.stdout == "All checks passed!\n"
    command = ["ruff", "format", "--isolated", "--line-length", "110", "--diff", "model.py"]
    told = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert (told.stdout, told.stderr) == ("", "1 file already formatted\n")


@pytest.mark.long
@BACKENDS
@RANKS
def test_a_model_that_needs_every_helper_has_types(
    nets: SimpleNamespace, tmp_path: Path, backend: str, rank: int
) -> None:
    folder = written(tmp_path, EVERY_HELPER.replace("SIZE", SIZES[rank]), backend, nets)
    command = ["mypy", "--strict", "--allow-untyped-calls", "--config-file", os.devnull, "."]
    told = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert told.stdout.startswith("Success: no issues found"), told.stdout


VOLUME = """\
segcompile: 1
model: net
input: {channels: 1, size: [16, 32, 32]}
layers:
  - conv: {conv: 8, kernel: [3, 5, 5], pad: same, norm: batch, act: relu}
  - down: {pool: max, kernel: [1, 2, 2]}
  - up:   {resize: [1, 2, 2]}
  - out:  {conv: 2, kernel: 1, pad: [[1, 0], [0, 0], [2, 1]]}
"""
SIGNAL = """\
segcompile: 1
model: net
input: {channels: 1, size: [64]}
layers:
  - conv: {conv: 8, kernel: 3, pad: same, norm: batch, act: relu}
  - down: {pool: max, kernel: 2}
  - up:   {resize: 2}
  - out:  {conv: 2, kernel: 1, pad: [[1, 0]]}
"""
READ = {
    (1, "torch"): (
        "Sizes in comments are for an input of 64 samples; rf = receptive field in input samples.",
        "self.conv = nn.Conv1d(1, 8, 3, padding=1)",
        "self.conv_norm = nn.BatchNorm1d(8)",
        "    def forward(self, signal: Tensor) -> Tensor:",
        "        x: Tensor = F.relu(self.conv_norm(self.conv(signal)))  # (B, 8, 64)   stride 1   rf 3",
        "        x = F.max_pool1d(x, 2)                                 # (B, 8, 32)   stride 2   rf 4",
        '        x = F.interpolate(x, scale_factor=2, mode="linear")    # (B, 8, 64)   stride 1   rf 6',
        "        x = self.out(F.pad(x, (1, 0)))                         # (B, 2, 65)   stride 1   rf 6",
    ),
    (3, "torch"): (
        "Sizes in comments are for a 16 x 32 x 32 input; rf = receptive field in input voxels.",
        "self.conv = nn.Conv3d(1, 8, (3, 5, 5), padding=(1, 2, 2))",
        "self.conv_norm = nn.BatchNorm3d(8)",
        "    def forward(self, volume: Tensor) -> Tensor:",
        "        x = F.max_pool3d(x, (1, 2, 2))                         # (B, 8, 16, 16, 16)   stride 1x2x2   rf 3x6x6",
        '            x, scale_factor=(1, 2, 2), mode="trilinear")       # (B, 8, 16, 32, 32)   stride 1       rf 3x8x8',
        "        x = self.out(F.pad(x, (2, 1, 0, 0, 1, 0)))             # (B, 2, 17, 32, 35)   stride 1       rf 3x8x8",
    ),
    (1, "jax"): (
        "self.conv = nnx.Conv(1, 8, (3,), padding=1, kernel_init=he, rngs=rngs)",
        "    def __call__(self, signal: jax.Array) -> jax.Array:",
        "        x = nnx.max_pool(x, (2,), (2,))                             # (B, 32, 8)   stride 2   rf 4",
        "        x = interpolate(x, (x.shape[1] * 2,))                       # (B, 64, 8)   stride 1   rf 6",
    ),
    (3, "jax"): (
        "self.conv = nnx.Conv(1, 8, (3, 5, 5), padding=(1, 2, 2), kernel_init=he, rngs=rngs)",
        "            x, (x.shape[1] * 1, x.shape[2] * 2, x.shape[3] * 2)",
        '    y: jax.Array = jax.image.resize(x, shape, "trilinear", antialias=False)',
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", READ, ids=str)
def test_a_stranger_reads_what_a_signal_or_a_volume_becomes(
    nets: SimpleNamespace, tmp_path: Path, which: tuple[int, str]
) -> None:
    rank, backend = which
    source = (written(tmp_path, {1: SIGNAL, 3: VOLUME}[rank], backend, nets) / "model.py").read_text()
    for line in READ[which]:
        assert line in source, source


def test_a_backend_that_does_not_say_so_emits_images_only(nets: SimpleNamespace, tmp_path: Path) -> None:
    path, findings = tmp_path / "net.yaml", Findings()
    path.write_text(SIGNAL)
    backend = replace(load_backend("torch"), ranks=frozenset({2}))
    check_capabilities(backend, nets.compiled(path).graph, findings)
    (told,) = findings.diagnostics
    assert told.code.code == "SC604"
    assert told.message == "backend `torch` cannot emit a network of maps of 1 axis"
    assert told.help == "it emits those of 2; `check` and `rf` know all"
