"""What every generated folder is: the same bytes anywhere, clean under strict tools, and standalone."""

from __future__ import annotations

import ast
import builtins
import os
import subprocess
import sys
from pathlib import Path

import pytest
from segcompile_jax import reserved as jax_reserved
from segcompile_torch import reserved as torch_reserved

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for
from segcompile.compiler import compile_spec
from segcompile.errors import Findings

ROOT = Path(__file__).parents[2]
VALID = ROOT / "tests/data/valid"
RESERVED = {"torch": torch_reserved, "jax": jax_reserved}
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


def build(name: str, backend: str, folder: Path, **environment: str) -> Path:
    """The folder of one spec, built by a process of its own."""
    folder.parent.mkdir(exist_ok=True)
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
        backend,
        "--out",
        str(folder),
    ]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, cwd=folder.parent)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


@pytest.fixture(scope="module", params=RESERVED)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folders(backend: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("generated")
    return {name: build(name, backend, base / name) for name in (*CASES, "odd")}


def texts(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", ["unet", "dilated_large", "odd"])
def test_a_build_is_the_same_bytes_under_another_hash_seed_locale_and_directory(
    folders: dict[str, Path], backend: str, name: str, tmp_path: Path
) -> None:
    locale = {"PYTHONHASHSEED": "4711", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "TZ": "Asia/Tokyo"}
    assert texts(build(name, backend, tmp_path / "elsewhere" / name, **locale)) == texts(folders[name])


def test_ruff_finds_nothing_and_would_format_nothing(folders: dict[str, Path]) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    check = [*ruff, "check", "--isolated", "--line-length", "110", "--select", "E,F,I,B,UP,SIM,C4,RUF", "."]
    layout = [*ruff, "format", "--check", "--isolated", "--line-length", "110", "."]
    for folder in folders.values():
        for command in (check, layout):
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_mypy_strict_finds_nothing(folders: dict[str, Path], backend: str) -> None:
    strict = ["--strict", *(["--allow-untyped-calls"] if backend == "jax" else [])]  # flax has functions without types
    for folder in folders.values():
        command = [sys.executable, "-m", "mypy", *strict, "--no-incremental", "--config-file", os.devnull, "."]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, f"{folder.name}\n{done.stdout}{done.stderr}"


def test_the_header_names_the_spec_and_its_base(folders: dict[str, Path]) -> None:
    lines = (folders["dilated_large"] / "model.py").read_text().splitlines()
    assert lines[2:4] == [
        "Generated by segcompile from dilated_large.yaml. Edit the spec, not this file.",
        "dilated_large.yaml is based on dilated_context.yaml.",
    ]
    assert "is based on" not in (folders["unet"] / "model.py").read_text()


def test_every_example_command_fits_what_the_network_reads(folders: dict[str, Path], backend: str) -> None:
    last = {"torch": "last.pt", "jax": "last"}[backend]
    for name, example in (("dilated_large", "features.npy"), ("blue_marble", "photo.jpg"), ("unet", "photo.jpg")):
        for file in ("README.md", "predict.py"):
            text = (folders[name] / file).read_text()
            assert f"predict.py --weights runs/a/{last} {example} --out" in text
            assert ("overlay.png" in text.partition('"""\n\nimport')[0]) == (example == "photo.jpg")


ALONE = """
import sys
class NoCompiler:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("segcompile"):
            raise ImportError(name)
sys.meta_path.insert(0, NoCompiler())
{imports}
for folder, name, size, channels in {jobs!r}:
    sys.path.insert(0, folder)
    import model
{run}
    sys.path.remove(folder)
    del sys.modules["model"]
"""
RUN = {
    "torch": """
    with torch.device("meta"):
        net = getattr(model, name)()
    print(name, *net.eval()(torch.zeros(1, channels, size, size, device="meta")).shape)
""",
    "jax": """
    net = nnx.eval_shape(lambda: getattr(model, name)(rngs=nnx.Rngs(0)))
    net.eval()
    image = jax.ShapeDtypeStruct((1, size, size, channels), "float32")
    found = nnx.eval_shape(lambda net, image: net(image), net, image).shape
    print(name, found[0], found[3], *found[1:3])
""",
}
IMPORTS = {"torch": "import torch", "jax": "import jax\nfrom flax import nnx"}


def test_a_model_runs_where_segcompile_cannot_be_imported(folders: dict[str, Path], backend: str) -> None:
    jobs = [(str(folders["unet"]), "Unet", 572, 1), (str(folders["dilated_large"]), "DilatedLarge", 64, 21)]
    jobs.append((str(folders["fcn8s_layers"]), "Fcn8sLayers", 500, 3))
    code = ALONE.format(jobs=jobs, run=RUN[backend].strip("\n"), imports=IMPORTS[backend])
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["Unet 1 2 388 388", "DilatedLarge 1 21 64 64", "Fcn8sLayers 1 21 500 500"], (
        done.stderr
    )


def test_a_models_class_can_have_no_name_that_another_file_uses(folders: dict[str, Path], backend: str) -> None:
    for folder in folders.values():
        for path in {*folder.glob("*.py")} - {folder / "model.py"}:
            tree = ast.parse(path.read_text())
            nodes = list(ast.walk(tree))
            imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
            used = {node.id for node in nodes if isinstance(node, ast.Name)}
            used |= {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)}
            used |= {name.asname or name.name for node in imports for name in node.names}
            ours = {name.name for node in imports if getattr(node, "module", "") == "model" for name in node.names}
            assert {name for name in used - ours if name[0].isupper()} <= RESERVED[backend].MODELS, path


@pytest.mark.parametrize("name", ["path", "image", "steps", "input_error", "value_error", "f"])
def test_a_model_of_any_name_has_commands_that_run(name: str, backend: str, tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    layers = "layers:\n  - score: {conv: 2, kernel: 1}\n"
    spec.write_text(f"segcompile: 1\nmodel: {name}\ninput: {{channels: 3, size: 8}}\n{layers}")
    compiled = compile_spec(spec, Findings())
    files = run_backend(load_backend(backend), request_for(compiled, spec)).files
    camel = name.title().replace("_", "")
    name = f"{camel}Net" if camel in RESERVED[backend].MODELS else camel
    assert f"from model import {name}\n" in files["train.py"] and f"class {name}(" in files["model.py"]


def test_no_layer_can_take_the_name_of_a_builtin_that_a_class_uses(folders: dict[str, Path], backend: str) -> None:
    for folder in folders.values():
        classes = [node for node in ast.parse((folder / "model.py").read_text()).body if isinstance(node, ast.ClassDef)]
        used = {node.id for found in classes for node in ast.walk(found) if isinstance(node, ast.Name)}
        assert used & {*dir(builtins)} <= RESERVED[backend].NAMES


def test_a_layer_called_float(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    layers = (
        "[float: {conv: 3, kernel: 1}, p: {pool: max, kernel: 2, stride: 1, pad: [0, 1, 0, 1]}, a: {add: [p, float]}]"
    )
    spec.write_text(f"segcompile: 1\nmodel: net\ninput: {{channels: 3, size: 8}}\nlayers: {layers}\n")
    compiled = compile_spec(spec, Findings())
    text = run_backend(load_backend("torch"), request_for(compiled, spec)).files["model.py"]
    assert 'value=float("-inf")' in text and "float_ = " in text.replace(": Tensor", "")
