"""Pooling over a window, undone, and over the whole image."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import gcd, inf
from typing import Annotated, ClassVar, Literal, Self

from segcompile.ops.axes import CELL
from segcompile.ops.base import (
    ONE,
    UNPADDED,
    Flag,
    Op,
    OptionalPerAxis,
    Padding,
    PerAxis,
    Reads,
    Shape,
    Sliding,
    Window,
    no_pads_above,
    on_denser,
    padded_in_pixels,
    too_late,
    window_pads,
)
from segcompile.ops.needs import Need, Refusal, no_window
from segcompile.ops.size import AnySize, Size, Undecidable, difference, least
from segcompile.rows import Slide, Transpose, Whole


class Pool(Op):
    """Maximum or mean over a window. Rounding up keeps a last window that overhangs the border, as Caffe does.

    A mean counts the zeros of its padding, unless `count_pad` says no: then the map's own pixels alone, as TensorFlow's
    does. What a last window overhangs counts in neither.
    """

    spelling: ClassVar[str] = "pool"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "pooling: kernel, stride (default: kernel), dilation (max), pad, count_pad (avg), round"
    spatial: ClassVar[bool] = True

    kind: Annotated[Literal["max", "avg"], Reads.WORD]
    kernel: PerAxis
    stride: OptionalPerAxis = None
    dilation: PerAxis = ONE
    pad: Padding = UNPADDED
    count_pad: Flag = True
    round: Annotated[Literal["floor", "ceil"], Reads.WORD] = "floor"

    @property
    def title(self) -> str:
        return f"{self.kind} pool"

    @property
    def steps(self) -> tuple[int, ...]:
        """The stride, which is the kernel unless given."""
        return self.stride or self.kernel

    @property
    def sliding(self) -> Sliding:
        return Sliding(self.kernel, self.steps, self.dilation)

    def pads(self, axis: int) -> tuple[int, int]:
        return window_pads(self.pad[axis], self.kernel[axis], self.dilation[axis])

    def in_pixels(self) -> Self:
        return padded_in_pixels(self, self.pad)

    def canonical(self) -> Op:
        found = self.in_pixels()
        counts = self.count_pad or not any(map(any, found.pad))
        how = "floor" if set(self.steps) == {1} else self.round  # nothing is left to be rounded
        return found.model_copy(update={"stride": self.steps, "count_pad": counts, "round": how})

    def unpadded(self) -> Op:
        return self.canonical().model_copy(update={"pad": UNPADDED * len(self.pad), "count_pad": True})

    @property
    def spans(self) -> tuple[int, ...]:
        """The pixels from the first tap of a window to its last, both included."""
        return tuple(dilation * (kernel - 1) + 1 for kernel, dilation in zip(self.kernel, self.dilation, strict=True))

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.kind != "max" and max(self.dilation) > 1:
            raise Refusal("SC315", "only a max pool can be dilated", "dilation", "`pool: max`, or a convolution")
        if self.kind == "max" and not self.count_pad:
            raise Refusal(
                "SC315", "a maximum counts no padding in any case", "count_pad", "leave it out, or `pool: avg`"
            )
        return Shape(shapes[0].channels, tuple(map(self._extent, range(len(self.kernel)), shapes[0].size)))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for axis, size in enumerate(shapes[0].size):
            yield Need(axis, output.size[axis] - 1, partial(self._no_window, axis, size))
            yield Need(axis, size - self._least(axis), partial(self._no_pixel, axis, size))

    def _least(self, axis: int) -> int:
        """Pixels from which on each window holds one: of a smaller map those that begin before it may step over all."""
        (before, after), step, least = self.pads(axis), self.steps[axis], 1
        for start in range(-before, 0, step):
            behind = after + (step - 1 if self.round == "ceil" else 0)
            there = start + self.spans[axis] - behind  # the pixels from which on there is this window
            first = start % self.dilation[axis]  # the first tap that is not before the map
            least = max(least, first + 1) if there <= first else least
        return least

    def _extent(self, axis: int, size: Size) -> Size:
        before, after = self.pads(axis)
        span, stride = self.spans[axis], self.steps[axis]
        if max(before, after) >= span:
            message = f"a padding of {max(before, after)} is as wide as the kernel of {span}, which would see no pixel"
            raise Refusal("SC317", message, "pad", f"at most pad: {span - 1}, or a larger kernel")
        if self.round == "floor":
            return (size + (before + after - span)) // stride + 1
        whole = (size + (before + after - span + stride - 1)) // stride + 1
        return least([whole, (size + (before - 1)) // stride + 1])  # the last window starts inside the image

    def _no_window(self, axis: int, size: Size) -> Refusal:
        before, after = self.pads(axis)
        return no_window(CELL[len(self.kernel)], size, before, after, self.spans[axis])

    def _no_pixel(self, axis: int, size: Size) -> Refusal:
        (before, after), least, cell = self.pads(axis), self._least(axis), CELL[len(self.kernel)]
        message = f"of {size} {cell}s with padding {before} + {after}, a window with gaps would hold none"
        return Refusal("SC303", message, "dilation", f"the input needs at least {least} {cell}s here")

    def dilated(self, factor: tuple[int, ...]) -> Op:
        if all(kernel == 1 or times == 1 for kernel, times in zip(self.kernel, factor, strict=True)):
            return self
        if self.kind != "max":
            raise Refusal("SC507", "takes a mean of neighbours, which cannot be dilated", "kind", "`pool: max`")
        return on_denser(self, self.sliding, "zero", factor)

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        return Window(self.kernel[axis], self.steps[axis], self.dilation[axis], self.pads(axis)[0])

    def grid(self, axis: int) -> Slide:
        return Slide(
            self.kernel[axis],
            self.steps[axis],
            self.dilation[axis],
            *self.pads(axis),
            fill=-inf if self.kind == "max" and (any(self.pads(axis)) or self.round == "ceil") else 0.0,
            up=self.round == "ceil",
            counts="" if self.kind == "max" else "padded" if self.count_pad else "map",
        )

    def within_rows(self) -> Self:
        return self.model_copy(update={"pad": no_pads_above(self.pad)})


class Unpool(Op):
    """Max pooling undone: each value goes back to where its pool found the maximum, Noh et al. (2015), section 3.2.1.

    It reads the map, the pool, and what the pool read, whose size it gives back. Output p can only receive from the
    cells whose pooling window holds p. Which of them it does is decided by the values that the pool compared there:
    the window of the pool is that of the map, and both are bounds.
    """

    spelling: ClassVar[str] = "unpool"
    main: ClassVar[str] = "pool_layer"
    summary: ClassVar[str] = "a max pooling undone: values back to where its maxima were"
    least_inputs: ClassVar[int] = 2  # the map and the pool; and what the pool read, once that is known
    most_inputs: ClassVar[int | None] = 3
    switches: ClassVar[int | None] = 1
    data_dependent: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    pool_layer: Annotated[Pool | None, Reads.LAYER] = None  # a spec says its name; `pair_unpools` fills in its op

    @property
    def pool(self) -> Pool:
        """What is undone."""
        assert self.pool_layer is not None
        return self.pool_layer

    @property
    def rank(self) -> int | None:
        return self.pool_layer.rank if self.pool_layer is not None else None

    @property
    def kernel(self) -> tuple[int, ...]:
        """The pool's."""
        return self.pool.kernel

    @property
    def sliding(self) -> Sliding | None:
        return replace(self.pool.sliding, transposed=True) if self.pool_layer is not None else None

    def canonical(self) -> Op:
        return self.model_copy(update={"pool_layer": self.pool.canonical()})

    def unpadded(self) -> Op:
        return self.model_copy(update={"pool_layer": self.pool.unpadded()})

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.pool_layer is None:
            raise Refusal("SC315", "this undoes no max pool", "pool_layer", "name a layer that is `pool: max`")
        source, pooled, before = shapes
        if max(self.pool.dilation) > 1:
            raise Refusal("SC315", "a dilated pool cannot be undone", "pool_layer", "a pool without dilation")
        if any(kernel > stride for kernel, stride in zip(self.kernel, self.pool.steps, strict=True)):
            kernel, stride = ("x".join(map(str, pair)) for pair in (self.kernel, self.pool.steps))
            message = f"windows of {kernel} overlap at a stride of {stride}: two values may go back to one place"
            raise Refusal("SC315", message, "pool_layer", "a pool whose stride is not smaller than its kernel")
        if source.channels != pooled.channels:
            message = f"{source.channels} channels come in, and {pooled.channels} were pooled"
            raise Refusal("SC301", message, "pool_layer", "a 1x1 convolution makes them equal")
        return Shape(source.channels, before.size)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        source, pooled, _ = shapes

        def refusal() -> Refusal:
            message = f"{source} comes in, and the pool gave {pooled}"
            return Refusal("SC302", message, "pool_layer", "unpool where the map has the size of that pool's result")

        for axis, (size, wanted) in enumerate(zip(source.size, pooled.size, strict=True)):
            if size != wanted:
                yield Need(axis, difference(size, wanted), refusal, equal=True)

    def dilated(self, factor: tuple[int, ...]) -> Op:
        raise too_late()

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        if index == 2:
            return None
        kernel = self.kernel[axis]  # p = stride * i + t - pad, the taps read backwards, as of a Deconv
        return Window(kernel, offset=kernel - 1 - self.pool.pads(axis)[0], upsample=self.pool.steps[axis])

    def grid(self, axis: int) -> Transpose:
        return Transpose(self.kernel[axis], self.pool.steps[axis], before=self.pool.pads(axis)[0], like=True)


