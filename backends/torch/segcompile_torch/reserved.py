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
    "AHEAD", "ALL", "ASIDE", "AXES", "AXIS_LETTERS", "Any", "Array", "BINARY", "BITS", "BOUNDS", "BY_COLOUR", "BY_GREY",
    "Batch", "Batches", "Bins", "Board", "CAFFE", "CENTRE", "CHANNELS", "CHUNK", "CLASSES", "CLOSE", "COLOUR",
    "COMPRESSORS", "COUNTS", "CROPS", "Callable", "Chunked", "Collection", "Counter", "Counts", "Crop", "DAMAGED",
    "DEFLATE", "DROPS", "DataLoader", "Dataset", "Decoded", "EVERYWHERE", "EXPORT", "EllipsisType", "Ends", "Engine",
    "Exponentials", "FARTHEST", "FEW", "FIELD", "FOLDED", "FORMATS", "FORMS", "Found", "Fraction", "GATHERERS",
    "GDAL_METADATA", "GEOREFERENCE", "GREY", "Generator", "Grid", "HEAD", "HEADS", "IGNORE", "IMAGE", "IO", "Ignored",
    "Image", "ImageDraw", "ImageFile", "ImageFont", "InBf16", "InputError", "Interruption", "Iterable", "Iterator",
    "JAX", "JPEG", "Join", "KEPT", "KERAS", "KILLED", "KNOWN", "Key", "LABEL", "LEAST", "LETTER_OF", "LINES", "LUMA",
    "LZW", "Labels", "Layer", "Layers", "LocalStore", "Log", "MACS", "MAKERS", "MANY", "MARGIN", "MARGINS", "MARGIN_0",
    "MARGIN_1", "MARGIN_2", "MEAN", "MEMORY", "METADATA", "MIRRORS", "MOST", "MUCH", "MULTIPLE", "Mapped", "Mapping",
    "Meant", "Metrics", "Moments", "NAMES", "NDArray", "NORM", "NORMS", "NamedTuple", "Norm", "OFFSET", "OLD", "ONE",
    "ONNX", "ORBAX", "OUTPUT", "OUTPUTS", "OnTile", "OrderedDict", "Outputs", "PADDED", "PADDING", "PERIOD", "PIXELS",
    "PLAIN", "PROBABILITIES", "Pair", "Part", "Pass", "Path", "Place", "Plan", "Protocol", "REACH", "RINGS", "ROUNDS",
    "ROWS", "Reading", "Resample", "Ring", "Run", "SAFETENSORS", "SAID", "SCORES", "SIZE", "SPACE", "STAGES", "STD",
    "STEP", "STOPS", "STRIDE", "Schedule", "Score", "Sequence", "Share", "Size", "Sizes", "Slide", "Source", "Span",
    "Stage", "Statistics", "Steps", "Stop", "Stopped", "Stored", "Sums", "THREADS", "THRESHOLD", "TILE", "TIMES",
    "TORCH", "Taps", "Target", "TextIO", "ThreadPoolExecutor", "Tiff", "Tile", "Tiling", "TorchFunctionMode",
    "Transpose", "TypeVar", "UNFINISHED", "UNITS", "View", "WHOLE", "WHY", "Whole", "WholeImages", "Windows", "Work",
    "ZSTANDARD", *(name for name in dir(builtins) if name[0].isupper()),
}  # fmt: skip
