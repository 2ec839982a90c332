"""Pooling over a window, and over the whole image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
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
    same_pads,
)
from segcompile.ops.needs import Need
from segcompile.ops.size import Size, least


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

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis in AXES:
            yield Need(axis, output.size[axis] - 1, partial(self._no_window, axis, shapes[0].size[axis]))

    def _extent(self, axis: int, size: Size) -> Size:
        before, after = self.pads(axis)
        kernel, stride = self.kernel[axis], self.steps[axis]
        if 2 * max(before, after) > kernel:
            raise Refusal("SC303", f"a padding of {max(before, after)} is more than half the kernel of {kernel}", "pad")
        if self.round == "floor":
            return (size + (before + after - kernel)) // stride + 1
        whole = (size + (before + after - kernel + stride - 1)) // stride + 1
        return least([whole, (size + (before - 1)) // stride + 1])  # the last window starts inside the image

    def _no_window(self, axis: int, size: Size) -> Refusal:
        before, after = self.pads(axis)
        message = f"{size} pixels with padding {before} + {after} hold no window of {self.kernel[axis]}"
        return Refusal("SC303", message, "kernel")

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
