"""The tensors that a network has: their names, their shapes, and how they start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segcompile.facts.facts import Facts, shapes_in
from segcompile.facts.module_names import paths
from segcompile.network.graph import Graph, Node
from segcompile.network.scope_tree import ScopeTree
from segcompile.ops import Conv, Parameter, Shape


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight or a buffer: its node, what the analysis says of it, and its name in the state dict."""

    node: Node
    parameter: Parameter
    name: str
    buffer: bool = False
    reads: tuple[int, ...] = ()  # channels and sizes of what a fully connected layer flattens

    @property
    def trained(self) -> bool:
        return not self.buffer and not self.parameter.frozen

    @property
    def shape(self) -> tuple[int, ...]:
        return self.parameter.shape


def tensors(graph: Graph, facts: Facts) -> Iterator[Tensor]:
    """Every tensor of a model: a layer's is `scope.layer.weight`, that of what it carries `scope.layer_norm.weight`."""
    where, shapes = paths(ScopeTree(graph, with_switches=False)), shapes_in(graph, facts)
    for node in graph.nodes:
        path = where[node.name]
        for parameter in facts[node.name].parameters:
            reads = _map(shapes[node.inputs[0]]) if node.op.flattens else ()
            yield Tensor(node, parameter, f"{path}.{parameter.name}", reads=reads)
        buffers = node.op.buffers([shapes[name] for name in node.inputs]) if node.weights is None else ()
        for buffer in buffers:
            yield Tensor(node, buffer, f"{path}.{buffer.name}", buffer=True)


def _map(shape: Shape) -> tuple[int, ...]:
    return (shape.channels, *(size for size in shape.extents if size is not None))


def mixes_channels(node: Node) -> bool:
    """Whether a layer is a convolution that reads all channels."""
    return isinstance(node.op, Conv) and node.op.groups == 1


def reads_image(tensor: Tensor, graph: Graph) -> bool:
    """Whether a tensor is the kernel of a convolution of all channels of an image."""
    plain = tensor.parameter.name == "weight" and mixes_channels(tensor.node)
    return plain and tensor.node.inputs[0] in graph.inputs
