"""Normalisation layers."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from segcompile.ops.axes import CELL
from segcompile.ops.base import ZEROS, Flag, Init, Initialiser, Number, Op, Parameter, Positive, Reads, Shape
from segcompile.ops.convolution import check_groups
from segcompile.ops.needs import Refusal
from segcompile.ops.size import Size
from segcompile.rows import Slide

_ONES = Init(scheme="constant", value=1.0)

Eps = Annotated[float, Field(gt=0), Reads.NUMBER]


def scale_and_shift(channels: int) -> tuple[Parameter, ...]:
    """What a norm is trained to scale and shift each channel by."""
    return Parameter("weight", (channels,), _ONES), Parameter("bias", (channels,), ZEROS)


def _check_many(extents: Sequence[Size], what: str) -> None:
    """Refuse (SC318) to normalise a single value: it is its own mean."""
    if all(extent == 1 for extent in extents):
        message = f"nothing is left by the {what}: it is its own mean"
        raise Refusal("SC318", message, "kind", "`norm: none` here, or another norm")


class BatchNorm(Op):
    """Batch normalisation, Ioffe & Szegedy (2015), with a trained scale and shift a channel."""

    spelling: ClassVar[str] = "norm"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "batch normalisation: eps, momentum (share of the new batch)"
    pointwise: ClassVar[bool] = True
    statistics: ClassVar[Literal["", "batch", "image"]] = "batch"
    stored_as: ClassVar[tuple[str, ...]] = ("batch", "scale")

    kind: Annotated[Literal["batch"], Reads.WORD] = "batch"
    eps: Eps = 1e-5
    momentum: Annotated[float, Field(gt=0, le=1), Reads.NUMBER] = 0.1

    @property
    def title(self) -> str:
        return "batch norm"

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        return scale_and_shift(shapes[0].channels)

    def buffers(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        channels = (shapes[0].channels,)
        return Parameter("running_mean", channels, ZEROS), Parameter("running_var", channels, _ONES)


class InstanceNorm(Op):
    """Each channel of each image by its own mean and variance, Ulyanov et al. (2016), in training and evaluation alike.

    It mixes the whole image and keeps the grid: its window says where its outputs lie.
    """

    spelling: ClassVar[str] = "norm"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "instance normalisation: eps"
    spatial: ClassVar[bool] = True
    whole_image: ClassVar[bool] = True
    statistics: ClassVar[Literal["", "batch", "image"]] = "image"
    stored_as: ClassVar[tuple[str, ...]] = ("instance", "group")

    kind: Annotated[Literal["instance"], Reads.WORD] = "instance"
    eps: Eps = 1e-5

    @property
    def title(self) -> str:
        return "instance norm"

    def groups_of(self, channels: int) -> int:
        return channels

    def given_statistics(self) -> Op:
        return BatchNorm(eps=self.eps)

    def grid(self, axis: int) -> Slide:
        return Slide()

    def gathers(self, channels: int) -> tuple[str, int]:
        return "moments", channels

    def output(self, shapes: Sequence[Shape]) -> Shape:
        _check_many(shapes[0].size, f"instance norm of one {CELL[len(shapes[0].size)]}")
        return shapes[0]

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        return scale_and_shift(shapes[0].channels)


class GroupNorm(Op):
    """Each group of channels of each image by its own mean and variance, Wu & He (2018). It keeps the grid, as
    instance norm does."""

    spelling: ClassVar[str] = "norm"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "group normalisation: groups, eps"
    whole_image: ClassVar[bool] = True
    statistics: ClassVar[Literal["", "batch", "image"]] = "image"
    stored_as: ClassVar[tuple[str, ...]] = ("group", "instance")

    kind: Annotated[Literal["group"], Reads.WORD] = "group"
    groups: Positive
    eps: Eps = 1e-5

    @property
    def title(self) -> str:
        return "group norm"

    def groups_of(self, channels: int) -> int:
        return self.groups

    def given_statistics(self) -> Op:
        return BatchNorm(eps=self.eps)

    def grid(self, axis: int) -> Slide:
        return Slide()

    def gathers(self, channels: int) -> tuple[str, int]:
        return "moments", self.groups

    def output(self, shapes: Sequence[Shape]) -> Shape:
        check_groups(shapes[0].channels, self.groups, "input")
        _check_many((shapes[0].channels // self.groups, *shapes[0].size), "group norm of one value")
        return shapes[0]

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        return scale_and_shift(shapes[0].channels)


class LayerNorm(Op):
    """The channels of each pixel by their own mean and variance, Ba et al. (2016), with a trained scale and shift a
    channel: as in ConvNeXt and in transformers. A `GroupNorm` of one group takes the mean over the image, too."""

    spelling: ClassVar[str] = "norm"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "layer normalisation, over the channels of each pixel: eps"
    pointwise: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("layer",)

    kind: Annotated[Literal["layer"], Reads.WORD] = "layer"
    eps: Eps = 1e-5

    @property
    def title(self) -> str:
        return "layer norm"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        _check_many((shapes[0].channels,), "layer norm of one channel")
        return shapes[0]

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        return scale_and_shift(shapes[0].channels)


class Affine(Op):
    """A trained scale a channel, and a shift unless `bias` is false: the layer scale of Touvron et al. (2021), equation
    4, which starts at 1e-6. With `shared` one of each for all channels, as the factors of Fu et al. (2019), equations 2
    and 4, and PP-LCNetV3's learnable affine blocks."""

    spelling: ClassVar[str] = "affine"
    main: ClassVar[str] = "over"
    summary: ClassVar[str] = "a scale and a shift a channel: shared, bias, init"
    pointwise: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("scale",)

    over: Annotated[Literal["channels"], Reads.WORD] = "channels"
    shared: Flag = False
    bias: Flag = True
    init: Initialiser = _ONES

    @property
    def start(self) -> float:
        """What all scales start from."""
        return self.init.value or 0.0

    def scales(self, channels: int) -> int:
        """How many it has for so many channels."""
        return 1 if self.shared else channels

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.init.scheme not in ("constant", "zeros"):
            message = f"a scale starts from one number, not by `{self.init.scheme}`, which is of kernels"
            raise Refusal("SC315", message, "init", "`init: {constant: 1e-6}`, or `init: zeros`")
        return shapes[0]

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        scales = (self.scales(shapes[0].channels),)
        weight = Parameter("weight", scales, self.init)
        return (weight, Parameter("bias", scales, ZEROS)) if self.bias else (weight,)


class ResponseNorm(Op):
    """Local response normalisation over `size` neighbouring channels, Krizhevsky et al. (2012), section 3.3:

        x / (k + alpha / size * sum of the neighbours' x²) ** beta

    as Caffe and PyTorch have it. The paper does not divide by the size: its 1e-4 over 5 channels is an alpha of 5e-4.
    """

    spelling: ClassVar[str] = "norm"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "local response normalisation: size, alpha, beta, k"
    pointwise: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    kind: Annotated[Literal["lrn"], Reads.WORD] = "lrn"
    size: Positive = 5
    alpha: Annotated[float, Field(ge=0), Reads.NUMBER] = 1e-4
    beta: Number = 0.75
    k: Annotated[float, Field(gt=0), Reads.NUMBER] = 1.0

    @property
    def title(self) -> str:
        return self.kind
