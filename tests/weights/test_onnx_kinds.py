"""What stands at a weight's place in an ONNX model, in every form that exporters give it, opset 7 to the newest.

Every model here is imported whole (`--strict`), and the network computes what onnxruntime does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

from .onnx_models import FLAGS, Run, agrees, drawn, export, node, write

NEWEST = min(onnx.defs.onnx_opset_version(), 24)  # what onnxruntime runs
HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: 8}\nlayers:\n"
Constants = Mapping[str, Any]


def net(tmp_path: Path, *layers: str, size: int = 8) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD.replace("size: 8", f"size: {size}") + "".join(f"  - {layer}\n" for layer in layers))
    return path


def some(*shape: int, low: float = -1.0) -> np.ndarray:
    """Values that differ from each other and from shape to shape."""
    return np.random.default_rng(sum(shape) + 7 * len(shape)).uniform(low, 1, shape).astype(np.float32)


# --- a constant is not a weight


def between(opset: int) -> dict[str, tuple[list[Any], Constants]]:
    """Name -> nodes from `a` to `b` that keep a map of 4 channels and 8 x 8, and their constants."""
    number = np.float32
    scales = {"s": number([1, 1, 2, 2]), **({"roi": number([])} if opset in (11, 12) else {})}
    if opset < 9:
        up = [node("Upsample", ("a",), "u", scales=[1.0, 1.0, 2.0, 2.0])]
    elif opset < 10:
        up = [node("Upsample", ("a", "s"), "u")]
    else:
        up = [node("Resize", ("a", "s") if opset < 11 else ("a", "roi" if opset < 13 else "", "s"), "u")]
    half = node("MaxPool", ("u",), "b", kernel_shape=[2, 2], strides=[2, 2])
    clip = (
        [node("Clip", ("a",), "b", min=0.0, max=6.0)] if opset < 11 else [node("Clip", ("a", "low", "high"), "b")],
        {} if opset < 11 else {"low": number(0), "high": number(6)},
    )
    pad = (
        [node("Pad", ("a",), "p", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.5)]
        if opset < 11
        else [node("Pad", ("a", "pads", "fill"), "p")]
    )
    pads = {} if opset < 11 else {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "fill": number(0.5)}
    part = (
        [node("Slice", ("p",), "b", starts=[1, 1], ends=[9, 9], axes=[2, 3])]
        if opset < 10
        else [node("Slice", ("p", "from", "to", "axes"), "b")]
    )
    cut = {} if opset < 10 else {"from": np.array([1, 1]), "to": np.array([9, 9]), "axes": np.array([2, 3])}
    return {
        "resize": ([*up, half], scales if opset > 8 else {}),
        "relu6": clip,
        "pad and slice": ([*pad, *part], {**pads, **cut}),
        "gelu": (
            [
                node("Div", ("a", "root"), "d"), node("Tanh" if opset < 9 else "Erf", ("d",), "e"),
                node("Add", ("e", "one"), "f"), node("Mul", ("a", "f"), "g"), node("Mul", ("g", "half"), "b"),
            ],
            {"root": number(1.4142135), "one": number(1), "half": number(0.5)},
        ),
        "hard-swish": (
            [node("Add", ("a", "three"), "d"), node("HardSigmoid", ("d",), "e"), node("Mul", ("a", "e"), "f"),
             node("Div", ("f", "six"), "b")],
            {"three": number([3]), "six": number([[[6]]])},
        ),
        "silu": ([node("Sigmoid", ("a",), "s"), node("Mul", ("a", "s"), "b")], {}),
        "factor": ([node("Mul", ("half", "a"), "b")], {"half": number(0.5)}),
        "shape and reshape": (
            [node("Reshape", ("a", "flat"), "f"), node("Reshape", ("f", "back"), "b")],
            {"flat": np.array([1, -1]), "back": np.array([1, 4, 8, 8])},
        ),
    }  # fmt: skip


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 13, 18, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("what", between(13))
def test_whatever_stands_between_two_convolutions(what: str, opset: int, run: Run, tmp_path: Path) -> None:
    nodes, constants = between(opset)[what]
    weights = {"w": some(4, 3, 3, 3), "v": some(4), "w2": some(2, 4, 1, 1)}
    ends = [node("Conv", ("x", "w", "v"), "a", pads=[1, 1, 1, 1]), *nodes, node("Conv", ("b", "w2"), "c")]
    write(tmp_path / "a.onnx", ends, {**weights, **constants}, opset=opset)
    spec = net(tmp_path, "k1: {conv: 4, kernel: 3, pad: 1}", "k2: {conv: 2, kernel: 1, bias: no}")
    status, _, errors = run("import", "a.onnx", "--spec", spec, *FLAGS, "--strict")
    assert status == 0, errors
    found = load_file("out.safetensors")
    assert [
        np.array_equal(have, want)
        for have, want in zip(found.values(), (weights["v"], weights["w"], weights["w2"]), strict=True)
    ] == [True] * 3


def test_constants_that_are_computed_with_are_said_and_no_weights(run: Run, tmp_path: Path) -> None:
    """An image that the file normalises itself: by name or by order, its mean is never a weight."""
    constants = {"mean.weight": some(1, 3, 1, 1), "std": some(1, 3, 1, 1, low=0.5), "w": some(4, 3, 1, 1)}
    nodes = [node("Sub", ("x", "mean.weight"), "y"), node("Div", ("y", "std"), "z"), node("Conv", ("z", "w"), "c")]
    write(tmp_path / "a.onnx", nodes, constants)
    spec = net(tmp_path, "mean: {conv: 4, kernel: 1, bias: no}")
    status, told, _ = run("import", "a.onnx", "--spec", spec, *FLAGS, "--strict")
    assert status == 0 and "mean.weight  4 x 3 x 1 x 1  w\n" in told
    mean, std = (",".join(f"{value:.6g}" for value in constants[name].ravel()) for name in ("mean.weight", "std"))
    assert f"\n{computes('Sub `y`, Div `z`', mean, std)}\n" in told and "no weight" not in told


def computes(steps: str, mean: str, std: str) -> str:
    """The line about what a file does to its image."""
    come = f", which come to (x - {mean}) / {std}" if mean else ""
    why = "before its first layer, which is imported without that: --channels, --mean and --std say what it read"
    return f"a.onnx computes with its image ({steps}){come} {why}"


def head(*steps: tuple[str, str]) -> list[Any]:
    """Steps one behind the other: op, and its other input."""
    names = ["x", "y", "z", "u", "v", "a"]
    return [
        node(op, (names[index], *([other] if other else [])), names[index + 1], **({"to": 1} if op == "Cast" else {}))
        for index, (op, other) in enumerate(steps)
    ]


@pytest.mark.parametrize(("nodes", "said"), [
    (head(("Div", "k")), ("Div `y`", "0", "255")),
    (head(("Cast", ""), ("Div", "k")), ("Div `z`", "0", "255")),
    (head(("Div", "k"), ("Cast", ""), ("Sub", "half"), ("Mul", "two")),
     ("Div `y`, Sub `u`, Mul `v`", "127.5", "127.5")),
    ([node("Transpose", ("x",), "y", perm=[0, 2, 3, 1]), node("Sub", ("y", "mean"), "z"),
      node("Transpose", ("z",), "u", perm=[0, 3, 1, 2])], ("Sub `z`", "1,2,3", "1")),
    ([node("Gather", ("x", "turn"), "y", axis=1)], ("Gather `y`", "", "")),
    ([node("Slice", ("x", "last", "first", "one", "last"), "y")], ("Slice `y`", "", "")),
    ([helper.make_node("Split", ["x"], ["r", "g", "b"], name="y", axis=1),
      node("Concat", ("b", "g", "r"), "z", axis=1)], ("Split `y`", "", "")),
    ([node("Sub", ("k", "x"), "y")], ("Sub `y`", "", "")),
    ([node("Slice", ("x", "zero", "eight", "axis"), "y")], None),  # a crop, which changes no number
    ([node("Pad", ("x", "pads"), "y"), node("Relu", ("y",), "z")], None),
])  # fmt: skip
def test_what_a_file_computes_with_its_image_is_said(
    nodes: list[Any], said: tuple[str, str, str] | None, run: Run, tmp_path: Path
) -> None:
    """The first convolution reads other values than the harness gives, however many steps lie between."""
    held = {
        "k": np.float32(255), "half": np.float32([0.5]), "two": np.float32(2), "mean": np.float32([1, 2, 3]),
        "turn": np.array([2, 1, 0]), "last": np.array([-1]), "first": np.array([-9]), "one": np.array([1]),
        "zero": np.array([0]), "eight": np.array([8]), "axis": np.array([2]), "pads": np.zeros(8, np.int64),
    }  # fmt: skip
    read = {name for each in nodes for name in each.input}
    last = nodes[-1].output[0]
    constants = {name: value for name, value in held.items() if name in read}
    write(tmp_path / "a.onnx", [*nodes, node("Conv", (last, "w"), "c"), node("Mul", ("c", "w2"), "d")],
          {**constants, "w": some(4, 3, 1, 1), "w2": np.float32(2)})  # fmt: skip
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no}")
    status, told, errors = run("import", "a.onnx", "--spec", spec, *FLAGS, "--strict")
    assert status == 0, errors
    assert f"\n{computes(*said)}\n" in told if said else "computes with its image" not in told


# --- kernels and matrices


HELD = some(4, 3, 3, 3)
FORMS: dict[str, tuple[list[Any], Constants]] = {
    "Identity": ([node("Identity", ("k",), "i"), node("Identity", ("i",), "w")], {"k": HELD}),
    "Cast": ([node("Cast", ("k",), "w", to=1)], {"k": HELD.astype(np.float64)}),
    "Transpose": ([node("Transpose", ("k",), "w", perm=[3, 2, 0, 1])], {"k": HELD.transpose(2, 3, 1, 0).copy()}),
    "Transpose, reversed": ([node("Transpose", ("k",), "w")], {"k": HELD.transpose(3, 2, 1, 0).copy()}),
    "Reshape": ([node("Reshape", ("k", "s"), "w")], {"k": HELD.reshape(12, 9), "s": np.array([4, 3, 3, -1])}),
    "Constant": ([helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(HELD))], {}),
    "Squeeze": ([node("Squeeze", ("k", "a"), "w")], {"k": HELD[None], "a": np.array([0])}),
    "Unsqueeze": (
        [node("Unsqueeze", ("k", "a"), "r"), node("Reshape", ("r", "s"), "w")],
        {"k": HELD.reshape(4, 27), "a": np.array([0, -1]), "s": np.array([4, 3, 3, 3])},
    ),
    "all of them": (
        [
            node("Cast", ("k",), "j", to=1),
            node("Identity", ("j",), "i"), node("Reshape", ("i", "s"), "r"),
            node("Transpose", ("r",), "w", perm=[1, 0, 2, 3]),
        ],
        {"k": HELD.transpose(1, 0, 2, 3).reshape(3, 36).astype(np.float16), "s": np.array([3, 4, 3, 3])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_reaches_its_convolution_through_other_steps(
    form: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    nodes, constants = FORMS[form]
    path = write(tmp_path / "a.onnx", [*nodes, node("Conv", ("x", "w"), "c")], constants)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 3, bias: no}"), "--strict")
    want = HELD.astype(np.float16).astype(np.float32) if form == "all of them" else HELD
    assert np.array_equal(load_file("out.safetensors")["c.weight"], want)


@pytest.mark.parametrize("opset", [7, 9, 11])
def test_axes_that_older_opsets_have_as_settings(opset: int, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Squeeze", ("k",), "s", axes=[0]), node("Unsqueeze", ("s",), "u", axes=[1, 4])]
    nodes += [node("Squeeze", ("u",), "w", axes=[1, -2] if opset == 11 else [1, 4]), node("Conv", ("x", "w"), "c")]
    path = write(tmp_path / "a.onnx", nodes, {"k": HELD[None]}, opset=opset)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 3, bias: no}"), "--strict")


def dense(nodes: Sequence[Any], constants: Constants, tmp_path: Path, opset: int = 13) -> Path:
    """A model whose last nodes read the flattened image `f` of 3 x 2 x 2."""
    flat = node("Flatten", ("x",), "f")
    return write(tmp_path / "a.onnx", [flat, *nodes], constants, (1, 3, 2, 2), opset, rank=2)


MATRIX, BIAS = some(5, 12), some(5)


@pytest.mark.parametrize(("settings", "constants"), [
    ({}, {"w": MATRIX.T.copy(), "v": BIAS}),
    ({"transB": 1}, {"w": MATRIX, "v": BIAS}),
    ({"transB": 1, "alpha": 0.5, "beta": 2.0}, {"w": MATRIX, "v": BIAS}),
    ({"alpha": -3.0}, {"w": MATRIX.T.copy(), "v": BIAS[None]}),
    ({"transB": 1}, {"w": MATRIX, "v": BIAS[:1]}),
    ({"transB": 1, "beta": 0.25}, {"w": MATRIX, "v": np.float32(0.75)}),
])  # fmt: skip
@pytest.mark.parametrize("layer", ["fc: {linear: 5}", "fc: {conv: 5, kernel: 2}"])
def test_a_gemm_however_it_scales_and_turns(
    layer: str, settings: Mapping[str, Any], constants: Constants, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    path = dense([node("Gemm", ("f", "w", "v"), "g", **settings)], constants, tmp_path)
    spec = net(tmp_path, layer, size=2)
    status, _, errors = run("import", path, "--spec", spec, *FLAGS, "--strict")
    assert status == 0, errors
    found = load_file("out.safetensors")
    matrix = (MATRIX * np.float32(settings.get("alpha", 1))).reshape(found["fc.weight"].shape)
    assert np.array_equal(found["fc.weight"], matrix)
    bias = np.broadcast_to(np.reshape(constants["v"], -1) * np.float32(settings.get("beta", 1)), 5)
    assert np.array_equal(found["fc.bias"], bias)
    if "linear" in layer:
        agrees(run, nets, path, spec, "--strict")


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("shape", [(5,), (1, 5)])
def test_a_matmul_with_its_bias_in_an_add(
    shape: tuple[int, ...], swapped: bool, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    nodes = [node("MatMul", ("f", "w"), "m"), node("Add", ("v", "m") if swapped else ("m", "v"), "a")]
    path = dense(nodes, {"w": MATRIX.T.copy(), "v": BIAS.reshape(shape)}, tmp_path)
    agrees(run, nets, path, net(tmp_path, "fc: {linear: 5}", size=2), "--strict")


def test_a_matrix_over_the_channels_of_each_pixel_is_a_convolution(
    run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    nodes = [
        node("Transpose", ("x",), "t", perm=[0, 2, 3, 1]), node("MatMul", ("t", "w"), "m"),
        node("Add", ("m", "v"), "a"),
        node("Transpose", ("a",), "c", perm=[0, 3, 1, 2]), node("Mul", ("c", "one"), "d"),
    ]  # fmt: skip
    held = {"w": some(3, 5), "v": some(5), "one": np.full((1, 1, 1), 2, np.float32)}
    path = write(tmp_path / "a.onnx", nodes, held)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 5, kernel: 1}", "{scale: 2}"), "--strict")


def test_a_matrix_that_is_turned_before_it_is_read(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Transpose", ("w",), "t"), node("MatMul", ("f", "t"), "m")]
    path = dense(nodes, {"w": MATRIX}, tmp_path)
    agrees(run, nets, path, net(tmp_path, "fc: {linear: 5, bias: no}", size=2), "--strict")


TURNED: dict[str, tuple[list[Any], tuple[str, ...]]] = {  # behind the map (batch, height, width, channel) `t`
    "activation": ([node("LeakyRelu", ("t",), "r", alpha=0.01), node("Flatten", ("r",), "f")], ("{act: leaky_relu}",)),
    "behind the flattening": ([node("Flatten", ("t",), "r"), node("Sigmoid", ("r",), "f")], ("{act: sigmoid}",)),
    "factor": ([node("Mul", ("two", "t"), "r"), node("Flatten", ("r",), "f")], ("{scale: 2}",)),
    "gate": (
        [node("Sigmoid", ("t",), "s"), node("Mul", ("s", "t"), "r"), node("Flatten", ("r",), "f")], ("{act: silu}",)
    ),
}  # fmt: skip


@pytest.mark.parametrize("between", TURNED)
def test_columns_of_a_map_that_is_transposed_before_its_activation(
    between: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    """The columns of the matrix are (height, width, channel), whatever is computed of each number on the way."""
    nodes, layers = TURNED[between]
    nodes = [node("Transpose", ("x",), "t", perm=[0, 2, 3, 1]), *nodes, node("MatMul", ("f", "w"), "m")]
    path = write(tmp_path / "a.onnx", nodes, {"w": MATRIX.T.copy(), "two": np.float32(2)}, (1, 3, 2, 2), rank=2)
    agrees(run, nets, path, net(tmp_path, *layers, "fc: {linear: 5, bias: no}", size=2), "--strict")


def test_a_matrix_over_the_channels_of_each_token_is_a_convolution(run: Run, tmp_path: Path) -> None:
    """As SegFormer's head has it: (batch, channel, height * width), transposed."""
    nodes = [
        node("Reshape", ("x", "s"), "r"), node("Transpose", ("r",), "t", perm=[0, 2, 1]), node("Relu", ("t",), "y"),
        node("MatMul", ("y", "w"), "m"),
    ]  # fmt: skip
    path = write(tmp_path / "a.onnx", nodes, {"s": np.array([0, 0, -1]), "w": some(3, 5)}, rank=3)
    spec = net(tmp_path, "{act: relu}", "c: {conv: 5, kernel: 1, bias: no}")
    status, _, errors = run("import", path, "--spec", spec, "--strict", *FLAGS)
    assert status == 0, errors
    assert np.array_equal(load_file("out.safetensors")["c.weight"].reshape(5, 3), some(3, 5).T)


