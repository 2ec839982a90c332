"""Ops that bring several tensors together: sum, product, concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from segcompile.ops.base import IDENTITY, Number, Op, Reads, Refusal, Shape, Window
from segcompile.ops.size import AnySize, Size, Undecidable

Align = Annotated[Literal["none", "center_crop", "pad"], Reads.WORD]


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
        return tuple(self._common([shape.size[axis] for shape in shapes], shapes) for axis in range(ranks.pop()))

    def _common(self, sizes: Sequence[Size], shapes: Sequence[Shape]) -> Size:
        if all(size == sizes[0] for size in sizes):
            return sizes[0]
        listed = " and ".join(str(shape) for shape in shapes)
        if self.align == "none":
            raise Refusal("SC302", f"the inputs differ in size: {listed}", None, _remedy(sizes))
        smallest = largest = sizes[0]
        try:
            for size in sizes[1:]:
                smallest = size if _less(size, smallest) else smallest
                largest = size if _less(largest, size) else largest
        except Undecidable:
            message = f"which of {listed} is smaller depends on the image"
            raise Refusal("SC302", message, "align", "give the input a size") from None
        return smallest if self.align == "center_crop" else largest

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        if self.align == "none" or all(size == sizes[index] for size in sizes):
            return IDENTITY
        common = self._common(sizes, [Shape(1, (size,)) for size in sizes])
        difference = sizes[index] - common if isinstance(sizes[index], int) else sizes[index] - common
        assert isinstance(difference, int)
        return Window(offset=-(difference // 2) if difference >= 0 else (-difference) // 2)


def _less(a: Size, b: Size) -> bool:
    difference = a - b if isinstance(a, AnySize) or isinstance(b, int) else -1 * (b - a)  # type: ignore[operator]
    if isinstance(difference, AnySize):
        raise Undecidable(f"{a} < {b}")
    return difference < 0


def _remedy(sizes: Sequence[Size]) -> str:
    return "`align: center_crop` or `align: pad`, a crop, or an input size that all strides divide"


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
            raise Refusal("SC301", f"the inputs differ in channels: {listed}", None, "a 1x1 convolution makes them equal")
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
