"""What inference costs by the engine of generated PyTorch code, beside the model run eagerly and onnxruntime.

    python benchmarks/engine.py [--threads N] [--rounds N] [NETWORK ...]

A network is built, gets random weights and statistics, and is run for one image of the size below: as PyTorch runs
the model by itself; as `predict.py` runs it, not compiled and with `--speed compiled`; and its ONNX file, of the same
weights, by onnxruntime with all its optimisations. They take turns. Printed are medians in milliseconds, the medians of
each round's ratios, the time of a first start and of a second one, which finds the compiled package, and the largest
difference of scores as a part of the largest score. `--cpu` counts seconds of the processor instead of the clock's,
with one thread: they say more on a machine that others use, too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Name -> the spec, its variant and the size of the image.
NETWORKS: dict[str, tuple[str, str | None, int]] = {
    "FCN-8s": ("fcn8s", None, 320),
    "front end": ("dilated_frontend", None, 500),
    "dilated_large": ("dilated_large", None, 64),
    "ASPP": ("aspp", None, 33),
    "DeepLabv3-R101": ("deeplabv3_r101", "os8", 513),
    "U-Net": ("unet", None, 572),
}


def imported(folder: Path) -> SimpleNamespace:
    """The modules of a generated folder that this needs."""
    import importlib
    import sys

    for path in folder.glob("*.py"):
        sys.modules.pop(path.stem, None)  # the one of another network
    sys.path.insert(0, str(folder))
    try:
        return SimpleNamespace(**{name: importlib.import_module(name) for name in ("model", "engine", "weights")})
    finally:
        sys.path.remove(str(folder))


def built(name: str, backend: str, place: Path, weights: Path | None = None) -> tuple[Path, Any]:
    """The folder that a network becomes for an image of its size, and the request."""
    from segcompile.build import build_each

    spec, variant, size = NETWORKS[name]
    source = place / f"{spec}.yaml"
    chosen = f"variant: {variant}\n" if variant else ""
    base = Path(__file__).parents[1] / f"specs/{spec}.yaml"
    source.write_text(f"segcompile: 1\nmodel: {spec}\nbase: {base}\n{chosen}input: {{size: {size}}}\n")
    (build,) = build_each(str(source), [backend], out=str(place / backend), draft=True, weights=weights)
    assert build.built is not None, build.findings.diagnostics
    (place / backend).mkdir()
    for path, content in build.built.files.items():
        target = place / backend / path
        target.write_bytes(content) if isinstance(content, bytes) else target.write_text(content)
    return place / backend, build.built.request


def randomise(model: Any) -> None:
    """Weights and statistics of which none are zero, and none hides another."""
    import torch

    torch.manual_seed(0)
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point() and (tensor.dim() < 2 or not tensor.any()):
            tensor.normal_(0, 0.1).add_(1 if name.endswith("norm.weight") else 0)


def of_onnx(name: str, place: Path, weights: Path, threads: int) -> Callable[[Any], Any]:
    """onnxruntime's run of the network."""
    import onnxruntime

    folder, _ = built(name, "onnx", place, weights)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name
    return lambda images: session.run(None, {source: images.numpy()})


def taken(clock: Callable[[], float], run: Callable[[Any], Any], images: Any) -> float:
    began = clock()
    run(images)
    return clock() - began


def first(outputs: Any) -> Any:
    """The first head's scores."""
    import torch

    found = next(iter(outputs.values())) if isinstance(outputs, dict) else outputs
    return torch.as_tensor(found[0] if isinstance(found, list) else found)


def compare(name: str, threads: int, rounds: int, clock: Callable[[], float]) -> str:
    """A line of the table."""
    import torch

    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        place = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        code, request = built(name, "torch", place)
        modules = imported(code)
        with torch.inference_mode(False), torch.no_grad():
            model = getattr(modules.model, request.class_name)().eval()
            randomise(model)
            modules.weights.save(place / "w.safetensors", model.state_dict())
        ((_, shape),) = request.graph.inputs.items()
        images = torch.randn(1, shape.channels, *shape.size)

        def started(speed: str) -> tuple[Any, float]:
            """The engine after its first image, and what that took."""
            began = time.perf_counter()  # compilers are other processes
            with torch.inference_mode(False):
                other = getattr(modules.model, request.class_name)()
                modules.weights.load(place / "w.safetensors", other)
                run = modules.engine.fastest(other, argparse.Namespace(speed=speed, dtype="float32"), 1)
            run(images)
            return run, time.perf_counter() - began

        plain, _ = started("auto")
        compiled, start = started("compiled")
        _, again = started("compiled")
        runs = [model, plain, compiled, of_onnx(name, place, place / "w.safetensors", threads)]
        want = first(model(images))
        off = max(float((first(run(images)) - want).abs().max() / want.abs().max()) for run in runs)
        times = [[taken(clock, run, images) for run in runs] for _ in range(rounds)]
        medians = [1000 * statistics.median(column) for column in zip(*times, strict=True)]
        gains = [statistics.median(row[0] / row[way] for row in times) for way in (1, 2)]
        beside = statistics.median(row[2] / row[3] for row in times)
    cells = " | ".join(f"{value:,.0f}" for value in medians)
    starts = f"{start:.0f} s | {again:.0f} s"
    return f"| {name} | {cells} | {gains[0]:.2f} | {gains[1]:.2f} | {beside:.2f} | {starts} | {off:.0e} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(NETWORKS)}; all unless named")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu", action="store_true", help="seconds of the processor, with one thread")
    arguments = parser.parse_args()
    threads, clock = (1, time.process_time) if arguments.cpu else (arguments.threads, time.perf_counter)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before PyTorch is imported
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))
    told = "of the processor" if arguments.cpu else "of the clock"
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}; {threads} threads, {told}")
    print(f"load {os.getloadavg()[0]:.1f}")
    print("| network | eager | engine | compiled | onnxruntime | eager / engine | eager / compiled", end="")
    print(" | compiled / onnxruntime | first start | second start | difference |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.networks or NETWORKS:
        print(compare(name, threads, arguments.rounds, clock), flush=True)


if __name__ == "__main__":
    main()
