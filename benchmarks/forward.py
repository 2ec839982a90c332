"""What the forward pass of a generated JAX model costs, beside its PyTorch sibling run eagerly and a function by hand.

    python benchmarks/forward.py [--rounds N] [--all | SPEC[@VARIANT] ...]

Seconds of the wall for one float32 image of the spec's size on the CPU, all threads: the least of some rounds in which
all take turns, after compilation, which is told by itself. What counts are the ratios of one run. XLA has the flag that
the generated commands set.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from segcompile.backend import BuildRequest

SPECS = ("dilated_basic", "dilated_large", "dilated_frontend", "vgg16", "aspp", "unet", "blue_marble")


def emitted(spec: str, backend: str, folder: Path) -> tuple[ModuleType, BuildRequest]:
    """The module of a generated model, and what it was made of."""
    from segcompile.build import build_each

    name, _, variant = spec.partition("@")
    (build,) = build_each(name, [backend], variant or None, out=str(folder))
    built = build.built
    assert built is not None, build.findings.diagnostics
    module = ModuleType(f"{name}_{backend}")
    exec(compile(built.files["model.py"], f"{name}/{backend}/model.py", "exec"), vars(module))
    return module, built.request


def every() -> list[str]:
    """All bundled specs, in all their variants."""
    from segcompile.testing.cases import bundled_variants

    return [f"{name}@{variant}" if variant else name for name, _, variant in bundled_variants()]


def fast_on_cpu() -> str:
    """XLA's flag, as every predict.py of JAX sets it."""
    generated = Path(__file__).parents[1] / "generated/unet/jax/predict.py"
    (flag,) = re.findall(r'^FAST_ON_CPU = "(.*)"$', generated.read_text(encoding="utf-8"), re.MULTILINE)
    return str(flag)


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
        (theirs, request), (ours, _) = (emitted(spec, kind, Path(place) / kind) for kind in ("torch", "jax"))
    generator = torch.Generator().manual_seed(0)
    extents: list[Any] = [(1, shape.channels, *shape.size) for shape in request.graph.inputs.values()]
    images = [torch.randn(*extent, generator=generator) for extent in extents]
    pixels = [jax.numpy.asarray(image.permute(0, 2, 3, 1).numpy()) for image in images]
    model = getattr(ours, request.class_name)(rngs=nnx.Rngs(0))
    model.eval()
    graph, state = nnx.split(model)
    forward = jax.jit(lambda state, *images: nnx.merge(graph, state)(*images))
    eager = getattr(theirs, request.class_name)().eval()
    compilation = seconds(lambda: forward.lower(state, *pixels).compile())

    def run_torch() -> None:
        with torch.inference_mode():
            eager(*images)

    def run_jax() -> None:
        for output in jax.tree.leaves(forward(state, *pixels)):
            output.block_until_ready()

    runs: list[Callable[[], Any]] = [run_jax, run_torch]
    if hasattr(by_hand, spec):
        hand = by_hand.compiled(getattr(by_hand, spec), pixels[0])
        runs.append(lambda: hand(pixels[0]).block_until_ready())
    for run in runs:
        run()
    least = [min(times) for times in zip(*([seconds(run) for run in runs] for _ in range(rounds)), strict=True)]
    cells = " ".join(f"{1000 * value:9.1f}" for value in least) + " " * 10 * (3 - len(least))
    return f"{spec:<22} {cells}   {least[0] / min(least[1:]):5.2f}   {compilation:7.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("specs", nargs="*", default=SPECS, metavar="SPEC")
    parser.add_argument("--all", action="store_true", help="all bundled specs: with three rounds, half an hour")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    os.environ.setdefault("XLA_FLAGS", fast_on_cpu())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "jax", "flax"))
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; milliseconds an image")
    print(f"{'':<22} {'JAX':>9} {'PyTorch':>9} {'by hand':>9}   ratio   compiled in s")
    for spec in every() if arguments.all else arguments.specs:
        print(compare(spec, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