def test_a_gemm_that_turns_what_it_reads_is_not_taken(run: Run, tmp_path: Path) -> None:
    nodes = [node("Transpose", ("f",), "t"), node("Gemm", ("t", "w", "v"), "g", transA=1, transB=1)]
    dense(nodes, {"w": MATRIX, "v": BIAS}, tmp_path)
    spec = net(tmp_path, "fc: {linear: 5}", size=2)
    status, _, errors = run("import", "a.onnx", "--spec", spec, *FLAGS)
    assert status == 1 and "nothing in `a.onnx` fits" in errors


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1)])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_the_bias_of_a_convolution_in_an_add(
    op: str, shape: tuple[int, ...], run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    kernel = some(4, 3, 1, 1) if op == "Conv" else some(3, 4, 1, 1)
    nodes = [node(op, ("x", "w"), "c"), node("Add", ("v", "c"), "a"), node("Relu", ("a",), "r")]
    path = write(tmp_path / "a.onnx", nodes, {"w": kernel, "v": some(4).reshape(shape)})
    layer = "conv" if op == "Conv" else "deconv"
    agrees(run, nets, path, net(tmp_path, f"c: {{{layer}: 4, kernel: 1, act: relu}}"), "--strict")


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1), (1, 1, 1, 1)])
def test_the_bias_of_one_channel_in_an_add(
    shape: tuple[int, ...], run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    nodes = [node("Conv", ("x", "w"), "c"), node("Add", ("c", "v"), "a")]
    path = write(tmp_path / "a.onnx", nodes, {"w": some(1, 3, 1, 1), "v": np.full(shape, 0.75, np.float32)})
    agrees(run, nets, path, net(tmp_path, "c: {conv: 1, kernel: 1}"), "--strict")


def test_a_bias_that_the_file_does_not_have_starts_as_zeros_and_is_said(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", [node("Conv", ("x", "w"), "c")], {"w": some(4, 3, 1, 1)})
    _, told, _ = run("import", "a.onnx", "--spec", net(tmp_path, "c: {conv: 4, kernel: 1}"), *FLAGS)
    assert "c.bias     4              fresh: zeros  Conv `c` has none\n" in told


@pytest.mark.parametrize("times", ["twice", "through Identity"])
def test_a_tensor_that_two_layers_share(times: str, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Identity", ("w",), "w2")] if times == "through Identity" else []
    second = "w2" if nodes else "w"
    nodes += [node("Conv", ("x", "w", "v"), "a"), node("Relu", ("a",), "r"), node("Conv", ("r", second, "v"), "b")]
    path = write(tmp_path / "a.onnx", nodes, {"w": some(3, 3, 1, 1), "v": some(3)})
    spec = net(tmp_path, "a: {conv: 3, kernel: 1, act: relu}", "b: {conv: 3, kernel: 1}")
    told = agrees(run, nets, path, spec, "--strict")
    assert "b.bias     3              v of b\n" in told


# --- norms and slopes


@pytest.mark.parametrize("opset", [7, 9, 14, 15, NEWEST])
def test_a_batch_norm_of_every_opset(opset: int, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    constants = {"w": some(4, 3, 1, 1), "s": some(4), "t": some(4, low=0), "m": some(4), "v": some(4, low=0.5)}
    nodes = [node("Conv", ("x", "w"), "c"), node("BatchNormalization", ("c", "s", "t", "m", "v"), "n")]
    path = write(tmp_path / "a.onnx", nodes, constants, opset=opset)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: batch}"), "--strict")


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1, 1), (1,), (1, 1, 1), ()])
@pytest.mark.parametrize("opset", [7, 9, 16])
def test_slopes_in_every_shape(
    opset: int, shape: tuple[int, ...], run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    slopes = some(4).reshape(shape) if np.prod(shape) == 4 else np.full(shape, 0.3, np.float32)
    nodes = [node("Conv", ("x", "w"), "c"), node("PRelu", ("c", "p"), "r")]
    path = write(tmp_path / "a.onnx", nodes, {"w": some(4, 3, 1, 1), "p": slopes}, opset=opset)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, act: prelu}"), "--strict")


