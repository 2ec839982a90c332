"""What every op is: attributes, a window per axis and input, an output shape, parameters and a cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from functools import cache
from itertools import product as every_one
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from segcompile.ops.axes import CELL
from segcompile.ops.needs import Need, Refusal
from segcompile.ops.size import AnySize, Size, times
from segcompile.rows import Grid, Slide


class Reads(Enum):
    """How the text of an attribute is read: a scalar is typed by where it stands, not by how it looks."""

    POSITIVE = "a positive integer"
    NATURAL = "a non-negative integer"
    NUMBER = "a number"
    NUMBERS = "a list of numbers"
    PAIR = "a positive integer, `3x3` or [height, width]"
    RATIO = "a positive integer, a ratio as `1/2`, or [height, width]"
    NATURAL_PAIR = "a non-negative integer, `1x2` or [height, width]"
    PADDING = "`same`, a non-negative integer, [height, width] or [top, bottom, left, right]"
    FLAG = "yes or no"
    WORD = "a word"
    PART = "[from, to], two non-negative integers"
    INIT = "an initialisation"
    LAYER = "a layer's name"


Positive = Annotated[int, Field(ge=1), Reads.POSITIVE]
Number = Annotated[float, Reads.NUMBER]
Flag = Annotated[bool, Reads.FLAG]
Natural = Annotated[int, Field(ge=0)]

# One entry an axis; one entry alone is repeated to as many as the op's longest attribute has.
PerAxis = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Reads.PAIR]
NaturalPerAxis = Annotated[tuple[Natural, ...], Reads.NATURAL_PAIR]
OptionalPerAxis = Annotated[tuple[Annotated[int, Field(ge=1)], ...] | None, Reads.PAIR]
OptionalRatios = Annotated[tuple[Annotated[Fraction, Field(gt=0)], ...] | None, Reads.RATIO]
OptionalOffset = Annotated[tuple[Natural, ...] | None, Reads.NATURAL_PAIR]
PadWord = Literal["same", "causal"]  # the size is kept; and by padding before the map alone, so that none looks ahead
AxisPadding = PadWord | tuple[int, int]  # or (before, after)
Padding = Annotated[tuple[PadWord | tuple[Natural, Natural], ...], Reads.PADDING]
_PER_AXIS = (Reads.PAIR, Reads.RATIO, Reads.NATURAL_PAIR, Reads.PADDING)
ONE, NO_PIXELS, UNPADDED = (1,), (0,), ((0, 0),)  # along each axis
Surroundings = Literal["zero", "reflect", "edge", "circular"]
PadMode = Annotated[Surroundings, Reads.WORD]


class Init(BaseModel):
    """How a weight starts. Biases start at zero.

    identity — Yu & Koltun (2016), equations 4 and 5, for `groups` = C feature maps. The taps that pass them on are
    C / c_out, all others gaussian noise of standard deviation `std` · C / c_out; zero where c_in = c_out = C;
    bilinear — upsampling by interpolation, Long et al. (2015), section 3.3; zeros; normal — gaussian, `std`;
    he — He et al. (2015), equation 10: gaussian of variance 2 / n, n the values that one output sums up (of a
    transposed convolution c_in · k² / stride² / groups); xavier — Glorot & Bengio (2010), equation 16;
    constant — `value`: where normalisation and PReLU start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    scheme: Literal["identity", "bilinear", "zeros", "normal", "he", "xavier", "constant"] = "he"
    groups: Annotated[int, Field(ge=1)] | None = None
    std: Annotated[float, Field(ge=0)] | None = None
    value: float | None = None


