"""Batch norms that a file has folded into the convolution, matrix or scale before them.

Folded, a norm is gone: the kernel is scaled by it and its shift is the convolution's bias. The spec still has it, so it
computes nothing but that bias: scale 1, the bias as its shift, mean 0, and the variance 1 - eps, which makes
sqrt(variance + eps) one. Written out as a scale and shift a channel, it has these and no statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from segcompile.ops import BatchNorm
from segcompile.weights.aligning import Layer
from segcompile.weights.parameters import Tensor
from segcompile.weights.placing import Place
from segcompile.weights.sites import KERNELS, NORMS, FileLayer
from segcompile.weights.stored import Source, Stored

_NONE = {"bias": (0.0, "0")}


def unfolded(source: Source, layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Places, with those of norms that the file has folded and of the convolutions before them."""
    layers = tuple(layers)
    changed = dict(_changes(source, [found for layer in layers for found in layer]))
    return tuple(tuple(changed.get(found.tensor.name, found) for found in layer) for layer in layers)


def _changes(source: Source, places: Sequence[Place]) -> Iterator[tuple[str, Place]]:
    nodes = {name: list(group) for name, group in groupby(places, lambda found: found.tensor.node.name)}
    sites = [(stored, stored.site) for stored in source.tensors if stored.site]
    biases = {site.layer: stored for stored, site in sites if site.role == "bias" and site.layer.kind in KERNELS}
    normed = {site.layer.behind for _, site in sites if site.layer.kind in NORMS}
    for norm in nodes.values():
        op = norm[0].tensor.node.op
        if not isinstance(op, BatchNorm):
            continue
        kernel = nodes.get(norm[0].tensor.node.inputs[0], [])
        before, there = _layer(kernel), _layer(norm)
        if there is not None and there.kind == "scale":
            yield from _filled(norm, _identity(op.eps), f"{there.title} is the batch norm, written out")
        elif there is not None and all(found.stored for found in norm if found.tensor.buffer):
            missing = [found for found in norm if not found.stored]
            yield from _filled(missing, {"weight": (1, "1"), **_NONE}, f"{there.title} has none")
        elif there is None and before in biases and before.name not in normed:
            yield from _moved(kernel, norm, op.eps, biases[before], f"the batch norm is folded into {before.title}")


def _layer(places: Sequence[Place]) -> FileLayer | None:
    """The file's layer that a node has tensors of."""
    sites = [found.stored.site for found in places if found.stored and found.stored.site]
    return sites[0].layer if sites else None


def _moved(
    kernel: Iterable[Place], norm: Sequence[Place], eps: float, bias: Stored, why: str
) -> Iterator[tuple[str, Place]]:
    """The file's bias as the norm's shift; the convolution's own, if the spec has one, is 0."""
    shift = next(found.tensor for found in norm if found.tensor.parameter.name == "bias")
    if bias.unusable or not bias.floats or bias.shape != shift.shape:
        return
    yield from ((found.tensor.name, _made(found.tensor, 0, "0", why)) for found in kernel if _is_bias(found))
    yield from _filled([Place(shift, bias) if found.tensor is shift else found for found in norm], _identity(eps), why)


def _is_bias(found: Place) -> bool:
    return found.tensor.parameter.name == "bias"


def _identity(eps: float) -> dict[str, tuple[float, str]]:
    """Role -> what a norm has that changes nothing, and how that is written."""
    variance = max(1 - eps, 0)
    scale = (variance + eps) ** 0.5  # 1, unless eps alone is more
    return {
        "weight": (scale, f"{scale:g}"),
        **_NONE,
        "running_mean": (0, "0"),
        "running_var": (variance, f"1 - {eps:g}"),
    }


def _filled(norm: Iterable[Place], values: Mapping[str, tuple[float, str]], why: str) -> Iterator[tuple[str, Place]]:
    """A norm: what it has, and constants for the rest."""
    for found in norm:
        made = _made(found.tensor, *values[found.tensor.parameter.name], why)
        yield found.tensor.name, made if found.stored is None else replace(found, why=why)


def _made(tensor: Tensor, value: float, text: str, why: str) -> Place:
    made = Stored(f"constant {text}", tensor.shape, lambda: np.full(tensor.shape, value, np.float32))
    return Place(tensor, made, why)


def folds_said(file: str, places: Iterable[Place]) -> Iterator[str]:
    """How many norms the file has folded."""
    folded = [found for found in places if isinstance(found.tensor.node.op, BatchNorm) and _of_kernel(found)]
    if folded:
        one = len(folded) == 1
        which = "a batch norm is folded into the layer before it" if one else f"{len(folded)} batch norms are folded"
        yield f"{which} in {file}: scale 1, the file's bias as the shift, mean 0, variance 1 - eps"


def _of_kernel(found: Place) -> bool:
    """Whether a tensor is that of a convolution or matrix in the file."""
    return bool(found.stored and found.stored.site and found.stored.site.layer.kind in KERNELS)
