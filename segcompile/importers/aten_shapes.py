"""aten's arithmetic and what moves values about, as ONNX's: sums, joins, parts, turned and reshaped maps, resizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from segcompile.importers.aten_writer import END, Cannot, Writer, axis_of, is_centred
from segcompile.importers.torch_program import Extent, Varied

Rule = Callable[[Writer, Mapping[str, Any]], None]


def _axes(w: Writer, a: Mapping[str, Any], key: str = "dim") -> tuple[int, ...]:
    rank, said = len(w.dims(a["x"].name)), a[key]
    if said is None or said == ():
        return tuple(range(rank))
    return tuple(axis_of(dim, rank) for dim in (said if isinstance(said, tuple) else (said,)))


# --- arithmetic ------------------------------------------------------------------------------------------------------


def _arithmetic(op: str) -> Rule:
    def rule(w: Writer, a: Mapping[str, Any]) -> None:
        if a.get("rounding_mode") is not None:
            raise Cannot("a quotient that is rounded")
        first, second = w.operand(a["x"]), w.operand(a["other"])
        if a.get("alpha", 1) != 1:
            second = w.inner("Mul", [second, w.operand(a["alpha"])])
        w.step(op, [first, second])

    return rule


def _rsub(w: Writer, a: Mapping[str, Any]) -> None:
    if a.get("alpha", 1) != 1:
        raise Cannot("a difference with a factor")
    w.step("Sub", [w.operand(a["other"]), w.operand(a["x"])])


def _pow(w: Writer, a: Mapping[str, Any]) -> None:
    if a["exponent"] == 2:
        w.step("Mul", [a["x"].name, a["x"].name])
    else:
        w.step("Pow", [a["x"].name, w.operand(a["exponent"])])


def _reduce(op: str) -> Rule:
    def rule(w: Writer, a: Mapping[str, Any]) -> None:
        if "other" in a:  # max(x, y)
            w.step(op.removeprefix("Reduce"), [w.operand(a["x"]), w.operand(a["other"])])
            return
        axes = _axes(w, a) if "dim" in a else tuple(range(len(w.dims(a["x"].name))))
        w.step(op, [a["x"].name, w.integers(axes)], keepdims=int(bool(a.get("keepdim", False))))

    return rule


def _summed(w: Writer, a: Mapping[str, Any]) -> None:
    """A sum; of tensors that were stacked for it, the sum of these."""
    maker = w.makers.get(a["x"].name)
    if maker is not None and _is_summed(w, maker.results[0], a):
        w.step("Sum", [part.name for part in maker.arguments["tensors"]])
    else:
        _reduce("ReduceSum")(w, a)


def _is_summed(w: Writer, name: str, a: Mapping[str, Any]) -> bool:
    maker = w.makers[name]
    rank = len(w.dims(name))
    stacked = maker.op == "stack" and w.only_read_by(name, "sum") and not a.get("keepdim") and "dim" in a
    return stacked and _axes(w, a) == (axis_of(maker.arguments["dim"], rank),)


def _variance(w: Writer, a: Mapping[str, Any]) -> None:
    if a.get("correction", int(a.get("unbiased", True))) not in (0, False):
        raise Cannot("a variance over n - 1; unbiased=False divides by n")
    axes = w.integers(_axes(w, a))
    apart = w.inner("Sub", [a["x"].name, w.inner("ReduceMean", [a["x"].name, axes], keepdims=1)])
    w.step("ReduceMean", [w.inner("Mul", [apart, apart]), axes], keepdims=int(bool(a["keepdim"])))


def _norm(w: Writer, a: Mapping[str, Any]) -> None:
    if a["ord"] not in (1, 2):
        raise Cannot(f"a norm of order {a['ord']}")
    w.step(f"ReduceL{int(a['ord'])}", [a["x"].name, w.integers(_axes(w, a))], keepdims=int(a["keepdim"]))


# --- joins and parts -------------------------------------------------------------------------------------------------


def _cat(w: Writer, a: Mapping[str, Any]) -> None:
    names = [part.name for part in a["x"] if 0 not in w.dims(part.name)]
    axis = axis_of(a["dim"], len(w.dims(names[0])))
    if axis == 1 and any(is_centred(w, name) for name in names):
        bare = [w.makers[name].arguments["self"].name if is_centred(w, name) else name for name in names]
        w.step("torch.ConcatPadded", bare)
    else:
        w.step("Concat", names, axis=axis)


def _stack(w: Writer, a: Mapping[str, Any]) -> None:
    names = [part.name for part in a["x"]]
    axis = axis_of(a["dim"], len(w.dims(names[0])) + 1)
    w.step("Concat", [w.inner("Unsqueeze", [name, w.integers([axis])]) for name in names], axis=axis)


def _split(w: Writer, a: Mapping[str, Any]) -> None:
    """chunk, split and their kin: each part a Slice."""
    axis, start = _axes(w, a)[0], 0
    for result in w.results:
        width = w.dims(result)[axis]
        if not isinstance(width, int):
            raise Cannot(f"parts of {width} pixels, which are others at other sizes")
        w.step("Slice", [a["x"].name, *(w.integers([n]) for n in (start, start + width, axis))], result)
        start += width


def _unbind(w: Writer, a: Mapping[str, Any]) -> None:
    axis = _axes(w, a)[0]
    for index, result in enumerate(w.results):
        w.step("Gather", [a["x"].name, w.integers(index)], result, axis=axis)


def _slice(w: Writer, a: Mapping[str, Any]) -> None:
    if not _follows(a):
        whole = w.dims(a["x"].name)[_axes(w, a)[0]]
        start, end = (_bound(w, a["x"].name, whole, bound) for bound in (a["start"] or 0, a["end"]))
        w.step("Slice", [a["x"].name, start, end, w.integers([_axes(w, a)[0]]), w.integers([a["step"]])])
        return
    read = w.readers(w.results[0])
    if all(each is not None and each.op == "slice" and _follows(each.arguments) for each in read):
        w.unwritten.add(w.results[0])
        return
    chain: list[Mapping[str, Any]] = [{**a, "self": a["x"]}]
    while (name := chain[0]["self"].name) in w.unwritten:
        chain.insert(0, w.makers[name].arguments)
    starts, ends, axes = zip(*(_end(w, each) for each in chain), strict=True)
    end = ends[0] if len(ends) == 1 else w.inner("Concat", ends, axis=0)
    w.step("Slice", [name, w.integers(starts), end, w.integers(axes)])


def _follows(a: Mapping[str, Any]) -> bool:
    """Whether a part begins at a fixed pixel, and ends where the size of another map says. torch cuts one axis at a
    time: no map is as large as what the first of two such parts leaves, so they are written as one step."""
    return isinstance(a["start"] or 0, int) and isinstance(a["end"], Varied) and a["step"] == 1


def _end(w: Writer, a: Mapping[str, Any]) -> tuple[int, str, int]:
    """Of such a part: its first pixel, its end, and its axis."""
    name, start = a["self"].name, a["start"] or 0
    axis = axis_of(a["dim"], len(w.dims(name)))
    length = w.sizes([Varied(tuple(end - start for end in a["end"].at))], [name])
    return start, w.inner("Add", [length, w.integers([start])]) if start else length, axis


def _bound(w: Writer, name: str, whole: Extent, bound: Any) -> str:
    """Where a part begins or ends."""
    if bound is None or bound == whole or (isinstance(bound, int) and bound >= END):
        return w.integers([END])
    return w.sizes([bound], [name])


def _narrow(w: Writer, a: Mapping[str, Any]) -> None:
    start, length = a["start"], a["length"]
    if not isinstance(start, int) or not isinstance(length, int):
        raise Cannot("a part that begins or ends elsewhere at other sizes")
    axis = _axes(w, a)[0]
    w.step("Slice", [a["x"].name, *(w.integers([n]) for n in (start, start + length, axis))])


def _select(w: Writer, a: Mapping[str, Any]) -> None:
    if not isinstance(a["index"], int):
        raise Cannot("one row that is another at other sizes")
    w.step("Gather", [a["x"].name, w.integers(a["index"])], axis=_axes(w, a)[0])


def _index(w: Writer, a: Mapping[str, Any]) -> None:
    axes = [axis for axis, index in enumerate(a["indices"]) if index is not None]
    if len(axes) != 1:
        raise Cannot("indices along several axes")
    w.step("Gather", [a["x"].name, a["indices"][axes[0]].name], axis=axes[0])


def _index_select(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Gather", [a["x"].name, a["index"].name], axis=_axes(w, a)[0])


# --- turned and reshaped ---------------------------------------------------------------------------------------------


def _same(w: Writer, a: Mapping[str, Any]) -> None:
    if w.program.values[w.results[0]].floats != w.program.values[a["x"].name].floats:
        raise Cannot("a tensor of another kind of numbers")
    w.step("Identity", [a["x"].name])


def _reshaped(w: Writer, a: Mapping[str, Any]) -> None:
    """Whatever reshapes: by the extents before and after."""
    before, after = w.dims(a["x"].name), w.dims(w.results[0])
    if before == after:
        w.step("Identity", [a["x"].name])
        return
    wanted: list[Extent] = [
        0 if isinstance(n, Varied) and at < len(before) and before[at] == n else n for at, n in enumerate(after)
    ]
    open_ = [at for at, n in enumerate(wanted) if isinstance(n, Varied)]
    if len(open_) == 1:
        wanted[open_[0]] = -1
    w.step("Reshape", [a["x"].name, w.sizes(wanted, [a["x"].name])])


def _permuted(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Transpose", [a["x"].name], perm=_axes(w, a, "dims"))


def _transposed(w: Writer, a: Mapping[str, Any]) -> None:
    rank = len(w.dims(a["x"].name))
    perm = list(range(rank))
    one, two = (axis_of(a.get(key, at), rank) for at, key in enumerate(("dim0", "dim1")))
    perm[one], perm[two] = two, one
    w.step("Transpose", [a["x"].name], perm=tuple(perm))


def _last_turned(w: Writer, a: Mapping[str, Any]) -> None:
    rank = len(w.dims(a["x"].name))
    w.step("Transpose", [a["x"].name], perm=(*range(rank - 2), rank - 1, rank - 2))


def _moved(w: Writer, a: Mapping[str, Any]) -> None:
    given = [a[key] if isinstance(a[key], tuple) else (a[key],) for key in ("source", "destination")]
    rank = len(w.dims(a["x"].name))
    to = {axis_of(end, rank): axis_of(start, rank) for start, end in zip(*given, strict=True)}
    rest = iter(axis for axis in range(rank) if axis not in to.values())
    w.step("Transpose", [a["x"].name], perm=tuple(to[axis] if axis in to else next(rest) for axis in range(rank)))


def _unsqueezed(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("Unsqueeze", [a["x"].name, w.integers([axis_of(a["dim"], len(w.dims(a["x"].name)) + 1)])])


def _squeezed(w: Writer, a: Mapping[str, Any]) -> None:
    dims = w.dims(a["x"].name)
    axes = _axes(w, a) if "dim" in a else tuple(range(len(dims)))
    axes = tuple(axis for axis in axes if dims[axis] == 1)
    w.step("Squeeze", [a["x"].name, w.integers(axes)]) if axes else _same(w, a)


def _expanded(w: Writer, a: Mapping[str, Any]) -> None:
    after, near = w.dims(w.results[0]), [a["x"].name, *([a["other"].name] if a.get("other") else [])]
    if after == w.dims(a["x"].name):
        _same(w, a)
    else:
        w.step("Expand", [a["x"].name, w.sizes(after, near)])


def _repeated(w: Writer, a: Mapping[str, Any]) -> None:
    if len(a["repeats"]) != len(w.dims(a["x"].name)):
        raise Cannot("copies along an axis of their own")
    w.step("Tile", [a["x"].name, w.sizes(a["repeats"], [a["x"].name])])


def _rolled(w: Writer, a: Mapping[str, Any]) -> None:
    name, last = a["x"].name, len(a["dims"]) - 1
    if last < 0:
        raise Cannot("a tensor that is rolled as one list")
    for at, (shift, axis) in enumerate(zip(a["shifts"], _axes(w, a, "dims"), strict=True)):
        if not isinstance(shift, int):
            raise Cannot("a shift that is another at another size")
        parts = [
            w.inner("Slice", [name, *(w.integers([n]) for n in (low, high, axis))])
            for low, high in ((-shift, END), (0, -shift))
        ]
        name = w.step("Concat", parts, w.results[0] if at == last else f"{w.results[0]}:{at}", axis=axis)


def _shuffled(w: Writer, a: Mapping[str, Any]) -> None:
    w.step("DepthToSpace", [a["x"].name], blocksize=a["upscale_factor"], mode="CRD")


def _unshuffled(w: Writer, a: Mapping[str, Any]) -> None:
    """Channels as PyTorch numbers them, c · r² + i: SpaceToDepth has i · c."""
    by, dims = a["downscale_factor"], w.dims(a["x"].name)
    if len(dims) != 4 or not isinstance(dims[1], int):
        raise Cannot("no map of (batch, channels, height, width)")
    halves = [w.inner("Div", [w.shape(a["x"].name, axis, axis + 1), w.integers([by])]) for axis in (2, 3)]
    first, each = w.integers([0, dims[1]]), w.integers([by])
    apart = w.inner("Reshape", [a["x"].name, w.inner("Concat", [first, halves[0], each, halves[1], each], axis=0)])
    turned = w.inner("Transpose", [apart], perm=(0, 1, 3, 5, 2, 4))
    w.step("Reshape", [turned, w.inner("Concat", [w.integers([0, dims[1] * by * by]), *halves], axis=0)])


def _channels_shuffled(w: Writer, a: Mapping[str, Any]) -> None:
    dims, groups = w.dims(a["x"].name), a["groups"]
    if not isinstance(dims[1], int):
        raise Cannot("no channels")
    rest = [w.shape(a["x"].name, 2)] if len(dims) > 2 else []
    wide = w.inner("Concat", [w.integers([0, groups, dims[1] // groups]), *rest], axis=0)
    apart = w.inner("Reshape", [a["x"].name, wide])
    turned = w.inner("Transpose", [apart], perm=(0, 2, 1, *range(3, len(dims) + 1)))
    w.step("Reshape", [turned, w.inner("Concat", [w.integers([0, dims[1]]), *rest], axis=0)])


SHAPES: Mapping[str, Rule] = {
    "add": _arithmetic("Add"),
    "sub": _arithmetic("Sub"),
    "subtract": _arithmetic("Sub"),
    "mul": _arithmetic("Mul"),
    "multiply": _arithmetic("Mul"),
    **dict.fromkeys(("div", "divide", "true_divide"), _arithmetic("Div")),
    "rsub": _rsub,
    "maximum": _arithmetic("Max"),
    "minimum": _arithmetic("Min"),
    "pow": _pow,
    "mean": _reduce("ReduceMean"),
    "sum": _summed,
    **dict.fromkeys(("amax", "max"), _reduce("ReduceMax")),
    **dict.fromkeys(("amin", "min"), _reduce("ReduceMin")),
    "var": _variance,
    "linalg_vector_norm": _norm,
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    "stack": _stack,
    **dict.fromkeys(("chunk", "split", "split_with_sizes", "tensor_split", "unsafe_chunk", "unsafe_split"), _split),
    "unbind": _unbind,
    "slice": _slice,
    "narrow": _narrow,
    "select": _select,
    "index": _index,
    "index_select": _index_select,
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten", "_unsafe_view", "view_as", "reshape_as"), _reshaped),
    "permute": _permuted,
    **dict.fromkeys(("transpose", "t", "swapaxes", "swapdims"), _transposed),
    **dict.fromkeys(("mT", "adjoint"), _last_turned),
    **dict.fromkeys(("movedim", "moveaxis"), _moved),
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expanded),
    "repeat": _repeated,
    "roll": _rolled,
    **dict.fromkeys(
        ("contiguous", "clone", "to", "detach", "alias", "lift_fresh_copy", "dropout", "feature_dropout",
         "alpha_dropout", "feature_alpha_dropout", "type_as", "_to_copy", "float", "identity"),
        _same,
    ),
    "pixel_shuffle": _shuffled,
    "pixel_unshuffle": _unshuffled,
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _channels_shuffled),
}  # fmt: skip