Initialiser = Annotated[Init, Reads.INIT]
ZEROS = Init(scheme="zeros")
STARTS = ("init", "frozen")  # attributes of a weight: who shares it has them from the layer whose it is


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels and the sizes along the axes, without the batch; `size` is () for a vector.

    With `tokens` it is a list: so many vectors before the positions of a map of `size`, row by row; none of a map
    behind them where `size` is (). A list is held by a tensor of one axis.
    """

    channels: int
    size: tuple[Size, ...] = ()
    tokens: int = 0

    @property
    def axes(self) -> int:
        """How many axes the tensor that holds it has beside batch and channels."""
        return 1 if self.tokens else len(self.size)

    @property
    def extents(self) -> tuple[int | None, ...]:
        """The lengths of these axes; None where a size is symbolic."""
        return (self.positions,) if self.tokens else tuple(None if isinstance(n, AnySize) else n for n in self.size)

    @property
    def positions(self) -> int | None:
        """How many vectors of its channels it holds; None where a size is symbolic."""
        if self.tokens and not self.size:
            return self.tokens
        of_map = product(*self.size)
        return None if of_map is None else self.tokens + of_map

    def with_channels(self, channels: int) -> "Shape":
        """The same positions, of so many channels."""
        return replace(self, channels=channels)

    def __str__(self) -> str:
        if not self.tokens:
            return times(self.channels, *self.size)
        of_map = f"{self.tokens} + {times(*self.size)}" if self.size else f"{self.tokens}"
        return f"{self.channels} x ({of_map})"


@dataclass(frozen=True, slots=True)
class Window:
    """The input indices i that output index p reads along one axis:

        upsample * i = stride * p + dilation * t - offset,   t = 0 .. taps - 1,   i an integer.

    Convolution and pooling have upsample 1; transposed convolution has stride 1 and upsamples by its stride.
    """

    taps: int = 1
    stride: int = 1
    dilation: int = 1
    offset: int = 0
    upsample: int = 1

    @property
    def reach(self) -> int:
        """From the first tap to the last, in input pixels times `upsample`."""
        return self.dilation * (self.taps - 1)

    @property
    def transposed(self) -> "Window":
        """The same pairs (p, i) read the other way: the output indices p that read input index i. Needs a stride: one
        pixel that is stretched over a map (stride 0) is read by all of it."""
        return Window(self.taps, self.upsample, self.dilation, self.reach - self.offset, self.stride)


IDENTITY = Window()
Chain = tuple[Window, ...]  # one window behind another, that on the input first; what lies between them is no tensor


@dataclass(frozen=True, slots=True)
class Sliding:
    """A window that slides over a map, as a paper writes it, one number an axis; that of a transposed convolution
    slides over its output."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A trained tensor of an op, in PyTorch's layout."""

    name: str
    shape: tuple[int, ...]
    init: Init
    frozen: bool = False

    @property
    def count(self) -> int:
        total = 1
        for extent in self.shape:
            total *= extent
        return total

    @property
    def is_bias(self) -> bool:
        return self.name.rpartition(".")[2] == "bias"


