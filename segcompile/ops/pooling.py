"""Pooling over a window, and over the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from segcompile.ops.base import (
    AXES,
    Op,
    OptionalPair,
    Padding,
    Pair,
    Reads,
    Refusal,
    Shape,
    Window,
    axis_pads,
    require_size,
    same_pads,
)
from segcompile.ops.size import AnySize, Size, Undecidable


class Pool(Op):
    """Maximum or mean over a window. Rounding up keeps a last window that overhangs the border, as Caffe does."""

    spelling: ClassVar[str] = "pool"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "pooling: kernel, stride (default: kernel), pad, round"
    spatial: ClassVar[bool] = True

    kind: Annotated[Literal["max", "avg"], Reads.WORD]
    kernel: Pair
    stride: OptionalPair = None
    pad: Padding = (0, 0, 0, 0)
    round: Annotated[Literal["floor", "ceil"], Reads.WORD] = "floor"

    @property
    def title(self) -> str:
        return f"{self.kind} pool"

    @property
    def steps(self) -> tuple[int, int]:
        """The stride, which is the kernel unless given."""
        return self.stride or self.kernel

    def pads(self, axis: int) -> tuple[int, int]:
        """Padding (before, after) along `axis`, `same` resolved."""
        return same_pads(self.kernel[axis], 1) if self.pad == "same" else axis_pads(self.pad, axis)

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(shapes[0].channels, tuple(self._extent(axis, shapes[0].size[axis]) for axis in AXES))

    def _extent(self, axis: int, size: Size) -> Size:
        before, after = self.pads(axis)
        kernel, stride = self.kernel[axis], self.steps[axis]
        if 2 * max(before, after) > kernel:
            raise Refusal("SC303", f"a padding of {max(before, after)} is more than half the kernel of {kernel}", "pad")
        extra = stride - 1 if self.round == "ceil" else 0
        extent = (size + (before + after - kernel + extra)) // stride + 1
        if self.round == "ceil" and after + stride > kernel:  # else the last window starts inside the image
            if isinstance(extent, AnySize) or isinstance(size, AnySize):
                raise Undecidable(f"pooling {size} with padding {after}")
            if (extent - 1) * stride >= size + before:
                extent -= 1
        require_size(extent, f"{size} pixels with padding {before} + {after} hold no window of {kernel}", "kernel")
        return extent

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(self.kernel[axis], self.steps[axis], 1, self.pads(axis)[0])


class GlobalPool(Op):
    """Maximum or mean over the whole image: one pixel comes out."""

    spelling: ClassVar[str] = "pool"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "pooling over the whole image"
    spatial: ClassVar[bool] = True
    whole_image: ClassVar[bool] = True

    kind: Annotated[Literal["global_avg", "global_max"], Reads.WORD]

    @property
    def title(self) -> str:
        return f"{self.kind.replace('_', ' ')} pool"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(shapes[0].channels, (1, 1))

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> None:
        return None
