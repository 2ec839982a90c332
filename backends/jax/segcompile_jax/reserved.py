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
    "AHEAD", "ALL", "ASIDE", "AXES", "AXIS_LETTERS", "Any", "Array", "BINARY", "BITS", "BOUNDS", "BY_COLOUR", "BY_GREY",
    "Batch", "Batches", "Board", "BrokenProcessPool", "CAFFE", "CENTRE", "CHANNELS", "CHUNK", "CLASSES", "COLOUR",
    "COMPILED", "COMPRESSORS", "COUNTS", "CROPS", "Callable", "Chunked", "Connection", "Counter", "Counts", "DAMAGED",
    "DEFLATE", "DROPS", "Decoded", "EVERYWHERE", "EXPORT", "EllipsisType", "Ends", "FARTHEST", "FAST_ON_CPU", "FEW",
    "FIELD", "FOLDED", "FORMATS", "FORMS", "Found", "Future", "GDAL_METADATA", "GEOREFERENCE", "GREY", "Generator",
    "Grid", "HEAD", "HEADS", "IGNORE", "IO", "Ignored", "Image", "ImageDraw", "ImageFile", "ImageFont", "InBf16",
    "InputError", "Interruption", "Iterable", "Iterator", "JAX", "JPEG", "KEPT", "KERAS", "KILLED", "KNOWN", "Key",
    "LABEL", "LEAST", "LETTER_OF", "LINES", "LUMA", "LZW", "Labels", "LocalStore", "Log", "MACS", "MAKERS", "MARGIN",
    "MARGINS", "MARGIN_0", "MARGIN_1", "MARGIN_2", "MEAN", "MEMORY", "METADATA", "MIRRORS", "MOST", "MUCH", "MULTIPLE",
    "Mapped", "Mapping", "Meant", "Mesh", "Metrics", "NAMES", "NDArray", "NORM", "NORMS", "NamedSharding", "NamedTuple",
    "Norm", "OFFSET", "OLD", "ONE", "ONNX", "ORBAX", "OUTPUT", "OnTile", "OrderedDict", "PADDED", "PADDING", "PERIOD",
    "PLAIN", "PROBABILITIES", "PYTORCH", "Pair", "Part", "PartitionSpec", "Path", "Place", "Plan", "Protocol", "REACH",
    "RINGS", "ROUNDS", "ROWS", "Reading", "Run", "SAFETENSORS", "SAID", "SCORES", "SIZE", "SPACE", "STAGES", "STD",
    "STEP", "STOPS", "STRIDE", "SUMS", "Same", "Score", "Sequence", "Share", "Size", "Source", "Span", "SpawnProcess",
    "Stage", "State", "Step", "Stopped", "Stored", "THREADS", "THRESHOLD", "TILE", "TIMES", "TORCH", "Target",
    "Tensors", "TextIO", "ThreadPoolExecutor", "Tiff", "Tile", "Tiling", "TypeVar", "UNFINISHED", "UNITS", "View",
    "WHOLE", "WHY", "WholeImages", "Windows", "Work", "ZSTANDARD", *(name for name in dir(builtins) if
    name[0].isupper()),
}  # fmt: skip
