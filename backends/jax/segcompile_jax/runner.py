"""Runs emitted folders for the conformance kit. No other file of the backend imports jax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from segcompile_jax.reserved import MODELS

Array = NDArray[Any]
_WEIGHTS = nnx.Not(nnx.RngState)
_NAMES = {"kernel": "weight", "scale": "weight", "negative_slope": "weight", "mean": "running_mean"}
_NAMES |= {"var": "running_var", "bias": "bias"}  # of flax -> of PyTorch
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}  # axes of a weight of so many, a kernel (height, width, in, out)
_FROM_TORCH = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}


class JaxModel:
    """An emitted nnx.Module, in evaluation mode. Float64 is on only inside its methods."""

    def __init__(self, module: nnx.Module, double: bool) -> None:
        self.double = double
        self.dtype = np.float64 if double else np.float32
        self.graph, self.state = nnx.split(module)
        self._compiled = jax.jit(self._run)  # once: a receptive field asks for dozens of gradients
        self._compiled_gradients = jax.jit(jax.grad(self._total, (0, 1)))
        with self._precision():
            self.assign(self.parameters())

    def parameters(self) -> dict[str, Array]:
        return _named(nnx.split(self.module(), _WEIGHTS, ...)[1])

    def assign(self, parameters: Mapping[str, Array]) -> None:
        with self._precision():
            module = self.module()
            for path, variable in nnx.to_flat_state(nnx.state(module, _WEIGHTS)):
                name = _name(path)
                if name in parameters:
                    value = np.asarray(parameters[name], self.dtype)
                    variable.set_value(jnp.asarray(value.transpose(_FROM_TORCH[value.ndim])))
            self.state = nnx.state(module)

    def forward(self, *inputs: Array) -> dict[str, Array]:
        with self._precision():
            return {head: _out(value) for head, value in self._compiled(self.state, _in(inputs)).items()}

    def gradients(
        self, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        with self._precision():
            trained, rest = nnx.state(self.module(), nnx.Param, ...)
            wanted = dict(zip(cotangents, _in([*cotangents.values()]), strict=True))
            found, read = self._compiled_gradients(trained, _in(inputs), rest, wanted)
            return [_out(value) for value in read], _named(found)

    def _total(self, trained: Any, inputs: list[jax.Array], rest: Any, wanted: Mapping[str, jax.Array]) -> jax.Array:
        found = self._run(nnx.merge_state(trained, rest), inputs)
        return sum((jnp.vdot(found[head], value) for head, value in wanted.items()), jnp.zeros(()))

    def _run(self, state: Any, inputs: list[jax.Array]) -> dict[str, jax.Array]:
        found = nnx.merge(self.graph, state)(*inputs)
        return found if isinstance(found, dict) else {"output": found}

    def module(self) -> Any:
        """The module itself, a copy."""
        return nnx.merge(self.graph, self.state)

    def _precision(self) -> AbstractContextManager[None]:
        found: AbstractContextManager[None] = jax.enable_x64(self.double)
        return found


class JaxRunner:
    """Loads the model.py of a folder."""

    def load(self, folder: Path, class_name: str, *, double: bool, seed: int) -> JaxModel:
        module = _class(folder, class_name)(rngs=nnx.Rngs(seed))
        module.eval()
        return JaxModel(module, double)

    def shapes(self, folder: Path, class_name: str) -> dict[str, tuple[int, ...]]:
        module = nnx.eval_shape(lambda: _class(folder, class_name)(rngs=nnx.Rngs(0)))
        found = nnx.to_flat_state(nnx.state(module, _WEIGHTS))
        shapes = {_name(path): variable.get_value().shape for path, variable in found}
        return {name: tuple(shape[axis] for axis in _TO_TORCH[len(shape)]) for name, shape in shapes.items()}


def _class(folder: Path, class_name: str) -> Callable[..., Any]:
    """The model's class, as the file says it now."""
    name = f"{class_name}Net" if class_name in MODELS else class_name
    found: Callable[..., Any] = getattr(_module_of(folder / "model.py"), name)
    return found


def _module_of(path: Path) -> ModuleType:
    """A file as a module that nothing else knows; its text is read anew each time."""
    found = ModuleType("emitted_model")
    found.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(found))
    return found


def _name(path: Sequence[Any]) -> str:
    """`context.layer1.weight`: an attribute's path as PyTorch calls it."""
    *layer, last = map(str, path)
    return ".".join([*layer, _NAMES[last]])


def _named(state: Any) -> dict[str, Array]:
    """The variables of a state under PyTorch's names and in its layouts."""
    found = {_name(path): np.array(variable[...]) for path, variable in nnx.to_flat_state(state)}
    return {name: value.transpose(_TO_TORCH[value.ndim]) for name, value in found.items()}


def _in(values: Sequence[Array]) -> list[jax.Array]:
    """Channels last."""
    return [jnp.asarray(np.moveaxis(value, 1, -1)) for value in values]


def _out(value: jax.Array) -> Array:
    """Channels first."""
    return np.moveaxis(np.asarray(value), -1, 1)


RUNNER = JaxRunner()
