"""Ops that move or resample the grid without weights: crop, pad, resize."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import gcd
from operator import mul
from typing import Annotated, ClassVar, Literal, Self

from segcompile.ops.axes import CELL
from segcompile.ops.base import (
    UNPADDED,
    Chain,
    Flag,
    Number,
    Op,
    OptionalOffset,
    OptionalPerAxis,
    OptionalRatios,
    Padding,
    PadMode,
    Reads,
    Shape,
    Surroundings,
    Window,
    dilated_pads,
    no_pads_above,
    too_late,
)
from segcompile.ops.needs import Need, Refusal, enough_to_show
from segcompile.ops.size import AnySize, Size, Undecidable, difference
from segcompile.rows import Crop as CropRows
from segcompile.rows import Resample, Slide


class Crop(Op):
    """The part of the first input that lies over the second; `offset` is derived from the coordinate maps."""

    spelling: ClassVar[str] = "crop"
    summary: ClassVar[str] = "cut to the size of a reference: offset (derived)"
    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    resamples: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    offset: OptionalOffset = None

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(shapes[0].channels, shapes[1].size)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis, (have, want) in enumerate(zip(*(shape.size for shape in shapes), strict=True)):
            offset = self.offset[axis] if self.offset else 0
            yield Need(
                axis, difference(have, want) - offset, partial(_uncovered, CELL[len(output.size)], have, offset, want)
            )

    def unpadded(self) -> Op:
        return self.model_copy(update={"offset": None})

    def dilated(self, factor: tuple[int, ...]) -> Op:
        offset = self.offset and tuple(map(mul, self.offset, factor))
        return self.model_copy(update={"offset": offset})

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        return Window(offset=-(self.offset[axis] if self.offset else 0)) if index == 0 else None

    def grid(self, axis: int) -> CropRows:
        return CropRows(self.offset[axis] if self.offset else 0)

    def within_rows(self) -> Self:
        return self.model_copy(update={"offset": self.offset and (0, *self.offset[1:])})


class Pad(Op):
    """More pixels around the image."""

    spelling: ClassVar[str] = "pad"
    main: ClassVar[str] = "amount"
    summary: ClassVar[str] = "pixels around: mode zero (or a value), reflect, edge or circular"
    spatial: ClassVar[bool] = True
    only_pads: ClassVar[bool] = True

    amount: Padding
    mode: PadMode = "zero"
    value: Number = 0.0

    def pads(self, axis: int) -> tuple[int, int]:
        amount = self.amount[axis]
        if isinstance(amount, str):
            raise Refusal("SC315", f"`{amount}` belongs to a window; a pad needs a number", "amount")
        return amount

    @property
    def surroundings(self) -> Surroundings | None:
        return self.mode if not self.value else None

    @property
    def value_around(self) -> float:
        return self.value

    def canonical(self) -> Op:
        return self if any(map(any, self.amount)) else self.unpadded()

    def unpadded(self) -> Op:
        return Pad(amount=UNPADDED * len(self.amount))

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.value and self.mode != "zero":
            raise Refusal("SC315", f"a padding by `{self.mode}` has the map's own values", "value", "`mode: zero`")
        return Shape(shapes[0].channels, tuple(size + sum(self.pads(axis)) for axis, size in enumerate(shapes[0].size)))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis in range(len(self.amount)):
            yield from enough_to_show(self.mode, axis, shapes[0].size, self.pads(axis), "amount")

    def dilated(self, factor: tuple[int, ...]) -> Op:
        return self.model_copy(update={"amount": dilated_pads(self, self.mode, factor)})

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(offset=self.pads(axis)[0])

    def grid(self, axis: int) -> Slide | None:
        pads = self.pads(axis)
        around = self.mode if any(pads) else "zero"
        slides = Slide(before=pads[0], after=pads[1], around=around, fill=self.value)
        return slides if around != "circular" or axis else None

    def within_rows(self) -> Self:
        return self.model_copy(update={"amount": no_pads_above(self.amount)})


class Resize(Op):
    """Interpolation by a ratio, to a size, or to that of a reference. By a ratio r, n pixels become floor(n r), and
    output p lies at (p + 1/2) / r - 1/2, whatever was rounded; else r is the quotient of the sizes. Pixel centres lie
    at half integers, or corners on corners with `align_corners`. Nothing is smoothed before it is made smaller."""

    spelling: ClassVar[str] = "resize"
    main: ClassVar[str] = "factor"
    by_word: ClassVar[Mapping[str, str]] = {"size": "size"}
    summary: ClassVar[str] = "interpolate by a ratio, to a size or to a reference: mode, align_corners"
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    resamples: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    factor: OptionalRatios = None
    size: OptionalPerAxis = None
    mode: Annotated[Literal["nearest", "bilinear", "nearest_exact", "cubic"], Reads.WORD] = "bilinear"
    align_corners: Flag = False

    @property
    def blends(self) -> bool:
        """Whether it gives means of pixels around a place, and not the nearest one."""
        return self.mode in ("bilinear", "cubic")

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.align_corners and not self.blends:
            message = f"align_corners belongs to bilinear and cubic interpolation, not to {self.mode}"
            raise Refusal("SC315", message, "align_corners")
        if len(shapes) == 1 and self.factor is None and self.size is None:
            raise Refusal("SC012", "resize needs a factor or a reference", None, "`resize: 2` or `resize: input`")
        sizes = zip(*(shape.size for shape in shapes), strict=True)
        return Shape(shapes[0].channels, tuple(map(self._wanted, range(len(shapes[0].size)), sizes)))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis, ratio in enumerate(self.factor or ()):
            if ratio < 1:
                yield Need(axis, output.size[axis] - 1, partial(self._nothing_left, axis, shapes[0].size))

    def _nothing_left(self, axis: int, sizes: Sequence[Size]) -> Refusal:
        ratio, cells = (self.factor or ())[axis], f"{sizes[axis]} {CELL[len(sizes)]}s"
        return Refusal("SC303", f"{ratio} of {cells} is less than one", "factor", "a larger image, or a larger ratio")

    def dilated(self, factor: tuple[int, ...]) -> Op:
        if self.factor is not None and min(self.factor) < 1:
            cells = f"{CELL[len(factor)]}s"
            message = f"takes values between {cells} of this map, and a denser map has other {cells} there"
            raise Refusal("SC507", message, None, "`replace` it first: it has no dilation")
        raise too_late()

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        if index == 1:
            return None
        step, upsample = self._ratio(axis, sizes)
        if self.mode == "nearest" or self._is_alone(sizes):  # i = floor(p * step / upsample)
            return Window(upsample, step, 1, upsample - 1, upsample)
        if self.mode == "nearest_exact":  # i = floor((p + 1/2) * step / upsample)
            return Window(upsample, step, 1, upsample - 1 - step // 2, upsample)
        pixels = 2 if self.mode == "cubic" else 1
        return self._nearer(step, upsample, -pixels, pixels)

    def chains(self, axis: int, sizes: Sequence[Size], index: int) -> tuple[Chain, ...]:
        """Of a cubic interpolation without the pixels that lie a whole one from the output, whose weights are zero."""
        if index == 1 or self.mode != "cubic" or self._is_alone(sizes):
            return super().chains(axis, sizes, index)
        step, upsample = self._ratio(axis, sizes)
        if upsample == 1 and step % 2:  # each output lies on a pixel
            return ((self._nearer(step, upsample, -1, 1),),)
        parts = [self._nearer(step, upsample, low, high) for low, high in ((-2, -1), (-1, 1), (1, 2))]
        return tuple((part,) for part in parts if part.taps)

    def grid(self, axis: int) -> Resample:
        by = (self.factor[axis].numerator, self.factor[axis].denominator) if self.factor is not None else None
        return Resample(self.mode, by, self.size[axis] if self.size is not None else None, self.align_corners)

    def within_rows(self) -> Self:
        factor = self.factor and (Fraction(1), *self.factor[1:])
        return self.model_copy(update={"factor": factor})

    def _is_alone(self, sizes: Sequence[Size]) -> bool:
        """Whether the map is one pixel, which has no neighbours, and is spread over a size."""
        return sizes[0] == 1 and self.factor is None and not self.align_corners

    def _nearer(self, step: int, upsample: int, low: int, high: int) -> Window:
        """The pixels that lie more than `low` and less than `high` behind the place of an output."""
        if self.align_corners:  # low < i - p * step / upsample < high
            return Window((high - low) * upsample - 1, step, 1, -low * upsample - 1, upsample)
        # low < i - ((p + 1/2) * step / upsample - 1/2) < high, times 2 * upsample
        taps, offset = 2 * (high - low) * upsample - 1, (1 - 2 * low) * upsample - step - 1
        return Window(taps, 2 * step, 1, offset, 2 * upsample)

    def _wanted(self, axis: int, sizes: Sequence[Size]) -> Size:
        """How large the map becomes along an axis."""
        if len(sizes) == 2:
            return sizes[1]
        if self.size is not None:
            return self.size[axis]
        assert self.factor is not None  # `output` refuses a resize that says nothing
        ratio = self.factor[axis]
        return sizes[0] * ratio.numerator // ratio.denominator

    def _ratio(self, axis: int, sizes: Sequence[Size]) -> tuple[int, int]:
        """Input pixels per output pixel, as a reduced fraction."""
        if len(sizes) == 1 and self.factor is not None and not self.align_corners:
            return self.factor[axis].denominator, self.factor[axis].numerator
        have, want = sizes[0], self._wanted(axis, sizes)
        if self.align_corners:
            have, want = have - 1, want - 1
        if isinstance(have, AnySize) or isinstance(want, AnySize):
            return _symbolic_ratio(have, want)
        if want < 1:  # one output, corner on corner
            return (0, 1) if have < 1 else (1, 1)
        common = gcd(have, want)
        return have // common, want // common


def _symbolic_ratio(have: Size, want: Size) -> tuple[int, int]:
    """The ratio of two sizes that is the same for every image. Raises Undecidable."""
    ratio = limit_ratio(have, want)
    if ratio is not None and have * ratio.denominator == want * ratio.numerator:
        return ratio.numerator, ratio.denominator
    raise Undecidable(f"resizing {have} to {want}")


def limit_ratio(have: Size, want: Size) -> Fraction | None:
    """The only ratio that two sizes can keep, whatever the image: that of their slopes; None if one of them stays."""
    if isinstance(have, AnySize) and isinstance(want, AnySize) and have.step > 0 and want.step > 0:
        return have.slope / want.slope
    return None


def _uncovered(cell: str, have: Size, offset: int, want: Size) -> Refusal:
    message = f"{have} {cell}s from offset {offset} do not cover the reference's {want}"
    return Refusal("SC302", message, None, "pad the input, or crop another layer")
