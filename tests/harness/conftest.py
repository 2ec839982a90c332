"""Renders the harness beside a small stand-in model, and imports it as a user's folder of modules."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import numpy as np
import pytest
from PIL import Image

from segcompile.backend import load_backend, run_backend
from segcompile.build import lowered, request_for
from segcompile.compiler import compile_spec
from segcompile.emit.folder import words_of
from segcompile.emit.sweeps import SweepsView
from segcompile.emit.tiling import TilingView
from segcompile.facts.sight import Sight
from segcompile.text.errors import Findings

ROOT = Path(__file__).parents[2]
TEMPLATES = {
    name: [ROOT / "segcompile/harness", ROOT / f"backends/{name}/segcompile_{name}/templates"]
    for name in ("torch", "jax")
}
MODULES = [
    "quiet",
    "command",
    "files",
    "forms",
    "stages",
    "data",
    "field",
    "reading",
    "stored",
    "zarrs",
    "tiff",
    "images",
    "masks",
    "pairs",
    "batches",
    "split",
    "scan",
    "metrics",
    "rings",
    "pictures",
    "saving",
    "raster",
    "tiles",
    "shares",
    "stitch",
    "blend",
    "update",
    "run",
    "model",
    "losses",
    "threshold",
    "weights",
    "engine",
    "predict",
    "evaluate",
    "flags",
    "keeping",
    "checkpoints",
    "loading",
]
MODULES += ["sweeps", "on_tile", "whole_image", "step", "train"]  # `step` of JAX alone
MODULES += ["dense"]  # of coarse outputs
FILES = {
    name: [*(f"{module}.py" for module in MODULES if module not in apart), "requirements.txt", "README.md"]
    for name, apart in (
        ("torch", {"model", "stages", "threshold", "step", "dense", "tiff"}),
        ("jax", {"model", "stages", "threshold", "dense", "tiff"}),
    )
}

TRAINING = {
    "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005, "schedule": "poly", "power": 0.9,
    "step_size": 1000, "gamma": 0.1, "batch": 4, "steps": 20, "double_bias": True,
    "reduction": "mean", "keep": 1.0, "padding_mode": "reflect",
}  # fmt: skip
VARIABLES = {
    "model": "stand_in", "class_name": "StandIn", "about": "A stand-in.", "spec": "stand_in.yaml",
    "channels": 3, "size": (16, 16), "output": (16, 16), "stride": (1, 1), "offset": (0, 0), "centre": (0.0, 0.0),
    "multiple": (1, 1), "least": (1, 1), "heads": {"output": 3}, "binary": [], "several": True,
    "probabilities": [], "probable": [], "harness": True, "stages": [], "padding": None, "summed": False,
    "lowered": (), "sampled": False, "continued": "its reflection", "dense": False, "not_dense": None, "ignore": (255,),
    "shifts": 1, "draft": "", "lists": False, "ahead": (0, 0), "everywhere": "", "streamed": None, "folded": [],
    "tiling": TilingView((1, 1), (("0: (1, 0, 0),",),), (), ((0, 0, 0, 44),), (0, 0, 0, 300)),
    "sight": Sight((3, 3), ((1, 1), (1, 1)), ((1, 1), (1, 1)), 1),
    "sweeps": SweepsView(
        "", 1, (2, 2), (0, 0, 0, 44), "(16, 16), (1, 1), (1, 1), (1, 1)",
        ("Norm(Grid((16, 16), (1, 1), (1, 1), (1, 1)), 1, 8, False, 0.9),",), ("(16, 16), (1, 1), (1, 1), (1, 1)",),
    ),
}  # fmt: skip

# Same padding, with dropout and batch norm, whose states an exact resume must restore.
SAME = """
from torch import Tensor, nn

class StandIn(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 3, 1)
        )
"""

SPEC = """segcompile: 1
model: net
input: {channels: 3, size: 16}
layers:
  - hidden: {conv: 8, kernel: 3, pad: same, norm: batch, act: relu, drop: 0.2}
  - score:  {conv: 3, kernel: 1}
