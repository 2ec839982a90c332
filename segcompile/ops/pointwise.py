"""Ops that keep the grid: activations, dropout, scale, softmax."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from segcompile.ops.base import Flag, Init, Number, Op, Parameter, Reads, Shape
from segcompile.ops.needs import Refusal

# The values that an activation gives, least and largest.
_BOUNDS = {
    "relu": (0.0, inf), "relu6": (0.0, 6.0), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "gelu": (-0.17, inf),
    "tanh_gelu": (-0.171, inf), "silu": (-0.279, inf), "hard_sigmoid": (0.0, 1.0), "hard_swish": (-0.375, inf),
    "mish": (-0.309, inf), "selu": (-1.759, inf), "softplus": (0.0, inf),
}  # fmt: skip


Rate = Annotated[float, Field(ge=0, lt=1), Reads.NUMBER]


class Activation(Op):
    """A function of each value.

    gelu — Hendrycks & Gimpel (2016), x times the normal distribution up to x, and tanh_gelu, their approximation of it;
    silu — x · sigmoid(x), Elfwing et al. (2017), the swish of others; hard_sigmoid — relu6(x + 3) / 6, and hard_swish —
    x times that, Howard et al. (2019), section 5.2; mish — x · tanh(softplus(x)), Misra (2019); selu — Klambauer et al.
    (2017), equation 2; softplus — log(1 + exp(x)).
    """

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "activation"
    pointwise: ClassVar[bool] = True

    kind: Annotated[
        Literal[
            "relu", "relu6", "sigmoid", "tanh", "gelu", "tanh_gelu", "silu", "hard_sigmoid", "hard_swish", "mish",
            "selu", "softplus",
        ],
        Reads.WORD,
    ]  # fmt: skip

    @property
    def title(self) -> str:
        return self.kind

    @property
    def bounds(self) -> tuple[float, float]:
        return _BOUNDS[self.kind]

    def probability(self, channels: int) -> Literal["sigmoid"] | None:
        return "sigmoid" if self.kind == "sigmoid" and channels == 1 else None


class Elu(Op):
    """x above zero, alpha · (exp(x) - 1) below, Clevert et al. (2016), equation 15."""

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "exponential linear unit: alpha"
    pointwise: ClassVar[bool] = True

    kind: Annotated[Literal["elu"], Reads.WORD] = "elu"
    alpha: Annotated[float, Field(ge=0), Reads.NUMBER] = 1.0

    @property
    def title(self) -> str:
        return self.kind

    @property
    def bounds(self) -> tuple[float, float]:
        return -self.alpha, inf


class Clip(Op):
    """The nearest value between `min` and `max`."""

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "the nearest value between two: min, max"
    pointwise: ClassVar[bool] = True

    kind: Annotated[Literal["clip"], Reads.WORD] = "clip"
    min: Number
    max: Number

    @property
    def title(self) -> str:
        return self.kind

    @property
    def bounds(self) -> tuple[float, float]:
        return self.min, self.max

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if self.min >= self.max:
            message = f"nothing lies between {self.min:g} and {self.max:g}"
            raise Refusal("SC315", message, "min", "a `min` below the `max`")
        return shapes[0]


class LeakyRelu(Op):
    """max(x, slope * x)."""

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "leaky ReLU: slope"
    pointwise: ClassVar[bool] = True

    kind: Annotated[Literal["leaky_relu"], Reads.WORD] = "leaky_relu"
    slope: Annotated[float, Field(ge=0, lt=1), Reads.NUMBER] = 0.01

    @property
    def title(self) -> str:
        return self.kind


class PRelu(Op):
    """max(x, a * x) with a trained `a` a channel, or one that is `shared` by all, He et al. (2015); starts at 0.25."""

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "parametric ReLU, one slope a channel: shared"
    pointwise: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("prelu",)

    kind: Annotated[Literal["prelu"], Reads.WORD] = "prelu"
    shared: Flag = False

    @property
    def title(self) -> str:
        return self.kind

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        slopes = 1 if self.shared else shapes[0].channels
        return (Parameter("weight", (slopes,), Init(scheme="constant", value=0.25)),)


class Dropout(Op):
    """Zeroes each value with probability `rate` in training and scales the rest."""

    spelling: ClassVar[str] = "dropout"
    main: ClassVar[str] = "rate"
    summary: ClassVar[str] = "dropout"
    draws: ClassVar[Literal["", "value", "channel", "image"]] = "value"
    pointwise: ClassVar[bool] = True
    rests: ClassVar[bool] = True

    rate: Rate


class SpatialDropout(Op):
    """Zeroes each channel of a map as a whole with probability `rate` in training and scales the rest: Tompson et al.
    (2015), section 3.2."""

    spelling: ClassVar[str] = "dropout"
    main: ClassVar[str] = "rate"
    by_word: ClassVar[Mapping[str, str]] = {"spatial": "rate"}
    summary: ClassVar[str] = "dropout of whole channels: {spatial: rate}"
    draws: ClassVar[Literal["", "value", "channel", "image"]] = "channel"
    pointwise: ClassVar[bool] = True
    rests: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    rate: Rate

    @property
    def title(self) -> str:
        return "spatial dropout"


class DropPath(Op):
    """Zeroes all that one image has of a tensor with probability `rate` in training and scales that of the others: the
    stochastic depth of Huang et al. (2016), where it ends the branch of a residual block."""

    spelling: ClassVar[str] = "dropout"
    main: ClassVar[str] = "rate"
    by_word: ClassVar[Mapping[str, str]] = {"path": "rate"}
    summary: ClassVar[str] = "stochastic depth, dropout of a whole branch: {path: rate}"
    draws: ClassVar[Literal["", "value", "channel", "image"]] = "image"
    pointwise: ClassVar[bool] = True
    rests: ClassVar[bool] = True

    rate: Rate

    @property
    def title(self) -> str:
        return "drop path"


class Scale(Op):
    """Times a constant."""

    spelling: ClassVar[str] = "scale"
    main: ClassVar[str] = "factor"
    summary: ClassVar[str] = "times a constant"
    pointwise: ClassVar[bool] = True

    factor: Number


class Softmax(Op):
    """Probabilities over the channels of each pixel."""

    spelling: ClassVar[str] = "softmax"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "probabilities over the channels"
    pointwise: ClassVar[bool] = True

    kind: Annotated[Literal["channels"], Reads.WORD] = "channels"

    def probability(self, channels: int) -> Literal["softmax"]:
        return "softmax"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if shapes[0].channels == 1:
            help = "leave it out, or write `act: sigmoid` for a probability; a softmax needs two channels"
            raise Refusal("SC319", "a softmax over 1 channel is 1 everywhere, whatever the channel holds", "kind", help)
        return shapes[0]
