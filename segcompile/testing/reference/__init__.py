"""Networks in plain NumPy: every op from its definition, one small function each, and nothing of any framework.

Maps are (batch, channels, height, width), vectors (batch, channels); what goes in decides whether it is float32,
float64 or complex. All functions are analytic in what they are given, but where a comparison of real parts decides:
so a derivative along a direction d is Im f(x + i h d) / h with h so small that nothing is rounded (Squire & Trapp
1998), and gradients need no formulas of their own. Of several equal maxima the first one in the window, row by row,
counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from segcompile.network.graph import Graph
from segcompile.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Crop,
    Deconv,
    Dropout,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    LeakyRelu,
    Linear,
    Mul,
    Op,
    Pad,
    PixelShuffle,
    Pool,
    PRelu,
    Resize,
    ResponseNorm,
    Scale,
    Softmax,
    SpaceToDepth,
    Unpool,
)
from segcompile.testing.reference.arrays import Array, Tensors
from segcompile.testing.reference.grids import add, concat, crop, mul, pad, pixel_shuffle, resize, space_to_depth
from segcompile.testing.reference.values import (
    activation,
    batch_norm,
    dropout,
    group_norm,
    instance_norm,
    leaky_relu,
    prelu,
    response_norm,
    scale,
    softmax,
)
from segcompile.testing.reference.windows import conv, deconv, global_pool, linear, pool, unpool

Formula = Callable[[Any, Sequence[Array], Tensors], Array]
STEP = 1e-30


def trace(graph: Graph, parameters: Mapping[str, Tensors], inputs: Tensors) -> dict[str, Array]:
    """Input or node -> its value, in evaluation mode. `parameters`: node -> its tensors, in PyTorch's layouts."""
    found = dict(inputs)
    for node in graph.nodes:
        read = [found[name] for name in node.inputs]
        found[node.name] = FORMULAS[type(node.op)](node.op, read, parameters.get(node.name, {}))
    return found


def run(graph: Graph, parameters: Mapping[str, Tensors], inputs: Tensors) -> dict[str, Array]:
    """Head -> output. As `trace`."""
    found = trace(graph, parameters, inputs)
    return {head: found[node] for head, node in graph.outputs.items()}


def slope(
    graph: Graph,
    parameters: Mapping[str, Tensors],
    inputs: Tensors,
    cotangents: Tensors,
    along: tuple[Mapping[str, Tensors], Tensors],
) -> float:
    """The derivative of sum(outputs * cotangents) as parameters and inputs move along the tensors of `along`; what is
    not in there stays."""
    moved = {
        node: {name: _moved(value, along[0].get(node, {}).get(name)) for name, value in tensors.items()}
        for node, tensors in parameters.items()
    }
    outputs = run(graph, moved, {name: _moved(value, along[1].get(name)) for name, value in inputs.items()})
    return float(sum((outputs[head] * value).sum() for head, value in cotangents.items()).imag / STEP)


def _moved(value: Array, along: Array | None) -> Array:
    return value + (0j if along is None else 1j * STEP * along)


FORMULAS: Mapping[type[Op], Formula] = {
    Conv: conv, Deconv: deconv, Linear: linear, Pool: pool, GlobalPool: global_pool, Unpool: unpool, Add: add, Mul: mul,
    Concat: concat, Crop: crop, Pad: pad, Resize: resize, PixelShuffle: pixel_shuffle, BatchNorm: batch_norm,
    InstanceNorm: instance_norm, GroupNorm: group_norm, ResponseNorm: response_norm, Activation: activation,
    LeakyRelu: leaky_relu, PRelu: prelu, Dropout: dropout, Scale: scale, Softmax: softmax, SpaceToDepth: space_to_depth,
}  # fmt: skip
