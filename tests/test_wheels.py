"""A stranger's machine: the wheels alone, in a new virtual environment, outside any checkout."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PIP_ARGS = shlex.split(os.environ.get("PIP_ARGS", ""))  # of `make test PIP_ARGS=...`: which index, for example


def run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pip_install(binaries: Path) -> list[str | Path]:
    """Thousands of modules that nobody imports here are not compiled."""
    python, versions = binaries / "python", ROOT / "constraints.txt"
    return [python, "-m", "pip", "install", "--quiet", "--no-compile", "-c", versions, *PIP_ARGS]


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment that holds the wheels and what they ask for."""
    place = tmp_path_factory.mktemp("stranger")
    for source in (ROOT, ROOT / "backends" / "jax", ROOT / "backends" / "onnx", ROOT / "backends" / "torch"):
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place / "wheels", source, cwd=place)
    wheels = sorted((place / "wheels").glob("*.whl"))
    assert [wheel.name.split("-")[0] for wheel in wheels] == [
        "segcompile", "segcompile_jax", "segcompile_onnx", "segcompile_torch",
    ]  # fmt: skip
    venv.create(place / "env", with_pip=True)
    binaries = place / "env" / "bin"
    run(*pip_install(binaries), *wheels, cwd=place)
    return binaries


def test_wheels_install_without_torch_and_list_the_bundled_specs(stranger: Path, tmp_path: Path) -> None:
    listed = json.loads(run(stranger / "segcompile", "list", "--format", "json", cwd=tmp_path))
    assert listed["networks"] == json.loads((ROOT / "specs/index.json").read_text(encoding="utf-8"))
    run(stranger / "segcompile", "check", "dilated_large", "unet", "aspp", "blue_marble", cwd=tmp_path)
    absent = "import importlib.util as u; print([n for n in ('torch', 'jax', 'matplotlib') if u.find_spec(n)])"
    assert run(stranger / "python", "-c", absent, cwd=tmp_path) == "[]\n"
    run(stranger / "segcompile", "build", "blue_marble", "--backend", "onnx", cwd=tmp_path)
    assert (tmp_path / "generated/blue_marble/onnx/model.onnx").is_file()


@pytest.mark.long
def test_a_stranger_builds_by_name_and_trains_a_step(stranger: Path, tmp_path: Path) -> None:
    run(stranger / "segcompile", "build", "dilated_large", "--backend", "torch", cwd=tmp_path)
    assert (tmp_path / "generated/dilated_large/torch/model.py").is_file()
    run(stranger / "segcompile", "build", "blue_marble", "--backend", "torch", "--out", "bm", cwd=tmp_path)
    folder = tmp_path / "bm"
    run(*pip_install(stranger), "-r", folder / "requirements.txt", cwd=tmp_path)
    run(
        stranger / "python",
        "-m",
        "pip",
        "uninstall",
        "--yes",
        "--quiet",
        "segcompile",
        "segcompile-jax",
        "segcompile-onnx",
        "segcompile-torch",
        cwd=tmp_path,
    )
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    Image.fromarray((pixels[..., 0] // 128).astype(np.uint8)).save(tmp_path / "mask.png")
    (tmp_path / "list.txt").write_text("image.png mask.png\n", encoding="utf-8")
    train = (stranger / "python", folder / "train.py", "--list", "list.txt", "--steps", "1", "--batch", "1")
    run(*train, "--crop", "64", "--out", "run", cwd=tmp_path)
    assert (tmp_path / "run" / "last.pt").is_file()
