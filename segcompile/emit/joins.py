"""Inputs of a join as code: those of another size go through the generated file's `center_crop` or `center_pad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segcompile.network.graph import Graph
from segcompile.ops import AXES, Crop, Join, Shape


def shared_helpers(graph: Graph) -> dict[str, Any]:
    """Which functions that bring tensors to one size the generated file needs."""
    joins = {node.op.aligns for node in graph.nodes}
    return {
        "center_crop": "center_crop" in joins,
        "center_pad": "pad" in joins,
        "crop": any(isinstance(node.op, Crop) for node in graph.nodes),
    }


def aligned(op: Join, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> list[str]:
    """The inputs, those of another size brought to the common one."""
    if op.align == "none":
        return list(inputs)
    function = "center_crop" if op.align == "center_crop" else "center_pad"
    models = _models(inputs, shapes, output)
    return [
        code if shape.size == output.size else f"{function}({', '.join([code, *(m for m in models if m != code)])})"
        for code, shape in zip(inputs, shapes, strict=True)
    ]


def _models(inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> list[str]:
    """Inputs that together show the common size: one that has it at every size of the image; else one an axis; else,
    where it is now that of one and now that of another, all."""
    pairs = list(zip(inputs, shapes, strict=True))
    whole = [code for code, shape in pairs if shape.size == output.size]
    if whole:
        return whole[:1]
    along = [[code for code, shape in pairs if shape.size[axis] == output.size[axis]] for axis in AXES]
    return list(dict.fromkeys(codes[0] for codes in along)) if all(along) else list(dict.fromkeys(inputs))
