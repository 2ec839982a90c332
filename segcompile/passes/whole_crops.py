"""The nearest change of one number that makes a crop's offset whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from segcompile.facts.alignment import centre
from segcompile.facts.witness import Atlas
from segcompile.network.graph import Node
from segcompile.ops import Op, Refusal, Shape, Undecidable

_TRIED = 100  # layers on either side, from the crop backwards
_OTHERWISE = "give the crop an `offset`, and accept the shift"


def whole_offset_help(atlas: Atlas, shapes: Mapping[str, Shape], crop: Node, axis: int, offset: Fraction) -> str:
    """The kernel or padding, one more or one less, that gives the whole offset nearest to `offset`, as a help line."""
    found = list(_changes(atlas, shapes, crop, axis, offset))
    if not found:
        return _OTHERWISE
    whole, what = min(found, key=lambda change: abs(change[0] - offset))
    return f"{what} makes it {whole}; or {_OTHERWISE}"


def _changes(
    atlas: Atlas, shapes: Mapping[str, Shape], crop: Node, axis: int, offset: Fraction
) -> Iterator[tuple[Fraction, str]]:
    """(offset, what gives it) for each change that makes it whole, on the paths to the crop's inputs."""
    here = atlas.places[crop.inputs[0]][axis].first
    paths = atlas.parted((crop.inputs[0], 0), (crop.inputs[1], 0), axis)
    for sign, path in zip((-1, 1), paths, strict=True):
        steps = list(pairwise(path))[::-1]
        for before, name in steps[:_TRIED]:
            node, there = atlas.graph.by_name[name], atlas.places[before][axis].first
            if here is None or there is None:
                continue
            inputs = [shapes[source] for source in node.inputs]
            for op, what in _variations(node.op, axis):
                moved = _moved(node.op, op, axis, inputs, node.inputs.index(before))
                if moved is not None:
                    changed = offset + sign * moved * there.scale / here.scale
                    if changed.denominator == 1 and changed >= 0:
                        yield changed, f"{what} in `{node.layer}`"


def _variations(op: Op, axis: int) -> Iterator[tuple[Op, str]]:
    """The op with its kernel or its padding one more or one less along one axis."""
    kernel: Any = getattr(op, "kernel", None)
    if kernel is not None:
        for size in (kernel[axis] + 1, kernel[axis] - 1):
            if size > 0:
                yield op.model_copy(update={"kernel": _with(kernel, axis, size)}), f"a kernel of {size}"
    pad: Any = getattr(op, "pad", None)
    if pad is not None and not isinstance(pad[axis], str):
        before, _ = pad[axis]
        for size in (before + 1, before - 1):
            if size >= 0:
                yield op.model_copy(update={"pad": _with(pad, axis, (size, size))}), f"a padding of {size}"


def _with(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _moved(op: Op, other: Op, axis: int, inputs: list[Shape], index: int) -> Fraction | None:
    """How far a change moves the layer's map, in pixels of its input; None if it is refused or changes the stride."""
    try:
        other.output(inputs)
        sizes = [shape.size[axis] for shape in inputs]
        now, then = op.window_on(axis, sizes, index), other.window_on(axis, sizes, index)
    except (Refusal, Undecidable):
        return None
    if now is None or then is None or (now.stride, now.upsample) != (then.stride, then.upsample):
        return None
    return (centre(then) - centre(now)) / now.upsample
