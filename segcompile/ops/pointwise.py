"""Ops that keep the grid: activations, dropout, scale, softmax."""

from collections.abc import Sequence
from math import inf
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from segcompile.ops.base import Init, Number, Op, Parameter, Reads, Shape
from segcompile.ops.needs import Refusal

# The values that an activation gives, least and largest.
_BOUNDS = {
    "relu": (0.0, inf), "relu6": (0.0, 6.0), "elu": (-1.0, inf), "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0),
    "gelu": (-0.17, inf), "silu": (-0.28, inf),
}  # fmt: skip


class Activation(Op):
    """A function of each value."""

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "activation"
    pointwise: ClassVar[bool] = True

    kind: Annotated[Literal["relu", "relu6", "elu", "sigmoid", "tanh", "gelu", "silu"], Reads.WORD]

    @property
    def title(self) -> str:
        return self.kind

    @property
    def bounds(self) -> tuple[float, float]:
        return _BOUNDS[self.kind]

    def probability(self, channels: int) -> Literal["sigmoid"] | None:
        return "sigmoid" if self.kind == "sigmoid" and channels == 1 else None


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
    """max(x, a * x) with a trained `a` a channel, He et al. (2015); starts at 0.25."""

    spelling: ClassVar[str] = "act"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "parametric ReLU, one slope a channel"
    pointwise: ClassVar[bool] = True
    stored_as: ClassVar[tuple[str, ...]] = ("prelu",)

    kind: Annotated[Literal["prelu"], Reads.WORD] = "prelu"

    @property
    def title(self) -> str:
        return self.kind

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        return (Parameter("weight", (shapes[0].channels,), Init(scheme="constant", value=0.25)),)


class Dropout(Op):
    """Zeroes each value with probability `rate` in training and scales the rest."""

    spelling: ClassVar[str] = "dropout"
    main: ClassVar[str] = "rate"
    summary: ClassVar[str] = "dropout"
    pointwise: ClassVar[bool] = True

    rate: Annotated[float, Field(ge=0, lt=1), Reads.NUMBER]


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
    main: ClassVar[str] = "over"
    summary: ClassVar[str] = "probabilities over the channels"
    pointwise: ClassVar[bool] = True

    over: Annotated[Literal["channels"], Reads.WORD] = "channels"

    def probability(self, channels: int) -> Literal["softmax"]:
        return "softmax"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        if shapes[0].channels == 1:
            help = "leave it out, or write `act: sigmoid` for a probability; a softmax needs two channels"
            raise Refusal("SC319", "a softmax over 1 channel is 1 everywhere, whatever the channel holds", "over", help)
        return shapes[0]
