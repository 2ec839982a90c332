"""The network in rows: stream.py gives what the whole image gives, at every pixel, and computes nothing twice."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tests.conftest import compiled, load, source_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from segcompile.compiler import analyse_graph
from segcompile.facts.facts import shapes_in
from segcompile.facts.streaming import Stream, Unstreamed, plan_stream, stream_of
from segcompile.network.graph import Graph
from segcompile.testing.networks import narrow, sized, slim
from segcompile.testing.strategies import graphs
from segcompile.text.errors import Findings

EXACT = 1e-10  # of the largest value, in float64


def executed(name: str, source: str, **others: ModuleType) -> ModuleType:
    """A generated file as a module, which imports `others` by their names."""
    module = ModuleType(name)
    before = {each: sys.modules.get(each) for each in (name, *others)}
    sys.modules |= others | {name: module}
    try:
        exec(compile(source, f"<{name}>", "exec"), vars(module))
    finally:
        for each, was in before.items():
            sys.modules.pop(each) if was is None else sys.modules.update({each: was})
    return module


class Streamed:
    """A graph as PyTorch, whole and in rows."""

    def __init__(self, graph: Graph) -> None:
        found = analyse_graph(graph, Findings())
        self.graph, self.stream = found.graph, stream_of(found.graph, shapes_in(found.graph, found.facts))
        files = source_of(found.graph, found.facts)
        model = executed("model", files["model.py"])
        self.rows: Any = executed("stream", files["stream.py"], model=model) if "stream.py" in files else None
        torch.manual_seed(0)
        self.model = model.Net().double().eval()
        for value in self.model.buffers():
            value.copy_(torch.rand_like(value) + 0.5) if value.is_floating_point() else None
        self.image = torch.randn(1, *(lambda s: (s.channels, *s.size))(next(iter(graph.inputs.values()))), dtype=torch.float64)

    def whole(self) -> dict[str, Tensor]:
        with torch.inference_mode():
            found = self.model(self.image)
        return found if isinstance(found, dict) else {next(iter(self.graph.outputs)): found}

    def streamed(self, head: str, block: int, spill: Path | None = None, image: Tensor | None = None) -> Tensor:
        image = self.image if image is None else image
        made = list(
            self.rows.stream(
                self.model, lambda p, q: image[:, :, p:q], tuple(image.shape[2:]), self.rows.OUTPUTS[head], block, spill
            )
        )
        starts = [first for first, _ in made]
        assert starts == [sum(rows.shape[2] for _, rows in made[:index]) for index in range(len(made))]
        return torch.cat([rows for _, rows in made], 2)


def check(net: Streamed, block: int, spill: Path | None = None) -> None:
    for head, whole in net.whole().items():
        found = net.streamed(head, block, spill)
        assert found.shape == whole.shape
        assert (found - whole).abs().max() <= EXACT * max(1e-30, whole.abs().max()), head


@settings(max_examples=60)
@given(graph=graphs(most=6, low=16, high=30), block=st.sampled_from([1, 3, 8, 64]))
def test_random(graph: Graph, block: int) -> None:
    net = Streamed(graph)
    if net.rows is not None:
        check(net, block)
