"""Ops that move or resample the grid without weights: crop, pad, resize."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Annotated, ClassVar, Literal

from segcompile.ops.base import (
    AXES,
    Flag,
    Op,
    OptionalOffset,
    OptionalPair,
    Padding,
    PadMode,
    Reads,
    Refusal,
    Shape,
    Window,
    axis_pads,
    require_size,
)
from segcompile.ops.size import AnySize, Size, Undecidable, difference


class Crop(Op):
    """The part of the first input that lies over the second; `offset` is derived from the coordinate maps."""

    spelling: ClassVar[str] = "crop"
    summary: ClassVar[str] = "cut to the size of a reference: offset (derived)"
    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    offset: OptionalOffset = None

    def output(self, shapes: Sequence[Shape]) -> Shape:
        source, reference = shapes
        for axis in AXES:
            have, want = source.size[axis], reference.size[axis]
            offset = self.offset[axis] if self.offset else 0
            try:
                rest = difference(have, want)
            except Undecidable:
                continue
            if rest < offset:
                message = f"{have} pixels from offset {offset} do not cover the reference's {want}"
                raise Refusal("SC302", message, None, "pad the input, or crop another layer")
        return Shape(source.channels, reference.size)

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        return Window(offset=-(self.offset[axis] if self.offset else 0)) if index == 0 else None


class Pad(Op):
    """More pixels around the image."""

    spelling: ClassVar[str] = "pad"
    main: ClassVar[str] = "amount"
    summary: ClassVar[str] = "pixels around: mode zero, reflect or edge"
    spatial: ClassVar[bool] = True

    amount: Padding
    mode: PadMode = "zero"

    def pads(self, axis: int) -> tuple[int, int]:
        """(before, after) along `axis`."""
        if self.amount == "same":
            raise Refusal("SC004", "`same` belongs to a window; a pad needs a number of pixels", "amount")
        return axis_pads(self.amount, axis)

    def output(self, shapes: Sequence[Shape]) -> Shape:
        sizes = []
        for axis in AXES:
            before, after = self.pads(axis)
            size = shapes[0].size[axis]
            if self.mode == "reflect" and isinstance(size, int) and max(before, after) >= size:
                raise Refusal("SC303", f"{size} pixels cannot be reflected over {max(before, after)}", "amount")
            sizes.append(size + (before + after))
        return Shape(shapes[0].channels, tuple(sizes))

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(offset=self.pads(axis)[0])


class Resize(Op):
    """Interpolation to the size of a reference or by a whole factor; pixel centres at half integers,
    or corners on corners with `align_corners`."""

    spelling: ClassVar[str] = "resize"
    main: ClassVar[str] = "factor"
    summary: ClassVar[str] = "interpolate by a factor or to a reference: mode nearest or bilinear, align_corners"
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    factor: OptionalPair = None
    mode: Annotated[Literal["nearest", "bilinear"], Reads.WORD] = "bilinear"
    align_corners: Flag = False

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.align_corners and self.mode == "nearest":
            raise Refusal("SC004", "align_corners belongs to bilinear interpolation, not to nearest", "align_corners")
        if len(shapes) == 2:
            return Shape(shapes[0].channels, shapes[1].size)
        if self.factor is None:
            raise Refusal("SC204", "resize needs a factor or a reference", None, "`resize: 2` or `resize: input`")
        sizes = tuple(shapes[0].size[axis] * self.factor[axis] for axis in AXES)
        for size in sizes:
            require_size(size, "nothing is left", "factor")
        return Shape(shapes[0].channels, sizes)

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        if index == 1:
            return None
        step, upsample = self._ratio(axis, sizes)
        if self.mode == "nearest":  # i = floor(p * step / upsample)
            return Window(upsample, step, 1, upsample - 1, upsample)
        if self.align_corners:  # |i - p * step / upsample| < 1
            return Window(2 * upsample - 1, step, 1, upsample - 1, upsample)
        # |i - ((p + 1/2) * step / upsample - 1/2)| < 1, times 2 * upsample
        return Window(4 * upsample - 1, 2 * step, 1, 3 * upsample - step - 1, 2 * upsample)

    def _ratio(self, axis: int, sizes: Sequence[Size]) -> tuple[int, int]:
        """Input pixels per output pixel, as a reduced fraction."""
        if self.factor is not None and len(sizes) == 1 and not self.align_corners:
            return 1, self.factor[axis]
        have = sizes[0]
        want = sizes[1] if len(sizes) == 2 else have * (self.factor[axis] if self.factor else 1)
        if isinstance(have, AnySize) or isinstance(want, AnySize):
            if isinstance(have, AnySize) and isinstance(want, AnySize) and not self.align_corners:
                return _symbolic_ratio(have, want)
            raise Undecidable(f"resizing {have} to {want}")
        if self.align_corners:
            have, want = have - 1, want - 1
        if want < 1 or have < 1:
            return (0, 1) if have < 1 else (1, 1)
        common = gcd(have, want)
        return have // common, want // common


def _symbolic_ratio(have: AnySize, want: AnySize) -> tuple[int, int]:
    """The ratio of two symbolic sizes that is the same for every image, or Undecidable."""
    same = have.symbol == want.symbol and have.down == want.down
    if same and not (have.plus or want.plus or have.add or want.add):
        common = gcd(have.up, want.up)
        return have.up // common, want.up // common
    raise Undecidable(f"resizing {have} to {want}")
