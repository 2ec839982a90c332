"""torchvision's DeepLabv3 and LR-ASPP on MobileNetV3, imported: the PyTorch and JAX code of their specs beside them.

    .venv-peers/bin/python benchmarks/torchvision_imports.py write FOLDER
    .venv-peers/bin/python benchmarks/torchvision_imports.py torch FOLDER
    .venv/bin/python benchmarks/torchvision_imports.py jax FOLDER

`write` makes the modules, with norms, biases and statistics drawn at random, and puts into the folder what
`segcompile.from_torch` makes of each, a spec and its weights, with images of two sizes and what the module gives for
them in float64. Where onnx and onnxscript are installed, it also exports each by both exporters of PyTorch, and imports
the files. `torch` and `jax` build the specs, load the weights, and compare in float64: JAX and torchvision need not be
installed together. The exit status says whether all agree to 1e-5 of the largest value.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from segcompile.backend import load_backend
from segcompile.compiler import compile_spec
from segcompile.emit.templates import camel
from segcompile.testing.runner import runner_of
from segcompile.text.errors import Findings

NETWORKS = ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large")
READ, SIZES = (1, 3, 224, 224), ((2, 3, 224, 224), (1, 3, 191, 237))
TOLERANCE = 1e-5


def segcompile_(*arguments: object) -> None:
    """A command of segcompile, as a user would give it."""
    command = [sys.executable, "-m", "segcompile", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)


def exported(module: Any, folder: Path, name: str) -> None:
    """Specs of the files that both exporters of PyTorch make of a module, by TorchScript and by torch.export."""
    import torch

    free = torch.export.Dim.DYNAMIC
    sizes: dict[str, Any] = {
        "torchscript": {"dynamo": False, "dynamic_axes": {"input": {0: "n", 2: "h", 3: "w"}}, "input_names": ["input"]},
        "torch_export": {"dynamo": True, "dynamic_shapes": ({0: free, 2: free, 3: free},), "external_data": False},
    }
    for exporter, options in sizes.items():
        path = folder / f"{name}.{exporter}.onnx"
        torch.onnx.export(module, (torch.zeros(READ),), str(path), opset_version=18, verbose=False, **options)
        spec = path.with_suffix(".yaml")
        segcompile_("import", path, "-o", spec, "--weights-out", path.with_suffix(".safetensors"))


def write(folder: Path) -> Iterator[str]:
    """A spec, its weights, images and outputs of each network; a line each."""
    import torch
    import torchvision
    from peers import shake

    import segcompile

    for name in NETWORKS:
        module = torchvision.models.get_model(name, weights=None, weights_backbone=None).eval()
        shake(module)
        for old in (*folder.glob(f"{name}*.yaml"), *folder.glob(f"{name}*.safetensors")):
            old.unlink()
        segcompile.from_torch(module, READ).write(folder / f"{name}.yaml", folder / f"{name}.safetensors")
        if find_spec("onnx") and find_spec("onnxscript"):
            exported(module, folder, name)
        generator, values = torch.Generator().manual_seed(0), dict[str, NDArray[np.float64]]()
        for index, size in enumerate(SIZES):
            image = torch.randn(size, generator=generator, dtype=torch.float64)
            with torch.no_grad():
                values |= {f"image{index}": image.numpy(), f"out{index}": module.double()(image)["out"].numpy()}
        save_file(values, folder / f"{name}.values")
        for spec in sorted(folder.glob(f"{name}*.yaml")):
            yield f"{spec.stem:44} {len(spec.read_text().splitlines())} lines"


def differences(backend: str, folder: Path) -> Iterator[tuple[str, float]]:
    """Spec -> the largest difference of its emitted code from the module, of the largest value."""
    for spec in sorted(folder.glob("*.yaml")):
        out = folder / f"{spec.stem}.{backend}"
        segcompile_("build", spec, "--backend", backend, "--out", out)
        title = camel(compile_spec(spec, Findings()).model)
        model = runner_of(load_backend(backend)).load(out, title, double=True, seed=0)
        weights = load_file(spec.with_suffix(".safetensors"))
        values = load_file(folder / f"{spec.stem.partition('.')[0]}.values")
        if missing := {*model.parameters()} - {*weights}:
            raise SystemExit(f"{spec}: the weights lack {sorted(missing)[:3]}")
        model.assign(weights)
        worst = 0.0
        for index in range(len(SIZES)):
            (given,), wanted = model.forward(values[f"image{index}"]).values(), values[f"out{index}"]
            worst = max(worst, float(np.abs(given - wanted).max() / np.abs(wanted).max()))
        yield spec.stem, worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("write", "torch", "jax"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.what == "write":
        for line in write(options.folder):
            print(line, flush=True)
        return 0
    found = dict(differences(options.what, options.folder))
    for name, worst in found.items():
        print(f"{name:44} {options.what:6} {worst:.1e}")
    return int(max(found.values()) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
