"""What enters and leaves: ranks, orders of axes, several inputs and results, sizes that are open or said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from segcompile.importers.network_file import import_network
from segcompile.text.errors import SegcompileError

from .agreement import difference, images, model_of, ours, theirs

RNG = np.random.default_rng(1)


def w(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


def test_channels_last_as_tensorflow_writes_them(path: Path) -> None:
    steps = (
        "t = Transpose<perm=[0, 3, 1, 2]>(x); c = Conv(t, k); n = Transpose<perm=[0, 2, 3, 1]>(c); r = Relu(n); "
        "m = ReduceMean<axes=[1, 2]>(r); g = Sigmoid(m); z = Mul(g, r); b = Add(z, s); "
        "q = Concat<axis=3>(r, b); v = Transpose<perm=[0, 3, 1, 2]>(q); y = Conv(v, l)"
    )  # fmt: skip
    onnx.save(model_of(steps, {"k": w(6, 3, 3, 3), "s": w(6), "l": w(2, 12, 1, 1)}, ("n", "h", "w", 3), 13), path)
    found = import_network(path)
    assert str(found.graph.inputs["input"]) == "3 x H x W"
    assert [node.op.title for node in found.graph.nodes] == [
        "conv", "relu", "global avg pool", "sigmoid", "mul", "affine", "concat", "conv"
    ]  # fmt: skip
    assert difference(path, turned=(0, 2, 3, 1)) < 1e-6


@pytest.mark.parametrize(("size", "kernel"), [(("n", 4, "l"), (6, 4, 3)), (("n", 4, "d", "h", "w"), (6, 4, 3, 3, 3))])
def test_signals_and_volumes(size: tuple[int | str, ...], kernel: tuple[int, ...], path: Path) -> None:
    rank = len(kernel) - 2
    pool = f"p = MaxPool<kernel_shape={[2] * rank}, strides={[2] * rank}>(c)"
    scales = {"k": w(*kernel), "s": np.array([1, 1, *[2] * rank], np.float32)}
    onnx.save(model_of(f'c = Conv(x, k); {pool}; y = Resize<mode="linear">(p, , s)', scales, size), path)
    assert import_network(path).graph.rank == rank
    assert difference(path, size=8) < 1e-6


def test_several_inputs_and_results(path: Path) -> None:
    model = model_of(
        "c = Conv(x, k); d = Conv(z, l); s = Add(c, d); a = Relu(s); b = Sigmoid(s)",
        {"k": w(6, 4, 3, 3), "l": w(6, 2, 3, 3)},
    )
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2, "h", "w"]))
    onnx.save(model, path)
    found = import_network(path)
    assert [*found.graph.inputs] == ["x", "z"]
    assert [*found.graph.outputs] == ["a", "b"]
    given = images(found, ["x", "z"], 9)
    for mine, other in zip(ours(found, [*given.values()]), theirs(model, given), strict=True):
        assert np.abs(mine - other).max() < 1e-9


def test_an_open_extent_is_any_and_a_said_one_is_that_size(path: Path) -> None:
    onnx.save(model_of("y = Conv(x, k)", {"k": w(6, 4, 3, 3)}, (1, 4, "h", 20)), path)
    assert str(import_network(path).graph.inputs["input"]) == "4 x H x 20"
    assert str(import_network(path, size=(None, None)).graph.inputs["input"]) == "4 x H x W"
    assert str(import_network(path, size=(16, 24)).graph.inputs["input"]) == "4 x 16 x 24"


def test_channels_that_are_not_said_are_those_that_the_first_convolution_reads(path: Path) -> None:
    onnx.save(model_of("y = Conv<group=2>(x, k)", {"k": w(6, 2, 3, 3)}, ("n", "c", "h", "w")), path)
    assert str(import_network(path).graph.inputs["input"]) == "4 x H x W"


def test_channels_that_nothing_says(path: Path) -> None:
    onnx.save(model_of("y = Relu(x)", {}, ("n", "c", "h", "w")), path)
    with pytest.raises(SegcompileError, match="how many channels its input `x` has is not said"):
        import_network(path)


def test_a_batch_that_is_said_is_free_all_the_same(path: Path) -> None:
    """A classifier that was exported for one image, whose shapes say 1."""
    steps = "p = GlobalAveragePool(x); f = Reshape(p, t); g = Gemm(f, k); r = Reshape(g, u); y = Mul(x, r)"
    shapes = {"t": np.array([1, 4]), "u": np.array([1, 4, 1, 1]), "k": w(4, 4)}
    onnx.save(model_of(steps, shapes, (1, 4, 8, 8)), path)
    assert difference(path, batch=1) < 1e-6
    found = import_network(path)
    image = RNG.normal(size=(3, 4, 8, 8))
    assert ours(found, [image])[0].shape == (3, 4, 8, 8)


def test_shapes_that_the_file_claims_are_not_believed(path: Path) -> None:
    model = model_of("c = Conv(x, k); y = Relu(c)", {"k": w(6, 4, 3, 3)}, (1, 4, 8, 8))
    model.graph.value_info.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [1, 6, 4000, 4000]))
    onnx.save(model, path)
    assert difference(path, batch=1) < 1e-6
