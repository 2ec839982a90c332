"""The comment of a line of forward: what it makes."""

from __future__ import annotations

from segcompile.facts.facts import NodeFacts
from segcompile.facts.pairs import show
from segcompile.ops import Shape


def describe(found: NodeFacts, axes: str) -> tuple[str, ...]:
    """The comment of a line, in columns: the shape, in the order of `axes` (those of a map as `*`), the stride and the
    receptive field of what it makes."""
    extents = {"B": ["B"], "C": [str(found.shape.channels)], "*": _lengths(found.shape)}
    shape = f"({', '.join(extent for axis in axes for extent in extents[axis])})"
    if not found.shape.size:
        return (shape,)
    steps, sizes = tuple(field.stride for field in found.fields), found.receptive_field
    if None in steps and all(step is not None and step.denominator == 1 for step in found.stride):
        steps = found.stride  # of a layer that mixes the whole image and keeps its grid
    stride = "" if None in steps else f"stride {show(steps)}"
    if any(field.whole for field in found.fields):
        return shape, stride, "rf all"
    return shape, stride, "" if None in sizes else f"rf {show(sizes)}"


def _lengths(shape: Shape) -> list[str]:
    """Those of a tensor's axes beside batch and channels; of a list of any size `1 + H/16·W/16`."""
    (length, *_) = (*shape.extents, None)
    if not shape.tokens or length is not None:
        return [str(length)] if shape.tokens else [*map(str, shape.size)]
    return [f"{shape.tokens} + {'·'.join(map(str, shape.size))}"]
