"""Which networks have a harness, where their outputs lie, and which sizes of the image they take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from segcompile_torch import BACKEND

from segcompile.backend import run_backend
from segcompile.build import build_each
from segcompile.emit.geometry import Geometry, harness_geometry
from segcompile.network.graph import Graph
from segcompile.ops import GroupNorm, InstanceNorm
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings
from segcompile.text.report import render_text

HEAD = (
    "segcompile: 1\nmodel: net\ninput: {channels: 3, size: SIZE}\ndefaults: {conv: {kernel: 3, pad: same}}\nlayers:\n"
)
ENCODER = (
    "  - a: {conv: 4, stride: 2, act: relu}\n  - b: {conv: 4, stride: 2, act: relu}\n  - c: {conv: 2, kernel: 1}\n"
)
UP = "  - up: {resize: input}\n"


def geometry(nets: SimpleNamespace, folder: Path, layers: str, size: str = "64") -> Geometry:
    path = folder / "net.yaml"
    path.write_text(layers if layers.startswith("segcompile") else HEAD.replace("SIZE", size) + layers)
    compiled, findings = nets.compiled(path), Findings()
    found = harness_geometry(compiled.graph, compiled.facts, findings)
    assert found is not None and not findings.diagnostics
    return found


@pytest.mark.parametrize("size", ["64", "65", "66", "any", "[65, 130]"])
def test_an_output_resized_to_the_input_lies_pixel_on_pixel(nets: SimpleNamespace, tmp_path: Path, size: str) -> None:
    found = geometry(nets, tmp_path, ENCODER + UP, size)
    assert found.output == found.size
    assert (found.stride, found.offset, found.centre) == ((1, 1), (0, 0), (0, 0))
    assert found.multiple == (1, 1), "any size fits"
    assert size != "any" or found.size == (257, 257), "where no stride rounds"


def test_the_sizes_that_fit_are_those_whose_joins_fit(nets: SimpleNamespace, tmp_path: Path) -> None:
    joined = ENCODER + "  - d: {deconv: 4, kernel: 2, stride: 2}\n  - e: {add: [a, d]}\n" + UP
    assert geometry(nets, tmp_path, joined, "64").multiple == (4, 4)
    assert geometry(nets, tmp_path, ENCODER, "65").multiple == (4, 4), "the strides', though 65 is none of theirs"


def test_a_resize_by_a_factor_is_an_upsampling_by_it(nets: SimpleNamespace, tmp_path: Path) -> None:
    for corners in ("yes", "no"):
        net = ENCODER + f"  - up: {{resize: 4, align_corners: {corners}}}\n"
        assert geometry(nets, tmp_path, net, "64").multiple == (4, 4)


def test_fcns_padding_and_crop_take_any_image(nets: SimpleNamespace) -> None:
    compiled = nets.compiled(nets.root / "tests/data/valid/fcn8s_layers.yaml")
    found = harness_geometry(compiled.graph, compiled.facts, Findings())
    assert found == Geometry((500, 500), (500, 500), (1, 1), (0, 0), (0.0, 0.0), (1, 1), (1, 1))


FRONT = """segcompile: 1
model: front_end
input: {channels: 3, size: SIZE}
defaults: {conv: {kernel: 3}, pool: {kernel: 2}}
blocks: {stage: {args: [n, d], layers: ["conv{i}": {conv: 2, dilation: d, repeat: n}]}}
layers:
  - s1: {block: stage, n: 2, d: 1}
  - {pool: max}
  - s2: {block: stage, n: 2, d: 1}
  - {pool: max}
  - s3: {block: stage, n: 3, d: 1}
  - {pool: max}
  - s4: {block: stage, n: 3, d: 1}
  - s5: {block: stage, n: 3, d: 2}
  - fc6: {conv: 2, kernel: 7, dilation: 4}
  - final: {conv: 21, kernel: 1}
