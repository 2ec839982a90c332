"""Networks that others made, as graphs of ours with their weights: from ONNX files, and from what is told in ONNX's
ops."""

from __future__ import annotations

from pathlib import Path

_LATEST_IR = 64  # an ONNX file begins with the version of its form, which is 14 as this is written


def is_network_file(path: Path) -> bool:
    """Whether a file is a network that is imported, and no text: by how it begins, or by its name."""
    try:
        with path.open("rb") as file:
            first = file.read(2)
    except (OSError, ValueError):
        return path.suffix == ".onnx"
    return path.suffix == ".onnx" or (len(first) == 2 and first[0] == 8 and 0 < first[1] < _LATEST_IR)
