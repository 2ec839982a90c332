"""Runs emitted folders for the conformance kit. No other file of the backend imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from segcompile.importers.lift import Imported
from segcompile.importers.torch_module import import_module
from segcompile_torch.reserved import MODELS

Array = NDArray[Any]
ROUNDING = 1e-10  # of the largest gradient of one op: what interpolation leaves where its weight is zero


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

    def shapes(self, *inputs: Sequence[int]) -> dict[str, tuple[int, ...]]:
        weights = {name: torch.empty_like(value, device="meta") for name, value in self.module.state_dict().items()}
        images = tuple(torch.empty(tuple(shape), dtype=self._dtype, device="meta") for shape in inputs)
        with torch.no_grad():
            found = _named(functional_call(self.module, weights, images))
        return {head: tuple(value.shape) for head, value in found.items()}

    @property
    def _dtype(self) -> torch.dtype:
        return next((value.dtype for value in self.module.parameters()), torch.float32)

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

    def reaches(self, inputs: Sequence[Array], marks: Mapping[str, Array]) -> list[Array]:
        read = [torch.from_numpy(value).requires_grad_() for value in inputs]
        with _OpByOp():
            found = functional_call(self.module, self.module.state_dict(), tuple(read))  # no weight asks for a gradient
        outputs = _named(found)
        heads = [head for head in marks if outputs[head].requires_grad]  # the others read no input
        if not heads:
            return [np.zeros(value.shape, np.bool_) for value in inputs]
        wanted = [torch.from_numpy(marks[head]).to(outputs[head].dtype) for head in heads]
        ends = [outputs[head] for head in heads]
        seen = torch.autograd.grad(ends, read, wanted, allow_unused=True, materialize_grads=True)
        return [value.numpy() != 0 for value in seen]

    def read_back(self, *inputs: Sequence[int]) -> Imported:
        return import_module(self.module, [tuple(shape) for shape in inputs])

    def _outputs(self, inputs: Iterable[Tensor]) -> dict[str, Tensor]:
        return _named(self.module(*inputs))


def _named(found: Any) -> dict[str, Tensor]:
    """Head -> output; an only one is called `output`."""
    return found if isinstance(found, dict) else {"output": found}


class _Mark(torch.autograd.Function):
    """Ones on the way there; on the way back 1 where anything comes, and 0 where nothing but rounding does."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.new_ones(()).expand(value.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        found = gradients[0].abs()
        return (found > ROUNDING * found.max()).to(found.dtype)


class _OpByOp(TorchFunctionMode):
    """Every function of torch reads ones, and its gradient counts only by where it is not zero."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*map(_marked, args), **{name: _marked(value) for name, value in (kwargs or {}).items()})


def _marked(value: Any) -> Any:
    if isinstance(value, Tensor):
        return _Mark.apply(value) if value.requires_grad else value  # type: ignore[no-untyped-call]
    return type(value)(map(_marked, value)) if type(value) in (list, tuple) else value


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