claims: {final: {receptive_field: 380, stride: 8, margin: 186}}
"""


def test_the_front_end_of_dilatednet_has_the_published_offset_and_stride(nets: SimpleNamespace, tmp_path: Path) -> None:
    found = geometry(nets, tmp_path, FRONT.replace("SIZE", "900"))
    assert found == Geometry((900, 900), (66, 66), (8, 8), (186, 186), (189.5, 189.5), (8, 8), (380, 380))


def test_a_free_size_is_one_that_leaves_an_output(nets: SimpleNamespace, tmp_path: Path) -> None:
    found = geometry(nets, tmp_path, FRONT.replace("SIZE", "any"))
    assert (found.size, found.output) == ((508, 508), (17, 17))


def test_no_branch_vanishes_at_the_least_size(nets: SimpleNamespace, tmp_path: Path) -> None:
    """`wide` has no output below 31 pixels, though `sum` has as many as the image."""
    wide = (
        "  - near: {conv: 2, kernel: 1}\n  - wide: {conv: 2, kernel: 31, pad: 0, from: input}\n"
        "  - back: {resize: input}\n  - sum: {add: [near, back]}\n"
    )
    for size in ("64", "any"):
        found = geometry(nets, tmp_path, wide, size)
        assert (found.multiple, found.least) == ((1, 1), (31, 31))


@settings(
    deadline=None, max_examples=80, suppress_health_check=list(HealthCheck), derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
@given(graph=graphs())
def test_a_model_runs_at_the_least_size_and_a_step_on(nets: SimpleNamespace, graph: Graph) -> None:
    assume(not any(isinstance(node.op, GroupNorm | InstanceNorm) for node in graph.nodes))  # none of a single pixel
    net = nets.emitted(replace(graph, outputs=dict([[*graph.outputs.items()][-1]])))
    found = harness_geometry(net.graph, net.facts, Findings())
    assume(found is not None)
    for more in (0, 1):
        size = [found.least[axis] + more * found.multiple[axis] for axis in (0, 1)]
        assume(max(size) < 300)
        (result,) = net.outputs(torch.rand(1, next(iter(graph.inputs.values())).channels, *size).double()).values()
        steps = [(size[axis] - found.size[axis]) // found.stride[axis] for axis in (0, 1)]
        assert [*result.shape[2:]] == [found.output[axis] + steps[axis] for axis in (0, 1)], net.source


NONE = {
    "free": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n  - b: {resize: 2}\n"
        "  - c: {conv: 2, kernel: 4}\n  - d: {add: [a, c], align: center_crop}\n",
        "which sizes of images fit is not known: d: the size cannot be stated for any image: which of H and 2H-3 is "
        "smaller depends on how large the image is", "d", 8,
    ),
    "y": (
        "input: {x: {channels: 3, size: 64}, y: {channels: 3, size: 64}}\nlayers:\n"
        "  - a: {conv: 2, kernel: 1, from: x}\n  - b: {conv: 2, kernel: 1, from: y}\n  - c: {add: [a, b]}\n",
        "`y` is a second input, and the harness reads one image", "b", 6,
    ),
    "vector": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {pool: global_avg}\n  - b: {linear: 10}\n",
        "`b` gives a vector, and the harness trains maps", "b", 6,
    ),
    "heads": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n"
        "  - b: {conv: 2, kernel: 2, stride: 2}\noutputs: {main: a, aux: b}\n",
        "the outputs `main` and `aux` do not lie over each other", "b", 6,
    ),
    "finer": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n  - b: {resize: 2}\n",
        "a step of `b` is 1/2 pixels of the image, not a whole number", "b", 6,
    ),
    "pixel": (
        "input: {channels: 3, size: 64}\nlayers:\n  - a: {conv: 2, kernel: 1}\n  - b: {pool: global_avg}\n",
        "where `b` lies over the image is not known", "b", 6,
    ),
    "frozen": (
        "input: {channels: 3, size: 64}\nlayers:\n  - b: {conv: 2, kernel: 1, frozen: yes}\n",
        "the network has no weights to train", "b", 5,
    ),
    "bare": (
        "input: {channels: 3, size: 64}\nlayers:\n  - b: {act: relu}\n",
        "the network has no weights to train", "b", 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NONE)
def test_a_network_without_a_harness_says_why(
    nets: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    network, reason, layer, line = NONE[case]
    monkeypatch.chdir(tmp_path)
    text = f"segcompile: 1\nmodel: net\n{network}"
    Path("net.yaml").write_text(text)
    (build,) = build_each("net.yaml", ["torch"])
    source = text.splitlines()[line - 1]
    found = [warning for warning in build.findings.diagnostics if warning.code.slug == "no-harness"]
    assert render_text(found) == (
        f"warning[SC608 no-harness]: there is no training harness: {reason}\n"
        f"  --> net.yaml:{line}:5\n"
        f"{line:2} | {source}\n"
        f"   |     {'^' * len(layer)}\n"
        "   = help: model.py and weights.py are whole; a training loop around them is yours to write"
    )
    files = build.built.files if build.built is not None else {}
    assert sorted(files) == [
        "README.md",
        "command.py",
        "files.py",
        "model.py",
        "requirements.txt",
        "weights.py",
    ]


def test_what_is_said_of_a_base_names_the_line_that_led_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(f"segcompile: 1\nmodel: net\n{NONE['finer'][0]}")
    Path("derived.yaml").write_text("segcompile: 1\nmodel: derived\nbase: net.yaml\n")
    (build,) = build_each("derived.yaml", ["torch"])
    assert "derived.yaml:3:7" in render_text(build.findings.diagnostics)


def test_the_backend_itself_hands_the_warning_over(nets: SimpleNamespace, tmp_path: Path) -> None:
    from segcompile.build import request_for

    path = tmp_path / "net.yaml"
    path.write_text(f"segcompile: 1\nmodel: net\n{NONE['finer'][0]}")
    result = run_backend(BACKEND, request_for(nets.compiled(path), path))
    assert [found.code.code for found in result.diagnostics] == ["SC608"]
