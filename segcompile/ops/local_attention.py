"""Attention to a part of the map: inside windows, and along the rows and columns of an image."""

from collections.abc import Iterator, Sequence
from functools import partial
from math import prod
from typing import Annotated, ClassVar, Literal

from segcompile.ops.attention import Attending, Reading
from segcompile.ops.axes import CELL
from segcompile.ops.base import (
    IDENTITY,
    NO_PIXELS,
    Chain,
    Flag,
    NaturalPerAxis,
    Op,
    Parameter,
    PerAxis,
    Reads,
    Shape,
    Window,
    product,
)
from segcompile.ops.needs import Need, Refusal
from segcompile.ops.size import AnySize, Size, Undecidable, difference
from segcompile.ops.tokens import SMALL
from segcompile.rows import Join


class WindowAttention(Attending):
    """Self-attention inside windows of so many positions along each axis: Liu et al. (2021), section 3.2.

    The first whole window starts at `shift`, and a shorter one lies before it. So it is in the paper, whose code moves
    the map on, and keeps apart by a mask what only that brought together. Where one window covers an axis, nothing is
    shifted along it, as in torchvision's code. A map that is no multiple of the window is padded at its end with zeros
    before the projections: the padding has keys and values, the biases, and is attended to, unless `pad_mask` is said.
    With `positions: relative` each head adds a learned bias to its scores, one for each of the 2 w - 1 distances along
    an axis that positions of a window of w have: equation 4.
    """

    told_by: ClassVar[str | None] = "window"
    summary: ClassVar[str] = "attention inside windows: window, shift, positions, pad_mask, scale, bias, init, frozen"
    positional: ClassVar[bool] = True

    window: PerAxis
    shift: NaturalPerAxis = NO_PIXELS
    positions: Annotated[Literal["none", "relative"], Reads.WORD] = "none"
    pad_mask: Flag = False

    @property
    def title(self) -> str:
        return "window attention"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        self.check_heads(source.channels)
        self.check_start()
        for shift, window in zip(self.shift, self.window, strict=True):
            if shift >= window:
                message = f"windows of {window} {CELL[len(source.size)]}s cannot be shifted by {shift}"
                raise Refusal("SC315", message, "shift", f"less than {window}, as `shift: {window // 2}`")
        return source

    def shift_of(self, axis: int, size: Size) -> int:
        """By how much the windows of a map of `size` are shifted along `axis`: one that is symbolic is taken for larger
        than a window."""
        return 0 if not isinstance(size, AnySize) and size <= self.window[axis] else self.shift[axis]

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        """All that an output may read: it is the first position of its window, or the last, or one between."""
        return Window(2 * self.window[axis] - 1, offset=self.window[axis] - 1)

    def chains(self, axis: int, sizes: Sequence[Size], index: int) -> tuple[Chain, ...]:
        """An output lies in one window, which reads all of its positions."""
        window, shift = self.window[axis], self.shift_of(axis, sizes[0])
        reads = Window(window, window, offset=-shift)  # window k: i = window * k + shift + t
        lies_in = Window(window, offset=window - 1 + shift, upsample=window)  # k = floor((p - shift) / window)
        return ((reads, lies_in),)

    def dilated(self, factor: tuple[int, ...]) -> Op:
        cells = f"{CELL[len(factor)]}s"
        message = f"attends inside windows of {cells} side by side, which lie further apart without these strides"
        raise Refusal("SC507", message, None, "`replace` it first: it has no dilation")

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        joint = self.joint(shapes[0].channels)
        if self.positions == "none":
            return joint
        distances = prod(2 * window - 1 for window in self.window)
        return (Parameter("relative_position_bias_table", (distances, self.heads), SMALL, self.frozen), *joint)

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        """Those of the paper's equation 2, of the map with its padding."""
        (source,), each = shapes, zip(shapes[0].size, self.window, strict=True)
        padded = product(*((size + window - 1) // window * window for size, window in each))
        return None if padded is None else padded * (4 * source.channels**2 + 2 * prod(self.window) * source.channels)


class AxialAttention(Reading):
    """Attention of each pixel of an image to those of its row, its column, or of both in one softmax, where the pixel
    itself counts once: Ho et al. (2019), section 3, and the criss-cross attention of Huang et al. (2019), section 3.2.

    Keys and values are the map's own, or maps of its size, which are not projected.
    """

    told_by: ClassVar[str | None] = "along"
    summary: ClassVar[str] = "attention along rows, columns or both: along, keys, values, scale, bias, init, frozen"

    along: Annotated[Literal["rows", "columns", "both"], Reads.WORD]

    @property
    def title(self) -> str:
        return f"attention along {self._lines}"

    @property
    def _lines(self) -> str:
        return "rows and columns" if self.along == "both" else self.along

    @property
    def _axes(self) -> tuple[int, ...]:
        """The axes along which it attends: a row has the pixels of all columns."""
        return {"rows": (1,), "columns": (0,), "both": (0, 1)}[self.along]

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if any(len(shape.size) != 2 or shape.tokens for shape in shapes):
            message = f"only an image has rows and columns, and here is {shapes[0]}"
            raise Refusal("SC316", message, "along", "leave it out: `attention` attends to all positions")
        if len(shapes) == 2:
            message = f"attention along {self._lines} projects no keys of another layer"
            raise Refusal("SC315", message, "keys", "`values`, too: convs of kernel 1 make queries, keys and values")
        return super().output(shapes)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        for other, name in zip(shapes[1:], self.also_reads, strict=False):
            for axis, (size, its) in enumerate(zip(shapes[0].size, other.size, strict=True)):
                unequal = partial(self._apart, shapes[0], other, name)
                yield Need(axis, difference(size, its), unequal, equal=True)

    def _apart(self, queries: Shape, other: Shape, name: str) -> Refusal:
        return Refusal("SC302", f"queries of {queries}, and {name} of {other}", name, "maps of one size")

    def reads_whole(self, axis: int, index: int, inputs: int) -> bool:
        return axis in self._axes and (index > 0 or inputs == 1)

    def grid(self, axis: int) -> Join | None:
        """Of rows and their own pixels it can be run in rows."""
        return None if axis in self._axes and axis == 0 else Join()

    def chains(self, axis: int, sizes: Sequence[Size], index: int) -> tuple[Chain, ...]:
        whole = self.reads_whole(axis, index, len(sizes))
        return ((_from_end_to_end(sizes[index]) if whole else IDENTITY,),)

    def parts(self, sizes: Sequence[tuple[Size, ...]], index: int) -> tuple[tuple[Chain, ...], ...]:
        """A row, a column or a cross; of queries beside keys the pixel itself."""
        if index == 0 and len(sizes) > 1:
            return (((IDENTITY,),) * 2,)
        size = sizes[index]
        return tuple(
            tuple((_from_end_to_end(size[axis]) if axis == along else IDENTITY,) for axis in range(2))
            for along in self._axes
        )

    def dilated(self, factor: tuple[int, ...]) -> Op:
        raise Refusal("SC507", f"attends along whole {self._lines}, and those of a denser map hold others")

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        size = tuple(side for side in shapes[0].size if not isinstance(side, AnySize))
        if len(size) < 2:
            return None
        seen = sum(size[axis] for axis in self._axes) - (self.along == "both")
        return self.cost(shapes, output, prod(size), prod(size), prod(size) * seen)


def _from_end_to_end(size: Size) -> Window:
    """What reads a whole axis. Raises Undecidable where its size is symbolic."""
    if isinstance(size, AnySize):
        raise Undecidable(f"attending to all of {size}")
    return Window(size, stride=0)
