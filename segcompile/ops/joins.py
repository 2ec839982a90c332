"""Ops that bring several tensors together: sum, product, concatenation."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Annotated, ClassVar, Literal

from segcompile.ops.axes import CELL
from segcompile.ops.base import IDENTITY, Number, Op, Reads, Shape, Window
from segcompile.ops.needs import Need, Refusal
from segcompile.ops.size import AnySize, Size, Undecidable, constant, difference, least, most
from segcompile.rows import Join as JoinRows

Align = Annotated[Literal["none", "center_crop", "pad"], Reads.WORD]


class Join(Op):
    """What the three share: equal sizes, or `align` that makes them equal along each axis.

    Where it `spreads`, a map that is one pixel along an axis at every size of the image is read by all outputs along
    it, and one of one channel by all channels.
    """

    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = None
    joins: ClassVar[bool] = True
    spreads: ClassVar[bool] = False

    align: Align = "none"

    @property
    def aligns(self) -> str:
        return self.align

    @property
    def keeps_lists(self) -> bool:
        return self.align == "none"

    def joined(self, shapes: Sequence[Shape]) -> tuple[Size, ...]:
        """The common size. Raises Refusal SC316 for a vector, or a list, beside a feature map."""
        if len({shape.tokens for shape in shapes}) > 1:
            help = "`map: positions` takes the positions of a list, `tokens: [0, 1]` its tokens"
            raise Refusal("SC316", f"lists of unequal tokens: {_listed(shapes)}", None, help)
        ranks = {len(shape.size) for shape in shapes}
        if len(ranks) > 1:
            help = "a `conv` of kernel 1 behind a global pool, in the place of the `linear`, gives a map of one pixel"
            raise Refusal("SC316", "a vector cannot be joined with a feature map", None, help)
        return tuple(self._common([shape.size[axis] for shape in shapes]) for axis in range(ranks.pop()))

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        if self.align == "none":
            for axis in range(len(output.size)):
                sizes = [shape.size[axis] for shape in shapes]
                first, *others = dict.fromkeys(sizes if output.tokens else self._read(sizes))
                for other in others:
                    yield Need(axis, difference(first, other), partial(self._apart, shapes), equal=True)
        elif (found := _spread(shapes)) is not None:
            yield Need(0, -1, partial(self._aligned_away, shapes, found))
        else:
            for axis, size, pair in _spread_at(shapes):
                yield Need(axis, size - 2, partial(self._aligned_away, shapes, pair))

    def _read(self, sizes: Sequence[Size]) -> Sequence[Size]:
        """The sizes that have to be equal: not those that are spread over the others."""
        return [size for size in sizes if size != 1] or sizes if self.spreads else sizes

    def _common(self, sizes: Sequence[Size]) -> Size:
        if self.align == "none":  # all agree, or a need is not met: the plainest one
            return min(self._read(sizes), key=lambda size: size.period if isinstance(size, AnySize) else 0)
        return (least if self.align == "center_crop" else most)(sizes)

    def cut_off(self, sizes: Sequence[Size], index: int) -> Size:
        if self.align == "none":
            return 0
        surplus = difference(sizes[index], self._common(sizes))
        return constant(surplus // 2 if self.align == "center_crop" else surplus * -1 // 2 * -1)

    def dilated(self, factor: tuple[int, ...]) -> Op:
        if self.align != "none":
            message = f"aligns by `{self.align}`, which lays maps of other sizes elsewhere"
            raise Refusal("SC507", message, "align", "`crop` the larger map to the smaller one, and join without it")
        return self

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window:
        if self.align == "none" and sizes[index] == 1 != self._common(sizes):
            return Window(taps=1, stride=0)
        shift = self.cut_off(sizes, index)
        if isinstance(shift, AnySize):
            raise Undecidable(f"aligning {sizes[index]} with {self._common(sizes)}")
        return Window(offset=-shift) if shift else IDENTITY

    def grid(self, axis: int) -> JoinRows:
        return JoinRows(self.align)

    def _apart(self, shapes: Sequence[Shape]) -> Refusal:
        message, named = f"the inputs differ in size: {_listed(shapes)}", _spread(shapes)
        help = _spreading(shapes) if named is not None else "`align: center_crop`, `align: pad` or a crop"
        if named is None and (small := _halved(shapes)) is not None:
            help = "a `resize` to the larger map"
            if self.spreads and any(isinstance(size, AnySize) for size in small.size):
                cell = CELL[len(small.size)]
                help += f"; only what is one {cell} at every size is spread, as behind `pool: global_avg`"
        return Refusal("SC302", message, None, help, named=named or ())

    def _aligned_away(self, shapes: Sequence[Shape], found: tuple[int, int]) -> Refusal:
        large, single = (shapes[index] for index in found)
        cell = CELL[len(single.size)]
        zeros = f"puts zeros around the {cell} of {single}"
        what = f"cuts {large} down to {single}" if self.align == "center_crop" else zeros
        own = f"without `align`, its one {cell} is spread over the other map"
        help = own if self.spreads else f"{_spreading(shapes)}, without `align`"
        return Refusal("SC313", f"`align: {self.align}` {what}", "align", help, named=found)


def _spreading(shapes: Sequence[Shape]) -> str:
    return f"`resize: {{0}}` behind `{{1}}` spreads its one {CELL[len(shapes[0].size)]} over the other map"


def _spread(shapes: Sequence[Shape]) -> tuple[int, int] | None:
    """Two inputs, (the large one, the other), of which the other has one pixel along each axis on which they differ:
    it is meant for all of the large one, as a gate is."""
    for single, shape in enumerate(shapes):
        for large, other in enumerate(shapes):
            pairs = list(zip(shape.size, other.size, strict=True))
            if shape.size != other.size and all(one == 1 or one == size for one, size in pairs):
                return large, single
    return None


def _halved(shapes: Sequence[Shape]) -> Shape | None:
    """An input that has at most half as many pixels as another one along each axis on which they differ: nothing that
    is cut off makes them equal."""
    for shape in shapes:
        for other in shapes:
            pairs = [(one, size) for one, size in zip(shape.size, other.size, strict=True) if one != size]
            if pairs and all(2 * _extent(one) <= _extent(size) for one, size in pairs):
                return shape
    return None


def _extent(size: Size) -> Fraction:
    """Pixels; of any size, for each pixel of the input."""
    return size.slope if isinstance(size, AnySize) else Fraction(size)


def _spread_at(shapes: Sequence[Shape]) -> Iterator[tuple[int, AnySize, tuple[int, int]]]:
    """As `_spread`, where it comes to that on the smallest image only: the one axis on which two inputs differ, the
    size along it of the one that may have one pixel there, and the two."""
    for single, shape in enumerate(shapes):
        for large, other in enumerate(shapes):
            differ = [axis for axis, size in enumerate(shape.size) if size not in (1, other.size[axis])]
            if len(differ) == 1 and isinstance(size := shape.size[differ[0]], AnySize):
                yield differ[0], size, (large, single)


def _listed(shapes: Sequence[Shape]) -> str:
    return " and ".join(str(shape) for shape in shapes)


class Concat(Join):
    """The inputs' channels, one after another."""

    spelling: ClassVar[str] = "concat"
    summary: ClassVar[str] = "channels side by side: align"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return Shape(sum(shape.channels for shape in shapes), self.joined(shapes), shapes[0].tokens)


class _Elementwise(Join):
    spreads: ClassVar[bool] = True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        channels = {shape.channels for shape in shapes if shape.channels > 1} or {1}
        if len(channels) > 1:
            listed = " and ".join(str(shape.channels) for shape in shapes)
            help = "a 1x1 convolution makes them equal"
            raise Refusal("SC301", f"the inputs differ in channels: {listed}", None, help)
        return Shape(channels.pop(), self.joined(shapes), shapes[0].tokens)


class Add(_Elementwise):
    """The sum, each input times its weight if `weights` are given."""

    spelling: ClassVar[str] = "add"
    summary: ClassVar[str] = "sum: weights, align"

    weights: Annotated[tuple[Number, ...], Reads.NUMBERS] = ()

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.weights and len(self.weights) != len(shapes):
            raise Refusal(
                "SC007", f"{len(self.weights)} weights for {len(shapes)} inputs", "weights", "one weight an input"
            )
        return super().output(shapes)


class Mul(_Elementwise):
    """The product, element by element."""

    spelling: ClassVar[str] = "mul"
    summary: ClassVar[str] = "product: align"