class Op(BaseModel):
    """Everything that is true of an op, for any backend and any analysis.

    What the rest of the house wants to know of an op it asks here, and looks at no class. An answer that an op does not
    give is the careful one: it has no window, no padding, no denser form, and is equal to nothing but itself.
    """

    # Most ops are not used in a run: what validates them is built when the first of a class is made. Nor does a file of
    # ops import `annotations` from __future__: pydantic would read the text of all that stands here anew for each op.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    spelling: ClassVar[str]  # the key in a spec
    main: ClassVar[str | None] = None  # the attribute that the key's value fills; None: the value names inputs
    by_word: ClassVar[Mapping[str, str]] = {}  # word in a mapping under the key -> attribute: `pad: {channels: 3}`
    told_by: ClassVar[str | None] = None  # the attribute that tells it from another op of its key: `bins` of a pool
    summary: ClassVar[str]  # one line for `segcompile list`
    least_inputs: ClassVar[int] = 1
    most_inputs: ClassVar[int | None] = 1  # None: any number
    lends_size: ClassVar[bool] = False  # the second input, if any, is read for its size only
    remembers: ClassVar[bool] = False  # of a list, that input is the map whose positions it holds; a pass finds it
    also_reads: ClassVar[tuple[str, ...]] = ()  # what a spec calls the layers that it reads beside its input, in order
    joins: ClassVar[bool] = False  # its inputs stand side by side, and its key in a spec lists them
    switches: ClassVar[int | None] = None  # the input of which it reads where the maxima were, and no values
    flattens: ClassVar[bool] = False  # it reads a map as one vector, channel by channel and row by row
    resamples: ClassVar[bool] = False  # it gives the values of its input, or means between them, on another grid
    only_pads: ClassVar[bool] = False  # it gives its input and what it puts around, and changes nothing
    stored_as: ClassVar[tuple[str, ...]] = ()  # the kinds of layers in a file of weights that hold its tensors
    whole_image: ClassVar[bool] = False  # every output depends on every position of an input that it `reads_whole`
    data_dependent: ClassVar[bool] = False  # the values decide which part of its window an output reads: a bound
    positional: ClassVar[bool] = False  # what it gives depends on where in the map that is, besides what it reads
    spatial: ClassVar[bool] = False  # needs a map, and no vector
    pointwise: ClassVar[bool] = False  # at evaluation an output reads its own position alone, and all positions alike
    statistics: ClassVar[Literal["", "batch", "image"]] = (
        ""  # in training, of all positions: of a batch's images, or of each
    )
    draws: ClassVar[Literal["", "value", "channel", "image"]] = ""  # what it zeroes in training, each by its own draw
    rests: ClassVar[bool] = False  # it is of training alone, and changes nothing at evaluation
    per_use: ClassVar[tuple[str, ...]] = ()  # attributes that each of several layers of one weight has for itself

    def model_post_init(self, context: Any, /) -> None:
        """What is said once holds along every axis. Raises ValueError for attributes of unequal numbers of axes."""
        rank = self.rank
        for name in self._per_axis() if rank is not None else ():
            said = getattr(self, name)
            if said is not None and len(said) != rank:
                if len(said) != 1:
                    raise ValueError(f"{name} of {len(said)} axes beside an attribute of {rank}")
                self.__dict__[name] = said * rank

    @classmethod
    @cache
    def _per_axis(cls) -> tuple[str, ...]:
        """The attributes that have one entry an axis."""
        return tuple(name for name in cls.model_fields if cls.reads(name) in _PER_AXIS)

    @classmethod
    def beside(cls) -> tuple[str, ...]:
        """The attributes that a layer says beside the key of the op, and not under it."""
        under = {cls.main, *cls.by_word.values()}
        return tuple(name for name in cls.model_fields if name not in under)

    def says(self, attribute: str) -> bool:
        """Whether an attribute is another than it is where nothing is said of it."""
        field, said = type(self).model_fields[attribute], getattr(self, attribute)
        usual = field.default
        if attribute in self._per_axis() and not field.is_required() and usual is not None:
            usual = usual * (self.rank or 1)
        return bool(said != usual)

    @property
    def rank(self) -> int | None:
        """Of how many axes its attributes speak; None for an op that says nothing of single axes."""
        said = (getattr(self, name) for name in self._per_axis())
        return max((len(each) for each in said if each is not None), default=None)

    def output(self, shapes: Sequence[Shape]) -> Shape:
        """The output shape, if the needs are met. Raises Refusal (SC3xx) for what has nothing to do with sizes, and
        Undecidable where a symbolic size cannot be written down."""
        return shapes[0]

    def needs(self, shapes: Sequence[Shape], output: Shape) -> Iterable[Need]:
        """What the sizes must fulfil, numbers or not: everything that `output` takes for granted of them."""
        return ()

    def result(self, shapes: Sequence[Shape]) -> Shape:
        """The output shape. Raises as `output` does, and Refusal where a need is not met."""
        output = self.output(shapes)
        for need in self.needs(shapes, output):
            need.check()
        return output

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        """What an output reads of input `index`, given the inputs' `sizes` along `axis`; None: not its values.

        Of an input that the op `reads_whole` and whose grid it keeps, the place that an output lies over. Where
        `chains` says more, the window around all that it says.
        """
        return IDENTITY

    def reads_whole(self, axis: int, index: int, inputs: int) -> bool:
        """Whether each output reads input `index`, of so many, from end to end along `axis`: of a whole-image op along
        all axes at once."""
        return self.whole_image

    def spans_some(self, rank: int, inputs: int) -> bool:
        """Whether each output reads some input, of so many, from end to end along some of `rank` axes."""
        return any(self.reads_whole(axis, index, inputs) for axis in range(rank) for index in range(inputs))

    def chains(self, axis: int, sizes: Sequence[Size], index: int) -> tuple[Chain, ...]:
        """The same, exactly, where no single window says it: what any of some chains of windows reads along `axis`; ()
        not its values."""
        window = self.window_on(axis, sizes, index)
        return ((window,),) if window is not None else ()

    def parts(self, sizes: Sequence[tuple[Size, ...]], index: int) -> tuple[tuple[Chain, ...], ...]:
        """The same along all axes at once, of inputs of these `sizes`: a union of products of chains, one an axis."""
        along = enumerate(zip(*sizes, strict=True))
        return tuple(every_one(*(self.chains(axis, each, index) for axis, each in along)))

    def grid(self, axis: int) -> Grid | None:
        """How its outputs lie over its inputs along `axis`, at any size: what it takes to run it in rows. None for one
        that cannot be."""
        return Slide() if self.pointwise else None

    def gathers(self, channels: int) -> tuple[str, int]:
        """What of a whole map of so many channels it has to know before it gives a row, if sums over rows tell it: a
        word for it, and of how many groups. ("", 1) for nothing."""
        return "", 1

    def within_rows(self) -> Self:
        """This op on rows of its input, with what it puts around that along the first axis among them already, and with
        what it does along that axis done: of a map as high as the rows."""
        return self

    @property
    def keeps_lists(self) -> bool:
        """Whether it makes a list of a list, of the same positions."""
        return self.pointwise and not self.spatial

    @property
    def takes_lists(self) -> bool:
        """Whether it reads lists, whatever it makes of them."""
        return self.keeps_lists

    def check_form(self, shapes: Sequence[Shape], names: Sequence[str]) -> None:
        """Refuse (SC316) a vector where a map is needed, and a list where that is not kept. `names`: the inputs'."""
        if self.spatial and not shapes[0].axes:
            raise Refusal("SC316", f"{self.spelling} needs a feature map, and {names[0]} is a vector")
        lists = [name for shape, name in zip(shapes, names, strict=True) if shape.tokens]
        if lists and not self.takes_lists:
            message = f"{self.title} needs a feature map, and {lists[0]} is a list of tokens"
            raise Refusal("SC316", message, None, "`map: positions` takes its positions, `tokens: [0, 1]` its tokens")

    def biased(self) -> "Op | None":
        """This op with a bias, where a factor for each channel of the result can be taken into its weight and a shift
        into that; None where its weights can take no such factor."""
        return None

    @classmethod
    def has_weights(cls) -> bool:
        """Whether it has trained tensors, which layers can share."""
        return cls.parameters is not Op.parameters

    def starting_as(self, other: "Op | None") -> Self:
        """This op, whose weights start and are trained as those of `other`, of the same class; as where nothing is said
        for None."""
        fields = type(self).model_fields
        said = {
            name: getattr(other, name) if other is not None else fields[name].default
            for name in STARTS
            if name in fields
        }
        return self.model_copy(update=said)

    def dilated(self, factor: tuple[int, ...]) -> "Op":
        """The op for a map `factor` times as dense, one number an axis: every factor-th of its outputs is what this one
        gives on the sparser map. Raises Refusal, whose message goes on behind the layer's name, where there is none:
        an op that is not known to have one is refused (SC507)."""
        if self.pointwise:
            return self
        if self.whole_image:
            raise Refusal("SC507", f"({self.title}) mixes the positions of the whole map, and a denser map has others")
        raise Refusal("SC507", f"({self.title}) has no form for a denser map")

    @property
    def sliding(self) -> Sliding | None:
        """Its kernel, stride and dilation; None for an op that has no such window."""
        return None

    def pads(self, axis: int) -> tuple[int, int]:
        """The pixels put around its input along `axis`, (before, after), `same` resolved; of a transposed convolution
        those that are cut off its output."""
        return 0, 0

    @property
    def surroundings(self) -> Surroundings | None:
        """What it reads beyond the end of its input: zeros, or the input again; None for neither, as of a maximum."""
        return None

    @property
    def value_around(self) -> float:
        """The number that it puts around its input."""
        return 0.0

    def in_pixels(self) -> Self:
        """The op whose padding is a number of pixels, where it says `same`. Raises Refusal (SC317) where that means
        none."""
        return self

    def canonical(self) -> "Op":
        """The one form of all ops of this class that do the same, however they are written."""
        return self

    def unpadded(self) -> "Op":
        """The canonical op without what says where its border lies. Two that are equal then have equal weights, and do
        the same to pixels far from any border."""
        return self.canonical()

    @property
    def aligns(self) -> str:
        """How it makes inputs of unequal sizes equal; `none` if it does not."""
        return "none"

    def cut_off(self, sizes: Sequence[Size], index: int) -> Size:
        """How many pixels it cuts off input `index` before the first one to make the inputs' `sizes` along an axis
        equal; negative where it puts them there."""
        return 0

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The values that it gives, least and largest; None where that is up to its input."""
        return None

    def probability(self, channels: int) -> Literal["softmax", "sigmoid"] | None:
        """Of which function its `channels` values a pixel are the probabilities of classes; None if they are none."""
        return None

    def groups_of(self, channels: int) -> int | None:
        """Into how many groups it splits so many channels; None for an op that knows no groups."""
        return None

    def given_statistics(self) -> "Op":
        """What it is where its `statistics` are not its own to find: an op that reads its own position alone."""
        return self

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        """The trained tensors."""
        return ()

    def buffers(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        """The tensors that are kept with the trained ones and not trained: statistics."""
        return ()

    def macs(self, shapes: Sequence[Shape], output: Shape) -> int | None:
        """Multiply-accumulates of one image's forward pass; None where a size is symbolic."""
        return 0

    def remark(self, shapes: Sequence[Shape]) -> str | None:
        """What is said of it below a table, as it stands on these inputs; None for nothing."""
        return None

    @property
    def title(self) -> str:
        """The op as a table shows it."""
        return self.spelling

    @classmethod
    def reads(cls, attribute: str) -> Reads:
        """How the text of `attribute` is read."""
        return next(item for item in cls.model_fields[attribute].metadata if isinstance(item, Reads))


