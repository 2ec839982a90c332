"""What relates all positions to all: attention, products of matrices, and probabilities over positions."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from segcompile.ops.axes import CELL
from segcompile.ops.base import (
    IDENTITY,
    ZEROS,
    Flag,
    Init,
    Initialiser,
    Op,
    OptionalPerAxis,
    Parameter,
    Positive,
    Reads,
    Shape,
    Window,
)
from segcompile.ops.needs import Need, Refusal
from segcompile.ops.normalization import scale_and_shift
from segcompile.ops.size import Size, difference
from segcompile.rows import Slide

XAVIER = Init(scheme="xavier")


class Attending(Op):
    """What every attention has: `heads` groups of channels, each with softmax(q kᵀ · scale) v, the scale
    1 / sqrt(channels of a head) unless it is said, and projections, whose matrices start as `init` says."""

    spelling: ClassVar[str] = "attention"
    main: ClassVar[str] = "heads"
    spatial: ClassVar[bool] = True

    heads: Positive
    scale: Annotated[float | None, Field(gt=0), Reads.NUMBER] = None
    bias: Flag = True
    init: Initialiser = XAVIER
    frozen: Flag = False

    def check_heads(self, channels: int) -> None:
        """Refuse (SC308) channels that are no multiple of the heads."""
        if channels % self.heads:
            message = f"{channels} channels cannot be split into {self.heads} heads"
            raise Refusal("SC308", message, "heads", f"a divisor of {channels}")

    def check_start(self) -> None:
        """Refuse (SC315) an initialisation that is of kernels."""
        if self.init.scheme in ("identity", "bilinear"):
            message = f"{self.init.scheme} initialisation is for convolutions"
            raise Refusal("SC315", message, "init", "`init: xavier`, or `{normal: 0.02}`")

    def projection(self, name: str, channels_in: int, channels_out: int) -> tuple[Parameter, ...]:
        """The matrix of a projection and its bias; `proj`, the last one, always has one."""
        weight = Parameter(f"{name}.weight", (channels_out, channels_in), self.init, self.frozen)
        if not self.bias and name != "proj":
            return (weight,)
        return (weight, Parameter(f"{name}.bias", (channels_out,), ZEROS, self.frozen))

    def joint(self, width: int) -> tuple[Parameter, ...]:
        """The projections of a self-attention: one matrix to queries, keys and values, and the last one."""
        return (*self.projection("qkv", width, 3 * width), *self.projection("proj", width, width))


class Reading(Attending):
    """An attention whose keys, and values, may be those of other layers.

    q, k and v are projections of the input, and what comes out is projected again. With `keys` k and v are projections
    of that layer (cross-attention). With `values` nothing is projected: q is the input, k and v are those two layers as
    they are.
    """

    most_inputs: ClassVar[int | None] = 3
    also_reads: ClassVar[tuple[str, ...]] = ("keys", "values")
    of_projections: ClassVar[tuple[str, ...]] = ("bias", "init", "frozen")  # attributes that speak of these

    @staticmethod
    def projects(shapes: Sequence[Shape]) -> bool:
        """Whether queries, keys and values are projections of its inputs, and not these themselves."""
        return len(shapes) < 3

    @staticmethod
    def keys_of(shapes: Sequence[Shape]) -> Shape:
        """Of what its keys are: the second input, or the only one."""
        return shapes[1] if len(shapes) > 1 else shapes[0]

    def fuses(self, shapes: Sequence[Shape]) -> bool:
        """Whether one matrix projects to queries, keys and values: of self-attention."""
        return len(shapes) == 1

    def output(self, shapes: Sequence[Shape]) -> Shape:
        query = shapes[0]
        self.check_heads(query.channels)
        if self.projects(shapes):
            self.check_start()
            return query
        _, keys, values = shapes
        said = next((name for name in self.of_projections if self.says(name)), None)
        if said is not None:
            message = f"`{said}` is of projections, and with `values` nothing is projected"
            raise Refusal("SC315", message, said, "leave it out, and convolve the layers before")
        if query.channels != keys.channels:
            message = f"queries of {query.channels} channels, and keys of {keys.channels}"
            raise Refusal("SC301", message, "keys", "a conv of kernel 1 makes them equal")
        if keys.tokens != values.tokens or len(keys.size) != len(values.size):
            raise Refusal("SC316", f"keys of {keys}, and values of {values}", "values", "one value a key")
        self.check_heads(values.channels)
        return query.with_channels(values.channels)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        if not self.projects(shapes):
            for axis, (size, other) in enumerate(zip(shapes[1].size, shapes[2].size, strict=True)):
                yield Need(axis, difference(size, other), partial(self._unequal, *shapes[1:]), equal=True)

    def _unequal(self, keys: Shape, values: Shape) -> Refusal:
        return Refusal("SC302", f"keys of {keys}, and values of {values}", "values", "one value a key")

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        """Where an output lies: over its query."""
        return IDENTITY if index == 0 else None

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        if not self.projects(shapes):
            return ()
        width, of_keys = shapes[0].channels, shapes[-1].channels
        if self.fuses(shapes):
            return self.joint(width)
        q, kv = self.projection("q", width, width), self.projection("kv", of_keys, 2 * width)
        return (*q, *kv, *self.smaller(of_keys), *self.projection("proj", width, width))

    def smaller(self, channels: int) -> tuple[Parameter, ...]:
        """The tensors that make the map of keys and values smaller before they are projected."""
        return ()

    def cost(self, shapes: Sequence[Shape], output: Shape, queries: int, read: int, pairs: int) -> int:
        """Multiply-accumulates of `queries` and `read` keys, of so many `pairs` of which products are taken."""
        query, keys = shapes[0], self.keys_of(shapes)
        found = pairs * (query.channels + output.channels)
        if self.projects(shapes):
            found += 2 * queries * query.channels**2 + 2 * read * keys.channels * query.channels
        return found


class Attention(Reading):
    """Multi-head attention, Vaswani et al. (2017), section 3.2, of all positions to all. `reduce` makes the map of keys
    and values smaller before: by a convolution of this kernel and stride, and a layer norm, Xie et al. (2021),
    section 3.1. The weights of a head sum to 1 over the keys of each query, or over all pairs of a query and a key, as
    those of the position-wise attention block of Fan et al. (2020), MA-Net.

    Every output depends on all positions of keys and values, over pairs of queries, too. It keeps the grid, as instance
    norm does.
    """

    summary: ClassVar[str] = (
        "attention over all positions: keys, values (layers), reduce, over, scale, bias, init, frozen"
    )
    whole_image: ClassVar[bool] = True
    of_projections: ClassVar[tuple[str, ...]] = ("bias", "init", "frozen", "reduce")

    reduce: OptionalPerAxis = None
    over: Annotated[Literal["keys", "pairs"], Reads.WORD] = "keys"

    @property
    def keeps_lists(self) -> bool:
        return True

    def reads_whole(self, axis: int, index: int, inputs: int) -> bool:
        return index > 0 or inputs == 1 or self.over == "pairs"

    def fuses(self, shapes: Sequence[Shape]) -> bool:
        """As `Reading.fuses`, of self-attention at one scale."""
        return len(shapes) == 1 and self.reduce is None

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if not all(shape.axes for shape in shapes):
            raise Refusal("SC316", "a vector has no positions to attend to", "keys", "a map, a list or its tokens")
        keys = self.keys_of(shapes)
        if self.reduce is not None and (keys.tokens or len(keys.size) != len(self.reduce)):
            raise Refusal("SC316", f"`reduce` makes a map smaller, and the keys are {keys}", "reduce", "leave it out")
        if self.over == "pairs" and self.projects(shapes):
            message = "`over: pairs` is of queries, keys and values as they are, and these are projected"
            raise Refusal("SC315", message, "over", "convolve the layers before: `keys` and `values` name two of them")
        return super().output(shapes)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        keys = self.keys_of(shapes)
        for axis, (size, step) in enumerate(zip(keys.size, self.reduce or (), strict=False)):
            yield Need(axis, size - step, partial(self._no_key, CELL[len(keys.size)], size, step))
        yield from super().needs(shapes, output)

    def _no_key(self, cell: str, size: Size, step: int) -> Refusal:
        message = f"of {size} {cell}s, reduced by {step}, nothing is left"
        return Refusal("SC303", message, "reduce", f"the keys need at least {step} {cell}s here")

    def smaller(self, channels: int) -> tuple[Parameter, ...]:
        if self.reduce is None:
            return ()
        convolved = Parameter("sr.weight", (channels, channels, *self.reduce), self.init, self.frozen)
        norm = (replace(each, name=f"norm.{each.name}", frozen=self.frozen) for each in scale_and_shift(channels))
        return (convolved, Parameter("sr.bias", (channels,), ZEROS, self.frozen), *norm)

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        keys = self.keys_of(shapes)
        queries, read, reducing = shapes[0].positions, keys.positions, 0
        if queries is None or read is None:
            return None
        if self.reduce is not None:
            each = zip(keys.size, self.reduce, strict=True)
            read = Shape(1, tuple(size // step for size, step in each)).positions or 0
            reducing = read * keys.channels**2 * prod(self.reduce)
        return reducing + self.cost(shapes, output, queries, read, queries * read)


class MatMul(Op):
    """A product of two matrices of each image, whose columns are vectors of channels, one a position.

    over positions — one token for each channel of the first: the sum of the second's vectors, each times what that
    channel is at its position, y[c, k] = Σ_p a[k, p] b[c, p], as the object regions of Yuan et al. (2020), section 3.2;
    over channels — one channel for each token of the first, y[k, p] = Σ_c a[c, k] b[c, p], at each position of the
    second, as the masks of Cheng et al. (2021), section 3.3.
    """

    spelling: ClassVar[str] = "matmul"
    summary: ClassVar[str] = (
        "product of matrices: over positions (one token a channel), or channels (one channel a token)"
    )
    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = 2
    joins: ClassVar[bool] = True
    whole_image: ClassVar[bool] = True

    over: Annotated[Literal["positions", "channels"], Reads.WORD]

    @property
    def takes_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        first, second = shapes
        if self.over == "positions":
            if first.tokens != second.tokens or len(first.size) != len(second.size) or not first.axes:
                raise Refusal("SC316", f"{first} and {second} have unequal positions", "over", "two maps of one size")
            return Shape(second.channels, (), first.channels)
        if first.size or not first.tokens:
            help = (
                "the tokens first: `tokens: [0, 1]` takes those of a list, and `matmul ... over: positions` makes some"
            )
            raise Refusal("SC316", f"over channels, the first is tokens alone, and {first} is not", "over", help)
        if not second.size or second.tokens:
            raise Refusal(
                "SC316", f"over channels, the second is a map, and {second} is none", "over", "the map second"
            )
        if first.channels != second.channels:
            message = f"the inputs differ in channels: {first.channels} and {second.channels}"
            raise Refusal("SC301", message, None, "a conv of kernel 1 makes them equal")
        return second.with_channels(first.tokens)

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterator[Need]:
        first, second = shapes
        if self.over == "positions":
            for axis, (size, other) in enumerate(zip(first.size, second.size, strict=True)):
                yield Need(axis, difference(size, other), partial(self._unequal, first, second), equal=True)

    def reads_whole(self, axis: int, index: int, inputs: int) -> bool:
        return self.over == "positions" or index == 0

    def _unequal(self, first: Shape, second: Shape) -> Refusal:
        return Refusal("SC302", f"the inputs differ in size: {first} and {second}", None, "a `resize` of one")

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        """Where an output lies: over channels, that of a map over its second input."""
        return IDENTITY if self.over == "channels" and index == 1 else None

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        first, second = shapes
        if self.over == "channels":
            return None if second.positions is None else first.tokens * second.channels * second.positions
        return None if second.positions is None else first.channels * second.channels * second.positions


class PositionSoftmax(Op):
    """Probabilities over the positions of each channel, as the object regions of Yuan et al. (2020), section 3.2. It
    keeps the grid, as instance norm does."""

    spelling: ClassVar[str] = "softmax"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "probabilities over the positions of each channel"
    spatial: ClassVar[bool] = True
    whole_image: ClassVar[bool] = True

    kind: Annotated[Literal["positions"], Reads.WORD]

    @property
    def title(self) -> str:
        return "softmax over positions"

    def grid(self, axis: int) -> Slide:
        return Slide()

    def gathers(self, channels: int) -> tuple[str, int]:
        return "exponentials", 1

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if all(size == 1 for size in shapes[0].size):
            cell = CELL[len(shapes[0].size)]
            message = f"a softmax over 1 {cell} is 1, whatever the {cell} holds"
            raise Refusal("SC319", message, "kind", "leave it out, or `softmax: channels`")
        return shapes[0]
