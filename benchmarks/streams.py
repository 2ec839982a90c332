"""A network in rows, measured: anonymous memory by the height of an image, and processor time beside the whole image.

    python benchmarks/streams.py memory blue_marble --width 4000 --rows 4000 40000 --block 64
    python benchmarks/streams.py time unet --size 1004x268 --blocks 16 32 64 128

`memory` runs each height in a process of its own, over rows of noise that come again, and says the anonymous memory
(RssAnon of /proc/self/status: files that are mapped are not in it) before the run and at its most. `time` is that of
the processor, which other programs on the machine disturb less than a clock; the image has to fit into memory there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from segcompile.backend import load_backend, run_backend
from segcompile.build import request_for
from segcompile.compiler import compile_spec, find_spec
from segcompile.text.errors import Findings

PERIOD = 256  # rows after which the noise comes again


def folder_of(spec: str, place: Path) -> str:
    """Write what stream.py needs, and return the class of the model."""
    path = find_spec(spec)
    request = request_for(compile_spec(path, Findings()), path)
    for name, text in run_backend(load_backend("torch"), request).files.items():
        if name in ("model.py", "schedule.py", "stream.py") and isinstance(text, str):
            (place / name).write_text(text, encoding="utf-8")
    return request.class_name


def loaded(place: str, class_name: str) -> tuple[Any, torch.nn.Module]:
    """stream.py, and a model in eval mode."""
    sys.path.insert(0, place)
    torch.manual_seed(0)
    model: torch.nn.Module = getattr(import_module("model"), class_name)().eval()
    return import_module("stream"), model


def noise(model: torch.nn.Module, width: int) -> Callable[[int, int], torch.Tensor]:
    """Rows of an image without end."""
    channels = next(model.parameters()).shape[1]
    once = torch.rand(1, channels, PERIOD, width)
    return lambda first, end: once[:, :, torch.arange(first, end) % PERIOD]


def anonymous() -> int:
    """This process's anonymous memory, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1])


def memory(place: str, class_name: str, rows: int, width: int, block: int) -> None:
    stream, model = loaded(place, class_name)
    image, before, most, count = noise(model, width), anonymous(), 0, 0
    for _, made in stream.stream(model, image, (rows, width), block=block):
        most, count = max(most, anonymous()), count + made.shape[2]
    told = f"{before / 1024:.0f} MiB before the run, {most / 1024:.0f} MiB at most"
    print(f"{rows:,} x {width:,}, blocks of {block}: {told}; {count:,} rows were given", flush=True)


def times(place: str, class_name: str, size: tuple[int, int], blocks: list[int]) -> None:
    stream, model = loaded(place, class_name)
    image = noise(model, size[1])
    whole = image(0, size[0])
    with torch.inference_mode():
        model(whole[:, :, : max(256, size[0] // 4)])  # the first one allocates
        rounds = [timed(lambda: model(whole)) for _ in range(2)]
    print(f"whole {size[0]:,} x {size[1]:,}: {min(rounds):.2f} s", flush=True)
    for block in blocks:
        taken = timed(partial(run_in_rows, stream, model, image, size, block))
        print(f"blocks of {block}: {taken:.2f} s, {taken / min(rounds):.2f} times", flush=True)


def run_in_rows(stream: Any, model: Any, image: Any, size: tuple[int, ...], block: int) -> None:
    for _ in stream.stream(model, image, size, block=block):
        pass


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory and time of a network in rows.")
    parser.add_argument("what", choices=["memory", "time"])
    parser.add_argument("spec")
    parser.add_argument("--rows", type=int, nargs="+", default=[4000, 40000])
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--block", type=int, default=64)
    parser.add_argument("--size", default="1004x268")
    parser.add_argument("--blocks", type=int, nargs="+", default=[16, 32, 64, 128])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        name = folder_of(arguments.spec, Path(made))
        if arguments.what == "time":
            height, width = map(int, arguments.size.split("x"))
            times(made, name, (height, width), arguments.blocks)
        elif len(arguments.rows) == 1:
            memory(made, name, arguments.rows[0], arguments.width, arguments.block)
        else:
            for rows in arguments.rows:
                told = ["--width", str(arguments.width), "--block", str(arguments.block), "--rows", str(rows)]
                subprocess.run([sys.executable, __file__, "memory", arguments.spec, *told], check=True, env=os.environ)


if __name__ == "__main__":
    main()
