"""Every bundled spec's model runs forward at the size its paper gives, on tensors without values (JAX: test_export)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

SPECS = Path(__file__).parents[3] / "specs"


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda spec: spec.stem)
def test_the_model_runs_forward_at_its_papers_size(nets: SimpleNamespace, spec: Path) -> None:
    import torch

    options = {"variant": "basic"} if spec.stem == "dilated_context" else {}
    compiled = nets.compiled(spec, **options)
    source = nets.source_of(compiled.graph, compiled.facts)["model.py"]
    with torch.device("meta"):
        model = nets.load(source).Net().eval()
        found = model(*(torch.empty(1, shape.channels, *shape.size) for shape in compiled.graph.inputs.values()))
    outputs = found if isinstance(found, dict) else {"output": found}
    shapes = {head: compiled.facts[node].shape for head, node in compiled.graph.outputs.items()}
    assert {head: tuple(value.shape[1:]) for head, value in outputs.items()} == {
        head: (shape.channels, *shape.size) for head, shape in shapes.items()
    }
