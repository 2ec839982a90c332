"""Runs emitted folders for the conformance kit. No other file of the backend imports jax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import compress
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun
from numpy.typing import NDArray

from segcompile.importers.lift import Imported
from segcompile.testing.runner import Unread
from segcompile_jax.reserved import MODELS

Array = NDArray[Any]
ROUNDING = 1e-10  # of the largest gradient of one step: what interpolation leaves where its weight is zero
_WEIGHTS = nnx.Not(nnx.RngState)
_NAMES = {"kernel": "weight", "scale": "weight", "negative_slope": "weight", "mean": "running_mean"}
_NAMES |= {"var": "running_var"}  # of flax -> of PyTorch, where they differ
# The axes of a kernel of so many, (..., in, out), in PyTorch's order.
_TO_TORCH = {axes: (axes - 1, axes - 2, *range(axes - 2)) for axes in (2, 3, 4, 5)}


class JaxModel:
    """An emitted nnx.Module, in evaluation mode. Float64 is on only inside its methods."""

    def __init__(self, module: nnx.Module, double: bool) -> None:
        self.double = double
        self.dtype = np.float64 if double else np.float32
        self.graph, self.state = nnx.split(module)
        self._programs: dict[Any, Any] = {}  # of `reaches`, by heads and shapes
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
                    value = np.array(parameters[name], self.dtype)  # a copy: the device may keep it as it is
                    variable.set_value(jax.device_put(value.transpose(np.argsort(_order(path, value.shape)))))
            self.state = nnx.state(module)

    def forward(self, *inputs: Array) -> dict[str, Array]:
        with self._precision():
            return {head: _out(value) for head, value in self._compiled(self.state, _in(inputs)).items()}

    def shapes(self, *inputs: Sequence[int]) -> dict[str, tuple[int, ...]]:
        with self._precision():
            images = [_jax_image(shape, self.dtype) for shape in inputs]
            found = jax.eval_shape(self._run, self.state, images)
            return {head: _torch_shape(value.shape) for head, value in found.items()}

    def gradients(
        self, inputs: Sequence[Array], cotangents: Mapping[str, Array]
    ) -> tuple[list[Array], dict[str, Array]]:
        with self._precision():
            trained, rest = nnx.state(self.module(), nnx.Param, ...)
            wanted = dict(zip(cotangents, _in([*cotangents.values()]), strict=True))
            found, read = self._compiled_gradients(trained, _in(inputs), rest, wanted)
            return [_out(value) for value in read], _named(found)

    def reaches(self, inputs: Sequence[Array], marks: Mapping[str, Array]) -> list[Array]:
        with self._precision():
            images, wanted = [jnp.ones_like(value) for value in _in(inputs)], _in([*marks.values()])
            leaves, tree = jax.tree.flatten(self.state)
            key = (*marks, *(value.shape for value in images))
            if key not in self._programs:

                def run(leaves: list[Any], images: list[jax.Array]) -> list[jax.Array]:
                    found = self._run(jax.tree.unflatten(tree, leaves), images)
                    return [found[head] for head in marks]

                program = jax.make_jaxpr(run)(leaves, images)
                moving = [False] * len(leaves) + [True] * len(images)
                self._programs[key] = jax.jit(lambda values, marks, one: _reached(program, one, values, moving, marks))
            found = self._programs[key]([*leaves, *images], [value.astype(self.dtype) for value in wanted], 1.0)
            return [_out(value) != 0 for value in found]

    def read_back(self, *inputs: Sequence[int]) -> Imported:
        raise Unread("JAX's code is not read back")

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


def _reached(
    program: ClosedJaxpr, one: jax.Array, values: Sequence[Any], moving: Sequence[bool], marks: Sequence[jax.Array]
) -> list[jax.Array]:
    """Where the moving ones of a program's arguments reach the marked results: 1 or 0. What does not depend on them is
    computed; what does is one everywhere, and each step's gradient counts only by where it is not zero.

    The one is an argument of the compiled program: XLA would fold each map of constant ones, pixel by pixel."""
    jaxpr = program.jaxpr
    known: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*program.consts, *values), strict=True))
    moved = dict.fromkeys(compress(jaxpr.invars, moving))
    steps = []
    for step in jaxpr.eqns:
        reads = [*dict.fromkeys(item for item in step.invars if not isinstance(item, Literal))]
        if any(var in moved for var in reads):
            steps.append((step, reads))
            moved |= dict.fromkeys(step.outvars)
            known |= {var: jnp.full(var.aval.shape, one, var.aval.dtype) for var in step.outvars}
            if _masks(step) and not any(item in moved for item in step.invars[:1] if not isinstance(item, Literal)):
                (made,) = jaxpr_as_fun(_alone(jaxpr, step, reads))(*(known[var] for var in reads))
                known[step.outvars[0]] = (made != 0).astype(made.dtype)
        else:
            made = jaxpr_as_fun(_alone(jaxpr, step, reads))(*(known[var] for var in reads))
            known |= zip(step.outvars, made, strict=True)
    found = {var: jnp.zeros_like(known[var]) for var in moved}
    for var, mark in zip(jaxpr.outvars, marks, strict=True):
        if var in found:
            found[var] = jnp.maximum(found[var], mark)
    for step, reads in reversed(steps):
        ends, inner = [found[var] for var in step.outvars], _called(step)
        wanted = reads if inner is None else step.invars
        given = [item.val if isinstance(item, Literal) else known[item] for item in wanted]
        moves = [not isinstance(item, Literal) and item in moved for item in wanted]
        follow = partial(_gradients, _alone(jaxpr, step, reads)) if inner is None else partial(_reached, inner, one)
        back = follow(given, moves, ends)
        for var, mark in zip(compress(wanted, moves), back, strict=True):
            found[var] = jnp.maximum(found[var], mark)
    return [found[var] for var in compress(jaxpr.invars, moving)]


def _masks(step: JaxprEqn) -> bool:
    """Whether a step is a `jnp.where`: what that makes zero by a mask stays zero."""
    return step.primitive.name == "select_n" or step.params.get("name") == "_where"


def _called(step: JaxprEqn) -> ClosedJaxpr | None:
    """The program that a step calls, if it is but a call."""
    inner = step.params.get("jaxpr", step.params.get("call_jaxpr"))
    return inner if isinstance(inner, ClosedJaxpr) and len(inner.jaxpr.invars) == len(step.invars) else None


def _alone(jaxpr: Jaxpr, step: JaxprEqn, reads: list[Any]) -> ClosedJaxpr:
    """One step of a program as a program, of what it reads."""
    parts: dict[str, Any] = {"constvars": [], "invars": reads, "outvars": step.outvars, "eqns": [step]}
    return ClosedJaxpr(jaxpr.replace(**parts), ())  # type: ignore[no-untyped-call]


def _gradients(
    program: ClosedJaxpr, values: Sequence[Any], moving: Sequence[bool], marks: Sequence[jax.Array]
) -> list[jax.Array]:
    """1 where the gradient to a moving argument is more than rounding, else 0."""

    def applied(*given: jax.Array) -> Any:
        left = iter(given)
        return jaxpr_as_fun(program)(
            *(next(left) if moves else value for value, moves in zip(values, moving, strict=True))
        )

    _, pull = jax.vjp(applied, *compress(values, moving))
    sizes = [jnp.abs(gradient) for gradient in pull(list(marks))]
    return [(size > ROUNDING * size.max(initial=0)).astype(size.dtype) for size in sizes]


class JaxRunner:
    """Loads the model.py of a folder."""

    def load(self, folder: Path, class_name: str, *, double: bool, seed: int) -> JaxModel:
        module = _class(folder, class_name)(rngs=nnx.Rngs(seed))
        module.eval()
        return JaxModel(module, double)

    def shapes(self, folder: Path, class_name: str) -> dict[str, tuple[int, ...]]:
        module = nnx.eval_shape(lambda: _class(folder, class_name)(rngs=nnx.Rngs(0)))
        found = nnx.to_flat_state(nnx.state(module, _WEIGHTS))
        shapes = {path: variable.get_value().shape for path, variable in found}
        return {_name(path): tuple(shape[axis] for axis in _order(path, shape)) for path, shape in shapes.items()}


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
    return ".".join([*layer, _NAMES.get(last, last)])


def _order(path: Sequence[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a variable in PyTorch's order: only kernels have another one."""
    return _TO_TORCH[len(shape)] if str(path[-1]) == "kernel" else tuple(range(len(shape)))


def _named(state: Any) -> dict[str, Array]:
    """The variables of a state under PyTorch's names and in its layouts."""
    found = {path: np.array(variable[...]) for path, variable in nnx.to_flat_state(state)}
    return {_name(path): value.transpose(_order(path, value.shape)) for path, value in found.items()}


def _in(values: Sequence[Array]) -> list[jax.Array]:
    """Channels last. `jnp.asarray` would compile a copy for each shape."""
    return [jax.device_put(np.moveaxis(value, 1, -1)) for value in values]


def _jax_image(shape: Sequence[int], dtype: Any) -> Any:
    """An image of (batch, channels, ...), without values and channels last."""
    return jax.ShapeDtypeStruct((shape[0], *shape[2:], shape[1]), dtype)  # type: ignore[no-untyped-call]


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Channels first."""
    return (shape[0], shape[-1], *shape[1:-1])


def _out(value: jax.Array) -> Array:
    """Channels first."""
    return np.moveaxis(np.asarray(value), -1, 1)


RUNNER = JaxRunner()
