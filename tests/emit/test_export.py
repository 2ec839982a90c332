"""Emitted PyTorch is traced whole by torch.export, for images of any height and width that the network takes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.export import Dim

from segcompile.compiler import compile_spec
from segcompile.facts.sizes import AxisSizes, Sizes
from segcompile.library import bundled
from segcompile.network.graph import Graph
from segcompile.ops import Pool
from segcompile.testing.cases import specs
from segcompile.testing.networks import request_of
from segcompile.text.errors import Findings

SIZE = re.compile(r"((?:input|color|hha): +\{(?:channels: \w+, )?size: )(?:\d+|\[\d+, \d+\])\}")
CLASSIFIERS = ("alexnet", "googlenet", "vgg16")  # their size is that of their weights
ONE_IMAGE = [
    case.name
    for case in specs()
    if case.name not in CLASSIFIERS and len(case.request.graph.inputs) == 1 and case.request.graph.rank == 2
]


def of_any_size(nets: SimpleNamespace, name: str, folder: Path) -> tuple[Graph, Sizes]:
    """A bundled spec for images of any size, with two channels if it takes so few, and the sizes that it takes. (Claims
    of a size are false of it.)"""
    for path in bundled().values():
        text = path.read_text(encoding="utf-8")
        text = text if path.stem in CLASSIFIERS else SIZE.sub(r"\1any}", text)
        (folder / path.name).write_text(text, encoding="utf-8")
    spec, _, variant = name.partition(" ")
    found = compile_spec(folder / f"{spec}.yaml", Findings(), variant=variant.strip("()") or None)
    return nets.thin(found.graph), found.sizes


def dimension(name: str, sizes: AxisSizes | None, graph: Graph) -> tuple[Any, list[int]]:
    """What torch.export calls the legal sizes of an axis, all of one residue, and three of them.

    With a pool that rounds up, or a join that cuts, those at which no stride rounds: PyTorch 2.13 cannot prove its own
    guards for others.
    """
    assert sizes is not None
    guarded = any(
        (isinstance(node.op, Pool) and node.op.round == "ceil") or (node.op.joins and node.op.align != "none")
        for node in graph.nodes
    )
    legal = sizes.exact if guarded and sizes.exact is not None else sizes.legal
    step, start = (
        legal.modulus,
        legal.nearest(72)[1],
    )  # behind five strides 2 pixels, for PyTorch takes 1 for a constant
    assert start is not None
    step = 1 if len(legal.residues) == step else step
    turns = Dim(f"{name}_turns", min=start // step, max=start // step + 8)
    return turns if step == 1 else step * turns + start % step, [start + step * n for n in (1, 5, 2)]


def heads(outputs: Any) -> list[Any]:
    """The maps that a model gives, in a dict where it has several heads."""
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_a_bundled_spec_is_exported_with_dynamic_height_and_width(
    nets: SimpleNamespace, name: str, tmp_path: Path
) -> None:
    from segcompile_torch import BACKEND

    graph, (height, width) = of_any_size(nets, name, tmp_path)
    (channels,) = (shape.channels for shape in graph.inputs.values())
    model = nets.load(BACKEND.emit(request_of(graph)).files["model.py"]).Net().eval()
    (rows, heights), (columns, widths) = (
        dimension(name, axis, graph) for name, axis in (("height", height), ("width", width))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own
        image = torch.randn(1, channels, heights[0], widths[1])
        program = torch.export.export(model, (image,), dynamic_shapes=({2: rows, 3: columns},)).module()
    for size in zip(heights, reversed(widths), strict=True):
        image = torch.randn(1, channels, *size)
        for found, expected in zip(heads(program(image)), heads(model(image)), strict=True):
            assert found.equal(expected)
