"""A file of weights, by its suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from segcompile.weights.caffe_file import read_caffe
from segcompile.weights.onnx_file import read_onnx
from segcompile.weights.safetensors_file import read_safetensors
from segcompile.weights.stored import Source, damaged
from segcompile.weights.torch_file import read_torch

READERS: Mapping[str, Callable[[Path], Source]] = {
    ".safetensors": read_safetensors,
    ".onnx": read_onnx,
    ".pt": read_torch,
    ".pth": read_torch,
    ".caffemodel": read_caffe,
}


def read_weights(path: Path) -> Source:
    """Its tensors. Raises SegcompileError (SC801) for another suffix and for what is not what its suffix says."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise damaged(path, f"its suffix is none of {', '.join(READERS)}")
    return reader(path)
