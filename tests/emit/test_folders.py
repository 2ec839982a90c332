"""What every generated folder is: the same bytes anywhere, clean under strict tools, and standalone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VALID = ROOT / "tests/data/valid"
CASES = {
    "unet": ROOT / "specs/unet.yaml",
    "aspp": ROOT / "specs/aspp.yaml",
    "blue_marble": ROOT / "specs/blue_marble.yaml",
    "dilated_basic": ROOT / "specs/dilated_basic.yaml",
    "dilated_large": ROOT / "specs/dilated_large.yaml",
    "fcn8s_layers": VALID / "fcn8s_layers.yaml",
    "residual_example": VALID / "residual_example.yaml",
    "vgg16": VALID / "vgg16.yaml",
}
ODD = """segcompile: 1
model: odd
about: "Every corner: scopes, several heads, pairs, 'quotes' and a `tick`."
input: {x: {channels: 3, size: any}, y: {channels: 2, size: any}}
defaults: {conv: {kernel: 3, pad: same, norm: batch, act: prelu}}
blocks:
  thin: {args: [h, w], layers: [c: {conv: 4, kernel: [h, w]}, d: {conv: 4, act: {leaky_relu: 0.123}, drop: 0.25}]}
layers:
  - stem: {conv: 4, from: x}
  - a: {block: thin, h: 1, w: 3}
  - b: {block: thin, h: 3, w: 1}
  - both: {concat: [a.c, b, y]}
  - pool: {pool: max, kernel: 2, pad: [0, 1, 0, 1]}
  - up: {deconv: 4, kernel: 5, stride: 2, pad: [1, 2, 0, 1], init: xavier}
  - small: {crop: stem, offset: 1}
  - scaled: {scale: 0.3333333333}
  - least: {pool: max, kernel: 2, norm: {group: 2}, drop: 0.1}
  - most: {unpool: least, norm: {instance: {eps: 1e-3}}}
  - shuffled: {pixel_shuffle: 2, norm: {lrn: {alpha: 5e-4, k: 2}}}
  - head: {conv: 2, act: none, norm: none, init: {normal: 0.0001}}
outputs: {main: head, aux: a.c}
"""


def build(name: str, folder: Path, **environment: str) -> Path:
    """The folder of one spec, built by a process of its own."""
    spec = CASES.get(name, folder.parent / f"{name}.yaml")
    if name not in CASES:
        spec.write_text(ODD)
    command = [
        sys.executable,
        "-m",
        "segcompile",
        "build",
        str(spec),
        "--backend",
        "torch",
        "--out",
        str(folder),
    ]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, cwd=folder.parent)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("generated")
    return {name: build(name, base / name) for name in (*CASES, "odd")}


def texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", ["unet", "dilated_large", "odd"])
def test_a_build_is_the_same_bytes_under_another_hash_seed_locale_and_directory(
    folders: dict[str, Path], name: str, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    locale = {"PYTHONHASHSEED": "4711", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "TZ": "Asia/Tokyo"}
    assert texts(build(name, tmp_path / "elsewhere" / name, **locale)) == texts(folders[name])


def test_ruff_finds_nothing_and_would_format_nothing(folders: dict[str, Path]) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    check = [*ruff, "check", "--isolated", "--line-length", "110", "--select", "E,F,I,B,UP,SIM,C4,RUF", "."]
    layout = [*ruff, "format", "--check", "--isolated", "--line-length", "110", "."]
    for folder in folders.values():
        for command in (check, layout):
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_mypy_strict_finds_nothing(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file", os.devnull, "."]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, f"{folder.name}\n{done.stdout}{done.stderr}"


ALONE = """
import sys
class NoCompiler:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("segcompile"):
            raise ImportError(name)
sys.meta_path.insert(0, NoCompiler())
import torch
for folder, name, size in {jobs!r}:
    sys.path.insert(0, folder)
    import model
    with torch.device("meta"):
        net = getattr(model, name)()
    image = torch.zeros(1, next(net.parameters()).shape[1], size, size, device="meta")
    print(name, *net.eval()(image).shape)
    sys.path.remove(folder)
    del sys.modules["model"]
"""


def test_a_model_runs_where_segcompile_cannot_be_imported(folders: dict[str, Path]) -> None:
    jobs = [(str(folders["unet"]), "Unet", 572), (str(folders["dilated_large"]), "DilatedLarge", 64)]
    code = ALONE.format(jobs=[*jobs, (str(folders["fcn8s_layers"]), "Fcn8sLayers", 500)])
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["Unet 1 2 388 388", "DilatedLarge 1 21 64 64", "Fcn8sLayers 1 21 500 500"], (
        done.stderr
    )
