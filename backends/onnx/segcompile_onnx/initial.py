"""The values that tensors start from, the same bits on any machine: no generator of a library is asked, whose stream
may change, and no function whose last digit is a machine's own."""

from __future__ import annotations

from functools import cache, reduce
from hashlib import shake_128
from math import prod, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from segcompile.ops import Init
from segcompile.weights.parameters import Tensor
from segcompile_onnx.program import Array

_LEVELS = 2**16  # of a random number, equally likely ones
_DIGITS = 6  # of a gaussian one; so many are the same whatever the machine's logarithm rounds


def initial(tensor: Tensor) -> Array:
    """A tensor's first values in float32, in PyTorch's layout, drawn by its name."""
    init, shape = tensor.parameter.init, tensor.parameter.shape
    if init.scheme == "bilinear":
        return _bilinear(shape)
    if init.scheme == "identity":
        return _identity(init, shape, tensor.name)
    if init.scheme == "xavier":
        return _levels(shape, tensor.name, _even() * sqrt(6 / ((shape[0] + shape[1]) * prod(shape[2:]))))
    if init.scheme in ("he", "normal"):
        deviation = init.std or 0.0 if init.scheme == "normal" else sqrt(2 / _summed(tensor))
        return _levels(shape, tensor.name, _gaussian() * deviation)
    return np.full(shape, init.value or 0.0, np.float32)


def _summed(tensor: Tensor) -> float:
    """The values that one output sums up; of a transposed convolution c_in k² / stride² / groups."""
    shape, op = tensor.parameter.shape, tensor.node.op
    window = op.sliding
    if window is None or not window.transposed:
        return prod(shape[1:])
    return shape[0] / (op.groups_of(shape[0]) or 1) * prod(window.kernel) / prod(window.stride)


def _levels(shape: tuple[int, ...], name: str, levels: Array) -> Array:
    """Each value one of the levels, chosen by a hash of the name."""
    drawn = np.frombuffer(shake_128(name.encode()).digest(2 * prod(shape)), "<u2")
    found: Array = levels.astype(np.float32)[drawn].reshape(shape)
    return found


@cache
def _gaussian() -> Array:
    """The middles of equally likely parts of the standard normal distribution."""
    inverse = NormalDist().inv_cdf
    return np.array([round(inverse((level + 0.5) / _LEVELS), _DIGITS) for level in range(_LEVELS)])


@cache
def _even() -> Array:
    """Those of the interval from -1 to 1."""
    return (2 * np.arange(_LEVELS) + 1) / _LEVELS - 1


def _bilinear(shape: tuple[int, ...]) -> Array:
    """Each channel to itself, by the tent whose tips are the next pixels: Long et al. (2015), section 3.3."""
    tents = []
    for size in shape[2:]:
        factor = (size + 1) // 2
        centre = factor - 1 if size % 2 else factor - 0.5
        tents.append(1 - np.abs(np.arange(size) - centre) / factor)
    found = np.zeros(shape, np.float32)
    for channel in range(shape[0]):
        found[channel, channel % shape[1]] = reduce(np.multiply.outer, tents)
    return found


def _identity(init: Init, shape: tuple[int, ...], name: str) -> Array:
    """Yu & Koltun (2016), equations 4 and 5: the middle taps that pass maps on, and noise."""
    c_out, c_in, *size = shape
    maps = init.groups or c_in
    noise = 0.0 if c_in == c_out == maps else (0.01 if init.std is None else init.std) * maps / c_out
    found = _levels(shape, name, _gaussian() * noise)
    same = np.arange(c_out)[:, None] * maps // c_out == np.arange(c_in) * maps // c_in
    middle: tuple[Any, ...] = (slice(None), slice(None), *(side // 2 for side in size))
    found[middle] = np.where(same, np.float32(maps / c_out), found[middle])
    return found
