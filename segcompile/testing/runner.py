"""How the kit runs what a backend emitted: a runner loads a folder in the backend's framework and hands out NumPy.

`Backend.runner` names one, "segcompile_torch.runner:RUNNER". Only the kit resolves it: emission imports no framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from segcompile.backend import Backend
from segcompile.importers.lift import Imported

Array = NDArray[Any]


class Model(Protocol):
    """An emitted model in evaluation mode. Maps are (batch, channels, height, width), vectors (batch, channels),
    whatever the layout of the framework."""

    def parameters(self) -> dict[str, Array]:
        """Copies of all weights and buffers, under the names and in the layouts of the PyTorch state dict: conv (out,
        in / groups, height, width), deconv (in, out / groups, height, width), linear (out, in), in of the order
        channel, row, column; `running_mean` and `running_var` of a batch norm. More than these is allowed."""

    def assign(self, parameters: Mapping[str, Array]) -> None:
        """Set all that `parameters` gives."""

    def forward(self, *inputs: Array) -> dict[str, Array]:
        """Head -> output, for the graph's inputs in their order; an only output is called `output`."""

    def shapes(self, *inputs: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """Head -> the shape of its output for images of these shapes; the model's code is run, and nothing computed."""

    def gradients(
        self, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        """The gradients of sum(outputs * cotangents), over the heads in `cotangents`: to each input (zeros where it is
        not read), and to the parameters that are trained, under their names."""

    def reaches(self, inputs: Sequence[Array], marks: Mapping[str, Array]) -> list[Array]:
        """Where each input (of which only the shape counts) reaches a marked value of an output (head -> 1 or 0 for
        each value): true or false.

        Each op of the framework is asked by itself, for its gradient where all that it reads is one, and hands back
        only where that is not zero: along a path of any length no number grows, shrinks or is rounded. Ops whose
        gradient can be zero at ones (maxima, activations) do not stand in what is asked."""

    def read_back(self, *inputs: Sequence[int]) -> Imported:
        """The network that the model's code computes, read from the code itself, where images have these shapes; its
        tensors are those that the model has now. Raises Unread, or SegcompileError for what cannot be held."""


class Runner(Protocol):
    """Loads emitted folders."""

    def load(self, folder: Path, class_name: str, *, double: bool, seed: int) -> Model:
        """The model of a folder, freshly initialised from the seed; in float64 if `double`, else in float32."""

    def shapes(self, folder: Path, class_name: str) -> dict[str, tuple[int, ...]]:
        """The names and shapes of what `Model.parameters` gives, without a value of it: of networks of any width."""


class Unread(Exception):
    """Why the code of a model is not read back."""


class NoRunner(Exception):
    """Why nothing that a backend emitted can be run here."""


def runner_of(backend: Backend) -> Runner:
    """The backend's runner. Raises NoRunner if it names none, or one that cannot be imported."""
    if not backend.runner:
        raise NoRunner(f"backend `{backend.name}` names no runner: what it emits is not run")
    module, _, name = backend.runner.partition(":")
    try:
        runner: Runner = getattr(import_module(module), name)
    except (ImportError, AttributeError) as cause:
        raise NoRunner(f"backend `{backend.name}`: its runner {backend.runner} cannot be loaded: {cause}") from cause
    return runner
