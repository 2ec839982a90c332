"""The spec's initialisation as arguments of constructors. Biases start at zero, as nnx has it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from segcompile.emit import Code, Needs
from segcompile.emit.arguments import number
from segcompile.facts.facts import Facts
from segcompile.network.graph import Graph
from segcompile.ops import Attending, Conv, Deconv, Linear, Op


def kernel_init(op: Attending | Conv | Deconv | Linear) -> Code:
    """The initialiser of a kernel, as code: one that the template defines, or that nnx has."""
    init = op.init
    if init.scheme == "he" and isinstance(op, Deconv):
        groups = f", groups={op.groups}" if op.groups > 1 else ""
        return Code(f"he_transposed({prod(op.stride)}{groups})", {"he_transposed"})
    if init.scheme == "identity":
        arguments = [] if init.groups is None else [str(init.groups)]
        arguments += [] if init.std is None else [f"std={number(init.std)}"]
        return Code(f"identity({', '.join(arguments)})", {"identity"})
    if init.scheme == "normal":
        return Code(f"normal({init.std!r})", {"normal"})
    if init.scheme == "constant":
        return Code(f"nnx.initializers.constant({init.value!r})")
    return Code("nnx.initializers.zeros") if init.scheme == "zeros" else Code(init.scheme, {init.scheme})


def initialise(graph: Graph, facts: Facts, paths: Mapping[str, str]) -> list[Code]:
    """The lines that end the model's constructor: the layers that are not trained."""
    frozen = [node for node in graph.nodes if getattr(node.op, "frozen", False)]
    return [Code(f"freeze(self.{paths[node.name]})", _freezing(node.op)) for node in frozen]


def _freezing(op: Op) -> Needs:
    """What freezes a layer: an attention's weights are those of layers in it."""
    return {"freeze", "freeze.inside"} if isinstance(op, Attending) else {"freeze"}
