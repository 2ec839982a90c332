"""Steps in ONNX's vocabulary -> a graph of ours, and its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from segcompile.network.graph import Graph
from segcompile.ops import Shape
from segcompile.weights.onnx_graph import OnnxGraph

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A network that came in: its graph, its tensors in PyTorch's layout by (node, parameter), the path of the module
    that each layer belongs to where the steps say it (`Step.scope`), and what was left out or turned, each a line."""

    graph: Graph
    tensors: Mapping[tuple[str, str], Array]
    scopes: Mapping[str, str]
    said: tuple[str, ...] = ()


def lift(model: str, foreign: OnnxGraph, inputs: Mapping[str, Shape], upto: Sequence[str] = ()) -> Imported:
    """The graph that does what the steps do.

    `foreign`: steps with the meaning that ONNX's operators of its `opset` have, whoever made them: of a Conv, say, x is
    (batch, channels, ...) and the weight a constant; sizes may be reckoned by Shape, Gather, Concat and the like. Its
    `inputs` are the extents as they are declared: the first is the batch, which is free here, whatever is declared.
    `inputs`: the same names -> channels and sizes (numbers, or `AnySize` of `segcompile.ops.SYMBOLS`).
    `upto`: the values to give, in this order; by default `foreign.results`, in the order of their making.

    Raises SegcompileError: SC902 with all steps that the language cannot hold, SC903 for a value that nothing makes.
    """
    raise NotImplementedError
