"""The tensors of an emitted model: their names and shapes, and how they start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcompile.testing.bench import Bench, Mismatch, Subject
from segcompile.testing.cases import Case
from segcompile.weights.parameters import Tensor, tensors

Array = NDArray[Any]
UNCHECKED = ".num_batches_tracked"  # PyTorch counts batches; nothing reads it


def names(bench: Bench, case: Case) -> None:
    """The tensors' names and shapes, all of them and no others."""
    request = case.request
    found = bench.runner.shapes(bench.built(request), request.class_name)
    _compare(found, tensors(request.graph, request.facts))


def compare_names(subject: Subject) -> None:
    """Raises Mismatch for a tensor that is missing, one too many, or of another shape than the analysis says."""
    _compare({name: value.shape for name, value in subject.model.parameters().items()}, subject.tensors)


def _compare(shapes: Mapping[str, tuple[int, ...]], said: Iterable[Tensor]) -> None:
    found = {name: shape for name, shape in shapes.items() if not name.endswith(UNCHECKED)}
    wanted = {tensor.name: tensor.parameter.shape for tensor in said}
    for name in [*wanted, *found]:
        if name not in found:
            raise Mismatch(f"the model has no tensor `{name}`")
        if name not in wanted:
            raise Mismatch(f"the model has a tensor `{name}`, which the analysis does not know")
        if found[name] != wanted[name]:
            raise Mismatch(f"`{name}` is {found[name]}, and the analysis says {wanted[name]}")


def starts(bench: Bench, case: Case) -> None:
    """Every tensor starts as its initialisation says: exactly, or with the moments of what is random; and from one
    seed always the same."""
    subject = bench.subject(case.request, double=False, fresh=True)
    again = bench.subject(case.request, double=False, fresh=True).model.parameters()
    for tensor in subject.tensors:
        value = subject.model.parameters().get(tensor.name)
        if value is None:
            raise Mismatch(f"the model has no tensor `{tensor.name}`")
        if not np.array_equal(value, again[tensor.name]):
            raise Mismatch(f"`{tensor.name}` starts differently from the same seed")
        _SCHEMES[tensor.parameter.init.scheme](tensor, value.astype(np.float64))


def _exactly(tensor: Tensor, value: Array, want: Array | float) -> None:
    apart = np.abs(value - want)
    if not apart.max(initial=0) <= 1e-6:
        where = np.unravel_index(apart.argmax(), apart.shape)
        at, wanted = ", ".join(str(int(index)) for index in where), np.broadcast_to(want, value.shape)[where]
        raise Mismatch(f"`{tensor.name}`[{at}] starts at {value[where]:.6g}, not {wanted:.6g}")


def _constant(tensor: Tensor, value: Array) -> None:
    _exactly(tensor, value, tensor.parameter.init.value or 0.0)


def _bilinear(tensor: Tensor, value: Array) -> None:
    """Each channel to itself, by the tent whose tips are the next pixels: Long et al. (2015), section 3.3."""
    tents = []
    for size in value.shape[2:]:
        factor = (size + 1) // 2
        centre = factor - 1 if size % 2 else factor - 0.5
        tents.append(1 - np.abs(np.arange(size) - centre) / factor)
    want = np.zeros(value.shape)
    for channel in range(value.shape[0]):
        want[channel, channel % value.shape[1]] = reduce(np.multiply.outer, tents)
    _exactly(tensor, value, want)


def _identity(tensor: Tensor, value: Array) -> None:
    """Yu & Koltun (2016), equations 4 and 5."""
    init, (c_out, c_in, *size) = tensor.parameter.init, value.shape
    maps = init.groups or c_in
    same = np.arange(c_out)[:, None] * maps // c_out == np.arange(c_in) * maps // c_in
    middle = tuple(side // 2 for side in size)
    _exactly(tensor, value[:, :, *middle][same], maps / c_out)
    passed = np.zeros(value.shape, bool)
    passed[:, :, *middle] = same
    noise = 0.0 if c_in == c_out == maps else (0.01 if init.std is None else init.std) * maps / c_out
    _random(tensor, value[~passed], noise, within=0.6827)


def _random(tensor: Tensor, value: Array, deviation: float, within: float) -> None:
    """A mean of 0, this standard deviation, and this share of values within it: 0.68 if gaussian, 0.58 if uniform."""
    if deviation == 0:
        _exactly(tensor, value, 0.0)
        return
    count = value.size
    share = float((np.abs(value) < deviation).mean())
    told = f"`{tensor.name}` starts with"
    if abs(value.mean()) > 5 * deviation / count**0.5:
        raise Mismatch(f"{told} a mean of {value.mean():.3g}, not 0")
    if abs(value.std() / deviation - 1) > 5 / (2 * count) ** 0.5:
        raise Mismatch(f"{told} a standard deviation of {value.std():.4g}, not {deviation:.4g}")
    if abs(share - within) > 5 * (within * (1 - within) / count) ** 0.5:
        raise Mismatch(f"{told} {share:.1%} of its values within one standard deviation, not {within:.1%}")


def _normal(tensor: Tensor, value: Array) -> None:
    assert tensor.parameter.init.std is not None
    _random(tensor, value, tensor.parameter.init.std, within=0.6827)


def _he(tensor: Tensor, value: Array) -> None:
    """Variance 2 / n, n the values that an output sums up: He et al. (2015), equation 10."""
    shape, op = value.shape, tensor.node.op
    summed = np.prod(shape[1:])
    window = op.sliding
    if window is not None and window.transposed:
        summed = shape[0] / (op.groups_of(shape[0]) or 1) * np.prod(window.kernel) / np.prod(window.stride)
    _random(tensor, value, (2 / summed) ** 0.5, within=0.6827)


def _xavier(tensor: Tensor, value: Array) -> None:
    """Uniform, of variance 2 / (values into one output + outputs from one value): Glorot & Bengio (2010), (16)."""
    shape = value.shape
    taps = np.prod(shape[2:])
    _random(tensor, value, (2 / ((shape[0] + shape[1]) * taps)) ** 0.5, within=3**-0.5)


_SCHEMES = {
    "zeros": _constant, "constant": _constant, "bilinear": _bilinear, "identity": _identity, "normal": _normal,
    "he": _he, "xavier": _xavier,
}  # fmt: skip
