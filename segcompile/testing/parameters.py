"""The tensors that an emitted model must have: their names, their shapes, and random values for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.backend import BuildRequest
from segcompile.graph import Graph, Node
from segcompile.ops import BatchNorm, Init, Parameter

Array = NDArray[Any]
ZEROS, ONES = Init(scheme="zeros"), Init(scheme="constant", value=1.0)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight or a buffer: its node, what the analysis says of it, and its name in the state dict."""

    node: Node
    parameter: Parameter
    name: str
    buffer: bool = False

    @property
    def trained(self) -> bool:
        return not self.buffer and not self.parameter.frozen


def tensors(request: BuildRequest) -> Iterator[Tensor]:
    """Every tensor of a model: a layer's is `scope.layer.weight`, that of what it carries `scope.layer_norm.weight`."""
    for node in request.graph.nodes:
        path = _path(request.graph, node)
        for parameter in request.facts[node.name].parameters:
            yield Tensor(node, parameter, f"{path}.{parameter.name}")
        if isinstance(node.op, BatchNorm):
            channels = (request.facts[node.name].shape.channels,)
            for name, init in (("running_mean", ZEROS), ("running_var", ONES)):
                yield Tensor(node, Parameter(name, channels, init), f"{path}.{name}", buffer=True)


def _path(graph: Graph, node: Node) -> str:
    """The scopes that a layer is written in, those of a join among them, and its own short name."""
    scopes = {scope.name for scope in graph.scopes}
    parts = node.layer.split(".")
    found = [parts[depth - 1] for depth in range(1, len(parts) + 1) if ".".join(parts[:depth]) in scopes]
    return ".".join([*found, parts[-1] if node.role == "main" else f"{parts[-1]}_{node.role}"])


def drawn(wanted: list[Tensor], seed: int) -> dict[str, Array]:
    """Name -> random values in float64, such that tensors of a deep network neither vanish nor grow."""
    rng = np.random.default_rng(seed)
    found = {}
    for tensor in wanted:
        shape, name = tensor.parameter.shape, tensor.parameter.name
        if name == "running_var" or (name == "weight" and len(shape) == 1):
            found[tensor.name] = rng.uniform(0.5, 1.5, shape)
        elif name == "weight":
            found[tensor.name] = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        else:
            found[tensor.name] = rng.normal(0, 0.1, shape)
    return found


def by_node(wanted: list[Tensor], values: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Node -> its tensors under their own names, as the reference takes them."""
    found: dict[str, dict[str, Array]] = {}
    for tensor in wanted:
        found.setdefault(tensor.node.name, {})[tensor.parameter.name] = values[tensor.name]
    return found