# Pydantic reads its bases' annotations anew for each model, and none of these is a field: 3 % of a cold `check`.
Op.__annotations__.clear()
_S = TypeVar("_S", bound=Op)


def product(*factors: Size) -> int | None:
    """The product, or None as soon as a factor is symbolic."""
    total = 1
    for factor in factors:
        if isinstance(factor, AnySize):
            return None
        total *= factor
    return total


def same_pads(kernel: int, dilation: int) -> tuple[int, int]:
    """The padding that gives ceil(size / stride) outputs; an odd one goes after."""
    total = dilation * (kernel - 1)
    return total // 2, total - total // 2


def window_pads(pad: AxisPadding, kernel: int, dilation: int) -> tuple[int, int]:
    """(before, after) of a sliding window along one axis. `causal` (van den Oord et al. 2016, section 2.1): the last
    tap of output p lies on input p * stride."""
    if pad == "causal":
        return dilation * (kernel - 1), 0
    return same_pads(kernel, dilation) if pad == "same" else pad


def no_pads_above(pad: tuple[AxisPadding, ...]) -> tuple[AxisPadding, ...]:
    """The padding along each axis, without that along the first one."""
    return ((0, 0), *pad[1:])


def too_late() -> Refusal:
    """Why an op that brings the map back to a size is not dilated."""
    message = "brings the map back to a size, and the strides taken out here come before it"
    return Refusal("SC503", message, None, "take strides out first, and append this layer after that")


