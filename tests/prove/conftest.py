"""Small networks as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segcompile.compiler import compile_spec
from segcompile.network.graph import Graph
from segcompile.text.errors import Findings

HEAD = "segcompile: 1\nmodel: {}\ninput: {}\ndefaults: {{conv: {{kernel: 3, pad: 1}}}}\nlayers:\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """(layers, image, model) -> the file of a spec."""

    def written(layers: list[str], image: str = "{channels: 4, size: any}", model: str = "net") -> Path:
        path = tmp_path / f"{model}.yaml"
        path.write_text(HEAD.format(model, image) + "".join(f"  - {layer}\n" for layer in layers))
        return path

    return written


@pytest.fixture
def net(write: Write) -> Callable[..., Graph]:
    """(layers, image, model) -> the graph of a spec, as it is written."""
    return lambda *said, **more: compile_spec(write(*said, **more), Findings()).spec.graph