class AdaptivePool(Op):
    """Maximum or mean over each of `bins` parts along an axis, whatever the size: of S pixels and n bins, bin p holds
    pixels floor(p S / n) to ceil((p + 1) S / n), the end excluded. The pyramid of He et al. (2014), section 2.2, and of
    Zhao et al. (2017), section 3.2, as PyTorch's adaptive pools divide it."""

    spelling: ClassVar[str] = "pool"
    main: ClassVar[str] = "kind"
    told_by: ClassVar[str | None] = "bins"
    summary: ClassVar[str] = "pooling of the image in so many bins along each axis"
    spatial: ClassVar[bool] = True

    kind: Annotated[Literal["max", "avg"], Reads.WORD]
    bins: PerAxis

    @property
    def title(self) -> str:
        return f"{self.kind} bins"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(shapes[0].channels, self.bins)

    def dilated(self, factor: tuple[int, ...]) -> Op:
        cells = f"{CELL[len(factor)]}s"
        message = f"divides the map into bins, and those of a denser map hold other {cells}"
        raise Refusal("SC507", message, None, "take strides out first, and append this layer after that")

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        size, bins = sizes[0], self.bins[axis]
        if isinstance(size, AnySize):
            raise Undecidable(f"dividing {size} into {bins} bins")
        common = gcd(size, bins)
        step, upsample = size // common, bins // common  # upsample * i lies less than that before the bin's end
        return Window(step + upsample - 1, step, 1, upsample - 1, upsample)

    def grid(self, axis: int) -> Whole:
        return Whole(self.bins[axis])

    def gathers(self, channels: int) -> tuple[str, int]:
        return f"{self.kind} bins", self.bins[0]


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
        return Shape(shapes[0].channels, (1,) * len(shapes[0].size))

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> None:
        return None

    def grid(self, axis: int) -> Whole:
        return Whole()

    def gathers(self, channels: int) -> tuple[str, int]:
        return f"{self.kind.removeprefix('global_')} bins", 1
