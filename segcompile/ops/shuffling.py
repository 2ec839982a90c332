"""Ops that move pixels between channels and space, and lose none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from segcompile.ops.base import Op, Positive, Refusal, Shape, Window
from segcompile.ops.size import Size


class PixelShuffle(Op):
    """Each group of factor² channels becomes a patch of factor x factor pixels: Shi et al. (2016), equation 4."""

    spelling: ClassVar[str] = "pixel_shuffle"
    main: ClassVar[str] = "factor"
    summary: ClassVar[str] = "channels to pixels, by a factor"
    spatial: ClassVar[bool] = True

    factor: Positive

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        patch = self.factor**2
        if source.channels % patch:
            message = f"{source.channels} channels do not make patches of {self.factor} x {self.factor} pixels"
            raise Refusal("SC308", message, "factor", f"a multiple of {patch} channels before it")
        return Shape(source.channels // patch, tuple(size * self.factor for size in source.size))

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(taps=self.factor, offset=self.factor - 1, upsample=self.factor)  # i = floor(p / factor)
