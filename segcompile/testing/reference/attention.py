"""Attention, products of matrices, and lists: (batch, channels, tokens, then positions row by row)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from segcompile.ops import (
    Attending,
    Attention,
    AxialAttention,
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
    WindowAttention,
)
from segcompile.testing.reference.arrays import Array, Formula, Tensors
from segcompile.testing.reference.grids import resize
from segcompile.testing.reference.values import layer_norm
from segcompile.testing.reference.windows import conv


def _columns(x: Array) -> Array:
    """The matrix of each image: a column a position."""
    return x.reshape(*x.shape[:2], -1)


def _shares(scores: Array, axis: int | tuple[int, int]) -> Array:
    powers = np.exp(scores - scores.real.max(axis, keepdims=True))
    found: Array = powers / powers.sum(axis, keepdims=True)
    return found


def _projected(x: Array, name: str, tensors: Tensors) -> Array:
    found: Array = tensors[f"{name}.weight"] @ x
    return found + tensors[f"{name}.bias"][:, None] if f"{name}.bias" in tensors else found


def _attended(
    q: Array, k: Array, v: Array, op: Attending, bias: Array | float = 0.0, over: int | tuple[int, int] = 3
) -> Array:
    """Vaswani et al. (2017), equation 1: of each head, output p is the sum of the v of all positions i, weighted by a
    softmax over i of q[p] · k[i] times the scale, plus a bias. `over`: the axes of that, (2, 3) for all pairs."""
    q, k, v = (x.reshape(len(x), op.heads, -1, x.shape[2]) for x in (q, k, v))
    scale = q.shape[2] ** -0.5 if op.scale is None else op.scale
    weights = _shares(scale * np.einsum("bhcp,bhci->bhpi", q, k) + bias, over)
    found: Array = np.einsum("bhpi,bhci->bhcp", weights, v)
    return found.reshape(len(q), -1, q.shape[3])


def attention(op: Attention, inputs: Sequence[Array], tensors: Tensors) -> Array:
    x = _columns(inputs[0])
    if len(inputs) == 3:
        over = (2, 3) if op.over == "pairs" else 3
        found = _attended(x, _columns(inputs[1]), _columns(inputs[2]), op, over=over)
    else:
        if "qkv.weight" in tensors:
            q, k, v = np.split(_projected(x, "qkv", tensors), 3, 1)
        else:
            q = _projected(x, "q", tensors)
            k, v = np.split(_projected(_read(op, inputs[-1], tensors), "kv", tensors), 2, 1)
        found = _projected(_attended(q, k, v, op), "proj", tensors)
    return found.reshape(len(x), -1, *inputs[0].shape[2:])


def axial_attention(op: AxialAttention, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Pixel by pixel: the pixels of its row, of its column, or of both are the positions that it attends to."""
    parts = list(inputs)
    if len(parts) == 1:
        projected = np.split(_projected(_columns(parts[0]), "qkv", tensors), 3, 1)
        parts = [part.reshape(*part.shape[:2], *parts[0].shape[2:]) for part in projected]
    q, k, v = parts
    found = np.zeros((*v.shape[:2], *q.shape[2:]), np.result_type(q, k, v))
    rows, columns = np.indices(q.shape[2:])
    for y, x in np.ndindex(*q.shape[2:]):
        row, column = rows == y, columns == x
        seen = {"rows": row, "columns": column, "both": row | column}[op.along]
        found[:, :, y, x] = _attended(q[:, :, y, x, None], k[:, :, seen], v[:, :, seen], op)[:, :, 0]
    if len(inputs) == 1:
        found = _projected(_columns(found), "proj", tensors).reshape(found.shape)
    return found


def window_attention(op: WindowAttention, inputs: Sequence[Array], tensors: Tensors) -> Array:
    """Window by window, as Liu et al. (2021), equation 4, of the map and the zeros behind its end."""
    (x,) = inputs
    size = x.shape[2:]
    whole = [-(-length // window) * window for length, window in zip(size, op.window, strict=True)]
    x = np.pad(x, [(0, 0), (0, 0), *((0, side - length) for side, length in zip(whole, size, strict=True))])
    q, k, v = np.split(_projected(_columns(x), "qkv", tensors), 3, 1)
    q, k, v = (part.reshape(*part.shape[:2], *x.shape[2:]) for part in (q, k, v))
    found = np.zeros_like(v)
    for start in product(*map(_starts, range(len(size)), whole, [op] * len(size))):
        queries = [slice(max(a, 0), min(a + w, side)) for a, w, side in zip(start, op.window, whole, strict=True)]
        ends = size if op.pad_mask else whole
        keys = [slice(part.start, min(part.stop, end)) for part, end in zip(queries, ends, strict=True)]
        if all(part.start < part.stop for part in keys):
            one, other = ((slice(None), slice(None), *part) for part in (queries, keys))
            bias = _biases(op, queries, keys, tensors)
            inside = _attended(_columns(q[one]), _columns(k[other]), _columns(v[other]), op, bias)
            found[one] = inside.reshape(v[one].shape)
    found = _projected(_columns(found), "proj", tensors).reshape(x.shape)
    return found[(slice(None), slice(None), *map(slice, size))]


def _starts(axis: int, side: int, op: WindowAttention) -> range:
    """Where windows begin along an axis, on or before a map of `side` positions."""
    window = op.window[axis]
    return range(op.shift[axis] - window if side > window else 0, side, window)


def _biases(op: WindowAttention, queries: Sequence[slice], keys: Sequence[slice], tensors: Tensors) -> Array | float:
    """(heads, queries, keys): the row of the table counts the distances from key to query, the last axis fastest."""
    if op.positions == "none":
        return 0.0
    rows = np.zeros((1, 1), int)
    for query, key, window in zip(queries, keys, op.window, strict=True):
        distance = np.subtract.outer(np.arange(query.start, query.stop), np.arange(key.start, key.stop)) + window - 1
        rows = np.add.outer(rows * (2 * window - 1), distance).swapaxes(1, 2)
        rows = rows.reshape(rows.shape[0] * rows.shape[1], -1)
    found: Array = np.moveaxis(tensors["relative_position_bias_table"][rows], 2, 0)
    return found


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
        places = resize(Resize(size=size, mode=op.mode), [places], {})
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
    WindowAttention: window_attention,
    AxialAttention: axial_attention,
    MatMul: matmul,
    PositionSoftmax: position_softmax,
    Position: position,
    Token: token,
    Map: positions,
    TokenMap: token_map,
    Tokens: tokens,
}
