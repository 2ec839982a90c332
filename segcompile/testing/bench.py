"""Where checks work: a temporary place with what a backend built, and the models loaded from there."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.backend import Backend, BuildRequest, run_backend
from segcompile.testing import reference
from segcompile.testing.cases import Case
from segcompile.testing.parameters import by_node, drawn
from segcompile.testing.runner import Model, Runner, runner_of
from segcompile.weights.parameters import Tensor, tensors
from segcompile.writer import as_bytes

Array = NDArray[Any]
BATCH = 2


class Mismatch(Exception):
    """What a check found: a sentence that names both numbers."""


class Unasked(Exception):
    """Why a check has nothing to ask of a case, which could not be told before."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model that a backend emitted: with random weights, or `fresh` with those that it starts from."""

    request: BuildRequest
    folder: Path
    model: Model
    double: bool

    @cached_property
    def tensors(self) -> list[Tensor]:
        return list(tensors(self.request.graph, self.request.facts))

    @cached_property
    def values(self) -> dict[str, Array]:
        """The random weights, in float64."""
        return drawn(self.tensors, seed=1)

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """A random batch for each of the graph's inputs, in float64."""
        rng = np.random.default_rng(2)
        extents: dict[str, Any] = {
            name: (BATCH, shape.channels, *shape.size) for name, shape in self.request.graph.inputs.items()
        }
        return {name: rng.normal(size=extent) for name, extent in extents.items()}

    @cached_property
    def reference(self) -> dict[str, Array]:
        """Input or node -> the reference's value, of the random weights and inputs."""
        return reference.trace(self.request.graph, by_node(self.tensors, self.values), self.inputs)

    def cast(self, value: Array) -> Array:
        return value.astype(np.float64 if self.double else np.float32)

    def assign(self, values: Mapping[str, Array]) -> None:
        """Set weights by their names. Raises Mismatch for one that the model does not have."""
        known = self.model.parameters()  # once: a backend may read them all from its modules
        missing = [name for name in values if name not in known]
        if missing:
            raise Mismatch(f"the model has no tensor `{missing[0]}`")
        self.model.assign({name: self.cast(value) for name, value in values.items()})

    def outputs(self, inputs: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """Head -> output; an only output under its head's name."""
        given = inputs or self.inputs
        found = self.model.forward(*(self.cast(given[name]) for name in self.request.graph.inputs))
        heads = self.request.graph.outputs
        return dict(zip(heads, found.values(), strict=True)) if len(heads) == 1 else found

    def shapes(self, images: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
        """Head -> the shape of its output for images of these shapes."""
        found = self.model.shapes(*(images[name] for name in self.request.graph.inputs))
        heads = self.request.graph.outputs
        return dict(zip(heads, found.values(), strict=True)) if len(heads) == 1 else found

    def gradients(
        self, inputs: Mapping[str, Array], cotangents: Mapping[str, Array]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Of sum(outputs * cotangents): input -> gradient, and tensor -> gradient."""
        heads = self.request.graph.outputs
        named = {"output" if len(heads) == 1 else head: self.cast(value) for head, value in cotangents.items()}
        order: Sequence[str] = list(self.request.graph.inputs)
        to_inputs, to_tensors = self.model.gradients([self.cast(inputs[name]) for name in order], named)
        return dict(zip(order, to_inputs, strict=True)), to_tensors

    def reaches(self, batch: int, marks: Mapping[str, Array]) -> dict[str, Array]:
        """Input -> where a batch of images reaches what is marked in the outputs of these heads."""
        heads = self.request.graph.outputs
        shapes: dict[str, Any] = {
            name: (batch, shape.channels, *shape.size) for name, shape in self.request.graph.inputs.items()
        }
        images = [self.cast(np.ones(shape)) for shape in shapes.values()]
        named = {"output" if len(heads) == 1 else head: self.cast(value) for head, value in marks.items()}
        return dict(zip(shapes, self.model.reaches(images, named), strict=True))


@dataclass(eq=False)
class Bench:
    """A backend on trial. What it built is kept until the process ends."""

    backend: Backend
    only: str | None = None  # the name of the cases on trial, where not all are
    _built: dict[int, tuple[BuildRequest, Path]] = field(default_factory=dict)  # by identity
    _made: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def runner(self) -> Runner:
        """Raises NoRunner."""
        return runner_of(self.backend)

    @cached_property
    def place(self) -> Path:
        """The temporary folder; it goes when the process ends."""
        found = tempfile.mkdtemp(prefix="segcompile-")
        atexit.register(shutil.rmtree, found, ignore_errors=True)
        return Path(found)

    def on_trial(self, cases: Iterable[Case]) -> Iterator[Case]:
        """The cases that are to be tried, declared or not."""
        return (case for case in cases if self.only in (None, case.name))

    def declares(self, case: Case) -> bool:
        """Whether the backend says that it can emit a case."""
        return case.is_declared(self.backend)

    def declared(self, cases: Iterable[Case]) -> list[Case]:
        """The cases to be tried that the backend says it can emit."""
        return [case for case in self.on_trial(cases) if self.declares(case)]

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make` gave when it was first asked for."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def built(self, request: BuildRequest) -> Path:
        """The folder of what the backend emits. Raises SegcompileError."""
        if id(request) not in self._built:
            files = run_backend(self.backend, request).files
            folder = self.place / f"{request.model}_{len(self._built)}"
            for name, content in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(as_bytes(content))
            self._built[id(request)] = request, folder
        return self._built[id(request)][1]

    def subject(self, request: BuildRequest, *, double: bool = True, fresh: bool = False, seed: int = 0) -> Subject:
        """The model of what the backend emits."""
        folder = self.built(request)
        model = self.runner.load(folder, request.class_name, double=double, seed=seed)
        found = Subject(request, folder, model, double)
        if not fresh:
            found.assign(found.values)
        return found
