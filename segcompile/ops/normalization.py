"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from segcompile.ops.base import ZEROS, Init, Op, Parameter, Reads, Shape

_ONES = Init(scheme="constant", value=1.0)


class BatchNorm(Op):
    """Batch normalisation, Ioffe & Szegedy (2015), with a trained scale and shift a channel."""

    spelling: ClassVar[str] = "norm"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "batch normalisation: eps, momentum (share of the new batch)"

    kind: Annotated[Literal["batch"], Reads.WORD] = "batch"
    eps: Annotated[float, Field(gt=0), Reads.NUMBER] = 1e-5
    momentum: Annotated[float, Field(gt=0, le=1), Reads.NUMBER] = 0.1

    @property
    def title(self) -> str:
        return "batch norm"

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        shape = (shapes[0].channels,)
        return Parameter("weight", shape, _ONES), Parameter("bias", shape, ZEROS)
