"""The JAX backend of segcompile: Flax NNX. Emission never imports jax."""

from __future__ import annotations

from segcompile.backend import API_VERSION, Backend
from segcompile_jax.folder import FOLDER
from segcompile_jax.rules import RULES

BACKEND = Backend(
    name="jax",
    summary="standalone JAX, Flax NNX: model, training, evaluation, prediction, weights",
    api_version=API_VERSION,
    ops=frozenset(RULES),
    refuses=lambda op: None,
    emit=FOLDER.emit,
    ranks=frozenset({0, 1, 2, 3}),
    lowerings=frozenset({"fold_batch_norm"}),
    shares=True,
    runner="segcompile_jax.runner:RUNNER",
)
