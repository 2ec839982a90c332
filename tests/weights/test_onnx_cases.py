"""The cases of ONNX: each comes out as its README says is right, and computes what onnxruntime does."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from .onnx_models import FLAGS, Run, agrees

CASES = Path(__file__).parents[1] / "data/cases"


def same_as(run: Run, state_dict: Path, spec: Path) -> bool:
    """Whether an import of a state dict writes what out.safetensors holds, to the last bit."""
    status, _, errors = run("import", state_dict, "--spec", spec, "--channels", "rgb", "-o", "theirs.safetensors")
    assert (status, errors) == (0, "")
    mine, theirs = load_file("out.safetensors"), load_file("theirs.safetensors")
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_onnx_constants_scales_of_a_resize_do_not_end_the_mapping(run: Run, nets: SimpleNamespace) -> None:
    case = CASES / "onnx_constants"
    told = agrees(run, nets, case / "u.onnx", case / "u.yaml")
    assert "no place" not in told
    assert same_as(run, case / "u.pth", case / "u.yaml")


def test_onnx_constants_bounds_of_a_clip_do_not_end_the_mapping(run: Run, nets: SimpleNamespace) -> None:
    case = CASES / "onnx_constants"
    assert "no place" not in agrees(run, nets, case / "relu6.onnx", case / "r6.yaml")


@pytest.mark.parametrize("file", ["gelu", "instnorm"])
def test_onnx_between_the_second_convolution_is_found_whatever_stands_between(file: str, run: Run) -> None:
    import onnx
    from onnx import numpy_helper

    case = CASES / "onnx_between"
    assert run("import", case / f"{file}.onnx", "--spec", case / "n.yaml", *FLAGS)[0] == 0
    held = {t.name: numpy_helper.to_array(t) for t in onnx.load(case / f"{file}.onnx").graph.initializer}
    found = load_file("out.safetensors")
    pairs = {"k1.weight": "0.weight", "k1.bias": "0.bias", "k2.weight": "2.weight", "k2.bias": "2.bias"}
    assert all(np.array_equal(found[mine], held[name]) for mine, name in pairs.items()) and len(found) == 4


@pytest.mark.parametrize("spec", ["f", "fn"])
def test_onnx_shared_both_layers_have_a_tensor_that_is_stored_once(spec: str, run: Run, nets: SimpleNamespace) -> None:
    case = CASES / "onnx_shared"
    told = agrees(run, nets, case / "f.onnx", case / f"{spec}.yaml", "--strict")
    assert "not in the file" not in told
    first, second = [value for value in load_file("out.safetensors").values() if value.shape == (2, 2, 4, 4)]
    assert np.array_equal(first, second)


def test_onnx_norms_slopes_scales_and_shifts_of_c_1_1(run: Run, nets: SimpleNamespace) -> None:
    case = CASES / "onnx_norms"
    told = agrees(run, nets, case / "p.onnx", case / "p.yaml", "--strict")
    assert "no place" not in told and "constant" not in told
    assert same_as(run, case / "p.pth", case / "p.yaml")


def test_onnx_norms_a_folded_batch_norm_is_recognised(run: Run, nets: SimpleNamespace) -> None:
    case = CASES / "onnx_norms"
    told = agrees(run, nets, case / "b.onnx", case / "b.yaml", "--strict")
    why = "the batch norm is folded into Conv `/c1/Conv`\n"
    assert (
        f"c1_norm.weight        8              constant 1          {why}"
        f"c1_norm.bias          8              onnx::Conv_15       {why}"
        f"c1_norm.running_mean  8              constant 0          {why}"
        f"c1_norm.running_var   8              constant 1 - 1e-05  {why}"
    ) in told
    assert (
        "\na batch norm is folded into the layer before it in b.onnx: scale 1, the file's bias as the shift, mean 0, "
        "variance 1 - eps\n"
    ) in told
    found = load_file("out.safetensors")
    assert "c1.bias" not in found
    assert (found["c1_norm.weight"] == 1).all() and (found["c1_norm.running_mean"] == 0).all()
    assert (found["c1_norm.running_var"] == np.float32(1 - 1e-5)).all()
    status, told, _ = run("import", case / "b.onnx", "--spec", case / "b.yaml", *FLAGS, "--format", "json")
    entry = json.loads(told)["parameters"][2]
    assert status == 0 and entry["from"] == "onnx::Conv_15" and entry["why"].startswith("the batch norm is folded")


def test_onnx_attributes_another_epsilon_is_an_error_that_names_both(run: Run, tmp_path: Path) -> None:
    case = CASES / "onnx_attributes"
    (tmp_path / "bn.yaml").write_text((case / "bn.yaml").read_text())
    flags = ("import", case / "bn_eps.onnx", "--spec", "bn.yaml", *FLAGS)
    status, told, errors = run(*flags, "--weights-only")
    assert (status, told) == (1, "") and not (tmp_path / "out.safetensors").exists()
    assert errors == (
        "error[SC805 other-layer]: c1 has eps 1e-05, the file's BatchNormalization `z` 0.001\n"
        "  --> bn.yaml:4:63\n"
        " 4 | layers: [{c1: {conv: 4, kernel: 3, pad: same, bias: no, norm: batch}}]\n"
        "   |                                                               ^^^^^\n"
        "   = help: `eps: 0.001`, if the file is right\n"
    )
    status, told, _ = run(*flags, "--format", "json")
    (found,) = json.loads(told)["diagnostics"]
    assert status == 1 and (found["code"], found["span"]["line"], found["span"]["column"]) == ("SC805", 4, 63)


def test_onnx_attributes_the_same_epsilon_in_float32_agrees(run: Run, nets: SimpleNamespace, tmp_path: Path) -> None:
    case = CASES / "onnx_attributes"
    text = (case / "bn.yaml").read_text().replace("norm: batch", "norm: {batch: {eps: 1e-3}}")
    (tmp_path / "bn.yaml").write_text(text)
    agrees(run, nets, case / "bn_eps.onnx", tmp_path / "bn.yaml", "--strict")
