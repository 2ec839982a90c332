"""The folders of a real signal's and a real volume's network: trained in stages, evaluated, and predicted densely."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for

SPEC = """\
segcompile: 1
model: net
input: {channels: 1, size: SIZE}
layers:
  - a:     {conv: 8, kernel: 3, act: relu}
  - down:  {pool: max, kernel: 2}
  - b:     {conv: 8, kernel: 3, norm: batch, act: relu, drop: 0.1}
  - score: {conv: 3, kernel: 1}
training:
  optimizer: {adamw: {}}
  lr: 2e-2
  batch: 4
  steps: 60
  input_padding: {reflect: 6}
  stages:
    - whole: {train: "*"}
    - last:  {train: score, steps: 5}
"""
SIZES = {1: "[any]", 3: "[any, any, any]"}
# The 8 voxels of a field of 3 + 1 + 2 * 2, less the 2 that an output stands for, are 3 before it and 3 behind it.
PLACED = {"STRIDE": 2, "OFFSET": 3, "CENTRE": 3.5, "MULTIPLE": 2, "LEAST": 8, "PADDING": 6}


def built(nets: SimpleNamespace, folder: Path, rank: int, backend: str) -> Path:
    """The folder of a network whose outputs are coarse, and smaller than its image."""
    path = folder / "net.yaml"
    path.write_text(SPEC.replace("SIZE", SIZES[rank]))
    place = folder / "net"
    place.mkdir()
    for name, text in run_backend(load_backend(backend), request_for(nets.compiled(path), path)).files.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


def pairs(folder: Path, rank: int) -> Path:
    """A list of four images of two levels on nothing, and their masks; the length of axis a is 20 + 2a."""
    rng = np.random.default_rng(0)
    for number in range(4):
        labels = np.zeros([20 + 2 * a for a in range(rank)], np.uint8)
        labels[(slice(4, 12),) * rank] = 1
        labels[(slice(12, 18),) * rank] = 2
        image = labels + rng.normal(0, 0.05, labels.shape)
        np.save(folder / f"{number}.npy", image[..., None].astype(np.float32))
        np.save(folder / f"{number}_mask.npy", labels)
    (folder / "list.txt").write_text("".join(f"{i}.npy {i}_mask.npy\n" for i in range(4)))
    return folder / "list.txt"


@pytest.mark.parametrize(
    ("rank", "backend"), [(1, "torch"), (3, "torch"), (1, "jax"), pytest.param(3, "jax", marks=pytest.mark.long)]
)
def test_a_network_of_coarse_outputs_is_trained_in_stages_and_predicts_at_every_place(
    nets: SimpleNamespace, tmp_path: Path, rank: int, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net, data = nets.imported(built(nets, tmp_path, rank, backend)), pairs(tmp_path, rank)
    last = {"torch": "last.pt", "jax": "last"}[backend]
    for name, number in PLACED.items():
        assert getattr(net.data, name) == (number,) * rank, name
    common = ["--list", str(data), "--device", "cpu", "--crop", "28"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert net.train.main([*common, "--stage", "whole", "--out", str(first)]) == 0
    assert net.train.main([*common, "--stage", "last", "--init", str(first / last), "--out", str(second)]) == 0
    unit, count = {1: "samples", 3: "voxels"}[rank], 4 * np.prod([20 + 2 * a for a in range(rank)])
    assert f"list.txt: 4 masks, {count} {unit}\n" in capsys.readouterr().out
    weights = ["--weights", str(second / last), "--device", "cpu"]
    assert net.evaluate.main([*weights, "--list", str(data)]) == 0
    assert capsys.readouterr().out.startswith(f"class{unit:>12} accuracy      IU\n")
    for flags in ([], ["--dense"]):
        out = tmp_path / f"out{len(flags)}"
        assert net.predict.main([*weights, *flags, str(tmp_path / "0.npy"), "--out", str(out)]) == 0
        labels, mask = np.load(out / "0_labels.npy"), np.load(tmp_path / "0_mask.npy")
        assert labels.shape == mask.shape and labels.dtype == np.uint8
        assert (labels == mask).mean() > 0.75


@pytest.mark.parametrize("rank", SIZES)
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_the_files_of_a_network_of_coarse_outputs_are_clean(
    nets: SimpleNamespace, tmp_path: Path, rank: int, backend: str
) -> None:
    command = ["ruff", "check", "--isolated", "--no-cache", "--line-length", "120", "--select", "E,F,W,I,B,UP", "."]
    folder = built(nets, tmp_path, rank, backend)
    told = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert told.stdout == "All checks passed!\n"
