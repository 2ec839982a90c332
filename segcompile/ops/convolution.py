"""Convolution and transposed convolution."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import gcd, prod
from typing import ClassVar, Literal, Self

from segcompile.ops.axes import CELL
from segcompile.ops.base import (
    NO_PIXELS,
    ONE,
    UNPADDED,
    ZEROS,
    Flag,
    Init,
    Initialiser,
    NaturalPerAxis,
    Op,
    Padding,
    PadMode,
    Parameter,
    PerAxis,
    Positive,
    Shape,
    Sliding,
    Surroundings,
    Window,
    no_pads_above,
    on_denser,
    padded_in_pixels,
    product,
    too_late,
    window_pads,
)
from segcompile.ops.needs import Need, Refusal, enough_to_show, no_window
from segcompile.ops.size import Size
from segcompile.rows import Slide, Transpose


def check_groups(channels: int, groups: int, side: str) -> None:
    """Refuse (SC308) groups that do not divide the channels of one side."""
    if channels % groups:
        message = f"{channels} {side} channels cannot be split into {groups} groups"
        raise Refusal("SC308", message, "groups", f"a divisor of {channels}, as {gcd(channels, groups)}")


def check_init(init: Init, kernel: tuple[int, ...], channels_in: int, channels_out: int, groups: int) -> None:
    """Refuse an initialisation that this weight cannot have, at the number that stands in its way."""
    if init.scheme == "identity":
        maps = init.groups or channels_in
        if any(extent % 2 == 0 for extent in kernel):
            message = f"identity needs a kernel with a centre; {'x'.join(map(str, kernel))} has none"
            raise Refusal("SC315", message, "kernel", "an odd kernel, or another init")
        if groups > 1:
            raise Refusal(
                "SC315", "identity initialisation is defined for groups: 1", "groups", "groups: 1, or another init"
            )
        for channels, attribute in ((channels_in, "init"), (channels_out, "channels")):
            if channels % maps:
                message = f"identity over {maps} maps needs a multiple of {maps} channels, not {channels}"
                raise Refusal("SC308", message, attribute, "`groups` that divide the channels, or another init")
    if init.scheme == "bilinear" and channels_in != channels_out:
        message = f"bilinear upsampling keeps the channels: {channels_in} in, {channels_out} out"
        raise Refusal("SC301", message, "channels", f"channels {channels_in}, or another init")


class Conv(Op):
    """Convolution (cross-correlation), possibly strided, dilated or grouped."""

    spelling: ClassVar[str] = "conv"
    main: ClassVar[str] = "channels"
    summary: ClassVar[str] = "convolution: kernel, stride, dilation, pad, mode, groups, bias, init, frozen"
    spatial: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("conv", "linear")
    per_use: ClassVar[tuple[str, ...]] = ("stride", "dilation", "pad", "mode")

    channels: Positive
    kernel: PerAxis
    stride: PerAxis = ONE
    dilation: PerAxis = ONE
    pad: Padding = UNPADDED
    mode: PadMode = "zero"
    groups: Positive = 1
    bias: Flag = True
    init: Initialiser = Init()
    frozen: Flag = False

    @property
    def sliding(self) -> Sliding:
        return Sliding(self.kernel, self.stride, self.dilation)

    def pads(self, axis: int) -> tuple[int, int]:
        return window_pads(self.pad[axis], self.kernel[axis], self.dilation[axis])

    @property
    def surroundings(self) -> Surroundings:
        return self.mode

    def in_pixels(self) -> Self:
        return padded_in_pixels(self, self.pad)

    def canonical(self) -> Op:
        found = self.in_pixels()
        return found if any(map(any, found.pad)) else found.model_copy(update={"mode": "zero"})

    def unpadded(self) -> Op:
        return self.model_copy(update={"pad": UNPADDED * len(self.pad), "mode": "zero"})

    def groups_of(self, channels: int) -> int:
        return self.groups

    @property
    def keeps_lists(self) -> bool:
        return {*self.kernel, *self.stride} == {1} and not any(map(any, map(self.pads, range(len(self.kernel)))))

    def along(self, source: Shape) -> Self:
        """This op as it slides over the tensor of `source`: over that of a list along its one axis."""
        if not source.tokens:
            return self
        return self.model_copy(update={"kernel": ONE, "stride": ONE, "dilation": ONE, "pad": UNPADDED})

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        check_groups(source.channels, self.groups, "input")
        check_groups(self.channels, self.groups, "output")
        check_init(self.init, self.kernel, source.channels, self.channels, self.groups)
        size = tuple(map(self._extent, range(len(source.size)), source.size))
        return Shape(self.channels, size, source.tokens)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis, size in enumerate(shapes[0].size):
            yield from enough_to_show(self.mode, axis, shapes[0].size, self.pads(axis), "pad")
            yield Need(axis, output.size[axis] - 1, partial(self._no_window, axis, size))

    def _span(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def _extent(self, axis: int, size: Size) -> Size:
        return (size + (sum(self.pads(axis)) - self._span(axis))) // self.stride[axis] + 1

    def _no_window(self, axis: int, size: Size) -> Refusal:
        (before, after), span = self.pads(axis), self._span(axis)
        return no_window(CELL[len(self.kernel)], size, before, after, span)

    def dilated(self, factor: tuple[int, ...]) -> Op:
        return on_denser(self, self.sliding, self.mode, factor)

    def biased(self) -> Op:
        return self.model_copy(update={"bias": True})

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(self.kernel[axis], self.stride[axis], self.dilation[axis], self.pads(axis)[0])

    def grid(self, axis: int) -> Slide | None:
        pads = self.pads(axis)
        around = self.mode if any(pads) else "zero"
        slides = Slide(self.kernel[axis], self.stride[axis], self.dilation[axis], *pads, around)
        return slides if around != "circular" or axis else None

    def within_rows(self) -> Self:
        return self.model_copy(update={"pad": no_pads_above(self.pad)})

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        weight = (self.channels, shapes[0].channels // self.groups, *self.along(shapes[0]).kernel)
        found = (Parameter("weight", weight, self.init, self.frozen),)
        return (*found, Parameter("bias", (self.channels,), ZEROS, self.frozen)) if self.bias else found

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        positions = output.positions
        reads = shapes[0].channels // self.groups * prod(self.kernel)
        return None if positions is None else output.channels * positions * reads


class Deconv(Op):
    """Transposed convolution: the papers' deconvolution, or backwards convolution, layer."""

    spelling: ClassVar[str] = "deconv"
    main: ClassVar[str] = "channels"
    summary: ClassVar[str] = (
        "transposed convolution: kernel, stride, pad, output_pad, dilation, groups, bias, init, frozen"
    )
    spatial: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("deconv",)
    per_use: ClassVar[tuple[str, ...]] = ("stride", "dilation", "pad", "output_pad")

    channels: Positive
    kernel: PerAxis
    stride: PerAxis = ONE
    dilation: PerAxis = ONE
    pad: Padding = UNPADDED
    output_pad: NaturalPerAxis = NO_PIXELS
    groups: Positive = 1
    bias: Flag = True
    init: Initialiser = Init()
    frozen: Flag = False

    @property
    def sliding(self) -> Sliding:
        return Sliding(self.kernel, self.stride, self.dilation, transposed=True)

    def pads(self, axis: int) -> tuple[int, int]:
        """What is cut (before, after) of the full output; `same` makes the output stride times as large,
        and so does `causal`, which cuts at the end alone."""
        pad = self.pad[axis]
        if not isinstance(pad, str):
            return pad
        total = self.dilation[axis] * (self.kernel[axis] - 1) + 1 - self.stride[axis]
        if total < 0:
            message = f"a kernel of {self.kernel[axis]} cannot fill a stride of {self.stride[axis]}"
            raise Refusal("SC317", message, "kernel", f"a kernel of at least {self.stride[axis]}, or pad: 0")
        return (0, total) if pad == "causal" else (total // 2, total - total // 2)

    @property
    def surroundings(self) -> Literal["zero"]:
        return "zero"

    def in_pixels(self) -> Self:
        return padded_in_pixels(self, self.pad)

    def canonical(self) -> Op:
        return self.in_pixels()

    def unpadded(self) -> Op:
        return self.model_copy(update={"pad": UNPADDED * len(self.pad), "output_pad": NO_PIXELS * len(self.pad)})

    def groups_of(self, channels: int) -> int:
        return self.groups

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        check_groups(source.channels, self.groups, "input")
        check_groups(self.channels, self.groups, "output")
        if self.init.scheme == "identity":  # equations 4 and 5 are of a convolution's weight
            raise Refusal("SC315", "identity initialisation is defined for conv", "init", "`bilinear`, or a conv")
        check_init(self.init, self.kernel, source.channels, self.channels, self.groups)
        for more, stride, dilation in zip(self.output_pad, self.stride, self.dilation, strict=True):
            limit = max(stride, dilation)
            if more >= limit:
                message = f"output_pad {more} must be smaller than the stride or the dilation"
                raise Refusal("SC317", message, "output_pad", f"at most {limit - 1}")
        return Shape(self.channels, tuple(map(self._extent, range(len(source.size)), source.size)))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis, size in enumerate(shapes[0].size):
            yield Need(axis, output.size[axis] - 1, partial(self._nothing_left, axis, size))

    def _extent(self, axis: int, size: Size) -> Size:
        span = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return (size - 1) * self.stride[axis] + (span + self.output_pad[axis] - sum(self.pads(axis)))

    def _nothing_left(self, axis: int, size: Size) -> Refusal:
        before, after = self.pads(axis)
        return Refusal("SC303", f"padding {before} + {after} leaves nothing of {size} {CELL[len(self.kernel)]}s", "pad")

    def dilated(self, factor: tuple[int, ...]) -> Op:
        raise too_late()

    def biased(self) -> Op:
        return self.model_copy(update={"bias": True})

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        # Output p gets weight t of input i where p = stride*i + dilation*t - pad; the taps are read backwards.
        offset = self.dilation[axis] * (self.kernel[axis] - 1) - self.pads(axis)[0]
        return Window(self.kernel[axis], 1, self.dilation[axis], offset, upsample=self.stride[axis])

    def grid(self, axis: int) -> Transpose:
        return Transpose(
            self.kernel[axis], self.stride[axis], self.dilation[axis], *self.pads(axis), self.output_pad[axis]
        )

    def within_rows(self) -> Self:
        update = {"pad": no_pads_above(self.pad), "output_pad": (0, *self.output_pad[1:]), "bias": False}
        return self.model_copy(update=update)

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        weight = (shapes[0].channels, self.channels // self.groups, *self.kernel)
        found = (Parameter("weight", weight, self.init, self.frozen),)
        return (*found, Parameter("bias", (self.channels,), ZEROS, self.frozen)) if self.bias else found

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        return product(shapes[0].channels, *shapes[0].size, self.channels // self.groups, *self.kernel)
