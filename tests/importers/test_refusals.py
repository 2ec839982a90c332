"""What does not come in, and what is said of it: whole texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from segcompile.importers.network_file import import_network
from segcompile.text.errors import SegcompileError
from segcompile.text.report import render_text

from .agreement import model_of

KERNEL = {"k": np.ones((8, 4, 3, 3), np.float32)}


def said(model: Any, path: Path, upto: Sequence[str] = (), size: Sequence[int] | None = None) -> str:
    """What is refused of a model."""
    onnx.save(model, path)
    with pytest.raises(SegcompileError) as caught:
        import_network(path, upto, size, name="net.onnx")
    return render_text(caught.value.diagnostics)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


SEVERAL = "c = Conv<strides=[2, 2]>(x, k); r = Relu(c); e = Erf(r); t, i = TopK(e, n); a = ArgMax<axis=1>(r)"


def test_all_steps_without_a_form_are_told_at_once(path: Path) -> None:
    assert said(model_of(SEVERAL, KERNEL | {"n": np.array([2])}), path) == (
        "error[SC902 no-form]: Erf `e` cannot be held: the language has no such op\n"
        "  --> net.onnx:4:1\n"
        " 4 | e = Erf(r)\n"
        "   | ^^^^^^^^^^\n"
        "   = help: `segcompile import --upto r` takes the network up to there\n"
        "   = note: it reads `r` (8 x (⌊(H+1)/2⌋-1) x (⌊(W+1)/2⌋-1))\n"
        "   = note: 1 later step has not been looked at: a step before has no form\n"
        "\n"
        "error[SC902 no-form]: ArgMax `a` cannot be held: it gives places, and no values\n"
        "  --> net.onnx:6:1\n"
        " 6 | a = ArgMax(r)\n"
        "   | ^^^^^^^^^^^^^\n"
        "   = help: `segcompile import --upto r` takes what it reads\n"
        "   = note: it reads `r` (8 x (⌊(H+1)/2⌋-1) x (⌊(W+1)/2⌋-1))"
    )


def test_up_to_a_value_before_them_it_comes_in(path: Path) -> None:
    onnx.save(model_of(SEVERAL, KERNEL | {"n": np.array([2])}), path)
    assert [*import_network(path, ["r"]).graph.layers] == ["c"]


def test_up_to_a_value_that_nothing_makes(path: Path) -> None:
    assert said(model_of("logits = Conv(x, k)", KERNEL), path, ["logit"]) == (
        "error[SC903 import-choice]: nothing in net.onnx makes `logit`\n   = help: did you mean `logits`?"
    )


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("y = Conv<auto_pad=\"SAME_UPPER\", strides=[2, 2]>(x, k)",
         "Conv `y` cannot be held: `auto_pad` of a stride of 2 pads by the size of the image, here H"),
        ("y = Resize<mode=\"linear\", coordinate_transformation_mode=\"asymmetric\">(x, , s)",
         "Resize `y` cannot be held: linear interpolation in coordinates `asymmetric`"),
        ("y = Resize<mode=\"nearest\">(x, , h)",
         "Resize `y` cannot be held: a place between two pixels goes to the first one (`round_prefer_floor`)"),
        ("r = Relu(x); y = Div(x, r)", "Div `y` cannot be held: a map is divided by a map"),
        ("y = Concat<axis=2>(x, x)", "Concat `y` cannot be held: it joins along an axis that is not the channels"),
        ("a = Transpose<perm=[0, 1, 3, 2]>(x); y = Conv(a, k)",
         "Conv `y` cannot be held: it is read as (batch, channels, width, height), which is no map"),
        ("f = Flatten(x); y = MatMul(f, m)",
         "MatMul `y` cannot be held: a fully connected layer needs a fixed input, not 4 x H x W"),
        ("y = Add(x, p)", "Add `y` cannot be held: a constant differs from place to place of 4 x H x W"),
        ("y, i = MaxPool<kernel_shape=[2, 2]>(x); z = Add(i, i)",
         "MaxPool `y` cannot be held: the places of its maxima are read"),
        ("y = AveragePool<kernel_shape=[2, 2], dilations=[2, 2]>(x)",
         "AveragePool `y` cannot be held: only a max pool can be dilated"),
        ("y = Conv<group=3>(x, k)",
         "Conv `y` cannot be held: its weight has the shape [8, 4, 3, 3], in 3 groups, and it reads 4 x H x W"),
    ],
)  # fmt: skip
def test_what_has_no_form_says_why(steps: str, why: str, path: Path) -> None:
    constants = {
        "s": np.array([1, 1, 2, 2], np.float32), "h": np.array([1, 1, 0.5, 0.5], np.float32),
        "m": np.ones((16, 4), np.float32), "p": np.ones((4, 12, 12), np.float32),
    }  # fmt: skip
    assert (
        said(model_of(steps, KERNEL | constants, opset=19), path).partition("\n")[0] == f"error[SC902 no-form]: {why}"
    )


def test_a_size_decides_it(path: Path) -> None:
    onnx.save(model_of('y = Conv<auto_pad="SAME_UPPER", strides=[2, 2]>(x, k)', KERNEL), path)
    assert import_network(path, size=(12, 12)).graph.nodes[0].op.pads(0) == (0, 1)


def test_a_result_that_is_turned_is_given_as_it_is_before(path: Path) -> None:
    onnx.save(model_of("c = Conv(x, k); y = Transpose<perm=[0, 2, 3, 1]>(c)", KERNEL), path)
    assert import_network(path, name="net.onnx").said == (
        "`y` is (B, (H-2), (W-2), 8) in net.onnx, and 8 x (H-2) x (W-2) here",
    )


def test_an_old_file(path: Path) -> None:
    assert (
        said(model_of("c = Conv(x, k)", KERNEL, opset=6), path)
        .partition("\n")[0]
        .endswith("cannot be read as a network: its ops are of version 6, and 7 is the oldest that is read")
    )


# --- files that are made to harm -------------------------------------------------------------------------------------


def test_a_file_that_is_none(path: Path) -> None:
    path.write_bytes(b"\x08\x09 no protobuf")
    with pytest.raises(SegcompileError, match="it is no ONNX model, or cut short"):
        import_network(path)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("a = Relu(b); b = Relu(a); y = Add(a, x)", "not in the order of their run"),
        ("s = ConstantOfShape(big); y = Add(x, s)", "it reckons with sizes in a way that is not followed"),
        ("s = ConstantOfShape(large); t = Add(s, s); y = Add(x, t)", "t` cannot be held: it reckons with sizes"),
        ("t = Tile(k, big); y = Add(x, t)", "it reckons with sizes in a way that is not followed"),
        ("r = Range(zero, far, one); y = Add(x, r)", "it reckons with sizes in a way that is not followed"),
        ("y = Conv<strides=[0, 1]>(x, k)", "its `strides` are"),
        ("y = Conv<pads=[4611686018427387904, 0, 0, 0]>(x, k)", "its `pads` are"),
        ("y = Reshape(x, big)", "it reckons with sizes in a way that is not followed"),
        ("y = Transpose<perm=[0, 0, 9]>(x)", "its `perm` is"),
        ("y = Squeeze(x, big)", "it leaves out an axis"),
        ("y = Unsqueeze(x, big)", "its axes are"),
        ("y = Slice(x, big)", "does not fit|do not fit|not followed"),
        ("y = Split(x, big)", "it splits"),
        ("y = Pad(x, big)", "its `pads` are"),
        ("y = Gather(x, big)", "it gathers"),
        ("y = Clip(x, k)", "it clips each channel by numbers of its own"),
        ("y = Relu()", "nothing enters it"),
        ("p = Pad(x, pads); y = Conv<group=3>(p, k)", "it reads 4 x "),
    ],
)  # fmt: skip
def test_a_file_made_to_harm_is_refused_with_one_error(steps: str, why: str, path: Path) -> None:
    constants = {
        "big": np.full(4, 2**40), "large": np.full(3, 500), "zero": np.array(0), "one": np.array(1),
        "far": np.array(2**60), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    }  # fmt: skip
    with pytest.raises(SegcompileError, match=why):
        import_network(_saved(model_of(steps, KERNEL | constants), path))


def _saved(model: Any, path: Path) -> Path:
    onnx.save(model, path)
    return path


def test_sizes_that_are_squared_again_and_again(path: Path) -> None:
    squares = "; ".join(f"s{at + 1} = Mul(s{at}, s{at})" for at in range(200))
    model = model_of(f"s0 = Shape(x); {squares}; y = Reshape(x, s200)", KERNEL)
    with pytest.raises(SegcompileError, match="it reckons with sizes in a way that is not followed"):
        import_network(_saved(model, path))


def test_tensors_in_another_file_are_not_read(path: Path) -> None:
    model = model_of("y = Conv(x, k)", {})
    tensor = numpy_helper.from_array(KERNEL["k"], "k")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../../etc/passwd")
    model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(SegcompileError, match="cannot be read as a network: `k` lies in another file"):
        import_network(path)


def test_a_long_chain_of_vectors_that_is_read_as_a_map(path: Path) -> None:
    steps = ["p = GlobalAveragePool(x)", "v0 = Flatten(p)", *(f"v{at + 1} = Sigmoid(v{at})" for at in range(3000))]
    model = model_of("; ".join([*steps, "u = Unsqueeze(v3000, a)", "y = Mul(x, u)"]), {"a": np.array([2, 3])})
    found = import_network(_saved(model, path)).graph
    assert [found.nodes[-1].op.title, len(found.nodes)] == ["mul", 3002]


def test_helper_makes_models_of_the_asked_opset() -> None:
    assert model_of("y = Relu(x)", {}, opset=9).opset_import[0] == helper.make_opsetid("", 9)
