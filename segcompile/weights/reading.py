"""A file of weights, known by what it holds: its suffix only says what it is expected to hold."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segcompile.weights.caffe_file import read_caffe
from segcompile.weights.keras_config import BEGINNING, is_tensorflow_js
from segcompile.weights.keras_file import read_keras
from segcompile.weights.keras_js import read_keras_js
from segcompile.weights.onnx_file import read_onnx
from segcompile.weights.safetensors_file import read_safetensors
from segcompile.weights.stored import Source, check_file, damaged
from segcompile.weights.torch_file import read_torch


@dataclass(frozen=True, slots=True)
class Form:
    """A format, its reader, and the suffixes that its files have."""

    name: str
    read: Callable[[Path], Source]
    suffixes: tuple[str, ...]


SAFETENSORS = Form("safetensors", read_safetensors, (".safetensors",))
TORCH = Form("a PyTorch file", read_torch, (".pt", ".pth", ".ckpt", ".bin", ".tar", ".pkl"))
ONNX = Form("an ONNX model", read_onnx, (".onnx",))
CAFFE = Form("a caffemodel", read_caffe, (".caffemodel",))
KERAS = Form("Keras weights", read_keras, (".h5", ".hdf5", ".keras"))
TENSORFLOW_JS = Form("a model of tensorflow.js", read_keras_js, ())
FORMS = (SAFETENSORS, TORCH, ONNX, CAFFE, KERAS, TENSORFLOW_JS)

_UNPACK = "unpack it, and give what is in it"
_NUMPY = "arrays alone do not say which axis is which: save safetensors with PyTorch's names and layouts"
_SAVE = "convert it where its library is, to a state dict, ONNX or safetensors"
_OTHERS: tuple[tuple[bytes, str, str], ...] = (  # how a file starts that holds no weights that are read here
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer, not the file",
        "`git lfs pull`, or download the file itself",
    ),
    (b"\x1f\x8b", "it is compressed by gzip", _UNPACK),
    (b"BZh", "it is compressed by bzip2", _UNPACK),
    (b"\xfd7zXZ", "it is compressed by xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive", _UNPACK),
    (b"Rar!", "it is a RAR archive", _UNPACK),
    (b"\x93NUMPY", "it is a NumPy array", _NUMPY),
    (b"MATLAB 5.0", "it is a MATLAB file", _SAVE),
)
_PAGE = "download the file itself: what was saved is the page of a log-in, a quota or a viewer"


def read_weights(path: Path, state_dict: str | None = None) -> Source:
    """Its tensors; a suffix that says otherwise is said. `state_dict`: the key of one in a checkpoint of PyTorch.
    Raises SegcompileError (SC801) for what holds no weights."""
    form = form_of(path)
    if state_dict is not None and form is not TORCH:
        raise damaged(path, f"it holds {form.name}, which has no state dicts", "leave --state-dict out")
    source = read_torch(path, state_dict) if form is TORCH else form.read(path)
    expected = next((other for other in FORMS if path.suffix.lower() in other.suffixes), form)
    if expected is form:
        return source
    return replace(source, said=(f"{path.name} holds {form.name}, whatever its suffix says", *source.said))


def form_of(path: Path) -> Form:
    """What a file holds, by its first bytes. Raises SegcompileError (SC801) for what is none of the formats."""
    check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(BEGINNING)
    except OSError as error:
        raise damaged(path, (error.strerror or "").lower()) from None
    if not head:
        raise damaged(path, "it is empty", "download or save it again")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _form_of_zip(path)
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return KERAS
    if is_tensorflow_js(head):
        return TENSORFLOW_JS
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    if (head[:1] == b"\x80" and head[1:2] in b"\2\3\4\5") or head[257:262] == b"ustar":
        return TORCH
    _refuse_others(path, head)
    return _form_of_message(path, head)


def _form_of_message(path: Path, head: bytes) -> Form:
    """Protobuf has no mark of its own: a model of ONNX starts with its version, a Caffe net with its name or a layer.
    Where the first byte says neither, the suffix is believed, and its reader says what is wrong."""
    expected = next((form for form in FORMS if path.suffix.lower() in form.suffixes), None)
    if expected in (ONNX, CAFFE):
        return expected
    if head[:1] == b"\x08":
        return ONNX
    if head[:1] in (b"\x0a", b"\x12") or head[:2] == b"\xa2\x06":
        return CAFFE
    if expected is not None:
        return expected
    raise damaged(path, f"it is none of {', '.join(form.name for form in FORMS)}")


def _refuse_others(path: Path, head: bytes) -> None:
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise damaged(path, "it is a web page, not the file", _PAGE)
    if head[4:8] == b"TFL3":
        raise damaged(path, "it is a TFLite model", _SAVE)
    for mark, what, help in _OTHERS:
        if head.startswith(mark):
            raise damaged(path, what, help)


def _form_of_zip(path: Path) -> Form:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # names that are no text, versions that do not exist
        raise damaged(path, "it is a damaged archive, or one cut short", "download or save it again") from None
    if "model.weights.h5" in names:
        return KERAS
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return TORCH
    if names and all(name.endswith(".npy") for name in names):
        raise damaged(path, "it holds NumPy arrays", _NUMPY)
    raise damaged(path, f"it is an archive of {_some(names)}", _UNPACK)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown or "nothing"
