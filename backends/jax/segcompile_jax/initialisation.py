"""The spec's initialisation as arguments of constructors. Biases start at zero, as nnx has it."""

from __future__ import annotations

from collections.abc import Mapping

from segcompile.emit.arguments import number
from segcompile.network.graph import Graph
from segcompile.ops import Conv, Deconv, Linear


def kernel_init(op: Conv | Deconv | Linear) -> str:
    """The initialiser of a kernel, as code: one that the template defines, or that nnx has."""
    init = op.init
    if init.scheme == "he" and isinstance(op, Deconv):
        height, width = op.stride
        return f"he_transposed({height * width}{f', groups={op.groups}' if op.groups > 1 else ''})"
    if init.scheme == "identity":
        groups = [] if init.groups is None else [str(init.groups)]
        std = [] if init.std is None else [f"std={number(init.std)}"]
        return f"identity({', '.join([*groups, *std])})"
    if init.scheme == "normal":
        return f"nnx.initializers.normal({init.std!r})"
    return "nnx.initializers.zeros" if init.scheme == "zeros" else init.scheme


def frozen(graph: Graph, paths: Mapping[str, str]) -> list[str]:
    """The layers that are not trained, as the model reaches them."""
    return [f"self.{paths[node.name]}" for node in graph.nodes if getattr(node.op, "frozen", False)]