training:
  loss: {cross_entropy: {ignore: 255}}
  optimizer: {sgd: {momentum: 0.9, weight_decay: 5e-4}}
  schedule: {poly: 0.9}
  lr: 0.1
  batch: 4
  steps: 20
  double_bias: yes
"""

# The least that is a model in JAX.
FLAX = """
import jax
from flax import nnx


class StandIn(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.score = nnx.Conv(3, 3, (1, 1), rngs=rngs)

    def __call__(self, image: jax.Array) -> jax.Array:
        x: jax.Array = self.score(image)
        return x
"""

# Scores that are the red, green and blue under the output pixel: one tap of a convolution without padding.
TAP = """
import torch
from torch import Tensor, nn

class StandIn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tap = nn.Conv2d(3, 3, {kernel}, stride={stride}, bias=False)
        nn.init.zeros_(self.tap.weight)
        with torch.no_grad():
            for c in range(3):
                self.tap.weight[c, c, {offset}, {offset}] = 1

    def forward(self, image: Tensor) -> Tensor:
        return self.tap(image)
"""


def render(folder: Path, network: str | None = None, backend: str = "torch", **changes: Any) -> Path:
    """The harness in a folder, with this model.py. Changes are to VARIABLES, and to TRAINING in `training`."""
    rank = len(changes.get("size", VARIABLES["size"]))
    changes = {**words_of(rank), "sight": Sight((3,) * rank, ((1, 1),) * rank, ((1, 1),) * rank, 1), **changes}
    if changes.get("padding"):
        offset = changes.get("offset", VARIABLES["offset"])
        changes["ahead"] = tuple(all - own for all, own in zip(changes["padding"], offset, strict=True))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES[backend]),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    training = SimpleNamespace(**{**TRAINING, **changes.pop("training", {})})
    folder.mkdir(parents=True, exist_ok=True)
    there = {"dense": "dense", "stages": "stages", "threshold": "binary"}  # file: the variable that calls for it
    more = [f"{name}.py" for name, variable in there.items() if changes.get(variable)] + ["tiff.py"] * (rank > 1)
    for name in [*FILES[backend], *more]:
        text = environment.get_template(f"{name}.jinja").render({**VARIABLES, **changes, "training": training})
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "model.py").write_text(network or {"torch": SAME, "jax": FLAX}[backend], encoding="utf-8")
    return folder


def write(folder: Path, text: str, backend: str, lowerings: tuple[str, ...] = ()) -> Path:
    """The files that a spec's text becomes, in a folder."""
    spec, findings = folder / "net.yaml", Findings()
    spec.write_text(text)
    compiled = compile_spec(spec, findings)
    findings.stop_on_errors()
    request = request_for(compiled, spec)
    if lowerings:
        request = lowered(request, lowerings, findings)
    for name, content in run_backend(load_backend(backend), request).files.items():
        (folder / name).write_text(content)
    spec.unlink()
    return folder


def tap_variables(kernel: int, stride: int, offset: int) -> dict[str, Any]:
    """The variables and the model of TAP."""
    size, first = kernel + 7 * stride, max(0, offset - stride // 2)  # output 0 lies over pixel `offset`
    return {
        "network": TAP.format(kernel=kernel, stride=stride, offset=offset), "size": (size, size), "output": (8, 8),
        "stride": (stride, stride), "offset": (first, first), "centre": (float(offset), float(offset)),
        "multiple": (stride, stride),
    }  # fmt: skip


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
        """The scores (..., C) of an image."""
        scores = np.asarray(self.modules.predict.scores_of(model, image))
        return np.moveaxis(scores, 0, -1) if self.backend == "torch" else scores

    def loss(self, scores: np.ndarray, labels: np.ndarray, *reduction: str) -> float:
        """The loss of scores (B, H, W, C)."""
        if self.backend == "torch":
            import torch

            images = torch.from_numpy(scores.transpose(0, 3, 1, 2))
            return float(self.modules.losses.loss_of(images, torch.from_numpy(labels), 255, *reduction))
        return float(self.modules.losses.loss_of(scores, labels, 255, *reduction))

    def train(self, data: Path, out: str, *flags: str) -> int:
        """train.py's exit status on the whole data set."""
        return self.modules.train.main(self.flags(data, out, *flags))

    def script(self, data: Path, out: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The same in a process of its own, where workers can import the modules however they are started."""
        command = [sys.executable, str(self.folder / "train.py"), *self.flags(data, out, *flags)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})

    def started(self, data: Path, out: str, *flags: str, before: str = "") -> "subprocess.Popen[str]":
        """The same, under way, in a process that runs the lines `before` first."""
        place, program = str(self.folder), str(self.folder / "train.py")
        code = f"import os, signal, sys; sys.path.insert(0, {place!r}); sys.argv[0] = {program!r}; import files\n"
        code += f"{before}\nimport train\nsys.exit(train.main(sys.argv[1:]))\n"
        command = [sys.executable, "-c", code, *self.flags(data, out, *flags)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def learnt(self, data: Path, out: str) -> dict[str, np.ndarray]:
        """The weights of a run's checkpoint."""
        return self.tensors(self.load(data / out / self.last))

    def flags(self, data: Path, out: str, *flags: str) -> list[str]:
        return ["--list", str(data / "list.txt"), "--out", str(data / out), "--device", "cpu", *flags]

    @staticmethod
    def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
        """Whether all weights are, to the last bit."""
        return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)

    @staticmethod
    def copy(source: Path, target: Path) -> None:
        """A checkpoint, which is a file or a folder, in place of another."""
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


@pytest.fixture(scope="session")
def built(nets: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Side]:
    """The folder that a spec of the model `net` becomes, by the backend, the text and its lowerings; each is built
    once."""

    @functools.cache
    def build(backend: str, text: str, *lowerings: str) -> Side:
        if backend == "jax":  # the tests compile the same few functions again and again
            import jax

            jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.getbasetemp() / "compiled"))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        folder = write(tmp_path_factory.mktemp(backend), text, backend, lowerings)
        return Side(backend, nets.imported(folder), folder)

    return build


