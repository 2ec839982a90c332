"""The words that a PyTorch module and the generated file keep for themselves."""

from __future__ import annotations

import builtins
from importlib.resources import files

from segcompile.emit import AMBIGUOUS, defined

TEMPLATES = files("segcompile_torch") / "templates"

_DEFINED = defined(TEMPLATES / "model.py.jinja") | defined(TEMPLATES / "attention.jinja")

# What the template defines, imports and uses, with the builtins in classes (a test reads them in emitted code).
NAMES = _DEFINED | AMBIGUOUS | {
    "F", "Tensor", "dict", "float", "getattr", "i", "int", "isinstance", "math", "module", "nn", "range", "self",
    "setattr", "str", "super", "torch", "tuple",
}  # fmt: skip

CLASSES = frozenset(name for name in _DEFINED if name[0].isupper()) | {"F", "False", "None", "Tensor", "True"}

# What the other files, which import the model's class by its name, use in capitals (a test reads them).
MODELS = CLASSES | {
    "Any", "Array", "BINARY", "BOUNDS", "BY_COLOUR", "BY_GREY", "Batch", "Batches", "CAFFE", "CENTRE", "CHANNELS",
    "CLASSES", "COLOUR", "COUNTS", "CROPS", "Callable", "Counter", "DAMAGED", "DataLoader", "Dataset", "EXPORT", "FEW",
    "FORMATS", "Found", "GREY", "HEAD", "HEADS", "IGNORE", "IO", "Ignored", "Image", "ImageDraw", "ImageFile",
    "ImageFont", "InputError", "Interruption", "Iterator", "JAX", "KERAS", "KILLED", "LABEL", "LEAST", "LUMA", "Labels",
    "Log", "MAKERS", "MEAN", "MOST", "MULTIPLE", "Mapping", "Meant", "Metrics", "NDArray", "OFFSET", "OLD", "ONNX",
    "ORBAX", "OUTPUT", "PADDING", "PROBABILITIES", "Pair", "Path", "Reading", "SAFETENSORS", "SAID", "SIZE", "STAGES",
    "STD", "STOPS", "STRIDE", "Sequence", "Size", "Stage", "Steps", "Stopped", "THREADS", "THRESHOLD", "TORCH",
    "TextIO", "ThreadPoolExecutor", "UNFINISHED", "WHOLE", *(name for name in dir(builtins) if name[0].isupper()),
}  # fmt: skip