def test_slopes_of_a_vector_and_shared_ones(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Conv", ("x", "w"), "a"), node("PRelu", ("a", "p"), "b"), node("Conv", ("b", "w2"), "c")]
    nodes += [node("PRelu", ("c", "p"), "d")]
    constants = {"w": some(4, 3, 1, 1), "w2": some(4, 4, 1, 1), "p": some(4, 1, 1)}
    path = write(tmp_path / "a.onnx", nodes, constants)
    layers = [f"{name}: {{conv: 4, kernel: 1, bias: no, act: prelu}}" for name in "ac"]
    agrees(run, nets, path, net(tmp_path, *layers), "--strict")
    write(tmp_path / "a.onnx", nodes, {**constants, "p": some(4)})  # of each column, says ONNX; MXNet means a channel
    assert run("import", path, "--spec", "net.yaml", *FLAGS, "--strict")[0] == 0
    assert np.array_equal(load_file("out.safetensors")["a_act.weight"], some(4))


def test_slopes_of_each_pixel_find_no_place(run: Run, tmp_path: Path) -> None:
    nodes = [node("Conv", ("x", "w"), "c"), node("PRelu", ("c", "p"), "r"), node("Conv", ("r", "w2"), "d")]
    constants = {"w": some(4, 3, 1, 1), "p": some(4, 8, 8), "w2": some(2, 4, 1, 1)}
    write(tmp_path / "a.onnx", nodes, constants)
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, act: prelu}", "d: {conv: 2, kernel: 1, bias: no}")
    status, told, _ = run("import", "a.onnx", "--spec", spec, *FLAGS)
    assert status == 0 and "c_act.weight  4              fresh: 0.25  `p` is 4 x 8 x 8\n" in told
    assert "  p  4 x 8 x 8  (weight of PRelu `r`)\n" in told and "2 of 3 tensors" in told


