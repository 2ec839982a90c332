"""Models of specs whose input is of any size run at every size that the analysis calls legal, with its shapes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings

from segcompile.facts.facts import Facts, analyse
from segcompile.facts.placement import place_outputs
from segcompile.facts.plainest import on_legal_sizes
from segcompile.facts.shapes import infer_shapes
from segcompile.facts.sizes import Sizes, find_sizes
from segcompile.network.graph import Graph
from segcompile.ops import AnySize, Shape
from segcompile.testing.strategies import free_graphs
from segcompile.text.errors import Findings

UNET = """\
segcompile: 1
model: net
input: {channels: 1, size: any}
defaults: {conv: {kernel: 3, act: relu, pad: PAD}, pool: {kernel: 2, stride: 2}}
blocks:
  double: {args: [w], layers: ["conv{i}": {conv: w, repeat: 2}]}
layers:
  - for: {d: [0, 1, 2]}
    layers:
      - "enc{d}":  {block: double, w: 2**d}
      - "down{d}": {pool: max}
  - bottom: {block: double, w: 8}
  - for: {d: [2, 1, 0]}
    layers:
      - "up{d}":  {deconv: 2**d, kernel: 2, stride: 2}
      - "cat{d}": {concat: ["enc{d}", "up{d}"], align: ALIGN}
      - "dec{d}": {block: double, w: 2**d}
  - logits: {conv: 2, kernel: 1, act: none}
"""
CROSSED = """\
segcompile: 1
model: net
input: {channels: 1, size: any}
layers:
  - a: {conv: 2, kernel: 5x1}
  - b: {conv: 2, kernel: 1x3, stride: 2, from: input}
  - c: {deconv: 2, kernel: 2, stride: 2}
  - d: {conv: 2, kernel: 1x3, from: input}
  - e: {concat: [a, c, d, input], align: ALIGN}
  - f: {resize: input}
"""

THIRDS = """\
segcompile: 1
model: net
input: {channels: 1, size: any}
layers:
  - a: {conv: 2, kernel: 2, stride: 2}
  - b: {deconv: 2, kernel: 2, stride: 2}
  - c: {conv: 2, kernel: 3, stride: 3, from: input}
  - d: {deconv: 2, kernel: 3, stride: 3}
  - e: {concat: [b, d], align: center_crop}
"""


def run_at(nets: SimpleNamespace, graph: Graph, facts: Facts, sizes: list[tuple[int, int]]) -> None:
    """The emitted model gives every layer the shape that its function of the size says."""
    import torch

    source = nets.source_of(graph, facts)["model.py"]
    model = nets.load(source).Net().eval()
    ((_, image),) = graph.inputs.items()
    for size in sizes:
        with torch.no_grad():
            result = model(torch.rand(1, image.channels, *size))
        outputs = result if isinstance(result, dict) else {next(iter(graph.outputs)): result}
        for head, value in outputs.items():
            shape = facts[graph.outputs[head]].shape
            assert tuple(value.shape[1:]) == (shape.channels, *at(shape, size)), f"{head} at {size}\n{source}"


def at(shape: Shape, size: tuple[int, int]) -> tuple[int, ...]:
    return tuple(form.at(n) if isinstance(form, AnySize) else form for form, n in zip(shape.size, size, strict=True))


def first_legal(sizes: Sizes, count: int, start: int = 1) -> list[tuple[int, int]]:
    """Pairs of legal sizes, the least ones of each axis, tall and wide ones."""
    along = []
    for axis in sizes:
        assert axis is not None
        found: list[int] = []
        while len(found) < count:
            size = axis.legal.nearest(found[-1] + 1 if found else start)[1]
            assert size is not None
            found.append(size)
        along.append(found)
    return list(zip(along[0], reversed(along[1]), strict=True))


@pytest.mark.parametrize(
    ("text", "crops"),
    [
        (UNET.replace("PAD", "same").replace("ALIGN", "none"), []),
        (UNET.replace("PAD", "0").replace("ALIGN", "center_crop"), ["center_crop(enc2, x)", "center_crop(enc0, x)"]),
        (UNET.replace("PAD", "0").replace("ALIGN", "pad"), ["center_pad(x, enc2)", "center_pad(x, enc0)"]),
        (UNET.replace("PAD", "same").replace("ALIGN", "center_crop"), ["center_crop(enc2, x)"]),
        (CROSSED.replace("ALIGN", "center_crop"), ["  center_crop(a, x), center_crop(c, a, x), center_crop(x, a), "]),
        (THIRDS, ["center_crop(b, x), center_crop(x, b)], 1)"]),
        (CROSSED.replace("ALIGN", "pad"), ["  center_pad(a, c), center_pad(c, a), center_pad(x, c, a), "]),
    ],
)
def test_an_emitted_model_runs_at_every_legal_size(
    nets: SimpleNamespace, text: str, crops: list[str], tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(text)
    compiled = nets.compiled(tmp_path / "net.yaml")
    source = nets.source_of(compiled.graph, compiled.facts)["model.py"]
    assert all(crop in source or crop in nets.unbroken(source) for crop in crops), source
    run_at(nets, nets.every_layer(compiled.graph), compiled.facts, first_legal(compiled.sizes, 18))


def check(nets: SimpleNamespace, graph: Graph) -> None:
    findings = Findings()
    shapes = infer_shapes(graph, findings)
    sizes = find_sizes(graph, shapes, findings)
    assume(not findings.has_errors)
    facts = analyse(graph, on_legal_sizes(shapes, sizes))
    run_at(nets, graph, facts, [pair for pair in first_legal(sizes, 6) if max(pair) < 200])


@settings(max_examples=60)
@given(graph=free_graphs())
def test_a_model_of_any_network_runs_at_its_legal_sizes(nets: SimpleNamespace, graph: Graph) -> None:
    check(nets, graph)


@pytest.mark.long
@settings(max_examples=1000, derandomize=False)
@given(graph=free_graphs(most=10))
def test_models_of_a_thousand_networks_run(nets: SimpleNamespace, graph: Graph) -> None:
    check(nets, graph)


RESIZED = """\
segcompile: 1
model: net
input: {channels: 1, size: any}
layers:
  - a: {conv: 2, kernel: 3, stride: 2, pad: 1}
  - b: {conv: 2, kernel: 3, stride: 2, pad: 1}
  - c: {resize: input}
"""

# --- where its outputs lie -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size", "output", "offset", "multiple"),
    [
        (UNET.replace("PAD", "same").replace("ALIGN", "none"), 256, 256, 0, 8),
        (UNET.replace("PAD", "0").replace("ALIGN", "center_crop"), 260, 172, 44, 8),
        (UNET.replace("PAD", "same").replace("ALIGN", "center_crop"), 256, 256, 0, 8),
        (RESIZED, 257, 257, 0, 1),
        (RESIZED.replace("input}\n", "input, align_corners: yes}\n"), 257, 257, 0, 1),
    ],
)
def test_the_outputs_are_placed_at_sizes_at_which_all_lies_where_it_should(
    nets: SimpleNamespace, text: str, size: int, output: int, offset: int, multiple: int, tmp_path: Path
) -> None:
    (tmp_path / "net.yaml").write_text(text)
    compiled = nets.compiled(tmp_path / "net.yaml")
    found = place_outputs(compiled.graph)
    assert (found.size, found.output, found.offset, found.multiple) == tuple(
        (value, value) for value in (size, output, offset, multiple)
    )
    head = compiled.facts[compiled.graph.outputs["output"]].shape
    for k in range(-8, 9):
        assert at(head, (size + k * multiple,) * 2) == (output + k * multiple,) * 2
