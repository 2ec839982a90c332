"""Emitted models are lowered for accelerators that are not here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from segcompile_jax import BACKEND

from segcompile.backend import run_backend
from segcompile.testing.cases import Case, specs


@pytest.mark.parametrize("case", specs(), ids=lambda case: case.name)
def test_a_forward_pass_is_exported_for_cuda_and_tpu(nets: SimpleNamespace, case: Case) -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    request = case.request
    source = run_backend(BACKEND, request).files["model.py"]
    model_class = getattr(nets.load(source), request.class_name)
    model = nnx.eval_shape(lambda: model_class(rngs=nnx.Rngs(0)))
    model.eval()
    graph, weights = nnx.split(model)
    inputs = [(2, *shape.size, shape.channels) for shape in request.graph.inputs.values()]
    images = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs]
    shapes = [request.facts[node].shape for _, node in sorted(request.graph.outputs.items())]
    forward = jax.jit(lambda weights, *images: nnx.merge(graph, weights)(*images))
    exported = jax.export.export(forward, platforms=["cuda", "tpu"])(weights, *images)
    assert exported.platforms == ("cuda", "tpu")
    assert [value.shape for value in exported.out_avals] == [(2, *shape.size, shape.channels) for shape in shapes]
