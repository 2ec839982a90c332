"""Each op of ONNX that has a form here, in exporters' spellings: what it becomes, and that it computes the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from segcompile.importers.network_file import import_network

from .agreement import difference, model_of

RNG = np.random.default_rng(0)


def w(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def f(number: float) -> np.ndarray:
    return np.array(number, np.float32)


Case = tuple[str, Mapping[str, Any], str]  # steps, constants, and the layers that come of them

NORM = {"s": w(4), "o": w(4), "m": w(4), "v": np.abs(w(4)) + 0.5}
CASES: dict[str, Case] = {
    "conv, asymmetric pads": ("y = Conv<dilations=[2, 1], pads=[0, 1, 2, 1]>(x, k)", {"k": w(6, 4, 3, 2)}, "conv"),
    "conv in groups": ("y = Conv<group=2, strides=[2, 1]>(x, k, b)", {"k": w(6, 2, 3, 3), "b": w(6)}, "conv"),
    "same, of stride 1": ('y = Conv<auto_pad="SAME_UPPER">(x, k)', {"k": w(6, 4, 4, 4)}, "conv"),
    "same, more before": ('y = Conv<auto_pad="SAME_LOWER">(x, k)', {"k": w(6, 4, 4, 4)}, "conv"),
    "valid": ('y = Conv<auto_pad="VALID">(x, k)', {"k": w(6, 4, 3, 3)}, "conv"),
    "conv, norm, relu": (
        "c = Conv(x, k); d = BatchNormalization(c, s, o, m, v); y = Relu(d)",
        {"k": w(4, 4, 3, 3), **NORM},
        "conv + batch norm + relu",
    ),
    "conv and a shift": ("c = Conv(x, k); y = Add(c, b)", {"k": w(6, 4, 3, 3), "b": w(1, 6, 1, 1)}, "conv"),
    "zeros around a conv": (
        "c = Pad(x, p); y = Conv<pads=[1, 1, 1, 1]>(c, k)",
        {"p": ints(0, 0, 1, 2, 0, 0, 3, 0), "k": w(6, 4, 3, 3)},
        "conv",
    ),
    "reflection around a conv": (
        'c = Pad<mode="reflect">(x, p); y = Conv(c, k)',
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1), "k": w(6, 4, 3, 3)},
        "conv",
    ),
    "edges around a pool": (
        'c = Pad<mode="edge">(x, p); y = AveragePool<kernel_shape=[2, 2]>(c)',
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        "pad | avg pool",
    ),
    "pads of some axes": ("y = Pad(x, p, , a)", {"p": ints(1, 2), "a": ints(3)}, "pad"),
    "deconv": (
        "y = ConvTranspose<output_padding=[1, 2], pads=[1, 0, 0, 1], strides=[2, 3]>(x, k, b)",
        {"k": w(4, 6, 3, 3), "b": w(6)},
        "deconv",
    ),
    "deconv, dilated": ("y = ConvTranspose<dilations=[2, 2]>(x, k)", {"k": w(4, 3, 3, 3)}, "deconv"),
    "deconv, same": (
        'y = ConvTranspose<auto_pad="SAME_UPPER", strides=[2, 2]>(x, k)',
        {"k": w(4, 3, 3, 3)},
        "deconv",
    ),
    "max pool, rounded up": (
        "y = MaxPool<ceil_mode=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]>(x)",
        {},
        "max pool",
    ),
    "max pool, dilated": ("y = MaxPool<dilations=[2, 2], kernel_shape=[2, 2]>(x)", {}, "max pool"),
    "mean without padding": ("y = AveragePool<kernel_shape=[3, 3], pads=[1, 1, 1, 1]>(x)", {}, "avg pool"),
    "mean with padding": (
        "y = AveragePool<count_include_pad=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1]>(x)",
        {},
        "avg pool",
    ),
    "zeros around a mean": (
        "c = Pad(x, p); y = AveragePool<kernel_shape=[3, 3]>(c)",
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)},
        "avg pool",
    ),
    "lowest around a maximum": (
        "c = Pad(x, p, l); y = MaxPool<kernel_shape=[3, 3]>(c)",
        {"p": ints(0, 0, 1, 1, 0, 0, 1, 1), "l": f(-np.inf)},
        "max pool",
    ),
    "global pools": (
        "a = GlobalAveragePool(x); b = GlobalMaxPool(x); y = Concat<axis=1>(a, b)",
        {},
        "global avg pool | global max pool | concat",
    ),
    "mean over the sizes": ("a = ReduceMean<axes=[2, 3], keepdims=1>(x); y = Mul(x, a)", {}, "global avg pool | mul"),
    "mean over the sizes, as a vector": (
        "a = ReduceMean<axes=[-1, -2], keepdims=0>(x); y = Gemm(a, k)",
        {"k": w(4, 5)},
        "global avg pool | linear",
    ),
    "maximum over the sizes": ("y = ReduceMax<axes=[2, 3]>(x)", {}, "global max pool"),
    "a number is added": ("y = Add(x, a)", {"a": f(2)}, "affine"),
    "a number is taken from": ("y = Sub(a, x)", {"a": f(2)}, "affine"),
    "a scale and a shift a channel": (
        "c = Mul(x, a); y = Add(b, c)",
        {"a": w(4, 1, 1), "b": w(1, 4, 1, 1)},
        "affine",
    ),
    "division by a channel's number": ("y = Div(x, a)", {"a": np.abs(w(4, 1, 1)) + 1}, "affine"),
    "a number times": ("c = Mul(a, x); y = Neg(c)", {"a": f(1.5)}, "scale"),
    "sum, difference, mean": (
        "r = Relu(x); d = Sub(x, r); s = Sum(x, r, d); y = Mean(s, x)",
        {},
        "relu | add | add | add",
    ),
    "mean with a number": ("y = Mean(x, a)", {"a": f(3)}, "affine"),
    "twice the same": ("a = Add(x, x); y = Mul(a, a)", {}, "scale | mul"),
    "square": ("y = Pow(x, t)", {"t": f(2)}, "mul"),
    "one channel for all": (
        "c = Conv(x, k); s = Sigmoid(c); y = Mul(x, s)",
        {"k": w(1, 4, 1, 1)},
        "conv + sigmoid | mul",
    ),
    "a vector for each place": (
        "c = Conv(x, k); y = Add(c, p)",
        {"k": w(6, 4, 3, 3), "p": w(1, 6, 10, 10)},
        "conv | learned position",
    ),
    "relu6": ("y = Clip(x, a, b)", {"a": f(0), "b": f(6)}, "relu6"),
    "clips": ("c = Clip(x, a); y = Min(c, b)", {"a": f(-0.5), "b": f(0.5)}, "clip | clip"),
    "a maximum with zero": ("y = Max(x, a)", {"a": f(0)}, "relu"),
    "leaky relu, written out": ("c = Mul(x, a); y = Max(x, c)", {"a": f(0.1)}, "leaky_relu"),
    "slopes": (
        "c = LeakyRelu<alpha=0.2>(x); d = Elu<alpha=0.5>(c); y = PRelu(d, s)",
        {"s": w(4, 1, 1)},
        "leaky_relu | elu | prelu",
    ),
    "functions": (
        "a = Sigmoid(x); b = Tanh(a); c = Softplus(b); d = Selu(c); e = Mish(d); y = HardSwish(e)",
        {},
        "sigmoid | tanh | softplus | selu | mish | hard_swish",
    ),
    "hard sigmoid of another slope": ("y = HardSigmoid<alpha=0.2>(x)", {}, "scale | hard_sigmoid"),
    "hard sigmoid of another shift": ("y = HardSigmoid<alpha=0.2, beta=0.4>(x)", {}, "affine | clip"),
    "one number that is a weight": ("a = Mul(x, k); y = Add(a, b)", {"k": w(1), "b": w(1)}, "affine"),
    "a matrix before columns": (
        "s = Shape(x); r = Reshape(x, c); m = MatMul(k, r); v = Unsqueeze(b, o); n = Add(m, v); y = Reshape(n, s)",
        {"c": ints(0, 4, -1), "k": w(4, 4), "b": w(4), "o": ints(1)},
        "conv",
    ),
    "bins one by one": (
        "a = Slice(x, z, five, two); b = Slice(x, four, nine, two); c = Slice(x, eight, end, two); "
        "d = ReduceMean<axes=[2]>(a); e = ReduceMean<axes=[2]>(b); f = ReduceMean<axes=[2]>(c); "
        "y = Concat<axis=2>(d, e, f)",
        {
            "z": ints(0),
            "five": ints(4),
            "four": ints(4),
            "nine": ints(8),
            "eight": ints(8),
            "end": ints(12),
            "two": ints(2),
        },
        "avg bins",
    ),
    "zeros behind the last channel": ("y = Pad(x, p)", {"p": ints(0, 0, 0, 0, 0, 3, 0, 0)}, "pad channels"),
    "hard sigmoid": ("y = HardSigmoid<alpha=0.1666667>(x)", {}, "hard_sigmoid"),
    "silu": ("s = Sigmoid(x); y = Mul(s, x)", {}, "silu"),
    "hard swish of hard sigmoid": ("s = HardSigmoid<alpha=0.1666667>(x); y = Mul(x, s)", {}, "hard_swish"),
    "hard swish, by six at the end": (
        "c = Add(x, a); d = Clip(c, z, b); e = Mul(x, d); y = Div(e, b)",
        {"a": f(3), "b": f(6), "z": f(0)},
        "hard_swish",
    ),
    "hard swish, by a sixth before": (
        "c = Add(a, x); d = Clip(c, z, b); e = Mul(d, s); y = Mul(e, x)",
        {"a": f(3), "b": f(6), "z": f(0), "s": f(1 / 6)},
        "hard_swish",
    ),
    "hard sigmoid, written out": (
        "c = Add(a, x); d = Clip(c, z, b); y = Div(d, b)",
        {"a": f(3), "b": f(6), "z": f(0)},
        "hard_sigmoid",
    ),
    "gelu": (
        "c = Div(x, r); d = Erf(c); e = Add(d, o); g = Mul(x, e); y = Mul(g, h)",
        {"r": f(2**0.5), "o": f(1), "h": f(0.5)},
        "gelu",
    ),
    "gelu, halved first": (
        "c = Mul(x, r); d = Erf(c); e = Add(o, d); g = Mul(h, x); y = Mul(g, e)",
        {"r": f(0.5**0.5), "o": f(1), "h": f(0.5)},
        "gelu",
    ),
    "gelu by tanh": (
        "a = Pow(x, t); b = Mul(a, q); c = Add(x, b); d = Mul(c, r); e = Tanh(d); g = Add(e, o); "
        "i = Mul(x, g); y = Mul(i, h)",
        {"t": f(3), "q": f(0.044715), "r": f((2 / np.pi) ** 0.5), "o": f(1), "h": f(0.5)},
        "tanh_gelu",
    ),
    "mish, written out": ("a = Exp(x); b = Add(a, o); c = Log(b); d = Tanh(c); y = Mul(x, d)", {"o": f(1)}, "mish"),
    "softplus, written out": ("a = Exp(x); b = Add(a, o); y = Log(b)", {"o": f(1)}, "softplus"),
    "squeeze and excite, of linear layers": (
        "a = GlobalAveragePool(x); b = Flatten(a); d = Gemm<transB=1>(b, k, c); e = Relu(d); "
        "g = MatMul(e, l); h = Sigmoid(g); i = Unsqueeze(h, t); y = Mul(x, i)",
        {"k": w(2, 4), "c": w(2), "l": w(2, 4), "t": ints(2, 3)},
        "global avg pool | conv + relu | conv + sigmoid | mul",
    ),
    "instance norm": ("y = InstanceNormalization(x, s, o)", {"s": w(4), "o": w(4)}, "instance norm"),
    "group norm, as torch writes it": (
        "a = Reshape(x, t); b = InstanceNormalization(a, s, o); c = Shape(x); d = Reshape(b, c); "
        "e = Mul(d, g); y = Add(e, h)",
        {
            "t": ints(0, 2, -1),
            "s": np.ones(2, np.float32),
            "o": np.zeros(2, np.float32),
            "g": w(4, 1, 1),
            "h": w(4, 1, 1),
        },
        "group norm",
    ),
    "layer norm, channels last": (
        "a = Transpose<perm=[0, 2, 3, 1]>(x); b = LayerNormalization(a, s, o); y = Transpose<perm=[0, 3, 1, 2]>(b)",
        {"s": w(4), "o": w(4)},
        "layer norm",
    ),
    "layer norm, written out": (
        "t = Transpose<perm=[0, 2, 3, 1]>(x); m = ReduceMean<axes=[-1]>(t); d = Sub(t, m); q = Pow(d, two); "
        "v = ReduceMean<axes=[-1]>(q); e = Add(v, eps); r = Sqrt(e); n = Div(d, r); g = Mul(n, s); h = Add(g, o); "
        "y = Transpose<perm=[0, 3, 1, 2]>(h)",
        {"two": f(2), "eps": f(1e-6), "s": w(4), "o": w(4)},
        "layer norm",
    ),
    "instance norm, written out": (
        "m = ReduceMean<axes=[2, 3]>(x); d = Sub(x, m); q = Mul(d, d); v = ReduceMean<axes=[2, 3]>(q); "
        "e = Add(eps, v); r = Sqrt(e); i = Reciprocal(r); y = Mul(i, d)",
        {"eps": f(1e-5)},
        "instance norm",
    ),
    "a dense layer, channels last": (
        "a = Transpose<perm=[0, 2, 3, 1]>(x); b = MatMul(a, k); d = Add(b, c); e = Relu(d); "
        "y = Transpose<perm=[0, 3, 1, 2]>(e)",
        {"k": w(4, 6), "c": w(6)},
        "conv + relu",
    ),
    "positions as a list": (
        "a = Reshape(x, t); b = Transpose<perm=[0, 2, 1]>(a); c = MatMul(b, k); "
        "d = Transpose<perm=[0, 2, 1]>(c); s = Shape(x); h = Gather(s, i); u = Concat<axis=0>(z, q, h); "
        "y = Reshape(d, u)",
        {"t": ints(0, 4, -1), "k": w(4, 6), "i": ints(2, 3), "z": ints(-1), "q": ints(6)},
        "conv",
    ),
    "attention of two heads, written out": (
        "q = Conv(x, a); k = Conv(x, b); v = Conv(x, c); q1 = Reshape(q, t); k1 = Reshape(k, t); v1 = Reshape(v, t); "
        "q2 = Transpose<perm=[0, 1, 3, 2]>(q1); v2 = Transpose<perm=[0, 1, 3, 2]>(v1); s = MatMul(q2, k1); "
        "s1 = Mul(s, by); p = Softmax<axis=-1>(s1); m = MatMul(p, v2); m1 = Transpose<perm=[0, 1, 3, 2]>(m); "
        "e = Shape(q); y = Reshape(m1, e)",
        {"a": w(4, 4, 1, 1), "b": w(4, 4, 1, 1), "c": w(4, 4, 1, 1), "t": ints(0, 2, 2, -1), "by": f(0.7)},
        "conv | conv | conv | attention",
    ),
    "attention of one matrix, positions as a list": (
        "z = Relu(x); f = Reshape(z, flat); l = Transpose<perm=[0, 2, 1]>(f); g = MatMul(l, w3); r = Reshape(g, u); "
        "h = Transpose<perm=[2, 0, 3, 1, 4]>(r); q = Gather<axis=0>(h, i0); k = Gather<axis=0>(h, i1); "
        "v = Gather<axis=0>(h, i2); k1 = Transpose<perm=[0, 1, 3, 2]>(k); q1 = Mul(q, by); s = MatMul(q1, k1); "
        "p = Softmax<axis=-1>(s); m = MatMul(p, v); n = Transpose<perm=[0, 2, 1, 3]>(m); o = Reshape(n, back); "
        "d = MatMul(o, wo); c = Transpose<perm=[0, 2, 1]>(d); y = Relu(c)",
        {
            "w3": w(4, 12),
            "flat": ints(0, 4, -1),
            "u": ints(0, -1, 3, 2, 2),
            "i0": np.array(0),
            "i1": np.array(1),
            "i2": np.array(2),
            "by": f(0.5),
            "back": ints(0, 0, 4),
            "wo": w(4, 4),
        },
        "relu | conv | slice | slice | slice | attention | conv + relu",
    ),
    "attention of two heads, each over all pairs": (
        "q = Conv(x, a); k = Conv(x, b); q1 = Reshape(q, t); k1 = Reshape(k, t); v1 = Reshape(x, t); "
        "q2 = Transpose<perm=[0, 1, 3, 2]>(q1); v2 = Transpose<perm=[0, 1, 3, 2]>(v1); s = MatMul(q2, k1); "
        "s1 = Mul(s, by); f = Reshape(s1, u); p = Softmax(f); r = Shape(s1); g = Reshape(p, r); m = MatMul(g, v2); "
        "m1 = Transpose<perm=[0, 1, 3, 2]>(m); e = Shape(q); y = Reshape(m1, e)",
        {"a": w(4, 4, 1, 1), "b": w(4, 4, 1, 1), "t": ints(0, 2, 2, -1), "u": ints(0, 0, -1), "by": f(2)},
        "conv | conv | attention",
    ),
    "a list of pixels that is not turned back": (
        "c = Conv(x, k); l = Reshape(c, t); p = Transpose<perm=[0, 2, 1]>(l); s = Shape(c); y = Reshape(p, s)",
        {"k": w(6, 4, 1, 1), "t": ints(0, 0, -1)},
        "conv | reinterpret",
    ),
    "lrn": ("y = LRN<alpha=0.5, beta=0.7, bias=2.0, size=3>(x)", {}, "lrn"),
    "softmax over channels": ("y = Softmax<axis=1>(x)", {}, "softmax"),
    "softmax over positions": ("a = Reshape(x, t); y = Softmax(a)", {"t": ints(0, 0, -1)}, "softmax over positions"),
    "channel shuffle": (
        "a = Reshape(x, t); b = Transpose<perm=[0, 2, 1, 3, 4]>(a); c = Reshape(b, u); y = Relu(c)",
        {"t": ints(0, 2, 2, 12, 12), "u": ints(0, -1, 12, 12)},
        "relu | channel_shuffle",
    ),
    "depth to space": ('y = DepthToSpace<blocksize=2, mode="CRD">(x)', {}, "pixel_shuffle"),
    "depth to space, blocks outermost": (
        "a = Conv(x, k); y = DepthToSpace<blocksize=2>(a)",
        {"k": w(8, 4, 1, 1)},
        "conv | channel_shuffle | pixel_shuffle",
    ),
    "space to depth": ("y = SpaceToDepth<blocksize=2>(x)", {}, "space_to_depth | channel_shuffle"),
    "split": ("a, b = Split<axis=1>(x, p); y = Concat<axis=1>(b, a)", {"p": ints(1, 3)}, "slice | slice | concat"),
    "channels": ("y = Slice(x, a, b, c)", {"a": ints(-3), "b": ints(2**40), "c": ints(1)}, "slice"),
    "one channel, axis gone": (
        "a = Gather<axis=1>(x, i); b = Unsqueeze(a, o); y = Mul(x, b)",
        {"i": np.array(2), "o": ints(1)},
        "slice | mul",
    ),
    "zeros behind the channels": (
        "y = Concat<axis=1>(x, z)",
        {"z": np.zeros((2, 3, 12, 12), np.float32)},
        "pad channels",
    ),
    "left away": ("a = Identity(x); b = Dropout(a); c = Cast<to=1>(b); y = Relu(c)", {}, "relu"),
    "nearest by two": (
        'y = Resize<coordinate_transformation_mode="asymmetric", mode="nearest", nearest_mode="floor">(x, , s)',
        {"s": np.array([1, 1, 2, 3], np.float32)},
        "resize",
    ),
    "nearest by a half, exact": (
        'y = Resize<mode="nearest", nearest_mode="round_prefer_ceil">(x, , s)',
        {"s": np.array([1, 1, 0.5, 1.5], np.float32)},
        "resize",
    ),
    "bilinear by a ratio": (
        'y = Resize<mode="linear">(x, , s)',
        {"s": np.array([1, 1, 1.5, 2 / 3], np.float32)},
        "resize",
    ),
    "cubic, corners": (
        'y = Resize<coordinate_transformation_mode="align_corners", mode="cubic">(x, , s)',
        {"s": np.array([1, 1, 2, 2], np.float32)},
        "resize",
    ),
    "bilinear to another map's size": (
        "p = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(x); s = Shape(x); h = Slice(s, a, b); "
        't = Shape(p); c = Slice(t, z, a); g = Concat<axis=0>(c, h); u = Resize<mode="linear">(p, , , g); '
        "y = Add(u, x)",
        {"z": ints(0), "a": ints(2), "b": ints(4)},
        "max pool | resize | add",
    ),
    "twice its own size, by a chain": (
        "s = Shape(x); h = Gather(s, i); e = Cast<to=1>(h); g = Mul(e, t); j = Floor(g); k = Cast<to=7>(j); "
        'c = Slice(s, z, a); q = Concat<axis=0>(c, k); y = Resize<mode="linear">(x, , , q)',
        {"i": ints(2, 3), "t": f(2), "z": ints(0), "a": ints(2)},
        "resize",
    ),
    "another map's size, reckoned of the image's": (
        "p = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(x); c = Conv(p, k); r = Relu(c); "
        "g = GlobalAveragePool(r); s = Shape(x); h = Slice(s, a, b); d = Div(h, a); t = Slice(s, z, a); "
        'q = Concat<axis=0>(t, d); u = Resize<mode="linear">(g, , , q); y = Add(u, r)',
        {"z": ints(0), "a": ints(2), "b": ints(4), "k": w(4, 4, 1, 1)},
        "max pool | conv + relu | global avg pool | resize | add",
    ),
    "one pixel over a map": (
        "p = GlobalAveragePool(x); s = Shape(x); e = Expand(p, s); y = Concat<axis=1>(x, e)",
        {},
        "global avg pool | resize | concat",
    ),
    "cut to another map's size": (
        "c = Conv(x, k); s = Shape(c); h = Slice(s, a, b); d = Slice(x, z, h, a2); y = Add(c, d)",
        {"k": w(4, 4, 3, 3), "a": ints(2), "b": ints(4), "z": ints(0, 0), "a2": ints(2, 3)},
        "conv | crop | add",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_file_does(name: str, tmp_path: Path) -> None:
    steps, constants, layers = CASES[name]
    path = tmp_path / "net.onnx"
    size = (2, 4, 12, 12) if name in FIXED else ("n", 4, "h", "w")
    onnx.save(model_of(steps, constants, size, 13 if "Reduce" in steps else 20), path)
    assert _layers(path) == layers
    assert difference(path) < 1e-6


# Of one size, as their steps say.
FIXED = ("bins one by one", "a vector for each place", "channel shuffle", "zeros behind the channels")


def _layers(path: Path) -> str:
    graph = import_network(path).graph
    return " | ".join(" + ".join(node.op.title for node in nodes) for nodes in graph.layers.values())
