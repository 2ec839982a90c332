"""Ops that mix channels or positions: fully connected layers, norms, softmax."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from segcompile.importers.bench import Bench, Rule, Value, float32, shortest
from segcompile.importers.values import affine, per_channel
from segcompile.importers.views import Part, Unheld, View, transposed, viewed
from segcompile.ops import (
    BatchNorm,
    Conv,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Linear,
    Op,
    PositionSoftmax,
    ResponseNorm,
    Softmax,
)
from segcompile.weights.onnx_values import Step
from segcompile.weights.stored import Array

# --- fully connected -------------------------------------------------------------------------------------------------


def _gemm(step: Step, bench: Bench) -> Value:
    """alpha · A B + beta · C."""
    view = bench.view(step)
    weight, bias = bench.tensor(step, 1), bench.array(step, 2)
    if step.integer("transA", 0) or weight.ndim != 2:
        raise Unheld("its first input is turned")
    weight = weight if step.integer("transB", 0) else weight.T
    alpha, beta = step.number("alpha", 1.0), step.number("beta", 1.0)
    weight = weight if alpha == 1 else weight * np.asarray(alpha, weight.dtype)
    if bias is not None:
        if bias.size not in (1, weight.shape[0]):
            raise Unheld(f"its third input has the shape {list(bias.shape)}")
        bias = np.broadcast_to(bias.reshape(-1), (weight.shape[0],)) * np.asarray(beta, bias.dtype)
    return _dense(view, weight, bias, step, bench)


def _matmul(step: Step, bench: Bench) -> Value:
    if not bench.is_view(step, 1) and bench.is_view(step, 0):
        weight = bench.tensor(step, 1)
        if weight.ndim != 2:
            raise Unheld(f"its matrix has the shape {list(weight.shape)}")
        return _dense(bench.view(step), weight.T, None, step, bench)
    if not bench.is_view(step, 0):
        return _on_columns(step, bench)
    raise Unheld("a product of two maps")


def _on_columns(step: Step, bench: Bench) -> View:
    """A matrix before vectors that are columns: on the last axis but one."""
    view, weight = bench.view(step, 1), bench.tensor(step, 0)
    rank = len(view.axes)
    if weight.ndim != 2 or rank < 3 or view.axes[-2] != view.whole(1):
        raise Unheld("a matrix stands before a map")
    order = (*range(rank - 2), rank - 1, rank - 2)
    return transposed(_dense(transposed(view, order), weight, None, step, bench), order)


def _dense(view: View, weight: Array, bias: Array | None, step: Step, bench: Bench) -> View:
    """A matrix on the last axis: a convolution of kernel 1 where that holds the channels of a map, else a fully
    connected layer of all that enters."""
    last, features = view.axes[-1], weight.shape[0]
    rank = len(view.sizes) - 2
    before = [part for axis in view.axes[:-1] for part in axis]
    tensors = {"bias": float32(bias)} if bias is not None else {}
    if any(part[0] > 1 for part in before):
        if last != view.whole(1):
            raise Unheld("a matrix on an axis that is not the channels")
        tensors["weight"] = float32(weight).reshape(*weight.shape, *(1,) * rank)
        node = bench.add(Conv(channels=features, kernel=(1,) * rank, bias=bias is not None), [view.node], step, tensors)
        fresh = viewed(node, bench.shape(node))
        return View(
            node, fresh.sizes, (view.parts[0], fresh.parts[1], *view.parts[2:]), (*view.axes[:-1], fresh.whole(1))
        )
    if any(part[0] == 1 for part in before):
        raise Unheld("a matrix on some of the channels")
    extents = [view.parts[axis][part].number for axis, part in last]
    if None in extents:
        shape = bench.shape(view.node)
        raise Unheld(f"a fully connected layer needs a fixed input, not {shape}", "give the input a size")
    if prod(each or 1 for each in extents) != weight.shape[1]:
        raise Unheld(f"its matrix has {weight.shape[1]} columns, for {prod(each or 1 for each in extents)} values")
    order = sorted(range(len(last)), key=lambda at: last[at])
    turned = weight.reshape(features, *(each or 1 for each in extents)).transpose(0, *(at + 1 for at in order))
    tensors["weight"] = float32(turned.reshape(features, -1))
    made = bench.add(Linear(features=features, bias=bias is not None), [view.node], step, tensors)
    fresh = viewed(made, bench.shape(made))
    return View(made, fresh.sizes, fresh.parts, (*view.axes[:-1], fresh.axes[1]))


# --- norms -----------------------------------------------------------------------------------------------------------


def _batch_norm(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    if step.integer("training_mode", 0) or step.integer("spatial", 1) != 1:
        raise Unheld("it normalises by the batch, as in training", "export the model in evaluation mode")
    if len(view.axes) < 2 or view.axes[1] != view.whole(1):
        raise Unheld("it normalises an axis that is not the channels")
    channels = bench.shape(view.node).channels
    names = ("weight", "bias", "running_mean", "running_var")
    tensors = {name: float32(bench.tensor(step, at)) for at, name in enumerate(names, 1)}
    if any(each.shape != (channels,) for each in tensors.values()):
        raise Unheld(f"its tensors are not of {channels} channels")
    momentum = float(f"{1 - step.number('momentum', 0.9):.6f}")
    op = BatchNorm(eps=_eps(step), momentum=momentum if 0 < momentum <= 1 else 0.1)
    return bench.result(view, op, step, tensors)


def _eps(step: Step) -> float:
    found = shortest(step.number("epsilon", 1e-5))
    if found <= 0:
        raise Unheld(f"its epsilon is {found:g}")
    return found


def normalised(view: View, gone: set[Part], eps: float, step: Step, bench: Bench) -> View:
    """By mean and variance over these parts, not scaled: a layer, instance or group norm."""
    channels = view.whole(1)
    spatial = {part for axis in range(2, len(view.sizes)) for part in view.whole(axis)}
    kept = [at for at, part in enumerate(channels) if part not in gone]
    if gone == {*channels} and channels:
        op: Op = LayerNorm(eps=eps)
    elif gone == spatial and spatial:
        op = InstanceNorm(eps=eps)
    elif gone - {*channels} == spatial and kept == list(range(len(kept))):
        op = GroupNorm(groups=prod(view.parts[1][at].number or 1 for at in kept), eps=eps)
    else:
        raise Unheld("it normalises over other axes than the channels, the sizes, or both")
    count = bench.shape(view.node).channels
    tensors = {"weight": np.ones(count, np.float32), "bias": np.zeros(count, np.float32)}
    node = bench.add(op, [view.node], step, tensors)
    return View(node, view.sizes, view.parts, view.axes)


def _scaled(view: View, scale: Array | None, shift: Array | None, step: Step, bench: Bench) -> View:
    one = np.ones((), np.float32)
    weight = one if scale is None else per_channel(view, scale)
    return affine(view, weight, 0 * one if shift is None else per_channel(view, shift), step, bench)


def _instance_norm(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    gone = {part for axis in view.axes[2:] for part in axis}
    found = normalised(view, gone, _eps(step), step, bench)
    shape = (-1, *(1,) * (len(view.axes) - 2))
    return _scaled(found, bench.tensor(step, 1).reshape(shape), bench.tensor(step, 2).reshape(shape), step, bench)


def _layer_norm(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    axis = step.integer("axis", -1) % len(view.axes)
    gone = {part for each in view.axes[axis:] for part in each}
    found = normalised(view, gone, _eps(step), step, bench)
    return _scaled(found, bench.array(step, 1), bench.array(step, 2), step, bench)


def _group_norm(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    channels, groups = bench.shape(view.node).channels, step.integer("num_groups", 0)
    scale, shift = bench.tensor(step, 1).reshape(-1), bench.tensor(step, 2).reshape(-1)
    if view.axes[1] != view.whole(1) or groups < 1 or channels % groups:
        raise Unheld(f"{groups} groups of {bench.shape(view.node)}")
    if {scale.size, shift.size} == {groups}:  # before opset 21 one a group
        scale, shift = (np.repeat(each, channels // groups) for each in (scale, shift))
    if {scale.size, shift.size} != {channels}:
        raise Unheld(f"its tensors are not of {channels} channels")
    tensors = {"weight": float32(scale), "bias": float32(shift)}
    return bench.result(view, GroupNorm(groups=groups, eps=_eps(step)), step, tensors)


def _response_norm(step: Step, bench: Bench) -> Value:
    view = bench.plain(step)
    size = step.integer("size", 0)
    if size < 1 or size % 2 == 0:
        raise Unheld(f"its size is {size}")
    op = ResponseNorm(
        size=size, alpha=shortest(step.number("alpha", 1e-4)), beta=shortest(step.number("beta", 0.75)),
        k=shortest(step.number("bias", 1.0)),
    )  # fmt: skip
    return bench.result(view, op, step)


# --- probabilities ---------------------------------------------------------------------------------------------------


def _softmax(step: Step, bench: Bench) -> Value:
    view = bench.view(step)
    old = bench.foreign.opset < 13  # then over all axes from this one on
    axis = step.integer("axis", 1 if old else -1) % len(view.axes)
    gone = {part for each in (view.axes[axis:] if old else view.axes[axis : axis + 1]) for part in each}
    if gone == {*view.whole(1)} and gone:
        return bench.result(view, Softmax(), step)
    if gone and gone == {part for each in range(2, len(view.sizes)) for part in view.whole(each)}:
        return bench.result(view, PositionSoftmax(kind="positions"), step)
    raise Unheld("it is taken over other axes than the channels, or all sizes")


def _no_index(step: Step, bench: Bench) -> Value:
    raise Unheld("it gives places, and no values", f"`segcompile import --upto {step.input(0)}` takes what it reads")


RULES: Mapping[str, Rule] = {
    "Gemm": _gemm, "MatMul": _matmul, "BatchNormalization": _batch_norm, "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm, "GroupNormalization": _group_norm, "LRN": _response_norm, "Softmax": _softmax,
    "ArgMax": _no_index, "ArgMin": _no_index, "TopK": _no_index,
}  # fmt: skip
