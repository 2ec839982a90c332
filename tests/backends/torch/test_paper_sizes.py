"""Every bundled spec's model runs forward at the size its paper gives, on tensors without values (JAX: test_export)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from segcompile.testing.cases import Case, specs


@pytest.mark.parametrize("case", specs(), ids=lambda case: case.name)
def test_the_model_runs_forward_at_its_papers_size(nets: SimpleNamespace, case: Case) -> None:
    import torch

    net = nets.emitted(case.request.graph)
    with torch.device("meta"):
        shapes = net.graph.inputs.values()
        found = net.outputs(*(torch.empty(1, shape.channels, *shape.size, dtype=torch.float64) for shape in shapes))
    wanted = {head: net.facts[node].shape for head, node in net.graph.outputs.items()}
    assert {head: tuple(value.shape[1:]) for head, value in found.items()} == {
        head: (shape.channels, *shape.size) for head, shape in wanted.items()
    }
