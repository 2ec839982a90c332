"""A file that is a network is taken wherever a spec is: by commands, as a base, in notebooks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from segcompile.build import request_for
from segcompile.cli import cli
from segcompile.compiler import compile_spec
from segcompile.fix import fix
from segcompile.notebook import receptive_field
from segcompile.show.flat import flat_spec
from segcompile.text.errors import Findings, SegcompileError
from segcompile.text.report import render_text

from .agreement import model_of

STEPS = (
    "c = Conv<pads=[1, 1, 1, 1]>(x, conv_weight); r = Relu(c); p = MaxPool<kernel_shape=[2, 2], strides=[2, 2]>(r); "
    "y = Conv(p, score_weight)"
)
WEIGHTS = {"conv_weight": np.ones((8, 4, 3, 3), np.float32), "score_weight": np.ones((2, 8, 1, 1), np.float32)}
FLAT = """\
segcompile: 1
model: net
input: {channels: 4, size: any}
layers:
  - conv:  {conv: 8, kernel: 3, pad: 1, bias: no, act: relu}
  - p:     {pool: max, kernel: 2}
  - score: {conv: 2, kernel: 1, bias: no}
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    model = model_of(STEPS, WEIGHTS)
    for tensor in model.graph.initializer:  # as PyTorch calls them; the parser of steps knows no dots
        tensor.name = tensor.name.replace("_", ".")
    for node in model.graph.node:
        node.input[:] = [name.replace("_", ".") for name in node.input]
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_it_is_printed_as_the_spec_that_it_means(net: Path) -> None:
    compiled = compile_spec(net, Findings())
    assert flat_spec(compiled) == FLAT
    assert [str(size) for size in compiled.facts["score"].shape.size] == ["⌊H/2⌋", "⌊W/2⌋"]


def test_it_is_known_by_its_content(net: Path) -> None:
    other = net.rename(net.with_name("model.bin"))
    assert compile_spec(other, Findings()).model == "model"


def test_a_spec_edits_it_and_appends_to_it(net: Path) -> None:
    spec = net.with_name("mine.yaml")
    spec.write_text(
        "segcompile: 1\nmodel: mine\nbase: net.onnx\nparams: {K: 21}\ninput: {size: 64}\n"
        "defaults: {conv: {act: relu}}\n"
        "transform:\n  - set: {conv: {dilation: 2, pad: 2}}\n  - append:\n      - last: {conv: K, kernel: 3, pad: 1}\n"
        "claims: {last: {channels: 21, size: 32, receptive_field: 10}}\n"
    )
    findings = Findings()
    compiled = compile_spec(spec, findings)
    assert render_text(findings.diagnostics) == ""
    assert [*compiled.graph.layers] == ["conv", "p", "score", "last"]
    assert [len(nodes) for nodes in compiled.graph.layers.values()] == [2, 1, 1, 2]  # defaults reach `last` alone


def test_what_is_wrong_in_a_base_is_told_at_its_line_and_where_it_is_named(net: Path) -> None:
    spec = net.with_name("mine.yaml")
    spec.write_text("segcompile: 1\nmodel: mine\nbase: net.onnx\ntransform:\n  - append: [{last: {linear: 3}}]\n")
    with pytest.raises(SegcompileError) as caught:
        compile_spec(spec, Findings(), name="mine.yaml")
    assert "a fully connected layer needs a fixed input, not 2 x ⌊H/2⌋ x ⌊W/2⌋" in render_text(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("variant", "overrides", "said"),
    [
        ("large", {}, "there is no variant `large`"),
        (None, {"K": 3}, "`net` has no parameter `K`"),
    ],
)
def test_it_has_neither_variants_nor_parameters(
    variant: str | None, overrides: dict[str, int], said: str, net: Path
) -> None:
    with pytest.raises(SegcompileError, match=said):
        compile_spec(net, Findings(), variant=variant, overrides=overrides)


def test_a_notebook_takes_it(net: Path) -> None:
    assert receptive_field(net)["score"].row


