"""The ONNX backend of segcompile: one file for inference. Emission imports the format's library, and no runtime."""

from __future__ import annotations

from segcompile.backend import API_VERSION, Backend
from segcompile_onnx.model import RULES, emit

BACKEND = Backend(
    name="onnx",
    summary="one ONNX file with its weights, for inference",
    api_version=API_VERSION,
    ops=frozenset(RULES),
    refuses=lambda op: None,
    emit=emit,
    ranks=frozenset({0, 1, 2, 3}),
    weighs=True,
    trains=False,
    shares=True,
    runner="segcompile_onnx.runner:RUNNER",
)
