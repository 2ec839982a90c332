"""A graph's two models, in JAX and in PyTorch, with the same weights and the same inputs, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from segcompile_jax import BACKEND
from segcompile_jax.runner import RUNNER, JaxModel

from segcompile.backend import BuildRequest
from segcompile.network.graph import Graph
from segcompile.network.training import Training
from segcompile.testing import reference
from segcompile.testing.checks.numbers import undecided
from segcompile.testing.parameters import by_node
from segcompile.weights.parameters import tensors

TOLERANCE = 1e-9  # of the largest value


@dataclass(frozen=True)
class Siblings:
    """The models of one graph."""

    torch: Any  # conftest's Emitted
    jax: JaxModel
    source: str  # of the JAX model
    folder: Path

    def is_decided(self) -> bool:
        """Whether no `unpool` would put a value elsewhere if sums were rounded otherwise."""
        net, state = self.torch, {name: value.numpy() for name, value in self.torch.model.state_dict().items()}
        images = dict(zip(net.graph.inputs, (value.numpy() - 1 for value in net.inputs()), strict=True))
        values = reference.trace(net.graph, by_node(list(tensors(net.graph, net.facts)), state), images)
        return undecided(net.graph, values) is None

    def check(self, *, gradients: bool) -> None:
        """Every head of both is the same to TOLERANCE, and so is every gradient of a random sum of all heads."""
        import torch

        image = [value - 1 for value in self.torch.inputs()]
        given = [value.numpy() for value in image]
        wanted = {head: value.detach() for head, value in self.torch.outputs(*image).items()}
        heads = list(wanted) if len(wanted) > 1 else ["output"]
        found = self.jax.forward(*given)
        assert {*found} == {*heads}
        same(found, {head: value.numpy() for head, value in zip(heads, wanted.values(), strict=True)}, self)
        if not gradients:
            return
        generator = np.random.default_rng(0)
        cotangents = {head: generator.standard_normal(found[head].shape) for head in heads}
        read = [value.requires_grad_() for value in image]
        pairs = zip(self.torch.outputs(*read).values(), cotangents.values(), strict=True)
        total = sum((output * torch.from_numpy(cotangent)).sum() for output, cotangent in pairs)
        named = {name: value for name, value in self.torch.model.named_parameters() if value.requires_grad}
        theirs = torch.autograd.grad(total, [*read, *named.values()], allow_unused=True, materialize_grads=True)
        to_inputs, to_weights = self.jax.gradients(given, cotangents)
        assert set(to_weights) == set(named)
        ours = {**{str(index): value for index, value in enumerate(to_inputs)}, **to_weights}
        names = [*map(str, range(len(read))), *named]
        same(ours, {name: value.numpy() for name, value in zip(names, theirs, strict=True)}, self)


def same(found: Mapping[str, Any], wanted: Mapping[str, Any], pair: Siblings) -> None:
    for name, value in wanted.items():
        assert found[name].shape == value.shape, f"{name}\n{pair.source}"
        assert found[name].dtype == np.float64
        error = float(np.abs(found[name] - value).max(initial=0))
        assert error <= TOLERANCE * max(1.0, float(np.abs(value).max(initial=0))), f"{name}: {error}\n{pair.source}"


@pytest.fixture
def siblings(nets: SimpleNamespace, tmp_path: Path) -> Callable[[Graph], Siblings]:
    """Graph -> its models, which have PyTorch's initial weights and random statistics."""

    def built(graph: Graph) -> Siblings:
        import torch

        net = nets.emitted(graph)
        request = BuildRequest("net", "Net", "net.yaml", "", {}, net.graph, net.facts, Training())
        source = BACKEND.emit(request).files["model.py"]
        (tmp_path / "model.py").write_text(source)
        model = RUNNER.load(tmp_path, "Net", double=True, seed=0)
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for name, value in net.model.state_dict().items():
                if value.is_floating_point():
                    noise = torch.rand(value.shape, generator=generator, dtype=value.dtype)
                    value.copy_(noise + 0.5 if name.endswith("var") else noise - 0.4)
        weights = {name: v.numpy() for name, v in net.model.state_dict().items() if v.is_floating_point()}
        assert {name: v.shape for name, v in model.parameters().items()} == {n: v.shape for n, v in weights.items()}
        model.assign(weights)
        return Siblings(net, model, source, tmp_path)

    return built
