"""`segcompile import`: a file becomes a spec and its weights, which compute what the file does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import load_file

from segcompile.cli import cli
from segcompile.compiler import compile_spec
from segcompile.testing import reference
from segcompile.text.errors import Findings, SegcompileError
from segcompile.weights.parameters import tensors

UNITS = 3
SPEC = """\
segcompile: 1
model: small
about: Imported from small.onnx (MIT).
input: {channels: 4, size: any}
defaults: {conv: {kernel: 3, pad: same}}
blocks:
  residual: {layers: [conv1: {conv: 4, act: relu}, conv2: {conv: 4}, {add: [conv2, input]}]}
layers:
  - "residual{i}": {block: residual, repeat: 3}
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _small() -> onnx.ModelProto:
    """Three residual units on a map of four channels and of any size."""
    rng, nodes, constants, above = np.random.default_rng(0), [], [], "image"
    for unit in range(UNITS):
        inside = above
        for part in ("a", "b"):
            name = f"u{unit}{part}"
            weight, bias = rng.normal(size=(4, 4, 3, 3)) / 6, rng.normal(size=4)
            constants += [numpy_helper.from_array(weight.astype("f4"), f"{name}.w")]
            constants += [numpy_helper.from_array(bias.astype("f4"), f"{name}.b")]
            read = [inside, f"{name}.w", f"{name}.b"]
            nodes.append(helper.make_node("Conv", read, [name], name=name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
            inside = name
            if part == "a":
                nodes.append(helper.make_node("Relu", [name], [f"{name}.relu"], name=f"{name}.relu"))
                inside = f"{name}.relu"
        nodes.append(helper.make_node("Add", [inside, above], [f"u{unit}"], name=f"u{unit}"))
        above = f"u{unit}"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 4, "h", "w"])
    result = helper.make_tensor_value_info(above, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "small", [image], [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.metadata_props.add(key="license", value="MIT")
    return model


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["import", *arguments], standalone_mode=False)
    if isinstance(result.exception, SegcompileError):
        return 1, "\n".join(found.message for found in result.exception.diagnostics)
    return (2 if result.exception else int(result.return_value)), str(result.exception or result.output)


def test_a_file_becomes_a_spec_and_weights_that_compute_what_it_does() -> None:
    onnx.save(_small(), "small.onnx")
    status, said = _run("small.onnx", "-o", "small.yaml", "--weights-out", "small.safetensors")
    assert (status, said) == (
        0,
        "wrote small.yaml: 9 lines for 9 layers, 888 parameters\nnext: segcompile rf small.yaml\n"
        "wrote small.safetensors: 12 tensors\n",
    )
    assert Path("small.yaml").read_text() == SPEC
    compiled, values = compile_spec(Path("small.yaml"), Findings()), load_file("small.safetensors")
    parameters: dict[str, dict[str, np.ndarray]] = {}
    for tensor in tensors(compiled.graph, compiled.facts):
        parameters.setdefault(tensor.node.name, {})[tensor.parameter.name] = values.pop(tensor.name).astype(float)
    assert not values
    image = np.random.default_rng(1).normal(size=(2, 4, 9, 12))
    (ours,) = reference.run(compiled.graph, parameters, {"input": image}).values()
    (theirs,) = ReferenceEvaluator(_small()).run(None, {"image": image.astype("f4")})
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()


def test_the_size_and_the_claims_are_written_where_they_are_asked_for() -> None:
    onnx.save(_small(), "small.onnx")
    assert _run("small.onnx", "-o", "sized.yaml", "--size", "32x48", "--claims")[0] == 0
    text = Path("sized.yaml").read_text()
    assert "input: {channels: 4, size: [32, 48]}\n" in text
    assert text.endswith("claims:\n  residual3.add: {channels: 4, receptive_field: 13, stride: 1}\n  parameters: 888\n")
    assert all(verdict.ok for verdict in compile_spec(Path("sized.yaml"), Findings()).verdicts)


def test_a_spec_is_written_anew_and_no_file_is_overwritten() -> None:
    assert _run("resnet18", "-o", "again.yaml")[0] == 0
    before = Path("again.yaml").read_text()
    status, said = _run("resnet18", "-o", "again.yaml")
    assert (status, said) == (1, "`again.yaml` cannot be written: it is there already")
    assert Path("again.yaml").read_text() == before


def test_a_file_that_is_there_is_noticed_before_the_network_is_read() -> None:
    Path("damaged.onnx").write_bytes(b"\x08\x01")
    Path("again.yaml").write_text("mine")
    assert _run("damaged.onnx", "-o", "new.yaml")[1] == "`damaged.onnx` cannot be read as a network: it holds no steps"
    assert _run("damaged.onnx", "-o", "again.yaml")[1] == "`again.yaml` cannot be written: it is there already"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("unet",), "say which file to write, for example\n  segcompile import unet -o net.yaml"),
        (("unet", "-o", "x.yaml", "--size", "any"), "--size is for a network's file, and `unet` is a spec"),
        (("unet", "-o", "x.yaml", "--upto", "a"), "--upto is for a network's file, and `unet` is a spec"),
    ],
)
def test_what_is_asked_for_in_vain_is_said(arguments: tuple[str, ...], message: str) -> None:
    status, said = _run(*arguments)
    assert (status, said) == (2, message)
    assert not Path("x.yaml").exists()


def test_weights_that_are_no_numbers_leave_nothing_behind() -> None:
    model = _small()
    broken = numpy_helper.to_array(model.graph.initializer[0]).copy()
    broken.flat[0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(broken, model.graph.initializer[0].name))
    onnx.save(model, "small.onnx")
    status, said = _run("small.onnx", "-o", "x.yaml", "--weights-out", "x.safetensors")
    assert status == 1
    assert said == "some values for `residual1.conv1.weight` are NaN, not numbers"
    assert [each.name for each in Path().iterdir()] == ["small.onnx"]


def test_a_spec_in_json_is_a_spec() -> None:
    layer = {"c": {"conv": 3, "kernel": 1}}
    spec = {"segcompile": 1, "model": "a", "input": {"channels": 3, "size": 8}, "layers": [layer]}
    Path("spec.json").write_text(json.dumps(spec))
    assert compile_spec(Path("spec.json"), Findings()).model == "a"


def test_a_vector_alone_is_refused() -> None:
    entering = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 5])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", [entering], [given])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "small.onnx")
    status, said = _run("small.onnx", "-o", "x.yaml")
    assert (status, said) == (
        1,
        "`small.onnx` cannot be read as a network: its input `input` is a vector, and no signal, image or volume",
    )


@pytest.mark.parametrize("option", [("--variant", "big"), ("--set", "C=3")])
def test_what_a_file_has_not_is_not_chosen_in_silence(option: tuple[str, str]) -> None:
    onnx.save(_small(), "small.onnx")
    status, said = _run("small.onnx", "-o", "x.yaml", *option)
    assert (status, said) == (2, f"{option[0]} is for a spec, and `small.onnx` is a network's file")


def test_a_kernel_that_fills_no_stride_is_written_with_its_padding() -> None:
    spec = "segcompile: 1\nmodel: net\ninput: {channels: 2, size: 8}\nlayers: [up: {deconv: 3, kernel: 1, stride: 2}]\n"
    Path("net.yaml").write_text(spec)
    assert _run("net.yaml", "-o", "x.yaml")[0] == 0
    assert "- up: {deconv: 3, kernel: 1, stride: 2}\n" in Path("x.yaml").read_text()
