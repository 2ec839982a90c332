"""What an ONNX model computes with its image before its first layer: a scale, a mean, another order of channels.

The convolution behind it is imported as it is, and then reads what the harness gives. So such steps are said, and as
the mean and standard deviation that they come to, where each of them shifts or scales.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from segcompile.weights.onnx_graph import OnnxGraph
from segcompile.weights.onnx_shapes import Known
from segcompile.weights.onnx_values import Step, array_of
from segcompile.weights.onnx_windows import SAME_VALUE
from segcompile.weights.stored import Array

_LINEAR = ("Add", "Sub", "Mul", "Div")
_RECKON = (*_LINEAR, "Pow", "Neg", "Sqrt", "Max", "Min", "Clip")
_PARTS = ("Gather", "Slice", "Split", "ReverseSequence")
_PLACES = (*SAME_VALUE, "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Pad", "Resize", "Upsample", "Concat")
_MOST = 4  # channels of an image
_EXAMPLES = 4


def head_steps(graph: OnnxGraph, known: Known, layers: Collection[Step]) -> tuple[Step, ...]:
    """The steps that only read the image and constants, and change its numbers or the order of its channels."""
    images, found = set(graph.inputs), list[Step]()
    for step in graph.steps:
        reads = [name for name in step.inputs if name and name not in graph.constants]
        if not reads or not images.issuperset(reads) or step in layers:
            continue
        if step.op in _RECKON or (step.op in _PARTS and _of_channels(step, known)):
            found.append(step)
        if step.op in (*_RECKON, *_PARTS, *_PLACES):
            images.update(step.outputs)
    return tuple(found)


def _of_channels(step: Step, known: Known) -> bool:
    """Whether a step takes an image apart along its channels: an axis of up to four, or backwards."""
    axes: Sequence[int] = (step.integer("axis", 0),)
    if step.op == "Slice":
        axes = known.integers(step, "axes", 3) or ()
        if any(stride < 0 for stride in known.numbers(step.input(4)) or ()):
            return True
    shape = known.shape(step.input(0)) or ()
    return any(0 < axis % 4 < len(shape) and 1 < (shape[axis % 4] or 0) <= _MOST for axis in axes)


def head_said(file: str, graph: OnnxGraph, steps: Sequence[Step]) -> Iterator[str]:
    """One line with the steps, and what they come to."""
    if not steps:
        return
    told = ", ".join(f"{step.op} `{step.name}`" for step in steps[:_EXAMPLES])
    more = f" and {len(steps) - _EXAMPLES} more" if len(steps) > _EXAMPLES else ""
    come = _comes_to(graph, steps)
    which = f", which come to (x - {_list(come[0])}) / {_list(come[1])}" if come else ""
    why = "before its first layer, which is imported without that: --channels, --mean and --std say what it read"
    yield f"{file} computes with its image ({told}{more}){which} {why}"


def _comes_to(graph: OnnxGraph, steps: Sequence[Step]) -> tuple[Array, Array] | None:
    """Mean and standard deviation of a chain of shifts and scales by a number or one value a channel."""
    scale, shift = np.ones(1), np.zeros(1)
    for step in steps:
        constants = [graph.constants[name] for name in step.inputs if name in graph.constants]
        turned = step.op in ("Sub", "Div") and step.input(0) in graph.constants
        if step.op not in _LINEAR or len(constants) != 1 or constants[0].count > _MOST or turned:
            return None
        values = array_of(constants[0])
        if values is None or values.dtype.kind not in "fiu":
            return None
        by = np.asarray(values, np.float64).reshape(-1)
        with np.errstate(all="ignore"):
            by = -by if step.op == "Sub" else 1 / by if step.op == "Div" else by
            try:
                scale, shift = (scale, shift + by) if step.op in _LINEAR[:2] else (scale * by, shift * by)
            except ValueError:  # three values and then four
                return None
    with np.errstate(all="ignore"):
        mean, deviation = -shift / scale, 1 / scale
    return (mean, deviation) if np.isfinite([*mean, *deviation]).all() else None


def _list(values: Array) -> str:
    return ",".join(f"{value + 0:.6g}" for value in values)
