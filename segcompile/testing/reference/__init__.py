"""Networks in plain NumPy: every op from its definition, one small function each, and nothing of any framework.

Maps are (batch, channels, height, width), lists (batch, channels, length), vectors (batch, channels); what goes in
decides whether it is float32, float64 or complex. All functions are analytic in what they are given, but where a
comparison of real parts decides: so a derivative along a direction d is Im f(x + i h d) / h with h so small that
nothing is rounded (Squire & Trapp 1998), and gradients need no formulas of their own. Of several equal maxima the first
one in the window, row by row, counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.network.graph import Graph
from segcompile.ops import Op
from segcompile.testing.reference import attention, grids, values, windows
from segcompile.testing.reference.arrays import Array, Formula, Tensors

STEP = 1e-30


def trace(graph: Graph, parameters: Mapping[str, Tensors], inputs: Tensors) -> dict[str, Array]:
    """Input or node -> its value, in evaluation mode. `parameters`: node -> its tensors, in PyTorch's layouts."""
    found = dict(inputs)
    for node in graph.nodes:
        read = [found[name] for name in node.inputs]
        found[node.name] = FORMULAS[type(node.op)](node.op, read, parameters.get(node.owner, {}))
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
    **grids.FORMULAS,
    **attention.FORMULAS,
    **values.FORMULAS,
    **windows.FORMULAS,
}
