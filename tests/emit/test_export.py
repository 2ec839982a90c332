"""Emitted PyTorch is traced whole by torch.export, for images of any height and width that the network takes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from segcompile.compiler import compile_spec
from segcompile.facts.sizes import Sizes
from segcompile.library import bundled
from segcompile.network.graph import Graph
from segcompile.show.dims import dims_text
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


def dimensions(graph: Graph, sizes: Sizes) -> tuple[Any, list[list[int]]]:
    """What `segcompile sizes --dims torch` prints, and three of the sizes along each axis."""
    code, found = dims_text(graph, sizes), dict[str, Any]()
    exec(code, found)
    listed = re.findall(r"# (\d+), (\d+), \.\.\.", code)
    pairs = [(int(first), int(second) - int(first)) for first, second in listed]
    return found["dynamic_shapes"], [[first + step * n for n in (0, 4, 1)] for first, step in pairs]


def heads(outputs: Any) -> list[Any]:
    """The maps that a model gives, in a dict where it has several heads."""
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_a_bundled_spec_is_exported_with_dynamic_height_and_width(
    nets: SimpleNamespace, name: str, tmp_path: Path
) -> None:
    from segcompile_torch import BACKEND

    graph, sizes = of_any_size(nets, name, tmp_path)
    (channels,) = (shape.channels for shape in graph.inputs.values())
    model = nets.load(BACKEND.emit(request_of(graph)).files["model.py"]).Net().eval()
    shapes, (heights, widths) = dimensions(graph, sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own
        image = torch.randn(1, channels, heights[0], widths[1])
        program = torch.export.export(model, (image,), dynamic_shapes=shapes).module()
    for size in zip(heights, reversed(widths), strict=True):
        image = torch.randn(1, channels, *size)
        for found, expected in zip(heads(program(image)), heads(model(image)), strict=True):
            assert found.equal(expected)
