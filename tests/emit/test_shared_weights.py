"""Shared weights as code: the module of the first layer, or of a whole block, run again; by weights alone otherwise."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from segcompile.backend import BuildRequest, check_capabilities, load_backend, run_backend
from segcompile.testing.cases import HEAD, compiled
from segcompile.text.errors import Findings

IMAGE = "{channels: 4, size: 16}"
BLOCKS = """\
blocks:
  head:
    args: [of: c, act: relu]
    layers:
      - c: {conv: 4, kernel: 3, pad: same, share: of, norm: batch, act: act}
      - d: {conv: 4, kernel: 3, pad: same, share: c}
layers:
  - one: {block: head, from: input}
"""


def model(layers: str, backend: str = "torch", blocks: str = "layers:\n") -> str:
    text = f"segcompile: 1\nmodel: net\ninput: {IMAGE}\n{blocks}{layers}"
    return str(run_backend(load_backend(backend), compiled(text)[1]).files["model.py"])


@pytest.mark.parametrize(
    ("backend", "code"),
    [
        ("torch", "y = F.conv2d(x, self.a.weight, self.a.bias, stride=2, padding=1)"),
        ("jax", "y = with_weights_of(self.a, x, strides=2, padding=1, kernel_dilation=1)"),
    ],
)
def test_another_stride_takes_the_weights_alone(backend: str, code: str) -> None:
    a = "  - a: {conv: 4, kernel: 3, pad: 1, act: relu}\n"
    found = model(f"{a}  - b: {{conv: 4, kernel: 3, pad: 1, share: a}}\n", backend)
    assert "self.a(x)" in found and "self.b" not in found and "weights of a" in found
    strided = model(f"{a}  - b: {{conv: 4, kernel: 3, pad: 1, stride: 2, share: a}}\n", backend)
    broken = re.sub(r"\(\s+|\s+\)", lambda match: match[0].strip(), strided)  # a call in several lines is in one
    assert code.partition(" = ")[2] in broken


def test_a_block_of_the_same_weights_is_run_again() -> None:
    found = model("  - two: {block: head, share: one}\n", blocks=BLOCKS)
    assert found.count("self.one(") == 2 and "self.two" not in found
    assert found.count("class Head(") == 1 and found.count("self.c(") == 2


def test_a_block_that_does_something_else_with_them_is_no_class() -> None:
    """Its layers stand in the class around it, from where they reach the modules of the other."""
    found = model("  - two: {block: head, share: one, act: elu}\n", blocks=BLOCKS)
    assert "F.elu(self.one.c_norm(self.one.c(x)))" in found
    found = model("  - two: {block: head, of: one.c}\n", blocks=BLOCKS)
    assert "self.two_c_norm = nn.BatchNorm2d(4)" in found and "self.two_c_norm(self.one.c(x))" in found


def test_the_names_of_tensors_are_those_of_the_owners_and_free_of_what_is_run_again() -> None:
    layers = (
        "  - two: {block: head, share: one}\n  - three: {block: head, of: one.c}\n  - two_c: {conv: 4, kernel: 1}\n"
    )
    found = model(layers, blocks=BLOCKS)
    assert [line.split(" = ")[0].strip() for line in found.splitlines() if " = nn." in line] == [
        *("self.c", "self.c_norm", "self.three_c_norm", "self.two_c"),
    ]


def test_a_backend_that_does_not_say_so_refuses_it() -> None:
    _, request = compiled(HEAD.format(input=IMAGE, layers="  - a: {norm: batch}\n  - b: {norm: batch, share: a}"))
    findings = Findings()
    check_capabilities(replace(load_backend("torch"), shares=False), request.graph, findings)
    (found,) = findings.diagnostics
    assert (found.code.code, str(found.span)) == ("SC604", "net.yaml:6:29")
    assert found.message == "backend `torch` cannot emit b: it knows no shared weights"


def stages(training: str) -> str:
    text = f"segcompile: 1\nmodel: net\ninput: {IMAGE}\n{BLOCKS}  - two: {{block: head, share: one}}\n"
    request: BuildRequest = compiled(f"{text}  - end: {{conv: 2, kernel: 1}}\ntraining: {{stages: [{training}]}}\n")[1]
    return str(run_backend(load_backend("torch"), request).files["stages.py"])


def test_a_stage_means_shared_weights_by_any_of_their_layers() -> None:
    assert 'frozen=["one"]' in stages("s: {freeze: two}")
    assert 'frozen=["end"]' in stages("s: {train: two}")
    assert 'frozen=["one.c", "end"]' in stages("s: {train: two, freeze: one.d}")
