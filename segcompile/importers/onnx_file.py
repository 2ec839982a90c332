"""An ONNX file as a graph of steps. Nothing of the file is run, and nothing it claims is believed."""

from __future__ import annotations

from pathlib import Path

from segcompile.importers.refused import as_network, refused_network
from segcompile.text.errors import SegcompileError
from segcompile.weights.onnx_file import parsed
from segcompile.weights.onnx_graph import OnnxGraph, onnx_graph

OLDEST = 7  # the version of ONNX's ops from which on they are read
_UPGRADE = "onnx.version_converter.convert_version(onnx.load(path), 17)"


def onnx_steps(path: Path) -> OnnxGraph:
    """The steps of an ONNX file. Raises SegcompileError (SC901)."""
    try:
        model = parsed(path)
        found = onnx_graph(path, model)
    except SegcompileError as error:
        raise as_network(error) from None
    if found.opset < OLDEST:
        why_ = f"its ops are of version {found.opset}, and {OLDEST} is the oldest that is read"
        raise refused_network(str(path), why_, f"{_UPGRADE} brings them up to date")
    if not found.steps:
        raise refused_network(str(path), "it holds no steps")
    return found
