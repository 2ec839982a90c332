"""Terms -> values, over any arithmetic; and the degrees of the polynomials that these values are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod

import numpy as np

from segcompile.ops import (
    Activation,
    AdaptivePool,
    Add,
    Affine,
    Attending,
    Attention,
    BatchNorm,
    ChannelShuffle,
    Clip,
    Concat,
    Conv,
    Crop,
    Deconv,
    Elu,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyRelu,
    Linear,
    Map,
    MatMul,
    Mul,
    Op,
    Pad,
    PadChannels,
    PixelShuffle,
    Pool,
    PositionSoftmax,
    PRelu,
    Reinterpret,
    ResponseNorm,
    Scale,
    Slice,
    Softmax,
    SpaceToDepth,
    Tokens,
    Unpool,
)
from segcompile.prove import attending, grids, values, windows
from segcompile.prove.arithmetic import Arithmetic, Array
from segcompile.prove.terms import Term, Terms
from segcompile.prove.weights import Folded
from segcompile.prove.windows import Formula

FORMULAS: Mapping[type[Op], Formula] = {
    **windows.FORMULAS,
    **grids.FORMULAS,
    **values.FORMULAS,
    **attending.FORMULAS,
}
MOVES = (Crop, Pad, Concat, Slice, ChannelShuffle, PadChannels, PixelShuffle, SpaceToDepth, Reinterpret, Map, Tokens)


def value_of(term: Term, inputs: Sequence[Array], a: Arithmetic) -> Array:
    """What a term gives for these values."""
    op = term.op
    assert op is not None
    weight = dict(term.weights).get("weight")
    whole = isinstance(op, Linear) or (isinstance(op, Conv) and op.groups == 1)
    if whole and weight is not None and prod(weight.shape) > a.most_rows:
        return _by_rows(op, weight.shape, term, inputs, a)
    tensors = {name: a.weight(each) for name, each in term.weights}
    return FORMULAS[type(op)](op, inputs, tensors, a, term.index)


def _by_rows(op: Op, shape: tuple[int, ...], term: Term, inputs: Sequence[Array], a: Arithmetic) -> Array:
    """The channels of a layer one part after another, so that not all of its weights are there at once."""
    step, parts = max(1, a.most_rows // prod(shape[1:])), []
    for first in range(0, shape[0], step):
        rows = range(first, min(first + step, shape[0]))
        some = op.model_copy(update={"channels" if isinstance(op, Conv) else "features": len(rows)})
        tensors = {name: a.weight(each, rows) for name, each in term.weights}
        parts.append(FORMULAS[type(op)](some, inputs, tensors, a, term.index))
    return np.concatenate(parts, 1)


def evaluate(
    terms: Terms, cone: Sequence[int], given: Mapping[int, Array], a: Arithmetic, seen: Callable[[int, Array], None]
) -> None:
    """Every term of a cone, ascending, with those `given` as they are; each value is shown to `seen`, and dropped once
    nothing reads it any more."""
    last: dict[int, int] = {}
    for index in cone:
        last |= dict.fromkeys(terms[index].inputs, index) if index not in given else {}
    held: dict[int, Array] = {}
    for index in cone:
        term = terms[index]
        held[index] = given[index] if index in given else value_of(term, [held[i] for i in term.inputs], a)
        seen(index, held[index])
        for read in {*term.inputs} if index not in given else ():
            if last[read] == index:
                del held[read]


def takes_maximum(op: Op | None) -> bool:
    """Whether what it gives are maxima, of values or of a value and zero."""
    relu = isinstance(op, Activation) and op.kind == "relu"
    return relu or (isinstance(op, Pool | AdaptivePool | GlobalPool) and op.kind in ("max", "global_max"))


def joined_maxima(terms: Terms, cone: Iterable[int], free: frozenset[int]) -> dict[int, tuple[int, ...]]:
    """Term that takes maxima -> the terms of the cone whose maxima it reads, as they are or moved only."""
    brought: dict[int, tuple[int, ...]] = {}
    found: dict[int, tuple[int, ...]] = {}
    for index in cone:
        term = terms[index]
        read = () if index in free else tuple(dict.fromkeys(m for i in term.inputs for m in brought.get(i, ())))
        if takes_maximum(term.op) and index not in free:
            found |= {index: read} if read else {}
            read = (index,)
        elif not isinstance(term.op, MOVES):
            read = ()
        brought[index] = read
    return found


def degrees(terms: Terms, cone: Iterable[int], free: frozenset[int]) -> int:
    """The largest degree of a polynomial, in values drawn or hashed, that is hashed or compared."""
    known: dict[int, int] = {}
    largest = 1
    for index in cone:
        term = terms[index]
        if index in free or term.op is None:
            known[index] = 1
            continue
        weights = max((weight.degree for _, weight in term.weights), default=0)
        known[index], hashed = _degree(term.op, [known[i] for i in term.inputs], weights)
        largest = max(largest, known[index], hashed)
    return largest


def hashed_behind(terms: Terms, cone: Iterable[int], free: frozenset[int]) -> dict[int, int | None]:
    """Term -> how many hashed values one of its values may depend on; None: not known to be few."""
    known: dict[int, int | None] = {}
    for index in cone:
        term = terms[index]
        known[index] = 0 if index in free or term.op is None else _hashed(term, terms, known)
    return known


def _hashed(term: Term, terms: Terms, known: Mapping[int, int | None]) -> int | None:
    """Values read, each with what is hashed behind it, and what is hashed of them."""
    op, found = term.op, 0
    for index in term.inputs:
        behind = known[index]
        if behind is None:
            return None
        match op:
            case Conv() | Deconv():
                found += behind * terms[index].shape.channels // op.groups * prod(op.kernel)
            case Linear() if not behind:
                pass
            case Pool():
                found += behind * prod(op.kernel)
            case BatchNorm() | Affine() | Activation() | Elu() | Clip() | LeakyRelu() | PRelu() | Scale():
                found += behind
            case Add() | Mul() | Concat() | Crop() | Pad() | Slice() | ChannelShuffle() | PadChannels():
                found += behind
            case _:
                return None
    folded = sum(isinstance(weight, Folded) for _, weight in term.weights)
    return found + 2 + folded


def _degree(op: Op, inputs: Sequence[int], weights: int) -> tuple[int, int]:
    """(of what it gives, of what it hashes), for inputs and weights of these degrees."""
    most = max(inputs)
    if isinstance(op, Attending):
        keys = inputs[min(1, len(inputs) - 1)] + weights
        if isinstance(op, Attention) and op.reduce is not None:
            keys += 2 + 2 * weights
        scores = inputs[0] + weights + keys
        # a share is a power times the inverse of a sum of powers; what is reduced is normalised before
        return 2 + max(inputs[-1] + weights, keys) + weights, max(scores + weights, 2 * keys)
    if takes_maximum(op):
        return max(1, most), most
    match op:
        case Mul():
            return sum(inputs), 0
        case MatMul():
            return sum(inputs), 0
        case InstanceNorm() | GroupNorm() | LayerNorm():
            return most + 1 + weights, 2 * most
        case ResponseNorm():
            return most + 1, 2 * most
        case Softmax() | PositionSoftmax():
            return 2, most
        case Unpool():
            return most + 1, most
        case Activation() | Elu() | Clip():
            return most + 1, most
    return most + (2 if weights and op.spelling == "norm" else 1) * weights, most
