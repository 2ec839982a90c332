"""Rules, and parts of rules, that are the same in every framework."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from segcompile.emit.arguments import number, same_sides
from segcompile.emit.calls import Code
from segcompile.emit.joins import aligned
from segcompile.ops import (
    Add,
    Attention,
    AxialAttention,
    Crop,
    Mul,
    Op,
    Reinterpret,
    Resize,
    ResponseNorm,
    Scale,
    Shape,
    Slice,
)


def apply_member(op: Op, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """The module, applied to what it reads."""
    return Code(f"{member}({', '.join(inputs)})")


def attention(op: Attention, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """The module, applied to queries and to what keys and values are projected from, or a call of the generated file's
    `attend`, or `attend_over_pairs`, where nothing is projected."""
    if not op.projects(shapes):
        scale = f", {number(op.scale)}" if op.scale is not None else ""
        function = "attend_over_pairs" if op.over == "pairs" else "attend"
        return Code(f"{function}({', '.join(inputs)}, {op.heads}{scale})", {function})
    return apply_member(op, member, inputs if op.fuses(shapes) else (inputs[0], inputs[-1]), shapes, output)


def attention_along(
    op: AxialAttention, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> Code:
    """The module, or a call of the generated file's `attend_along`, where nothing is projected."""
    if op.projects(shapes):
        return apply_member(op, member, inputs, shapes, output)
    scale = f", {number(op.scale)}" if op.scale is not None else ""
    return Code(f'attend_along({", ".join(inputs)}, {op.heads}, "{op.along}"{scale})', {"attend_along", "attend"})


def reinterpret(op: Reinterpret, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """A call of the generated file's `reinterpret`."""
    return Code(f"reinterpret({inputs[0]})", {"reinterpret"})


def crop(op: Crop, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    """A call of the generated file's `crop`."""
    source, reference = inputs
    offset = same_sides(op.offset) if op.offset is not None else 0
    return Code(f"crop({source}, {reference}, {offset})", {"crop"})


def add(op: Add, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    terms, needs = aligned(op, inputs, shapes, output)
    if op.weights:
        terms = [f"{number(weight)} * {term}" for weight, term in zip(op.weights, terms, strict=True)]
    return Code(" + ".join(terms), needs)


def mul(op: Mul, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    factors, needs = aligned(op, inputs, shapes, output)
    return Code(" * ".join(factors), needs)


def scale(op: Scale, member: str, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> Code:
    factor = f"({inputs[0]})" if " + " in inputs[0] else inputs[0]
    return Code(f"{number(op.factor)} * {factor}")


def operand(source: str) -> str:
    """What an index or a method can stand behind: a sum or a product in parentheses."""
    return f"({source})" if " + " in source or " * " in source else source


def bounds(op: Slice, source: Shape) -> str:
    """The channels of a slice, as Python writes them: `16:32`, `:16` for the first ones, `16:` for the last."""
    first, end = op.part
    return f"{first or ''}:{'' if end == source.channels else end}"


def size_of(op: Resize, inputs: Sequence[str], axes: slice) -> str:
    """The size to which a map is resized, a tuple; the axes of the image are these of an array's."""
    if len(inputs) == 2:
        return f"{inputs[1]}.shape[{axes.start}:{'' if axes.stop is None else axes.stop}]"
    if op.size is not None:
        return str(op.size)
    sides = (_times(f"{inputs[0]}.shape[{axis}]", factor) for axis, factor in enumerate(op.factor or (), axes.start))
    return f"({', '.join(sides)}{',' if op.rank == 1 else ''})"


def _times(extent: str, ratio: Fraction) -> str:
    """An extent times a ratio, rounded down: `x.shape[2] * 3 // 2`."""
    above = f" * {ratio.numerator}" if ratio.numerator > 1 or ratio == 1 else ""
    return f"{extent}{above}{f' // {ratio.denominator}' if ratio.denominator > 1 else ''}"


def is_whole(op: Resize) -> bool:
    """Whether the sizes of its maps alone say the ratio of a resize: no fraction is stated that they may round."""
    return all(ratio.denominator == 1 for ratio in op.factor or ()) or op.align_corners


def fractions(op: Resize) -> str:
    """The ratios of a resize, one an axis, as pairs: `((2, 3), (1, 1))`."""
    return str(tuple((ratio.numerator, ratio.denominator) for ratio in op.factor or ()))


def flat_features(shape: Shape) -> int:
    """The features of a vector, or of a map or tokens that are flattened into one."""
    assert shape.positions is not None  # the op refuses what has no fixed size
    return shape.channels * shape.positions


def response_norm_arguments(op: ResponseNorm) -> str:
    """`5, beta=0.5`: the size, and what is not as PyTorch has it by itself."""
    usual = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    told = [f"{name}={number(getattr(op, name))}" for name, value in usual.items() if getattr(op, name) != value]
    return ", ".join([str(op.size), *told])