def dilated_pads(op: Op, mode: str, factor: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """(before, after) of an op's padding around a map `factor` times as dense, along each axis. Raises Refusal (SC507)
    where what lies around it is taken from the map's last pixels, which a denser map has more of: what lies behind the
    end, and, of a map that goes on with its other end, what lies before."""
    pads = [op.pads(axis) for axis in range(len(factor))]
    whole = mode == "circular"
    of_last = [max(pair) if whole else pair[1] for pair in pads]
    if mode != "zero" and any(taken and times > 1 for taken, times in zip(of_last, factor, strict=True)):
        help = "`mode: zero`" if whole else "`mode: zero`, or padding before the map only"
        raise Refusal("SC507", f"pads by `{mode}`, and a denser map ends with other {CELL[len(factor)]}s", "mode", help)
    return tuple((before * times, after * times) for (before, after), times in zip(pads, factor, strict=True))


def on_denser(op: _S, window: Sliding, mode: str, factor: tuple[int, ...]) -> _S:
    """The op of a sliding window, padded by `mode`, dilated for a map `factor` times as dense. Raises Refusal as
    `dilated_pads` does."""
    each = zip(window.kernel, window.dilation, factor, strict=True)
    dilation = tuple(dilation * times if kernel > 1 else 1 for kernel, dilation, times in each)
    pads = dilated_pads(op, mode, factor)
    found = op.model_copy(update={"dilation": dilation})
    kept = pads == tuple(map(found.pads, range(len(factor))))  # `same` may say it already
    return found if kept else found.model_copy(update={"pad": pads})


def padded_in_pixels(op: _S, pad: tuple[AxisPadding, ...]) -> _S:
    """The op whose `pad` is (before, after) along each axis."""
    return op.model_copy(update={"pad": tuple(map(op.pads, range(len(pad))))}) if {"same", "causal"} & {*pad} else op
