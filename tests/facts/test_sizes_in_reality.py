"""The sizes that a network is said to take are those at which the emitted model runs, for every size from 1 to 300, and
its outputs have the size that is said. On meta tensors, which have shapes and no values.

LinkNet is not among them: PyTorch spreads a map of one pixel over another one in a sum, and so runs it at 1 x 2, where
the analysis refuses its sums."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from segcompile.facts.fit import fit
from segcompile.facts.shapes import infer_shapes, of_any_size
from segcompile.network.graph import Graph
from segcompile.ops import Shape
from segcompile.testing.networks import request_of, thin
from segcompile.text.errors import Findings

MOST = 300
NETWORKS = [
    ("unet.yaml", None), ("fcn8s.yaml", None), ("dilated_large.yaml", None), ("deeplabv3plus.yaml", None),
    ("segnet.yaml", None), ("hed.yaml", None), ("fcn16s.yaml", None), ("unetpp.yaml", None),
    ("blue_marble.yaml", None), ("attention_unet.yaml", None), ("esrgan_slim.yaml", "x3"), ("fcn_alexnet.yaml", None),
]  # fmt: skip


def outputs(model: torch.nn.Module, channels: int, size: tuple[int, int]) -> list[tuple[int, ...]] | None:
    """The sizes of what the model gives; None where it fails."""
    try:
        found = model(torch.empty(1, channels, *size, device="meta"))
    except (RuntimeError, ValueError):
        return None
    maps = found.values() if isinstance(found, dict) else [found]
    return [tuple(each.shape[2:]) for each in maps]


def said(graph: Graph, sizes: tuple[int, int]) -> list[tuple[int, ...]]:
    shape = next(iter(graph.inputs.values()))
    shapes = infer_shapes(graph, Findings(), {name: Shape(shape.channels, sizes) for name in graph.inputs})
    return [tuple(shapes[name].size) for name in graph.outputs.values()]


@pytest.mark.long
@pytest.mark.parametrize(("spec", "variant"), NETWORKS)
def test_every_size_to_300_runs_or_fails_as_is_said(nets: SimpleNamespace, spec: str, variant: str | None) -> None:
    from segcompile_torch import BACKEND

    graph = thin(nets.compiled(spec, variant).graph)
    _, sizes = fit(of_any_size(graph), Findings())
    with torch.device("meta"):
        model = nets.load(BACKEND.emit(request_of(graph)).files["model.py"]).Net().eval()
    (channels,) = (shape.channels for shape in graph.inputs.values())
    taken = 0
    for height in range(1, MOST + 1):
        size = height, height + height % 2
        legal = all(axis is not None and axis.legal.legal(each) for axis, each in zip(sizes, size, strict=True))
        assert outputs(model, channels, size) == (said(graph, size) if legal else None), size
        taken += legal
    assert taken > 0
