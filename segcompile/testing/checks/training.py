"""The emitted train.py: a few steps lower the loss, and what is frozen stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.testing.bench import Bench, Mismatch
from segcompile.testing.cases import Case

PAIRS, SIZE, STEPS = 4, 16, 20


def training(bench: Bench, case: Case) -> None:
    """`train.py --list FILE --out DIR` writes log.jsonl, in which the loss falls by a third at least; what is
    frozen stays."""
    folder = bench.built(case.request)
    rank = case.request.graph.rank
    data = _data(bench.place / f"pictures_{rank}", rank)
    run = folder / "run"
    arguments = ["--list", str(data), "--out", str(run), "--steps", str(STEPS), "--log-every", "1"]
    _command(folder, ["train.py", *arguments])
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    if len(losses) != STEPS:
        raise Mismatch(f"log.jsonl has {len(losses)} losses of {STEPS} steps")
    first, last = losses[0], float(np.mean(losses[-3:]))
    if not last < 2 / 3 * first:
        raise Mismatch(f"the loss was {first:.4g} in the first step, and {last:.4g} in the last three of {STEPS}")
    _check_frozen(bench, case, folder, run)


def _check_frozen(bench: Bench, case: Case, folder: Path, run: Path) -> None:
    """After training, what is frozen is what it was before: `weights.py export CHECKPOINT FILE` tells."""
    before = bench.subject(case.request, double=False, fresh=True)
    (checkpoint,) = run.glob("last*")
    _command(folder, ["weights.py", "export", str(checkpoint), str(run / "trained.safetensors")])
    after = _safetensors(run / "trained.safetensors")
    for tensor in before.tensors:
        if tensor.parameter.frozen and not np.array_equal(after[tensor.name], before.model.parameters()[tensor.name]):
            raise Mismatch(f"`{tensor.name}` is frozen, and training changed it")


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """The float32 tensors of a file: eight bytes that tell the header's length, a header in JSON, the values."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, values = json.loads(content[8 : 8 + length]), content[8 + length :]
    return {
        name: np.frombuffer(values[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def _command(folder: Path, command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        told = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise Mismatch(f"{command[0]} exits with {done.returncode}: {told}")


def _data(folder: Path, rank: int) -> Path:
    """A list file of images of so many axes, whose label is their brightest colour."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    for index in range(PAIRS):
        labels = np.kron(rng.integers(0, 3, [SIZE // 4] * rank), np.ones([4] * rank, int))
        noise = rng.normal(0, 0.1, (*labels.shape, 3))
        np.save(folder / f"image{index}.npy", (np.eye(3)[labels] + noise).astype("f4"))
        np.save(folder / f"mask{index}.npy", labels.astype("u1"))
    found = folder / "list.txt"
    found.write_text("".join(f"image{index}.npy mask{index}.npy\n" for index in range(PAIRS)), encoding="utf-8")
    return found
