"""The rendered files are formatted, lint-clean, typed, and run on their own."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

BACKENDS = ("torch", "jax")
EACH = pytest.mark.parametrize("backend", BACKENDS)
VARIANTS: dict[str, dict[str, Any]] = {
    "colour": {},
    "unet": {
        "channels": 1, "heads": {"output": 2}, "size": (572, 572), "output": (388, 388), "offset": (92, 92),
        "centre": (92.0, 92.0), "multiple": (16, 16), "class_name": "UNet", "model": "unet",
    },
    "many": {
        "channels": 128, "size": (1024, 2048), "output": (128, 256), "stride": (8, 8),
        "offset": (186, 186), "centre": (189.5, 189.5), "multiple": (8, 8), "dense": True,
        "probabilities": ["geometric"], "probable": ["softmax"],
        "class_name": "DilatedNetworkOfManyWordsForCityscapes",
        "spec": "specs/dilated_network_of_words_for_cityscapes.yaml", "heads": {"semantic": 1000, "geometric": 3},
        "training": {
            "optimizer": "adamw", "lr": 1e-14, "momentum": 0.99, "weight_decay": 0.00025, "schedule": "fixed",
            "power": 1.0, "step_size": 100000, "gamma": 0.31622776, "steps": 100000, "batch": 128,
            "double_bias": False,
        },
        "ignore": (-100, 0),
    },
    "staged": {
        "stages": [
            {"name": "frontend", "lines": ['frozen=["context"],', 'flags={"lr": 0.001},']},
            {"name": "joint_of_so_many_letters_as_30", "lines": []},
        ],
        "offset": (186, 186), "centre": (189.5, 189.5), "stride": (8, 8), "padding": (200, 186), "dense": True,
        "summed": True, "sampled": True, "continued": "its edge pixels",
        "training": {"padding_mode": "edge", "reduction": "sum", "keep": 0.5},
    },
    "one_stage": {
        "stages": [{"name": "only", "lines": ['frozen=["context"],']}], "training": {"padding_mode": "zero"},
    },
    "zero": {
        "padding": (3, 5), "sampled": True, "continued": "zeros", "dense": True,
        "training": {"padding_mode": "zero", "keep": 0.25},
    },
    "one_channel": {
        "heads": {"output": 2}, "binary": ["output"], "several": False, "summed": True, "stride": (2, 2), "dense": True,
    },
    "probability": {"heads": {"output": 2}, "binary": ["output"], "several": False, "probabilities": ["output"],
                    "probable": ["sigmoid"]},
    "one_of_two": {
        "heads": {"boundary": 2, "semantic": 21}, "binary": ["boundary"], "probabilities": ["boundary", "semantic"],
        "probable": ["softmax", "sigmoid"], "stride": (2, 2), "dense": True,
    },
    "edge": {"summed": True, "continued": "its edge pixels", "training": {"padding_mode": "edge"}},
}  # fmt: skip

# Without a norm; and with long names, a norm that leaves its place, a head that is a probability.
LOWERED = {
    "nothing": """segcompile: 1
model: net
input: {channels: 1, size: 8}
layers: [score: {conv: 1, kernel: 1}]
""",
    "much": """segcompile: 1
model: net
input: {channels: 3, size: any}
blocks:
  a_block_of_many_words_for_one_layer:
    layers: [up_of_many_words: {deconv: 4, kernel: 2, stride: 2, groups: 2, norm: batch}]
layers:
  - stem: {conv: 4, kernel: 3, pad: same, stride: 4, bias: no}
  - norm: {norm: batch, act: prelu}
  - the_part_of_the_network_that_comes_after_it: {block: a_block_of_many_words_for_one_layer}
  - boundary: {conv: 1, kernel: 1, norm: batch, act: sigmoid}
  - classes: {conv: 4, kernel: 1, from: the_part_of_the_network_that_comes_after_it}
outputs: {boundary: boundary, classes: classes}
training: {input_padding: {zero: 4}}
""",
}


def python(folder: Path) -> list[str]:
    """The names of the rendered files."""
    return sorted(path.name for path in folder.glob("*.py") if path.name != "model.py")


@pytest.fixture(scope="module")
def place(
    rendered: Callable[..., Path],
    generated: Callable[[str], dict[str, Path]],
    built: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder of all folders: `of_torch/unet`, `of_jax/staged`, ... Each is a package there, whose files import each
    other by their place, so that one run of a tool reads them all."""
    place = tmp_path_factory.mktemp("all")
    for backend in BACKENDS:
        for variant, changes in VARIANTS.items():
            model = rendered(place / f"of_{backend}" / variant, backend=backend, **changes) / "model.py"
            model.write_text(model.read_text().replace("StandIn", changes.get("class_name", "StandIn")))
        for name, folder in generated(backend).items():
            shutil.copytree(folder, place / f"of_{backend}" / f"spec_{name}")
        for name, text in LOWERED.items():
            folder = built(backend, text, "fold_batch_norm").folder
            shutil.copytree(folder, place / f"of_{backend}" / f"lowered_{name}")
    return place


