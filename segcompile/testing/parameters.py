"""Random values for the tensors of an emitted model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.weights.parameters import Tensor

Array = NDArray[Any]


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


def imported(tensors: Mapping[tuple[str, str], Array]) -> dict[str, dict[str, Array]]:
    """The same of tensors by (node, parameter), as an imported network has them, in float64."""
    found: dict[str, dict[str, Array]] = {}
    for (node, name), array in tensors.items():
        found.setdefault(node, {})[name] = array.astype(np.float64)
    return found
