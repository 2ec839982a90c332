"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import gcd
from typing import ClassVar, Literal, Self

from segcompile.ops.base import (
    AXES,
    NOTHING,
    ZEROS,
    Flag,
    Init,
    Initialiser,
    NaturalPair,
    Op,
    Padding,
    PadMode,
    Pair,
    Parameter,
    Positive,
    Shape,
    Sliding,
    Window,
    axis_pads,
    on_denser,
    padded_in_pixels,
    product,
    same_pads,
    too_late,
)
from segcompile.ops.needs import Need, Refusal, reflects
from segcompile.ops.size import Size


def check_groups(channels: int, groups: int, side: str) -> None:
    """Refuse (SC308) groups that do not divide the channels of one side."""
    if channels % groups:
        message = f"{channels} {side} channels cannot be split into {groups} groups"
        raise Refusal("SC308", message, "groups", f"a divisor of {channels}, as {gcd(channels, groups)}")


def check_init(init: Init, kernel: tuple[int, int], channels_in: int, channels_out: int, groups: int) -> None:
    """Refuse an initialisation that this weight cannot have, at the number that stands in its way."""
    if init.scheme == "identity":
        maps = init.groups or channels_in
        if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
            message = f"identity needs a kernel with a centre; {kernel[0]}x{kernel[1]} has none"
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

    channels: Positive
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pad: Padding = (0, 0, 0, 0)
    mode: PadMode = "zero"
    groups: Positive = 1
    bias: Flag = True
    init: Initialiser = Init()
    frozen: Flag = False

    @property
    def sliding(self) -> Sliding:
        return Sliding(self.kernel, self.stride, self.dilation)

    def pads(self, axis: int) -> tuple[int, int]:
        if self.pad == "same":
            return same_pads(self.kernel[axis], self.dilation[axis])
        return axis_pads(self.pad, axis)

    @property
    def surroundings(self) -> Literal["zero", "reflect", "edge"]:
        return self.mode

    def in_pixels(self) -> Self:
        return padded_in_pixels(self) if self.pad == "same" else self

    def canonical(self) -> Op:
        found = self.in_pixels()
        return found if found.pad != NOTHING else found.model_copy(update={"mode": "zero"})

    def unpadded(self) -> Op:
        return self.model_copy(update={"pad": NOTHING, "mode": "zero"})

    def groups_of(self, channels: int) -> int:
        return self.groups

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        check_groups(source.channels, self.groups, "input")
        check_groups(self.channels, self.groups, "output")
        check_init(self.init, self.kernel, source.channels, self.channels, self.groups)
        return Shape(self.channels, tuple(self._extent(axis, source.size[axis]) for axis in AXES))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis in AXES:
            if self.mode == "reflect":
                yield reflects(axis, shapes[0].size[axis], self.pads(axis), "pad")
            yield Need(axis, output.size[axis] - 1, partial(self._no_window, axis, shapes[0].size[axis]))

    def _span(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def _extent(self, axis: int, size: Size) -> Size:
        return (size + (sum(self.pads(axis)) - self._span(axis))) // self.stride[axis] + 1

    def _no_window(self, axis: int, size: Size) -> Refusal:
        (before, after), span = self.pads(axis), self._span(axis)
        message = f"{size} pixels with padding {before} + {after} hold no window of {span}"
        return Refusal("SC303", message, "kernel", f"the input needs at least {span - before - after} pixels here")

    def dilated(self, factor: tuple[int, int]) -> Op:
        return on_denser(self, self.sliding, self.mode, factor)

    def biased(self) -> Op:
        return self.model_copy(update={"bias": True})

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(self.kernel[axis], self.stride[axis], self.dilation[axis], self.pads(axis)[0])

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        weight = (self.channels, shapes[0].channels // self.groups, *self.kernel)
        found = (Parameter("weight", weight, self.init, self.frozen),)
        return (*found, Parameter("bias", (self.channels,), ZEROS, self.frozen)) if self.bias else found

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        return product(output.channels, *output.size, shapes[0].channels // self.groups, *self.kernel)


class Deconv(Op):
    """Transposed convolution: the papers' deconvolution, or backwards convolution, layer."""

    spelling: ClassVar[str] = "deconv"
    main: ClassVar[str] = "channels"
    summary: ClassVar[str] = (
        "transposed convolution: kernel, stride, pad, output_pad, dilation, groups, bias, init, frozen"
    )
    spatial: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("deconv",)

    channels: Positive
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pad: Padding = (0, 0, 0, 0)
    output_pad: NaturalPair = (0, 0)
    groups: Positive = 1
    bias: Flag = True
    init: Initialiser = Init()
    frozen: Flag = False

    @property
    def sliding(self) -> Sliding:
        return Sliding(self.kernel, self.stride, self.dilation, transposed=True)

    def pads(self, axis: int) -> tuple[int, int]:
        """What is cut (before, after) of the full output; `same` makes the output stride times as large."""
        if self.pad != "same":
            return axis_pads(self.pad, axis)
        total = self.dilation[axis] * (self.kernel[axis] - 1) + 1 - self.stride[axis]
        if total < 0:
            message = f"a kernel of {self.kernel[axis]} cannot fill a stride of {self.stride[axis]}"
            raise Refusal("SC317", message, "kernel", f"a kernel of at least {self.stride[axis]}, or pad: 0")
        return total // 2, total - total // 2

    @property
    def surroundings(self) -> Literal["zero"]:
        return "zero"

    def in_pixels(self) -> Self:
        return padded_in_pixels(self) if self.pad == "same" else self

    def canonical(self) -> Op:
        return self.in_pixels()

    def unpadded(self) -> Op:
        return self.model_copy(update={"pad": NOTHING, "output_pad": (0, 0)})

    def groups_of(self, channels: int) -> int:
        return self.groups

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        check_groups(source.channels, self.groups, "input")
        check_groups(self.channels, self.groups, "output")
        if self.init.scheme == "identity":  # equations 4 and 5 are of a convolution's weight
            raise Refusal("SC315", "identity initialisation is defined for conv", "init", "`bilinear`, or a conv")
        check_init(self.init, self.kernel, source.channels, self.channels, self.groups)
        for axis in AXES:
            limit = max(self.stride[axis], self.dilation[axis])
            if self.output_pad[axis] >= limit:
                message = f"output_pad {self.output_pad[axis]} must be smaller than the stride or the dilation"
                raise Refusal("SC317", message, "output_pad", f"at most {limit - 1}")
        return Shape(self.channels, tuple(self._extent(axis, source.size[axis]) for axis in AXES))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis in AXES:
            yield Need(axis, output.size[axis] - 1, partial(self._nothing_left, axis, shapes[0].size[axis]))

    def _extent(self, axis: int, size: Size) -> Size:
        span = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        return (size - 1) * self.stride[axis] + (span + self.output_pad[axis] - sum(self.pads(axis)))

    def _nothing_left(self, axis: int, size: Size) -> Refusal:
        before, after = self.pads(axis)
        return Refusal("SC303", f"padding {before} + {after} leaves nothing of {size} pixels", "pad")

    def dilated(self, factor: tuple[int, int]) -> Op:
        raise too_late()

    def biased(self) -> Op:
        return self.model_copy(update={"bias": True})

    def window(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        # Output p gets weight t of input i where p = stride*i + dilation*t - pad; the taps are read backwards.
        offset = self.dilation[axis] * (self.kernel[axis] - 1) - self.pads(axis)[0]
        return Window(self.kernel[axis], 1, self.dilation[axis], offset, upsample=self.stride[axis])

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        weight = (shapes[0].channels, self.channels // self.groups, *self.kernel)
        found = (Parameter("weight", weight, self.init, self.frozen),)
        return (*found, Parameter("bias", (self.channels,), ZEROS, self.frozen)) if self.bias else found

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        return product(shapes[0].channels, *shapes[0].size, self.channels // self.groups, *self.kernel)
