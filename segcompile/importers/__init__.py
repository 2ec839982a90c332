"""Networks that others made, as graphs of ours with their weights: from ONNX files, from Keras' models, and from what
is told in ONNX's ops."""

from __future__ import annotations

from contextlib import nullcontext
from enum import Enum
from io import BytesIO
from pathlib import Path

from segcompile.weights.keras_config import BEGINNING, is_tensorflow_js

_LATEST_IR = 64  # an ONNX file begins with the version of its form, which is 14 as this is written


class Form(Enum):
    """What wrote a file that is a network and no text."""

    ONNX = "ONNX"
    KERAS = "Keras"


def form_of(path: Path) -> Form | None:
    """The form of a file that is a network, by how it begins, or by its name; None for a text. What is no plain file is
    not opened: a pipe would be waited for."""
    try:
        with path.open("rb") if path.is_file() else nullcontext(BytesIO()) as file:
            first = file.read(BEGINNING)
    except (OSError, ValueError):
        first = b""
    if first[:4] == b"PK\x03\x04" or first[:8] == b"\x89HDF\r\n\x1a\n" or path.suffix in (".keras", ".h5"):
        return Form.KERAS
    if is_tensorflow_js(first):
        return Form.KERAS
    if path.suffix == ".onnx" or (len(first) > 1 and first[0] == 8 and 0 < first[1] < _LATEST_IR):
        return Form.ONNX
    return None


def is_network_file(path: Path) -> bool:
    """Whether a file is a network that is imported, and no text."""
    return form_of(path) is not None
