"""A generated folder of either backend, as tests see it: the same questions, in NumPy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

BACKENDS = ("torch", "jax")


@dataclass(frozen=True)
class Side:
    """The folder of one backend, and its modules."""

    backend: str
    modules: SimpleNamespace
    folder: Path

    @property
    def last(self) -> str:
        """The name of a run's checkpoint."""
        return {"torch": "last.pt", "jax": "last"}[self.backend]

    def model(self) -> Any:
        """A new model, in evaluation mode."""
        if self.backend == "torch":
            return self.modules.model.Net().eval()
        from flax import nnx

        model = self.modules.model.Net(rngs=nnx.Rngs(0))
        model.eval()
        return model

    def load(self, path: Path) -> Any:
        """A model with the weights of a file."""
        model = self.model()
        self.modules.weights.load(path, model)
        return model

    def save(self, path: Path, model: Any) -> None:
        self.modules.weights.save(path, model.state_dict() if self.backend == "torch" else model)

    def tensors(self, model: Any) -> dict[str, np.ndarray]:
        """A model's weights under PyTorch's names and in its layouts."""
        if self.backend == "torch":
            return {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        return self.modules.weights.tensors_of(model)

    def scores(self, model: Any, image: np.ndarray) -> np.ndarray:
        """The scores (H, W, C) of an image."""
        scores = np.asarray(self.modules.predict.scores_of(model, image))
        return scores.transpose(1, 2, 0) if self.backend == "torch" else scores

    def loss(self, scores: np.ndarray, labels: np.ndarray) -> float:
        """The loss of scores (B, H, W, C)."""
        if self.backend == "torch":
            import torch

            images = torch.from_numpy(scores.transpose(0, 3, 1, 2))
            return float(self.modules.train.loss_of(images, torch.from_numpy(labels), 255))
        return float(self.modules.step.loss_of(scores, labels, 255))

    def train(self, data: Path, out: str, *flags: str) -> int:
        """train.py's exit status on the whole data set."""
        return self.modules.train.main(self._flags(data, out, *flags))

    def script(self, data: Path, out: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own, where workers can import the modules however they are started."""
        return self.started(data, out, *flags, **environment).communicated()

    def started(self, data: Path, out: str, *flags: str, **environment: str) -> Process:
        import os

        command = [sys.executable, str(self.folder / "train.py"), *self._flags(data, out, *flags)]
        return Process(command, stdout=-1, stderr=-1, text=True, env={**os.environ, **environment})

    def learnt(self, data: Path, out: str) -> dict[str, np.ndarray]:
        """The weights of a run's checkpoint."""
        return self.tensors(self.load(data / out / self.last))

    def _flags(self, data: Path, out: str, *flags: str) -> list[str]:
        return ["--list", str(data / "list.txt"), "--out", str(data / out), "--device", "cpu", *flags]


class Process(subprocess.Popen[str]):
    def communicated(self) -> subprocess.CompletedProcess[str]:
        out, err = self.communicate(timeout=300)
        return subprocess.CompletedProcess(self.args, self.returncode, out, err)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def copied(source: Path, target: Path) -> None:
    """A checkpoint, which is a file or a folder, in place of another."""
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
