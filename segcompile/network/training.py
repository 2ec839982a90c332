"""How a network is trained: one regime for all, or one for each stage. Plain values, whose limits stand at each.

They travel with the graph: the language reads them, checks hold them against the network, backends print them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from segcompile.network.data import Ignored
from segcompile.network.selector import Selector
from segcompile.text.errors import Span

MOST_STAGES, MOST_SELECTORS, MOST_LOSSES = 32, 32, 16
MOST_PADDING = 2**15  # pixels

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["fixed", "step", "poly"]
Reduction = Literal["mean", "sum"]
LossKind = Literal["cross_entropy", "dice"]
PaddingMode = Literal["reflect", "edge", "zero"]
Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
Weight = Annotated[float, Field(gt=0)]
Padding = Annotated[int, Field(ge=0, le=MOST_PADDING)]


@dataclass(frozen=True, slots=True)
class Loss:
    """One summand of what is minimised, `weight` times a mean or a sum over pixels.

    `class_weights`: a factor a class, or `balanced`; () for none. `at`: the layer whose scores it takes, at the stride
    of that layer; None for the head itself.
    """

    kind: LossKind = "cross_entropy"
    weight: Weight = 1.0
    class_weights: tuple[NotNegative, ...] | Literal["balanced"] = ()
    at: Selector | None = None
    span: Span | None = field(default=None, compare=False)  # of its word; None where the spec says nothing
    places: Mapping[str, Span] = field(default_factory=dict, compare=False)  # option -> where it stands


def _usual() -> tuple[Loss, ...]:
    """One cross entropy."""
    return (Loss(),)


@dataclass(frozen=True, slots=True)
class Head:
    """An output that is trained: the factor of its losses, and these; () for those of the section."""

    name: str
    span: Span = field(compare=False)  # of the name
    weight: Weight = 1.0
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Regime:
    """The flags of one run; the defaults are the harness's own. `ignore`, `reduction` and `keep` are of all losses."""

    optimizer: Optimizer = "sgd"
    lr: Annotated[float, Field(gt=0)] = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NotNegative = 5e-4
    schedule: Schedule = "poly"
    power: NotNegative = 0.9  # of poly: lr * (1 - step / steps) ** power
    step_size: Count = 1000  # of step: lr * gamma ** (step // step_size)
    gamma: NotNegative = 0.1
    batch: Count = 8
    steps: Count = 1000
    ignore: tuple[Ignored, ...] = ()  # none: a label that is no class
    reduction: Reduction = "mean"  # of the loss over the pixels that count
    keep: Annotated[float, Field(gt=0, le=1)] = 1.0  # the share of output pixels that a step draws its loss from


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training with a regime of its own. It trains the layers that `train` selects but `freeze` does
    not; `checks.stages` says which those are."""

    name: str
    span: Span = field(compare=False)  # of the name
    regime: Regime
    losses: tuple[Loss, ...] = field(default_factory=_usual)
    train: tuple[Selector, ...] = ()  # none: all
    freeze: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True)
class Training(Regime):
    """The regime of a spec, from which its stages differ. `heads`: those that are trained; (): any one of them."""

    losses: tuple[Loss, ...] = field(default_factory=_usual)
    heads: tuple[Head, ...] = ()
    double_bias: bool = False  # biases learn at twice the rate and do not decay, as in Caffe's networks
    padding: tuple[Padding, ...] = ()  # an image is continued by so many pixels on each side of each axis; (): none
    padding_mode: PaddingMode = "reflect"
    stages: tuple[Stage, ...] = ()
