"""Attention, products of matrices, and lists: (batch, channels, tokens, then positions row by row)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcompile.ops import (
    Attention,
    Conv,
    LayerNorm,
    Map,
    MatMul,
    Op,
    Position,
    PositionSoftmax,
    Resize,
    Token,
    TokenMap,
    Tokens,
)
from segcompile.testing.reference.arrays import Array, Formula, Tensors
from segcompile.testing.reference.grids import resize
from segcompile.testing.reference.values import layer_norm
from segcompile.testing.reference.windows import conv


def _columns(x: Array) -> Array:
    """The matrix of each image: a column a position."""
    return x.reshape(*x.shape[:2], -1)


def _shares(scores: Array, axis: int) -> Array:
    powers = np.exp(scores - scores.real.max(axis, keepdims=True))
    found: Array = powers / powers.sum(axis, keepdims=True)
    return found


def _projected(x: Array, name: str, tensors: Tensors) -> Array:
    found: Array = tensors[f"{name}.weight"] @ x
    return found + tensors[f"{name}.bias"][:, None] if f"{name}.bias" in tensors else found


def _attended(q: Array, k: Array, v: Array, op: Attention) -> Array:
    """Vaswani et al. (2017), equation 1: of each head, output p is the mean of the v of all positions i, weighted by a
    softmax over i of q[p] · k[i] times the scale."""
    q, k, v = (x.reshape(len(x), op.heads, -1, x.shape[2]) for x in (q, k, v))
    scale = q.shape[2] ** -0.5 if op.scale is None else op.scale
    weights = _shares(scale * np.einsum("bhcp,bhci->bhpi", q, k), 3)
    found: Array = np.einsum("bhpi,bhci->bhcp", weights, v)
    return found.reshape(len(q), -1, q.shape[3])


def attention(op: Attention, inputs: Sequence[Array], tensors: Tensors) -> Array:
    x = _columns(inputs[0])
    if len(inputs) == 3:
        found = _attended(x, _columns(inputs[1]), _columns(inputs[2]), op)
    else:
        if "qkv.weight" in tensors:
            q, k, v = np.split(_projected(x, "qkv", tensors), 3, 1)
        else:
            q = _projected(x, "q", tensors)
            k, v = np.split(_projected(_read(op, inputs[-1], tensors), "kv", tensors), 2, 1)
        found = _projected(_attended(q, k, v, op), "proj", tensors)
    return found.reshape(len(x), -1, *inputs[0].shape[2:])


def _read(op: Attention, x: Array, tensors: Tensors) -> Array:
    """The map of keys and values, made smaller where the op says so."""
    if op.reduce is not None:
        smaller = Conv(channels=x.shape[1], kernel=op.reduce, stride=op.reduce)
        x = conv(smaller, [x], _under("sr", tensors))
        x = layer_norm(LayerNorm(), [x], _under("norm", tensors))
    return _columns(x)


def _under(name: str, tensors: Tensors) -> Tensors:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def matmul(op: MatMul, inputs: Sequence[Array], tensors: Tensors) -> Array:
    first, second = map(_columns, inputs)
    if op.over == "positions":
        return second @ first.swapaxes(1, 2)
    return (first.swapaxes(1, 2) @ second).reshape(len(first), -1, *inputs[1].shape[2:])


def position_softmax(op: PositionSoftmax, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return _shares(_columns(inputs[0]), 2).reshape(inputs[0].shape)


def position(op: Position, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Tokens first; the vectors of the positions as a map of `size`, interpolated to that which is there."""
    x, each = inputs[0], tensors["weight"].swapaxes(1, 2)
    tokens = each.shape[2] - int(np.prod(op.size))
    size = inputs[-1].shape[2:]
    places = each[:, :, tokens:].reshape(1, -1, *op.size)
    if size != op.size:
        places = resize(Resize(size=size, mode="bilinear"), [places], {})
    found: Array = x + (np.concatenate([each[:, :, :tokens], _columns(places)], 2) if tokens else places)
    return found


def token(op: Token, inputs: Sequence[Array], tensors: Tensors) -> Array:
    x, learned = _columns(inputs[0]), tensors["weight"].swapaxes(1, 2)
    return np.concatenate([learned.repeat(len(x), 0), x], 2)


def positions(op: Map, inputs: Sequence[Array], tensors: Tensors) -> Array:
    x, like = inputs
    first = x.shape[2] - int(np.prod(like.shape[2:]))
    return x[:, :, first:].reshape(*x.shape[:2], *like.shape[2:])


def token_map(op: TokenMap, inputs: Sequence[Array], tensors: Tensors) -> Array:
    x, like = inputs
    return x[:, :, op.token].reshape(*x.shape[:2], *[1] * (like.ndim - 2))


def tokens(op: Tokens, inputs: Sequence[Array], tensors: Tensors) -> Array:
    return inputs[0].take(range(*op.part), 2)


FORMULAS: dict[type[Op], Formula] = {
    Attention: attention,
    MatMul: matmul,
    PositionSoftmax: position_softmax,
    Position: position,
    Token: token,
    Map: positions,
    TokenMap: token_map,
    Tokens: tokens,
}
