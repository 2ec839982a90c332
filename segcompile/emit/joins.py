"""Inputs of a join as code: those of another size go through the generated file's `center_crop` or `center_pad`."""

from __future__ import annotations

from collections.abc import Sequence

from segcompile.emit.calls import Needs
from segcompile.ops import Join, Shape


def aligned(op: Join, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> tuple[list[str], Needs]:
    """The inputs, those of another size brought to the common one, and what that needs."""
    others = [shape.size != output.size for shape in shapes]
    if op.align == "none" or not any(others):
        return list(inputs), frozenset()
    function = "center_crop" if op.align == "center_crop" else "center_pad"
    models = _models(inputs, shapes, output)
    codes = [
        f"{function}({', '.join([code, *(m for m in models if m != code)])})" if other else code
        for code, other in zip(inputs, others, strict=True)
    ]
    return codes, {function}


def _models(inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> list[str]:
    """Inputs that together show the common size: one that has it at every size of the image; else one an axis; else,
    where it is now that of one and now that of another, all."""
    pairs = list(zip(inputs, shapes, strict=True))
    whole = [code for code, shape in pairs if shape.size == output.size]
    if whole:
        return whole[:1]
    along = [[code for code, shape in pairs if shape.size[axis] == size] for axis, size in enumerate(output.size)]
    return list(dict.fromkeys(codes[0] for codes in along)) if all(along) else list(dict.fromkeys(inputs))
