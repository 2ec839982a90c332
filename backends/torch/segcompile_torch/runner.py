"""Runs emitted folders for the conformance kit. No other file of the backend imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segcompile_torch.reserved import MODELS

Array = NDArray[Any]


class TorchModel:
    """An emitted nn.Module, in evaluation mode."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def parameters(self) -> dict[str, Array]:
        return {name: value.detach().numpy().copy() for name, value in self.module.state_dict().items()}

    def assign(self, parameters: Mapping[str, Array]) -> None:
        given = {name: torch.from_numpy(value) for name, value in parameters.items()}
        self.module.load_state_dict(self.module.state_dict() | given)

    def forward(self, *inputs: Array) -> dict[str, Array]:
        with torch.no_grad():
            return {head: value.numpy() for head, value in self._outputs(map(torch.from_numpy, inputs)).items()}

    def gradients(
        self, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        read = [torch.from_numpy(value).requires_grad_() for value in inputs]
        trained = {name: value for name, value in self.module.named_parameters() if value.requires_grad}
        outputs = self._outputs(read)
        total = torch.stack([(outputs[head] * torch.from_numpy(value)).sum() for head, value in cotangents.items()])
        wanted = [*read, *trained.values()]
        found = torch.autograd.grad(total.sum(), wanted, allow_unused=True, materialize_grads=True)
        arrays = [value.numpy() for value in found]
        return arrays[: len(read)], dict(zip(trained, arrays[len(read) :], strict=True))

    def _outputs(self, inputs: Iterable[Tensor]) -> dict[str, Tensor]:
        found = self.module(*inputs)
        return found if isinstance(found, dict) else {"output": found}


class TorchRunner:
    """Loads the model.py of a folder."""

    def load(self, folder: Path, class_name: str, *, double: bool, seed: int) -> TorchModel:
        torch.manual_seed(seed)
        model = _model(folder, class_name)
        return TorchModel((model.double() if double else model).eval())

    def shapes(self, folder: Path, class_name: str) -> dict[str, tuple[int, ...]]:
        with torch.device("meta"):
            return {name: tuple(value.shape) for name, value in _model(folder, class_name).state_dict().items()}


def _model(folder: Path, class_name: str) -> nn.Module:
    """A new model, on the device and from the seed that are set."""
    found = _module(folder / "model.py")
    model: nn.Module = getattr(found, f"{class_name}Net" if class_name in MODELS else class_name)()
    return model


def _module(path: Path) -> ModuleType:
    """A file as a module that nothing else knows; its text is read anew each time."""
    found = ModuleType("emitted_model")
    found.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(found))
    return found


RUNNER = TorchRunner()