def tool(place: Path, *command: str) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rendered_python_passes_ruff(place: Path) -> None:
    """isort has to know which modules are a folder's own: all that lie anywhere here."""
    folders = sorted(str(path.relative_to(place)) for path in place.glob("of_*/*"))
    rules = ["--isolated", "--line-length", "110", "--target-version", "py311", "--no-cache"]
    rules += ["--exclude", ",".join(f"of_*/{variant}/model.py" for variant in VARIANTS)]  # stand-ins
    tool(place, "ruff", "check", *rules, "--config", f"src={folders}", "--select", "E,F,I,B,UP,SIM,C4,RUF", ".")
    tool(place, "ruff", "format", "--diff", *rules, ".")


TYPED = """
[mypy]
strict = true
[mypy-of_jax.*]
# flax has functions without types
disallow_untyped_calls = false
"""


def test_rendered_python_is_strictly_typed(place: Path, tmp_path: Path) -> None:
    for path in place.glob("of_*/*/*.py"):
        own = "|".join(other.stem for other in path.parent.glob("*.py"))
        text = re.sub(rf"^( *)from ({own}) import ", r"\1from .\2 import ", path.read_text(), flags=re.MULTILINE)
        text = re.sub(rf"^( *)import ({own})$", r"\1from . import \2", text, flags=re.MULTILINE)
        (tmp_path / path.relative_to(place)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.relative_to(place)).write_text(text)
    (tmp_path / "mypy.ini").write_text(TYPED)
    cache = str(Path(__file__).parents[2] / ".mypy_cache")
    tool(tmp_path, "mypy", "--explicit-package-bases", "--cache-dir", cache, "of_torch", "of_jax")


@EACH
def test_every_file_says_where_it_comes_from(rendered: Callable[..., Path], tmp_path: Path, backend: str) -> None:
    folder = rendered(tmp_path, backend=backend)
    for name in python(folder):
        lines = (folder / name).read_text().splitlines()
        assert lines[0].startswith('"""') and lines[0].endswith(".")
        assert lines[2] == "Generated by segcompile from stand_in.yaml. Edit the spec, not this file."
        assert "import segcompile" not in "".join(lines)


@pytest.mark.parametrize(("backend", "packages"), [("torch", 5), ("jax", 8)])
def test_the_requirements_are_what_segcompile_itself_is_tested_with(
    rendered: Callable[..., Path], tmp_path: Path, backend: str, packages: int
) -> None:
    root = Path(__file__).parents[2]
    lines = (rendered(tmp_path, backend=backend) / "requirements.txt").read_text().splitlines()
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    tested = {*project["dependencies"], *project["optional-dependencies"]["dev"]}
    assert {line for line in lines if not line.startswith("#")} <= tested
    locked = dict(line.split("==") for line in (root / "constraints.txt").read_text().splitlines() if "==" in line)
    told = dict(re.findall(r"([\w-]+) (\d+\.\d+)[,.]", lines[0].partition("Tested with")[2]))
    assert told == {name: ".".join(locked[name].split(".")[:2]) for name in told} and len(told) == packages


@EACH
def test_the_training_loop_is_short(rendered: Callable[..., Path], tmp_path: Path, backend: str) -> None:
    assert len((rendered(tmp_path, backend=backend, **VARIANTS["staged"]) / "train.py").read_text().splitlines()) <= 250


def test_modules_of_two_folders_are_apart_when_a_test_imports_both(nets: SimpleNamespace, tmp_path: Path) -> None:
    known = dict(sys.modules)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "train.py").write_text("from model import NAME as name\n")
        assert nets.imported(tmp_path / name).train.name == name
    assert sys.modules == known and not {*map(str, tmp_path.iterdir())} & {*sys.path}


def test_a_fresh_process_trains_evaluates_and_predicts(rendered: Callable[..., Path], dataset: Path) -> None:
    """Of JAX: those of PyTorch are in tests/test_first_training.py."""
    folder = rendered(dataset / "code", backend="jax")

    def run(*arguments: str) -> str:
        command = [sys.executable, "-W", "error", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout

    run("train.py", "--list", "../list.txt", "--out", "../runs/a", "--steps", "2", "--batch", "2")
    assert "mean IU" in run("evaluate.py", "--weights", "../runs/a/last", "--list", "../list.txt")
    run("predict.py", "--weights", "../runs/a/last", "../images/0.png", "--out", "../out")
    assert (dataset / "out/0_overlay.png").exists()
