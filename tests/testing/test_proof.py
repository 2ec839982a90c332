"""The emitted PyTorch code is proved to be the network that it was made of, and what is wrong with it is refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import segcompile_jax
import segcompile_torch

from segcompile.backend import Backend, BuildRequest, BuildResult
from segcompile.compiler import compile_spec, compile_variant
from segcompile.network.graph import Graph
from segcompile.testing.bench import Bench, Mismatch
from segcompile.testing.checks.proof import compare_code
from segcompile.testing.networks import reduced, request_of, sized
from segcompile.text.errors import Findings

HEAD = "segcompile: 1\nmodel: net\ninput: {channels: 3, size: any}\ndefaults: {conv: {kernel: 3}}\nlayers:\n"
LAYERS = """\
  - a: {conv: 4, stride: 2, pad: [[1, 0], [1, 0]], act: relu}
  - b: {conv: 4, pad: 1, norm: batch}
  - c: {concat: [b, a]}
  - d: {conv: 2, pad: 1}
  - up: {resize: input, mode: bilinear}
"""
PROVED = "proved: the code gives what the network gives for all weights and images, of "


@pytest.fixture
def net(tmp_path: Path) -> Graph:
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + LAYERS, encoding="utf-8")
    return compile_spec(path, Findings()).graph


def changed(change: Callable[[str], str]) -> Backend:
    """The torch backend, with another text in its model.py."""
    right = segcompile_torch.BACKEND

    def emit(request: BuildRequest) -> BuildResult:
        files = dict(right.emit(request).files)
        text = str(files["model.py"])
        assert change(text) != text
        return BuildResult({**files, "model.py": change(text)})

    return replace(right, emit=emit)


def told(graph: Graph, backend: Backend = segcompile_torch.BACKEND) -> str:
    """What is said of the code that a backend makes of a graph."""
    return compare_code(Bench(backend).subject(request_of(graph)), sized(graph, 24, 25).inputs)


def test_code_that_says_what_the_graph_says_is_proved_op_by_op_at_every_size(net: Graph) -> None:
    assert told(net) == PROVED + "3 x H x W, H ≥ 2, W ≥ 2, op by op"


def test_code_that_runs_at_some_sizes_only_is_proved_at_its_own() -> None:
    request = reduced(compile_variant("unet").graph)  # its crops are centred, where sizes are even
    found = compare_code(Bench(segcompile_torch.BACKEND).subject(request), request.graph.inputs)
    assert found.startswith(PROVED + "2 x 188 x 189; the chance that this is wrong is ")


WRONG = {
    "a stride": (
        ("stride=2", "stride=1"),
        "for an image of 3 x 2, output[0, 0, 0] is -1.26137157, and -2.00123132 in the code; they part at `a`: "
        "the stride: 2, and 1",
    ),
    "a padding's side": (
        ("(1, 0, 1, 0)", "(0, 1, 1, 0)"),
        "for an image of 2 x 2, output[1, 0, 0] is -1.69404984, and -1.76448724 in the code; they part at `a`: "
        "the padding at left: 1, and 0; the padding at right: 0, and 1",
    ),
    "the inputs of a concat": (
        ("[x, a]", "[a, x]"),
        "for an image of 2 x 2, output[1, 0, 0] is -1.69404984, and -0.954158801 in the code; they part at `c` and "
        "`cat`: the order of its inputs: `b:norm`, `a:act`, and `a:act`, `b:norm`",
    ),
    "an align_corners": (
        ('mode="bilinear"', 'mode="bilinear", align_corners=True'),
        "for an image of 4 x 2, output[0, 2, 0] is -2.03387108, and -2.02548481 in the code; they part at `up` and "
        "`upsample_bilinear2d`: the align corners: no, and yes",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_code_is_refuted(net: Graph, what: str) -> None:
    (old, new), said = WRONG[what]
    with pytest.raises(Mismatch) as found:
        told(net, changed(lambda text: text.replace(old, new)))
    assert str(found.value) == f"its code gives something else: {said}"


def test_code_that_cannot_be_read_back_is_compared_by_values_and_says_so(net: Graph) -> None:
    assert told(net, segcompile_jax.BACKEND) == "not proved, but compared by values: JAX's code is not read back"
    odd = changed(lambda text: text.replace("F.relu(", "torch.special.erfcx("))
    assert told(net, odd) == (
        "not proved, but compared by values: its code cannot be read back: 1 call of the module cannot be imported; "
        "special_erfcx: no step of ONNX's is known for it"
    )