def group_norm(kind: str, opset: int) -> tuple[list[Any], Constants]:
    """A group norm of `c` with 2 groups of 4 channels, and what it is made of."""
    scale, shift = some(4), some(4, low=0)
    if kind == "op":
        parts = {"s": scale, "t": shift} if opset > 20 else {"s": scale[:2], "t": shift[:2]}
        return [node("GroupNormalization", ("c", "s", "t"), "n", num_groups=2)], parts
    nodes = [
        node("Reshape", ("c", "groups"), "r"), node("InstanceNormalization", ("r", "one", "zero"), "i"),
        node("Shape", ("c",), "shape"), node("Reshape", ("i", "shape"), "b"),
    ]  # fmt: skip
    ones = {"groups": np.array([0, 2, -1]), "one": np.ones(2, np.float32), "zero": np.zeros(2, np.float32)}
    if kind == "plain":
        return nodes, ones
    swapped = kind == "swapped"
    nodes.append(node("Mul", ("s", "b") if swapped else ("b", "s"), "m"))
    nodes.append(node("Add", ("t", "m") if swapped else ("m", "t"), "n"))
    return nodes, {**ones, "s": scale.reshape(4, 1, 1), "t": shift.reshape(1, 4, 1, 1)}


@pytest.mark.parametrize(("kind", "opset"), [
    ("op", 21), ("written out", 7), ("written out", 13), ("written out", NEWEST), ("swapped", 11), ("plain", 13),
])  # fmt: skip
def test_a_group_norm_in_every_form(kind: str, opset: int, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes, constants = group_norm(kind, opset)
    path = write(
        tmp_path / "a.onnx", [node("Conv", ("x", "w"), "c"), *nodes], {"w": some(4, 3, 1, 1), **constants}, opset=opset
    )
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: {group: 2}}"), "--strict")