def test_its_code_is_emitted(net: Path) -> None:
    request = request_for(compile_spec(net, Findings()), net)
    assert [node.name for node in request.graph.nodes] == ["conv", "conv:act", "p", "score"]


def test_a_spec_uses_it(net: Path) -> None:
    spec = net.with_name("mine.yaml")
    spec.write_text(
        "segcompile: 1\nmodel: mine\ninput: {channels: 4, size: 64}\nlayers:\n  - front: {use: net.onnx}\n"
        "  - last: {conv: 3, kernel: 1}\n"
    )
    assert [*compile_spec(spec, Findings()).graph.layers] == ["front.conv", "front.p", "front.score", "last"]


def test_there_are_no_claims_in_it_to_fix(net: Path) -> None:
    with pytest.raises(SegcompileError, match="is a network, and no spec: nothing is claimed in it"):
        fix(net, None)


def restated(model: onnx.ModelProto, folder: Path) -> str:
    """The blocks and layers of what `import` writes."""
    onnx.save(model, folder / "net.onnx")
    found = CliRunner().invoke(cli, ["import", str(folder / "net.onnx"), "-o", str(folder / "net.yaml")])
    assert found.exit_code == 0, found.output
    return (folder / "net.yaml").read_text().partition("blocks:\n")[2]


def units() -> onnx.ModelProto:
    """Two residual units and a pool, of names that tell nothing."""
    unit = "c{0} = Conv<pads=[1, 1, 1, 1]>({1}, k{0}); r{0} = Relu(c{0}); d{0} = Conv<pads=[1, 1, 1, 1]>(r{0}, w{0}); "
    chain = "".join(unit.format(at, before) + f"s{at} = Add(d{at}, {before}); " for at, before in ((0, "x"), (1, "s0")))
    weights = {name: np.full((4, 4, 3, 3), at, np.float32) for at, name in enumerate(("k0", "k1", "w0", "w1"))}
    return model_of(chain + "y = MaxPool<kernel_shape=[2, 2]>(s1)", weights)


def test_it_is_restated_in_the_words_of_the_modules_that_were_exported(tmp_path: Path) -> None:
    model = units()
    for node in model.graph.node:  # one by its own name, as where norms were folded, the other by its weight
        made = node.output[0]
        node.name = {"c": f"/layer1/layer1.{made[1:]}/conv1/Conv", "y": "/pool/MaxPool"}.get(made[0], "")
        node.input[:] = [f"layer1.{name[1:]}.conv2.weight" if name[0] == "w" else name for name in node.input]
    for tensor in model.graph.initializer:
        tensor.name = f"layer1.{tensor.name[1:]}.conv2.weight" if tensor.name[0] == "w" else tensor.name
    assert restated(model, tmp_path) == (
        "  residual: {layers: [conv1: {conv: 4, act: relu}, conv2: {conv: 4}, {add: [conv2, input]}]}\n"
        "layers:\n"
        '  - "layer1_{i}": {block: residual, repeat: 2}\n'
        "  - pool:         {pool: max, kernel: 2, stride: 1}\n"
    )


def test_a_block_is_called_after_the_class_that_pytorch_s_exporter_says(tmp_path: Path) -> None:
    model = units()
    for node in model.graph.node[:-1]:
        said = {
            "pkg.torch.onnx.name_scopes": f"['', 'layer1', 'layer1.{node.output[0][1:]}', '{node.output[0]}']",
            "pkg.torch.onnx.class_hierarchy": "['net.Net', 'torch.nn.Sequential', 'net.BasicBlock', 'aten.add.Tensor']",
        }
        onnx.helper.set_metadata_props(node, said)
    assert restated(model, tmp_path).splitlines()[:3] == [
        "  basic_block: {layers: [conv1: {conv: 4, act: relu}, conv2: {conv: 4}, {add: [conv2, input]}]}",
        "layers:",
        '  - "layer1_{i}": {block: basic_block, repeat: 2}',
    ]
