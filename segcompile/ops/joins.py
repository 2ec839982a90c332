"""Ops that bring several tensors together: sum, product, concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from segcompile.ops.base import IDENTITY, Number, Op, Reads, Refusal, Shape, Window
from segcompile.ops.size import Size, Undecidable, difference

Align = Annotated[Literal["none", "center_crop", "pad"], Reads.WORD]


_REMEDY = "`align: center_crop` or `align: pad`, a crop, or an input size that all strides divide"


class _Apart(Exception):
    """Sizes differ, and nothing says what to do about it."""


class Join(Op):
    """What the three share: equal sizes, or `align` that says how they become equal."""

    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = None

    align: Align = "none"

    def joined(self, shapes: Sequence[Shape]) -> tuple[Size, ...]:
        """The common size. Raises Refusal SC302 where the inputs do not fit."""
        ranks = {len(shape.size) for shape in shapes}
        if len(ranks) > 1:
            raise Refusal("SC302", "a vector cannot be joined with a feature map")
        try:
            common = tuple(self._common([shape.size[axis] for shape in shapes]) for axis in range(ranks.pop()))
        except Undecidable:
            message = f"which of {_listed(shapes)} is smaller depends on the image"
            raise Refusal("SC302", message, "align", "give the input a size") from None
        except _Apart:
            raise Refusal("SC302", f"the inputs differ in size: {_listed(shapes)}", None, _REMEDY) from None
        if all(shape.size != common for shape in shapes):
            message = f"no input fits into all others: {_listed(shapes)}"
            raise Refusal("SC302", message, "align", "crop or pad them one by one before")
        return common

    def _common(self, sizes: Sequence[Size]) -> Size:
        if all(size == sizes[0] for size in sizes):
            return sizes[0]
        if self.align == "none":
            raise _Apart
        gaps = [difference(size, sizes[0]) for size in sizes]
        return sizes[gaps.index(min(gaps) if self.align == "center_crop" else max(gaps))]

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        if self.align == "none" or all(size == sizes[index] for size in sizes):
            return IDENTITY
        surplus = difference(sizes[index], self._common(sizes))  # cropped if positive, padded if negative
        return Window(offset=-(surplus // 2) if surplus >= 0 else -surplus // 2)


def _listed(shapes: Sequence[Shape]) -> str:
    return " and ".join(str(shape) for shape in shapes)


class Concat(Join):
    """The inputs' channels, one after another."""

    spelling: ClassVar[str] = "concat"
    summary: ClassVar[str] = "channels side by side: align"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(sum(shape.channels for shape in shapes), self.joined(shapes))


class _Elementwise(Join):
    def output(self, shapes: Sequence[Shape]) -> Shape:
        channels = {shape.channels for shape in shapes}
        if len(channels) > 1:
            listed = " and ".join(str(shape.channels) for shape in shapes)
            help = "a 1x1 convolution makes them equal"
            raise Refusal("SC301", f"the inputs differ in channels: {listed}", None, help)
        return Shape(channels.pop(), self.joined(shapes))


class Add(_Elementwise):
    """The sum, each input times its weight if `weights` are given."""

    spelling: ClassVar[str] = "add"
    summary: ClassVar[str] = "sum: weights, align"

    weights: Annotated[tuple[Number, ...], Reads.NUMBERS] = ()

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.weights and len(self.weights) != len(shapes):
            raise Refusal("SC204", f"{len(self.weights)} weights for {len(shapes)} inputs", "weights")
        return super().output(shapes)


class Mul(_Elementwise):
    """The product, element by element."""

    spelling: ClassVar[str] = "mul"
    summary: ClassVar[str] = "product: align"