def test_a_group_norm_written_out_to_the_last_step(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """As onnxruntime writes it when it puts ONNX's own definition of the op in its place."""
    eps = np.float32(1e-5)
    held = {"w": some(4, 3, 1, 1), "g": np.array([0, 2, -1]), "eps": eps, "s": some(4, 1, 1), "t": some(4, 1, 1)}
    nodes = [
        node("Conv", ("x", "w"), "c"), node("Reshape", ("c", "g"), "r"), node("ReduceMean", ("r",), "m", axes=[2]),
        node("Sub", ("r", "m"), "d"), node("Mul", ("d", "d"), "q"), node("ReduceMean", ("q",), "v", axes=[2]),
        node("Add", ("v", "eps"), "e"), node("Sqrt", ("e",), "root"), node("Div", ("d", "root"), "n"),
        node("Shape", ("c",), "shape"), node("Reshape", ("n", "shape"), "b"),
        node("Mul", ("b", "s"), "scaled"), node("Add", ("scaled", "t"), "out"),
    ]  # fmt: skip
    path = write(tmp_path / "a.onnx", nodes, held)
    told = agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 1, norm: {group: 2}, bias: no}"), "--strict")
    assert "\n1 norm is written out in the file, whose groups and eps were not compared: c\n" in told
    nodes = [node("Conv", ("x", "w"), "c"), node("Mul", ("c", "s"), "scaled"), node("Add", ("scaled", "t"), "out")]
    write(path, nodes, {name: held[name] for name in "wst"})
    status, _, errors = run("import", path, "--spec", "net.yaml", *FLAGS)
    said = "error[SC805 other-layer]: c is a group norm, the file's Mul `scaled` a scale a channel\n"
    assert status == 1 and errors.startswith(said)


def test_a_group_norm_of_opset_18_has_a_scale_a_group(run: Run, tmp_path: Path) -> None:
    nodes, constants = group_norm("op", 18)
    held = {"w": some(4, 3, 1, 1), **constants}
    write(tmp_path / "a.onnx", [node("Conv", ("x", "w"), "c"), *nodes], held, opset=18, checked=False)
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: {group: 2}}")
    assert run("import", "a.onnx", "--spec", spec, *FLAGS, "--strict")[0] == 0
    assert np.array_equal(load_file("out.safetensors")["c_norm.weight"], np.repeat(constants["s"], 2))


@pytest.mark.parametrize("affine", [True, False])
def test_an_instance_norm_is_itself(affine: bool, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    constants = {"w": some(4, 3, 1, 1), "s": np.ones(4, np.float32), "t": np.zeros(4, np.float32)}
    nodes = [node("Conv", ("x", "w"), "c"), node("InstanceNormalization", ("c", "s", "t"), "i")]
    if affine:  # written out, as of a layer that is conditional on something else
        nodes += [node("Mul", ("i", "s2"), "m"), node("Add", ("m", "t2"), "n")]
        constants |= {"s2": some(1, 4, 1, 1), "t2": some(1, 4, 1, 1, low=0)}
    path = write(tmp_path / "a.onnx", nodes, constants)
    agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: instance}"), "--strict")


# --- folded norms


