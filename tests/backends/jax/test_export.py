"""Emitted models are lowered for accelerators that are not here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from segcompile_jax import BACKEND

from segcompile.backend import run_backend
from segcompile.build import request_for
from segcompile.emit import camel

SPECS = Path(__file__).parents[3] / "specs"


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.yaml")), ids=lambda spec: spec.stem)
def test_a_forward_pass_is_exported_for_cuda_and_tpu(nets: SimpleNamespace, spec: Path) -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx

    options = {"variant": "basic"} if spec.stem == "dilated_context" else {}
    compiled = nets.compiled(spec, **options)
    source = run_backend(BACKEND, request_for(compiled, spec)).files["model.py"]
    model_class = getattr(nets.load(source), camel(compiled.model))
    model = nnx.eval_shape(lambda: model_class(rngs=nnx.Rngs(0)))
    model.eval()
    graph, weights = nnx.split(model)
    inputs = [(2, *shape.size, shape.channels) for shape in compiled.graph.inputs.values()]
    images = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in inputs]
    shapes = [compiled.facts[node].shape for _, node in sorted(compiled.graph.outputs.items())]
    forward = jax.jit(lambda weights, *images: nnx.merge(graph, weights)(*images))
    exported = jax.export.export(forward, platforms=["cuda", "tpu"])(weights, *images)
    assert exported.platforms == ("cuda", "tpu")
    assert [value.shape for value in exported.out_avals] == [(2, *shape.size, shape.channels) for shape in shapes]
