"""Ops that move pixels between channels and space, and lose none."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

from segcompile.ops.axes import CELL
from segcompile.ops.base import Op, Positive, Reads, Shape, Window, too_late
from segcompile.ops.needs import Need, Refusal
from segcompile.ops.size import Size, difference
from segcompile.rows import Slide, Transpose


class PixelShuffle(Op):
    """Each group of factor² channels becomes a patch of factor x factor pixels: Shi et al. (2016), equation 4; of a
    volume, factor³ channels a cube of pixels."""

    spelling: ClassVar[str] = "pixel_shuffle"
    main: ClassVar[str] = "factor"
    summary: ClassVar[str] = "channels to pixels, by a factor"
    spatial: ClassVar[bool] = True

    factor: Positive

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        patch = self.factor ** len(source.size)
        if source.channels % patch:
            sides = " x ".join([str(self.factor)] * len(source.size))
            message = f"{source.channels} channels do not make patches of {sides} {CELL[len(source.size)]}s"
            raise Refusal("SC308", message, "factor", f"a multiple of {patch} channels before it")
        return Shape(source.channels // patch, tuple(size * self.factor for size in source.size))

    def dilated(self, factor: tuple[int, ...]) -> Op:
        raise too_late()

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(taps=self.factor, offset=self.factor - 1, upsample=self.factor)  # i = floor(p / factor)

    def grid(self, axis: int) -> Transpose:
        return Transpose(self.factor, self.factor)


class SpaceToDepth(Op):
    """Each patch of factor x factor pixels becomes one pixel of factor² times the channels, of a volume factor³ times:
    PixelShuffle undone."""

    spelling: ClassVar[str] = "space_to_depth"
    main: ClassVar[str] = "factor"
    summary: ClassVar[str] = "pixels to channels, by a factor"
    spatial: ClassVar[bool] = True

    factor: Positive

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        patch = self.factor ** len(source.size)
        return Shape(source.channels * patch, tuple(size // self.factor for size in source.size))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis, size in enumerate(shapes[0].size):
            rest = difference(size, size // self.factor * self.factor)
            yield Need(axis, rest, partial(self._cannot_split, CELL[len(shapes[0].size)], size), equal=True)

    def _cannot_split(self, cell: str, size: Size) -> Refusal:
        message = f"{size} {cell}s cannot be split into patches of {self.factor}"
        return Refusal("SC308", message, "factor", f"a multiple of {self.factor} {cell}s before it")

    def dilated(self, factor: tuple[int, ...]) -> Op:
        message = f"takes neighbouring {CELL[len(factor)]}s together, which lie further apart without these strides"
        raise Refusal("SC507", message, None, "`replace` it first: it has no dilation")

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(taps=self.factor, stride=self.factor)  # i = factor * p + t

    def grid(self, axis: int) -> Slide:
        return Slide(self.factor, self.factor)


class Reinterpret(Op):
    """The values of a map pixel by pixel, each with its channels, taken for a map channel by channel: of C channels and
    n pixels, channel k of pixel p becomes entry p C + k, and entry c n + q is channel c of pixel q.

    It is what a `reshape` does to a list of pixels that was not turned back before, as in the attention of MAnet of
    segmentation-models-pytorch. Its field is the whole image; of fewer channels than pixels that is a bound, as an
    output's channels then come from pixels n / C apart.
    """

    spelling: ClassVar[str] = "reinterpret"
    main: ClassVar[str] = "order"
    summary: ClassVar[str] = "the values in the order of channels last, read as channels first"
    spatial: ClassVar[bool] = True
    whole_image: ClassVar[bool] = True

    order: Annotated[Literal["channels_last"], Reads.WORD]
