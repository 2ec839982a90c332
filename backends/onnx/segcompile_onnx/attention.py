"""Attention, products of matrices, and lists of tokens and positions, one rule an op.

A map, or a list, is the matrix of each image: (batch, channels, positions), a column a position.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from segcompile.ops import (
    Attending,
    Attention,
    AxialAttention,
    Map,
    MatMul,
    Op,
    Position,
    PositionSoftmax,
    Shape,
    Token,
    TokenMap,
    Tokens,
    WindowAttention,
)
from segcompile_onnx.grids import interpolate
from segcompile_onnx.program import Extent, Steps
from segcompile_onnx.values import Rule, layer_norm

_NEVER = -1e30  # added to a score: exp of it is zero in float32 and float64, and no difference of two is undefined


def _projected(at: Steps, x: str, name: str) -> str:
    """A matrix times each column, plus a bias: (batch, out, positions)."""
    found = at.op("MatMul", at.weights[f"{name}.weight"], x)
    if f"{name}.bias" not in at.weights:
        return found
    return at.op("Add", found, at.channelwise(at.weights[f"{name}.bias"], 1))


def _split(at: Steps, x: str, parts: int, axis: int = 1) -> list[str]:
    return at.ops("Split", parts, x, axis=axis, num_outputs=parts)


def _weighted(at: Steps, q: str, k: str, v: str, scale: float, bias: Sequence[str] = ()) -> str:
    """softmax(q k · scale + bias) v of matrices q (..., queries, c), k (..., c, keys) and v (..., keys, d)."""
    scores = at.op("Mul", at.op("MatMul", q, k), at.number(scale))
    for each in bias:
        scores = at.op("Add", scores, each)
    return at.op("MatMul", at.op("Softmax", scores, axis=-1), v)


def _weighted_over_pairs(at: Steps, q: str, k: str, v: str, scale: float, heads: int) -> str:
    """The same without bias, with one softmax over all scores of each of `heads`."""
    scores = at.op("Mul", at.op("MatMul", q, k), at.number(scale))
    weights = at.op("Softmax", at.reshape(scores, heads, -1), axis=-1)
    return at.op("MatMul", at.op("Reshape", weights, at.op("Shape", scores)), v)


def _scale(op: Attending, channels: int) -> float:
    """That of scores of heads of queries of so many channels in all."""
    return float((channels // op.heads) ** -0.5) if op.scale is None else op.scale


def _like(at: Steps, x: str, channels: int, source: str, shape: Shape) -> str:
    """Columns (batch, channels, positions) as a map of the size of the source, or a list."""
    return x if shape.axes == 1 else at.reshape(x, channels, *at.sizes(source, shape))


def _attention(at: Steps, op: Attention, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    x, width = at.columns(inputs[0], shapes[0]), shapes[0].channels
    if len(inputs) == 3:
        q, k, v = x, at.columns(inputs[1], shapes[1]), at.columns(inputs[2], shapes[2])
    elif op.fuses(shapes):
        q, k, v = _split(at, _projected(at, x, "qkv"), 3)
    else:
        q = _projected(at, x, "q")
        k, v = _split(at, _projected(at, _read(at, op, inputs[-1], shapes[-1]), "kv"), 2)
    q, k = (at.reshape(each, op.heads, width // op.heads, -1) for each in (q, k))
    v = at.reshape(v, op.heads, output.channels // op.heads, -1)
    rows, values = at.transpose(q, 0, 1, 3, 2), at.transpose(v, 0, 1, 3, 2)
    if op.over == "pairs":
        found = _weighted_over_pairs(at, rows, k, values, _scale(op, width), op.heads)
    else:
        found = _weighted(at, rows, k, values, _scale(op, width))
    found = at.reshape(at.transpose(found, 0, 1, 3, 2), output.channels, -1)
    if op.projects(shapes):
        found = _projected(at, found, "proj")
    return _like(at, found, output.channels, inputs[0], shapes[0])


def _read(at: Steps, op: Attention, x: str, shape: Shape) -> str:
    """The columns of keys and values, of a map that was made smaller where the op says so."""
    if op.reduce is None:
        return at.columns(x, shape)
    told = {"kernel_shape": op.reduce, "strides": op.reduce, "pads": (0, 0) * len(op.reduce)}
    x = at.op("Conv", x, at.weights["sr.weight"], at.weights["sr.bias"], **told)
    return at.reshape(layer_norm(at, x, len(op.reduce), 1e-5, "norm."), shape.channels, -1)


def _axial_attention(
    at: Steps, op: AxialAttention, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> str:
    """Row by row, column by column, or both: then in one softmax, where the pixel itself is one of its row."""
    width, height_width = shapes[0].channels, at.sizes(inputs[0], shapes[0])
    parts = [*inputs]
    if len(parts) == 1:
        parts = _split(at, _projected(at, at.columns(parts[0], shapes[0]), "qkv"), 3)
    channels = (width, width, output.channels)
    q, k, v = (
        at.reshape(part, op.heads, each // op.heads, *height_width) for part, each in zip(parts, channels, strict=True)
    )
    found = _along(at, op, q, k, v, _scale(op, width), height_width)
    if len(inputs) == 1:
        found = _projected(at, at.reshape(found, output.channels, -1), "proj")
    return at.reshape(found, output.channels, *height_width)


_OF_ROWS, _OF_COLUMNS = (0, 1, 3, 4, 2), (0, 1, 4, 3, 2)  # (batch, heads, c, height, width) -> (..., along, c)


def _along(at: Steps, op: AxialAttention, q: str, k: str, v: str, scale: float, size: Sequence[Extent]) -> str:
    """(batch, heads, c, height, width) of queries, keys and values of that form."""

    def lines(order: Sequence[int]) -> tuple[str, str, str]:
        return at.transpose(q, *order), at.transpose(k, *order[:3], 2, order[3]), at.transpose(v, *order)

    if op.along != "both":
        order = _OF_ROWS if op.along == "rows" else _OF_COLUMNS
        found = _weighted(at, *lines(order), scale)
        return at.transpose(found, *(order.index(axis) for axis in range(5)))
    rows, columns = lines(_OF_ROWS), lines(_OF_COLUMNS)
    of_row = at.op("MatMul", *rows[:2])  # (batch, heads, height, width, width)
    of_column = at.op("Add", at.op("MatMul", *columns[:2]), _diagonal(at, size[0]))
    scores = at.op("Concat", of_row, at.transpose(of_column, 0, 1, 3, 2, 4), axis=-1)
    shares = at.op("Softmax", at.op("Mul", scores, at.number(scale)), axis=-1)
    here = at.part(shares, [0], [size[1]], [4])
    there = at.transpose(at.part(shares, [size[1]], [None], [4]), 0, 1, 3, 2, 4)
    total = at.op(
        "Add", at.op("MatMul", here, rows[2]), at.transpose(at.op("MatMul", there, columns[2]), 0, 1, 3, 2, 4)
    )
    return at.transpose(total, *(_OF_ROWS.index(axis) for axis in range(5)))


def _diagonal(at: Steps, extent: Extent) -> str:
    """What keeps a pixel from itself: a matrix, zero but on its diagonal."""
    places = at.up_to(extent)
    same = at.op("Equal", at.op("Unsqueeze", places, at.whole([1])), places)
    return at.op("Where", same, at.number(_NEVER), at.number(0))


def _window_attention(
    at: Steps, op: WindowAttention, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> str:
    """The map within so much padding that its windows, also the shorter one before the first, lie side by side."""
    rank, channels, sizes = len(op.window), output.channels, at.sizes(inputs[0], output)
    behind = [at.minus(_whole_windows(at, size, window), size) for size, window in zip(sizes, op.window, strict=True)]
    shifts = [_shift(at, op, axis, size) for axis, size in enumerate(sizes)]
    around = [(before, at.plus(more, after)) for (before, after), more in zip(shifts, behind, strict=True)]
    counts = [
        at.over(at.plus(at.plus(size, before), after), window)
        for size, (before, after), window in zip(sizes, around, op.window, strict=True)
    ]
    x = at.padded(inputs[0], around)
    x = _projected(at, at.reshape(x, channels, -1), "qkv")
    q, k, v = (_in_windows(at, part, channels, op, counts) for part in _split(at, x, 3))
    last = (*range(2 + rank), 3 + rank, 2 + rank)
    rows, values = at.transpose(q, *last), at.transpose(v, *last)
    bias = _relative(at, op, rank) + _unseen(at, op, sizes, behind, around, counts)
    found = at.transpose(_weighted(at, rows, k, values, _scale(op, channels), bias), *last)
    found = _of_windows(at, found, channels, op, counts)
    if any(extent != 0 for pair in around for extent in pair):
        first = [before for before, _ in around]
        found = at.part(found, first, [*map(at.plus, first, sizes)], range(2, 2 + rank))
    found = _projected(at, at.reshape(found, channels, -1), "proj")
    return at.reshape(found, channels, *sizes)


def _whole_windows(at: Steps, size: Extent, window: int) -> Extent:
    """The pixels of as many windows as a size begins."""
    return at.times(at.over(at.plus(size, window - 1), window), window)


def _shift(at: Steps, op: WindowAttention, axis: int, size: Extent) -> tuple[Extent, Extent]:
    """What lies before the map, and behind it, because its first whole window starts at the shift; nothing where one
    window holds the axis."""
    window, shift = op.window[axis], op.shift[axis]
    if not shift:
        return 0, 0
    if isinstance(size, int):
        return (window - shift, shift) if size > window else (0, 0)
    larger = at.op("Greater", size, at.whole([window]))
    pair = [at.op("Where", larger, at.whole([extent]), at.whole([0])) for extent in (window - shift, shift)]
    return pair[0], pair[1]


def _in_windows(at: Steps, x: str, channels: int, op: WindowAttention, counts: Sequence[Extent]) -> str:
    """(batch, channels, positions) -> (batch, windows along each axis, heads, c, positions of a window)."""
    rank, sides = len(op.window), [part for pair in zip(counts, op.window, strict=True) for part in pair]
    x = at.reshape(x, op.heads, channels // op.heads, *sides)
    x = at.transpose(x, 0, *range(3, 3 + 2 * rank, 2), 1, 2, *range(4, 4 + 2 * rank, 2))
    return at.reshape(x, *counts, op.heads, channels // op.heads, prod(op.window))


def _of_windows(at: Steps, x: str, channels: int, op: WindowAttention, counts: Sequence[Extent]) -> str:
    """The way back, as a map."""
    rank = len(op.window)
    x = at.reshape(x, *counts, op.heads, channels // op.heads, *op.window)
    pairs = (part for axis in range(rank) for part in (1 + axis, 3 + rank + axis))
    x = at.transpose(x, 0, 1 + rank, 2 + rank, *pairs)
    return at.reshape(x, channels, *(at.times(count, window) for count, window in zip(counts, op.window, strict=True)))


def _relative(at: Steps, op: WindowAttention, rank: int) -> list[str]:
    """(heads, queries, keys): the row of the table counts the distances from key to query, the last axis fastest."""
    if op.positions == "none":
        return []
    places = np.indices(op.window).reshape(rank, -1)
    rows = np.zeros((1, 1), np.int64)
    for place, window in zip(places, op.window, strict=True):
        rows = rows * (2 * window - 1) + np.subtract.outer(place, place) + window - 1
    return [at.transpose(at.op("Gather", at.weights["relative_position_bias_table"], at.whole(rows)), 2, 0, 1)]


def _unseen(
    at: Steps,
    op: WindowAttention,
    sizes: Sequence[Extent],
    behind: Sequence[Extent],
    around: Sequence[tuple[Extent, Extent]],
    counts: Sequence[Extent],
) -> list[str]:
    """What keeps each window from the padding that it must not see: (windows, 1, 1, keys). What fills the last window
    is seen, unless `pad_mask` is said."""
    seen = [*sizes] if op.pad_mask else [at.plus(size, more) for size, more in zip(sizes, behind, strict=True)]
    outside = [
        (before, after if op.pad_mask else at.minus(after, more))
        for (before, after), more in zip(around, behind, strict=True)
    ]
    if all(extent == 0 for pair in outside for extent in pair):
        return []
    rank = len(op.window)
    ones = at.op("Expand", at.number(0), at.vector([1, 1, *seen]))
    x = at.padded(ones, outside, number=_NEVER)
    sides = [part for pair in zip(counts, op.window, strict=True) for part in pair]
    x = at.op("Reshape", x, at.vector(sides))
    x = at.transpose(x, *range(0, 2 * rank, 2), *range(1, 1 + 2 * rank, 2))
    return [at.op("Reshape", x, at.vector([*counts, 1, 1, prod(op.window)]))]


def _matmul(at: Steps, op: MatMul, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    first, second = (at.columns(x, shape) for x, shape in zip(inputs, shapes, strict=True))
    turned = at.transpose(first, 0, 2, 1)
    if op.over == "positions":
        return at.op("MatMul", second, turned)
    return _like(at, at.op("MatMul", turned, second), output.channels, inputs[1], shapes[1])


def _position_softmax(
    at: Steps, op: PositionSoftmax, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape
) -> str:
    shares = at.op("Softmax", at.columns(inputs[0], output), axis=-1)
    return _like(at, shares, output.channels, inputs[0], output)


def _position(at: Steps, op: Position, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    """Tokens first; the vectors of the positions as a map of `size`, interpolated to that which is there."""
    each, size, channels = at.transpose(at.weights["weight"], 0, 2, 1), shapes[-1].size, output.channels
    tokens = output.tokens
    places = at.part(each, [tokens], [None], [2]) if tokens else each
    if size != op.size:
        places = at.reshape(places, channels, *op.size)
        wanted = at.sizes(inputs[-1], shapes[-1])
        places = interpolate(at, places, Shape(channels, op.size), op.mode, "half_pixel", sizes=wanted)
        places = at.reshape(places, channels, -1) if tokens and len(size) > 1 else places
    elif output.axes > 1:
        places = at.reshape(places, channels, *op.size)
    if tokens:
        places = at.op("Concat", at.part(each, [0], [tokens], [2]), places, axis=2)
    return at.op("Add", inputs[0], places)


def _token(at: Steps, op: Token, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    x, batch = at.columns(inputs[0], shapes[0]), at.op("Shape", inputs[0], start=0, end=1)
    learned = at.transpose(at.weights["weight"], 0, 2, 1)
    return at.op("Concat", at.op("Expand", learned, at.vector([batch, 1, 1])), x, axis=2)


def _map(at: Steps, op: Map, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    places = at.part(inputs[0], [shapes[0].tokens], [None], [2])
    return at.reshape(places, output.channels, *at.sizes(inputs[-1], shapes[-1]))


def _token_map(at: Steps, op: TokenMap, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    token = at.part(inputs[0], [op.token], [op.token + 1], [2])
    return at.reshape(token, output.channels, *[1] * len(output.size))


def _tokens(at: Steps, op: Tokens, inputs: Sequence[str], shapes: Sequence[Shape], output: Shape) -> str:
    return at.part(inputs[0], op.part[:1], op.part[1:], [2])


RULES: dict[type[Op], Rule] = {
    Attention: _attention,
    WindowAttention: _window_attention,
    AxialAttention: _axial_attention,
    MatMul: _matmul,
    PositionSoftmax: _position_softmax,
    Position: _position,
    Token: _token,
    Map: _map,
    TokenMap: _token_map,
    Tokens: _tokens,
}
