"""The words that an NNX module and the generated file keep for themselves."""

from __future__ import annotations

import builtins
from importlib.resources import files

from segcompile.emit import AMBIGUOUS, defined

TEMPLATES = files("segcompile_jax") / "templates"

_DEFINED = defined(TEMPLATES / "model.py.jinja") | defined(TEMPLATES / "attention.jinja")

# What the template defines, imports and uses, with the builtins in classes (a test reads them in emitted code).
NAMES = _DEFINED | AMBIGUOUS | {
    "Callable", "ValueError", "bool", "copy", "dict", "float", "getattr", "i", "int", "isinstance", "jax", "jnp",
    "math", "nnx", "np", "object", "range", "rngs", "self", "setattr", "str", "super", "tuple", "vars",
}  # fmt: skip

CLASSES = frozenset(name for name in _DEFINED if name[0].isupper()) | {
    "Callable",
    "False",
    "None",
    "True",
    "ValueError",
}

# What the other files, which import the model's class by its name, use in capitals (a test reads them).
MODELS = CLASSES | {
    "AXES", "Any", "Array", "BINARY", "BOUNDS", "BY_COLOUR", "BY_GREY", "Batch", "Batches", "BrokenProcessPool",
    "CAFFE", "CENTRE", "CHANNELS", "CLASSES", "COLOUR", "COMPILED", "COUNTS", "CROPS", "Callable", "Connection",
    "Counter", "DAMAGED", "EXPORT", "FAST_ON_CPU", "FEW", "FORMATS", "Found", "Future", "GREY", "Generator", "HEAD",
    "HEADS", "IGNORE", "IO", "Ignored", "Image", "ImageDraw", "ImageFile", "ImageFont", "InputError", "Interruption",
    "Iterator", "JAX", "KEPT", "KERAS", "KILLED", "LABEL", "LEAST", "LUMA", "Labels", "Log", "MAKERS", "MEAN", "MOST",
    "MULTIPLE", "Mapping", "Meant", "Mesh", "Metrics", "NDArray", "NamedSharding", "NamedTuple", "OFFSET", "OLD",
    "ONNX", "ORBAX", "OUTPUT", "PADDING", "PROBABILITIES", "PYTORCH", "Pair", "PartitionSpec", "Path", "Reading",
    "SAFETENSORS", "SAID", "SIZE", "STAGES", "STD", "STOPS", "STRIDE", "SUMS", "Sequence", "Size", "SpawnProcess",
    "Stage", "State", "Step", "Stopped", "THREADS", "THRESHOLD", "TORCH", "Tensors", "TextIO", "ThreadPoolExecutor",
    "UNFINISHED", "WHOLE", *(name for name in dir(builtins) if name[0].isupper()),
}  # fmt: skip
