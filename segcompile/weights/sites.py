"""What a file says of the layer at which a tensor stands. Formats that hold a network say it, state dicts do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["conv", "deconv", "linear", "batch", "instance", "group", "layer", "scale", "prelu"]
KERNELS = frozenset({"conv", "deconv", "linear"})
NORMS = frozenset({"batch", "instance", "group", "layer", "scale"})

Pads = tuple[int, ...]  # before and behind along each axis: of an image top, bottom, left, right


@dataclass(frozen=True, slots=True)
class FileLayer:
    """A layer of a file; None for what it does not say or what depends on the image.

    `scale`: a scale and shift a channel, as a batch norm without statistics. `pads`: of a convolution the padding,
    that of a step before it counted in; of a transposed one what is cut, less what the output is padded by. `behind`:
    the convolution or matrix whose result a norm reads, with nothing between. `channels`: those that a norm reads.
    """

    name: str
    kind: Kind
    op: str  # the file's own word
    groups: int | None = None
    eps: float | None = None
    stride: tuple[int, ...] | None = None
    dilation: tuple[int, ...] | None = None
    pads: Pads | None = None
    pad_mode: str = "zero"
    behind: str = ""

    @property
    def title(self) -> str:
        return f"{self.op} `{self.name}`"


@dataclass(frozen=True, slots=True)
class Site:
    """A layer of a file, and what a tensor is to it: as PyTorch names it, `weight`, `bias`, `running_mean`."""

    layer: FileLayer
    role: str
