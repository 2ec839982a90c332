"""The ops: one class each, listed here and nowhere else."""

from __future__ import annotations

from typing import get_args

from segcompile.ops.attention import Attending, Attention, MatMul, PositionSoftmax
from segcompile.ops.axes import AXIS_NAMES, CELL, ENDS, LINES, MEDIUM, SYMBOLS
from segcompile.ops.base import (
    IDENTITY,
    Chain,
    Init,
    Op,
    Parameter,
    Reads,
    Shape,
    Window,
)
from segcompile.ops.channels import ChannelShuffle, PadChannels, Slice
from segcompile.ops.convolution import Conv, Deconv
from segcompile.ops.joins import Add, Concat, Join, Mul
from segcompile.ops.linear import Linear
from segcompile.ops.local_attention import AxialAttention, WindowAttention
from segcompile.ops.needs import Need, Refusal
from segcompile.ops.normalization import Affine, BatchNorm, GroupNorm, InstanceNorm, LayerNorm, ResponseNorm
from segcompile.ops.pointwise import (
    Activation,
    Clip,
    Dropout,
    DropPath,
    Elu,
    LeakyRelu,
    PRelu,
    Scale,
    Softmax,
    SpatialDropout,
)
from segcompile.ops.pooling import AdaptivePool, GlobalPool, Pool, Unpool
from segcompile.ops.resampling import Crop, Pad, Resize
from segcompile.ops.shuffling import PixelShuffle, Reinterpret, SpaceToDepth
from segcompile.ops.size import AnySize, Size, Undecidable
from segcompile.ops.tokens import Map, Position, Token, TokenMap, Tokens

ALL_OPS: tuple[type[Op], ...] = (
    Conv,
    Deconv,
    Linear,
    Pool,
    AdaptivePool,
    GlobalPool,
    Unpool,
    Add,
    Mul,
    Concat,
    Crop,
    Pad,
    Resize,
    PixelShuffle,
    SpaceToDepth,
    Reinterpret,
    Slice,
    ChannelShuffle,
    PadChannels,
    Attention,
    WindowAttention,
    AxialAttention,
    MatMul,
    Position,
    Token,
    Map,
    TokenMap,
    Tokens,
    BatchNorm,
    InstanceNorm,
    GroupNorm,
    LayerNorm,
    ResponseNorm,
    Affine,
    Activation,
    Elu,
    LeakyRelu,
    PRelu,
    Clip,
    Dropout,
    SpatialDropout,
    DropPath,
    Scale,
    Softmax,
    PositionSoftmax,
)


def kinds(op: type[Op]) -> tuple[str, ...]:
    """The words that choose this class among those of one spelling (`pool: max`); () if the spelling is enough."""
    if op.main != "kind":
        return ()
    return get_args(op.model_fields["kind"].annotation)


SPELLINGS: tuple[str, ...] = tuple(dict.fromkeys(op.spelling for op in ALL_OPS))

_BY_KEY = [op for op in ALL_OPS if op.told_by is None]

BY_KIND: dict[str, dict[str, type[Op]]] = {
    spelling: {kind: op for op in _BY_KEY if op.spelling == spelling for kind in kinds(op)} for spelling in SPELLINGS
}

TOLD_BY: dict[str, dict[str, type[Op]]] = {
    spelling: {op.told_by: op for op in ALL_OPS if op.spelling == spelling and op.told_by is not None}
    for spelling in SPELLINGS
}

BY_WORD: dict[str, dict[str, type[Op]]] = {
    spelling: {word: op for op in ALL_OPS if op.spelling == spelling for word in op.by_word} for spelling in SPELLINGS
}

BY_SPELLING: dict[str, type[Op]] = {
    op.spelling: op for op in _BY_KEY if not kinds(op) and op.main not in op.by_word.values()
}

__all__ = [
    "ALL_OPS", "AXIS_NAMES", "BY_KIND", "BY_SPELLING", "BY_WORD", "CELL", "ENDS", "IDENTITY", "LINES", "MEDIUM",
    "SPELLINGS", "SYMBOLS", "TOLD_BY",
    "Activation", "AdaptivePool", "Add", "Affine", "AnySize", "Attending", "Attention", "AxialAttention", "BatchNorm",
    "Chain", "ChannelShuffle", "Clip", "Concat", "Conv", "Crop", "Deconv", "DropPath", "Dropout", "Elu", "GlobalPool",
    "GroupNorm", "Init", "InstanceNorm", "Join", "LayerNorm", "LeakyRelu", "Linear", "Map", "MatMul", "Mul", "Need",
    "Op", "PRelu", "Pad", "PadChannels", "Parameter", "PixelShuffle", "Pool", "Position", "PositionSoftmax", "Reads",
    "Refusal", "Reinterpret", "Resize", "ResponseNorm", "Scale", "Shape", "Size", "Slice", "Softmax", "SpaceToDepth",
    "SpatialDropout", "Token", "TokenMap", "Tokens", "Undecidable", "Unpool", "Window", "WindowAttention", "kinds",
]  # fmt: skip
