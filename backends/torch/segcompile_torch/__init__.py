"""The PyTorch backend of segcompile. Emission never imports torch."""

from __future__ import annotations

from segcompile.backend import API_VERSION, Backend
from segcompile_torch.folder import FOLDER
from segcompile_torch.rules import RULES

BACKEND = Backend(
    name="torch",
    summary="standalone PyTorch: model, training, evaluation, prediction, weights",
    api_version=API_VERSION,
    ops=frozenset(RULES),
    refuses=lambda op: None,
    emit=FOLDER.emit,
    ranks=frozenset({0, 1, 2, 3}),
    lowerings=frozenset({"fold_batch_norm"}),
    shares=True,
    runner="segcompile_torch.runner:RUNNER",
)
