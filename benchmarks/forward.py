"""What the forward pass of a generated JAX model costs, beside its PyTorch sibling run eagerly and a function by hand.

    python benchmarks/forward.py [rounds]

Seconds of the wall for one float32 image on the CPU, all threads: the least of some rounds in which the three take
turns, after compilation, which is told by itself. What counts are the ratios of one run.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

SPECS = ("dilated_basic", "dilated_large", "aspp", "unet", "blue_marble")


def emitted(spec: str, backend: str, folder: Path) -> tuple[ModuleType, str, tuple[int, int, int]]:
    """The module of a generated model, its class, and the shape (channels, height, width) of its image."""
    from segcompile.build import prepare
    from segcompile.compiler import find_spec
    from segcompile.errors import Findings

    built = prepare(find_spec(spec), backend, None, {}, folder, Findings())
    module = ModuleType(f"{spec}_{backend}")
    exec(compile(built.files["model.py"], f"{spec}/{backend}/model.py", "exec"), vars(module))
    (shape,) = built.request.graph.inputs.values()
    height, width = shape.size
    assert isinstance(height, int) and isinstance(width, int)  # as the bundled specs have it
    return module, built.request.class_name, (shape.channels, height, width)


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def compare(spec: str, rounds: int) -> str:
    """A line of the table."""
    import by_hand
    import jax
    import torch
    from flax import nnx

    with tempfile.TemporaryDirectory() as place:
        (theirs, name, extent), (ours, _, _) = (emitted(spec, kind, Path(place) / kind) for kind in ("torch", "jax"))
    image = torch.randn(1, *extent, generator=torch.Generator().manual_seed(0))
    pixels = jax.numpy.asarray(image.permute(0, 2, 3, 1).numpy())
    model = getattr(ours, name)(rngs=nnx.Rngs(0))
    model.eval()
    graph, state = nnx.split(model)
    forward = jax.jit(lambda state, x: nnx.merge(graph, state)(x))
    eager, hand = getattr(theirs, name)().eval(), by_hand.compiled(getattr(by_hand, spec), pixels)
    compilation = seconds(lambda: forward.lower(state, pixels).compile())

    def run_torch() -> None:
        with torch.inference_mode():
            eager(image)

    runs = (lambda: forward(state, pixels).block_until_ready(), run_torch, lambda: hand(pixels).block_until_ready())
    for run in runs:
        run()
    least = [min(times) for times in zip(*([seconds(run) for run in runs] for _ in range(rounds)), strict=True)]
    cells = " ".join(f"{1000 * value:9.1f}" for value in least)
    return f"{spec:<14} {cells}   {least[0] / min(least[1:]):5.2f}   {compilation:7.2f}"


def main(rounds: int = 7) -> None:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "jax", "flax"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; milliseconds an image")
    print(f"{'':<14} {'JAX':>9} {'PyTorch':>9} {'by hand':>9}   ratio   compiled in s")
    for spec in SPECS:
        print(compare(spec, rounds), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