@pytest.mark.parametrize("bias", ["yes", "no"])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_a_folded_norm_of_a_convolution_with_a_bias_and_without(
    op: str, bias: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    kernel = some(4, 3, 1, 1) if op == "Conv" else some(3, 4, 1, 1)
    path = write(tmp_path / "a.onnx", [node(op, ("x", "w", "v"), "c")], {"w": kernel, "v": some(4)})
    layer = "conv" if op == "Conv" else "deconv"
    spec = net(tmp_path, f"c: {{{layer}: 4, kernel: 1, bias: {bias}, norm: {{batch: {{eps: 0.5}}}}}}")
    told = agrees(run, nets, path, spec, "--strict")
    assert "constant 1 - 0.5" in told
    assert ("c.bias " in told) == (bias == "yes")


def test_a_convolution_without_bias_and_norm_is_no_folded_one(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", [node("Conv", ("x", "w"), "c")], {"w": some(4, 3, 1, 1)})
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no, norm: batch}")
    status, told, _ = run("import", "a.onnx", "--spec", spec, *FLAGS)
    assert status == 0 and told.count("the file has no norm here") == 4 and "folded" not in told


def test_norms_of_which_only_some_are_folded(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """A norm behind a sum cannot be folded; by order each goes where it stands."""
    constants = {"w": some(3, 3, 1, 1), "b": some(3), "s": some(3), "t": some(3), "m": some(3), "v": some(3, low=0.5),
                 "w2": some(2, 3, 1, 1), "b2": some(2)}  # fmt: skip
    nodes = [
        node("Conv", ("x", "w", "b"), "c"), node("Add", ("c", "x"), "a"),
        node("BatchNormalization", ("a", "s", "t", "m", "v"), "n"), node("Conv", ("n", "w2", "b2"), "d"),
    ]  # fmt: skip
    path = write(tmp_path / "a.onnx", nodes, constants)
    layers = ("c: {conv: 3, kernel: 1, bias: no, norm: batch}", "a: {add: [c, input]}", "n: {norm: batch}")
    spec = net(tmp_path, *layers, "d: {conv: 2, kernel: 1, bias: no, norm: batch}")
    told = agrees(run, nets, path, spec, "--strict", images=("--channels", "rgb"))
    assert "2 batch norms are folded in a.onnx: scale 1," in told


def test_a_batch_norm_written_out_as_a_scale_and_a_shift(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    constants = {
        "w": some(4, 3, 1, 1),
        "s": some(1, 4, 1, 1),
        "t": some(4, 1, 1),
        "w2": some(2, 4, 1, 1),
        "s2": some(2, 1, 1),
    }
    nodes = [node("Conv", ("x", "w"), "c"), node("Mul", ("c", "s"), "m"), node("Add", ("m", "t"), "a")]
    nodes += [node("Relu", ("a",), "r"), node("Conv", ("r", "w2"), "d"), node("Mul", ("s2", "d"), "e")]
    path = write(tmp_path / "a.onnx", nodes, constants)
    layers = [
        f"{name}: {{conv: {count}, kernel: 1, bias: no, norm: batch{act}}}"
        for name, count, act in (("c", 4, ", act: relu"), ("d", 2, ""))
    ]
    told = agrees(run, nets, path, net(tmp_path, *layers), "--strict")
    assert "Mul `m` is the batch norm, written out\n" in told
    layers = ["c: {conv: 4, kernel: 1, bias: no, act: relu}", "d: {conv: 2, kernel: 1, bias: no}"]
    status, told, _ = run("import", path, "--spec", net(tmp_path, *layers), *FLAGS)
    assert (
        status == 0 and "  s  4  (weight of Mul `m`)\n  t  4  (bias of Mul `m`)\n  s2  2  (weight of Mul `e`)\n" in told
    )


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("steps", ["Sub", "Add Add", "Add Sub Add", "bias Add", "bias Sub Sub"])
def test_shifts_behind_a_convolution_are_its_bias(
    steps: str, op: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    words = steps.removeprefix("bias ").split()
    constants = {f"v{index}": some(4, 1, 1) * (index + 1) for index in range(len(words))}
    constants |= {"w": some(4, 3, 1, 1) if op == "Conv" else some(3, 4, 1, 1)}
    inputs = ("x", "w", "b") if "bias" in steps else ("x", "w")
    constants |= {"b": some(4)} if "bias" in steps else {}
    nodes = [node(op, inputs, "a0")]
    nodes += [node(word, (f"a{index}", f"v{index}"), f"a{index + 1}") for index, word in enumerate(words)]
    path = write(tmp_path / "a.onnx", nodes, constants)
    layer = "conv" if op == "Conv" else "deconv"
    agrees(run, nets, path, net(tmp_path, f"c: {{{layer}: 4, kernel: 1}}"), "--strict")
    agrees(run, nets, path, net(tmp_path, f"c: {{{layer}: 4, kernel: 1, bias: no, norm: batch}}"), "--strict")


def test_a_matrix_that_is_shifted_twice(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Gemm", ("f", "w", "v"), "g", beta=2.0), node("Sub", ("g", "u"), "a"), node("Add", ("v", "a"), "b")]
    path = dense(nodes, {"w": MATRIX.T.copy(), "v": BIAS, "u": BIAS[None] * 3}, tmp_path)
    agrees(run, nets, path, net(tmp_path, "fc: {linear: 5}", size=2), "--strict")


@pytest.mark.parametrize("steps", ["Div", "Div Sub", "Mul Add Mul", "Mul Div Sub Add", "Sub Div Mul Add"])
def test_scales_and_shifts_behind_a_convolution_are_its_norm(
    steps: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    words = steps.split()
    constants = {f"v{index}": some(4, 1, 1, low=0.3) * (index + 1) for index in range(len(words))}
    nodes = [node("Conv", ("x", "w"), "a0")]
    nodes += [node(word, (f"a{index}", f"v{index}"), f"a{index + 1}") for index, word in enumerate(words)]
    path = write(tmp_path / "a.onnx", nodes, {**constants, "w": some(4, 3, 1, 1)})
    bias = "yes" if steps.startswith("Sub") else "no"
    agrees(run, nets, path, net(tmp_path, f"c: {{conv: 4, kernel: 1, bias: {bias}, norm: batch}}"), "--strict")


@pytest.mark.parametrize(("op", "inputs"), [("Sub", ("v", "c")), ("Div", ("v", "c"))])
def test_what_is_no_shift_or_scale_is_said_and_not_folded(
    op: str, inputs: tuple[str, str], run: Run, tmp_path: Path
) -> None:
    nodes = [node("Conv", ("x", "w"), "c"), node(op, inputs, "d")]
    write(tmp_path / "a.onnx", nodes, {"w": some(4, 3, 1, 1), "v": some(4, 1, 1)})
    status, told, _ = run("import", "a.onnx", "--spec", net(tmp_path, "c: {conv: 4, kernel: 1}"), *FLAGS)
    assert status == 0 and "1 of 2 tensors" in told
    assert f"\n1 constant is no weight in a.onnx: `v`, 4 x 1 x 1: {op} `d` reads it\n" in told


def test_two_norms_that_run_behind_two_convolutions(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """The file runs both convolutions first; the norms stand where they read."""
    constants: dict[str, Any] = {"w": some(4, 3, 1, 1), "w2": some(4, 3, 3, 3)}
    for name in "pq":
        constants |= {f"{name}{part}": some(4, low=0.1) * (1 if name == "p" else 0.5) for part in "stmv"}
    nodes = [node("Conv", ("x", "w"), "a"), node("Conv", ("x", "w2"), "b", pads=[1, 1, 1, 1])]
    nodes += [node("BatchNormalization", (read, *[f"{name}{part}" for part in "stmv"]), f"n{name}")
              for read, name in (("b", "q"), ("a", "p"))]  # fmt: skip
    nodes.append(node("Add", ("np", "nq"), "sum"))
    path = write(tmp_path / "a.onnx", nodes, constants)
    layers = ("a: {conv: 4, kernel: 1, bias: no, norm: batch}",
              "b: {conv: 4, kernel: 3, pad: 1, bias: no, norm: batch, from: input}", "sum: {add: [a, b]}")  # fmt: skip
    agrees(run, nets, path, net(tmp_path, *layers), "--strict")


def test_a_folded_norm_is_found_by_name_as_well(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """An optimiser that keeps the names: the other convolution has its norm, and a bias of its own."""
    constants = {"c.weight": some(4, 3, 1, 1), "c.bias": some(4), "d.weight": some(2, 4, 1, 1), "d.bias": some(2)}
    norm = {f"d_norm.{part}": some(2, low=0.5) for part in ("weight", "bias", "running_mean", "running_var")}
    nodes = [node("Conv", ("x", "c.weight", "c.bias"), "c"), node("Conv", ("c", "d.weight", "d.bias"), "d")]
    nodes.append(node("BatchNormalization", ("d", *norm), "n"))
    path = write(tmp_path / "a.onnx", nodes, {**constants, **norm})
    layers = ("c: {conv: 4, kernel: 1, bias: no, norm: batch}", "d: {conv: 2, kernel: 1, norm: batch}")
    told = agrees(run, nets, path, net(tmp_path, *layers), "--strict")
    assert "placed by name: 11 of 11 tensors; by order it would be 11\n" in told
    assert "a batch norm is folded into the layer before it in a.onnx" in told


# --- what no parameter can take


def quantised(tmp_path: Path, form: str) -> None:
    kernel = np.arange(-54, 54, dtype=np.int8).reshape(4, 3, 3, 3)
    scale, zero = np.float32(0.1), np.int8(0)
    held = {"k": kernel, "s": scale, "z": zero, "w2": some(2, 4, 1, 1)}
    if form == "DequantizeLinear":
        nodes = [node("DequantizeLinear", ("k", "s", "z"), "w"), node("Conv", ("x", "w"), "c")]
    else:
        held |= {"us": scale, "uz": np.uint8(128)}
        nodes = [
            node("QuantizeLinear", ("x", "us", "uz"), "q"),
            node("QLinearConv", ("q", "us", "uz", "k", "s", "z", "us", "uz"), "y"),
            node("DequantizeLinear", ("y", "us", "uz"), "c"),
        ]
    write(tmp_path / "a.onnx", [*nodes, node("Conv", ("c", "w2"), "d")], held)


@pytest.mark.parametrize("form", ["DequantizeLinear", "QLinearConv"])
def test_a_quantised_kernel_is_refused_with_its_reason_and_the_next_is_placed(
    form: str, run: Run, tmp_path: Path
) -> None:
    quantised(tmp_path, form)
    spec = net(tmp_path, "c: {conv: 4, kernel: 3, bias: no}", "d: {conv: 2, kernel: 1, bias: no}")
    status, told, errors = run("import", "a.onnx", "--spec", spec, "-o", "out.safetensors")
    assert status == 0, errors
    assert (
        "c.weight   4 x 3 x 3 x 3  fresh: he    `k`: it is quantised\n" in told
        and "d.weight   2 x 4 x 1 x 1  w2\n" in told
    )
    assert "  k  4 x 3 x 3 x 3  (it is quantised)\n" in told


def test_a_kernel_that_the_file_computes_is_refused_with_its_reason(run: Run, tmp_path: Path) -> None:
    nodes = [node("Mul", ("g", "k"), "w"), node("Conv", ("x", "w"), "c"), node("Conv", ("c", "w2"), "d")]
    constants = {"g": some(4, 1, 1, 1), "k": some(4, 3, 1, 1), "w2": some(2, 4, 1, 1)}
    write(tmp_path / "a.onnx", nodes, constants)
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no}", "d: {conv: 2, kernel: 1, bias: no}")
    status, told, _ = run("import", "a.onnx", "--spec", spec, "-o", "out.safetensors")
    assert status == 0 and "c.weight   4 x 3 x 1 x 1  fresh: he    `w`: Mul computes it\n" in told
    assert "1 of 2 tensors" in told


def test_layers_within_a_step_or_a_function_are_refused(run: Run, tmp_path: Path) -> None:
    """By order the kernel of the last convolution would be that of the second."""
    value = helper.make_tensor_value_info
    inner = helper.make_graph([node("Conv", ("a", "k"), "y")], "inner", [], [value("y", 1, [1, 3, 8, 8])],
                              [numpy_helper.from_array(some(3, 3, 1, 1), "k")])  # fmt: skip
    outer = helper.make_graph(
        [node("If", ("yes",), "z", then_branch=inner, else_branch=inner)], "outer", [], [value("z", 1, None)]
    )
    held = {"w": some(3, 3, 1, 1), "w2": some(3, 3, 1, 1), "yes": np.array(True)}
    spec = net(tmp_path, *[f"{name}: {{conv: 3, kernel: 1, bias: no}}" for name in "abc"])
    for branch in (inner, outer):
        nodes = [node("Conv", ("x", "w"), "a"), node("If", ("yes",), "i", then_branch=branch, else_branch=branch)]
        write(tmp_path / "a.onnx", [*nodes, node("Conv", ("i", "w2"), "c")], held, checked=False)
        status, _, errors = run("import", "a.onnx", "--spec", spec, *FLAGS)
        assert status == 1 and "holds layers of its own, which are not read\n" in errors
    path = write(tmp_path / "a.onnx", [node("Conv", ("x", "w"), "a"), node("Relu", ("a",), "c")], {"w": held["w"]})
    model = onnx.load(path)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)]
    bodies = {"F": [helper.make_node("G", ["p", "q"], ["r"], domain="f")], "G": [node("Conv", ("p", "q"), "r")]}
    model.functions.extend(
        helper.make_function("f", name, ["p", "q"], ["r"], body, opsets) for name, body in bodies.items()
    )
    model.opset_import.append(opsets[1])
    model.graph.node.insert(1, helper.make_node("F", ["a", "w"], ["b"], domain="f"))
    onnx.save(model, path)
    status, _, errors = run("import", "a.onnx", "--spec", spec, *FLAGS)
    assert status == 1 and "its function `G` holds layers of its own, which are not read\n" in errors
    assert "onnx.inliner.inline_local_functions(model) puts them into the graph\n" in errors


def test_steps_that_make_no_result_have_no_layers(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    nodes = [node("Conv", ("x", "w"), "idle"), node("Relu", ("idle",), "more"), node("Conv", ("x", "w2"), "c")]
    path = write(tmp_path / "a.onnx", nodes, {"w": some(4, 3, 1, 1), "w2": some(4, 3, 1, 1) * 2})
    told = agrees(run, nets, path, net(tmp_path, "c: {conv: 4, kernel: 1, bias: no}"))
    assert "\n2 steps of the file make none of its results: left out\n" in told
    assert "  w  4 x 3 x 1 x 1  (no weight of a layer: no step reads it)\n" in told


@pytest.mark.parametrize(("nodes", "said"), [
    ([node("Conv", ("b", "w2"), "c"), node("Conv", ("x", "w"), "b"), node("Relu", ("c",), "y")],
     "its steps are not in the order of their run: Conv `c` reads `b` before it is made"),
    ([node("Conv", ("x", "w"), "b"), node("Conv", ("b", "w2"), "b")], "two steps make `b`"),
    ([node("Add", ("x", "a"), "a")],
     "its steps are not in the order of their run: Add `a` reads `a` before it is made"),
])  # fmt: skip
def test_steps_in_no_order_of_a_run_are_refused(nodes: Sequence[Any], said: str, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.onnx", nodes, {"w": some(3, 3, 1, 1), "w2": some(3, 3, 1, 1)}, checked=False)
    spec = net(tmp_path, "b: {conv: 3, kernel: 1, bias: no}", "c: {conv: 3, kernel: 1, bias: no}")
    status, _, errors = run("import", "a.onnx", "--spec", spec, *FLAGS)
    assert status == 1 and f"cannot be read as weights: {said}\n" in errors


@pytest.mark.parametrize("alike", [True, False])
def test_columns_of_maps_that_are_put_together(alike: bool, run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """Both (batch, height, width, channel) before their channels are joined; otherwise nothing is known."""
    nodes = [node("Transpose", ("x",), "t", perm=[0, 2, 3, 1]), node("Relu", ("t",), "r")]
    nodes += [node("Concat", ("t", "r" if alike else "v"), "k", axis=3), node("Flatten", ("k",), "f")]
    held = {"w": some(5, 24).T.copy(), **({} if alike else {"v": some(1, 2, 2, 3)})}
    path = write(tmp_path / "a.onnx", [*nodes, node("MatMul", ("f", "w"), "m")], held, (1, 3, 2, 2), rank=2)
    spec = net(tmp_path, "r: {act: relu}", "k: {concat: [input, r]}", "fc: {linear: 5, bias: no}", size=2)
    if alike:
        agrees(run, nets, path, spec)
    else:
        status, _, errors = run("import", path, "--spec", spec, *FLAGS)
        assert status == 1 and "its map is rearranged" in errors


def test_graphs_within_a_step_are_said_not_to_be_looked_into(run: Run, tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    branch = helper.make_graph([node("Identity", ("c",), "y")], "branch", [], [value("y", 1, [1, 4, 8, 8])])
    nodes = [node("Conv", ("x", "w"), "c"), node("If", ("yes",), "i", then_branch=branch, else_branch=branch)]
    write(tmp_path / "a.onnx", nodes, {"w": some(4, 3, 1, 1), "yes": np.array(True)})
    spec = net(tmp_path, "c: {conv: 4, kernel: 1, bias: no}")
    _, told, _ = run("import", "a.onnx", "--spec", spec, *FLAGS)
    assert "\n1 step of the file holds a graph within (If), which was not looked into\n" in told


# --- as PyTorch exports them


def optimised(path: Path, target: Path) -> Path:
    """A model as onnxruntime saves it, with fused ops of its own."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath, options.log_severity_level = str(target), 3
    onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return target


EXPORTED = (
    "a: {conv: 8, kernel: 3, stride: 2, pad: [0, 1, 0, 1], bias: no, norm: batch, act: silu}",
    "b: {conv: 8, kernel: 3, pad: 1, groups: 8, norm: {group: 4}, act: prelu}",
    "c: {conv: 6, kernel: 3, pad: 1, mode: reflect, norm: instance, act: relu6}",
    "d: {deconv: 4, kernel: 4, stride: 2, pad: 1, norm: batch, act: gelu}",
    "e: {conv: 2, kernel: 1}",
)


def test_a_network_as_pytorch_exports_it(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    """Norms folded, SiLU and hard-swish written out, a padding chain, group norm, PReLU, a transposed convolution."""
    from torch import nn

    theirs = nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8), nn.SiLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.GroupNorm(4, 8), nn.PReLU(8),
        nn.ReflectionPad2d(1), nn.Conv2d(8, 6, 3), nn.InstanceNorm2d(6, affine=True), nn.ReLU6(),
        nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.GELU(), nn.Conv2d(4, 2, 1),
    )  # fmt: skip
    spec = net(tmp_path, *EXPORTED, size=16)
    drawn(theirs)
    for opset in (11, 13, 17):
        path = export(tmp_path / "a.onnx", theirs, opset_version=opset)
        agrees(run, nets, path, spec, "--strict")
    agrees(run, nets, optimised(path, tmp_path / "b.onnx"), spec, "--strict")


@pytest.mark.parametrize("file", ["dynamo", "dynamo_plain", "dynamo_batch"])
def test_a_network_as_pytorch_exports_it_by_tracing_its_program(
    file: str, run: Run, nets: SimpleNamespace, tmp_path: Path
) -> None:
    """`torch.onnx.export(..., dynamo=True, external_data=False)` of the network above, by torch 2.13 and onnxscript
    0.7.2, without its notes on Python's lines: optimised, not optimised, and for a batch of any size."""
    spec = net(tmp_path, *EXPORTED, size=16)
    told = agrees(run, nets, Path(__file__).parent / f"data/{file}.onnx", spec, "--strict")
    assert "no weight" not in told