@pytest.fixture(scope="session", params=["torch", "jax"])
def side(request: pytest.FixtureRequest, built: Callable[[str, str], Side]) -> Side:
    """The harness of either backend, for a network with the states that an exact resume must restore."""
    return built(request.param, SPEC)


@pytest.fixture(scope="session")
def rendered() -> Callable[..., Path]:
    return render


@pytest.fixture(scope="session")
def harness(nets: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The harness of the model SAME."""
    return nets.imported(render(tmp_path_factory.mktemp("same")))


@pytest.fixture(scope="session")
def tap(nets: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int, int], SimpleNamespace]:
    """The harness of TAP with a kernel, stride and offset."""

    def build(kernel: int, stride: int, offset: int) -> SimpleNamespace:
        variables = tap_variables(kernel, stride, offset)
        return nets.imported(render(tmp_path_factory.mktemp("tap"), **variables))

    return build


@pytest.fixture(scope="session")
def special(nets: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SimpleNamespace]:
    """The harness with other variables."""
    return lambda **changes: nets.imported(render(tmp_path_factory.mktemp("special"), **changes))


@pytest.fixture
def from_spec(nets: SimpleNamespace, tmp_path: Path) -> Callable[[str], SimpleNamespace]:
    """The modules that a spec's text becomes."""
    return lambda text: nets.imported(write(Path(tempfile.mkdtemp(dir=tmp_path)), text, "torch"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Six 20 x 24 pairs in images/ and masks/, with list.txt: the mask is the brightest colour, 255 in a corner."""
    rng = np.random.default_rng(0)
    lines = []
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(6):
        mask = np.repeat(np.repeat(rng.integers(0, 3, (5, 6)), 4, 0), 4, 1).astype(np.uint8)
        image = (np.eye(3)[mask] * 200 + rng.integers(0, 40, (20, 24, 3))).astype(np.uint8)
        mask[:2, :2] = 255
        Image.fromarray(image).save(tmp_path / f"images/{i}.png")
        Image.fromarray(mask).save(tmp_path / f"masks/{i}.png")
        lines.append(f"images/{i}.png masks/{i}.png\n")
    (tmp_path / "list.txt").write_text("".join(lines))
    return tmp_path
