"""The words that an NNX module and the generated file keep for themselves."""

from __future__ import annotations

import builtins

# What the template imports, defines and uses, with the builtins in classes (a test reads them in emitted code).
NAMES = frozenset(
    {
        "BatchNorm", "ConvTranspose", "Frozen", "PReLU", "ValueError", "avg_pool", "bilinear", "bool", "center_crop",
        "center_pad", "crop", "dict", "dilated_max_pool", "flatten", "freeze", "he", "he_transposed", "identity", "int",
        "interpolate", "interpolate_corners", "isinstance", "jax", "jnp", "local_response_norm", "nearest", "nnx",
        "pixel_shuffle", "range", "rngs", "self", "space_to_depth", "str", "super", "tuple", "unpool", "xavier",
    }
)  # fmt: skip

CLASSES = frozenset({"BatchNorm", "ConvTranspose", "False", "Frozen", "None", "PReLU", "True", "ValueError"})

# What the other files, which import the model's class by its name, use in capitals (a test reads them).
MODELS = CLASSES | {
    "AXES", "Any", "Array", "BINARY", "BOUNDS", "BY_COLOUR", "BY_GREY", "Batch", "Batches", "BrokenProcessPool",
    "CENTRE", "CHANNELS", "CLASSES", "COLOUR", "COMPILED", "COUNTS", "CROPS", "Callable", "Connection", "Counter",
    "DAMAGED", "FAST_ON_CPU", "FEW", "FORMATS", "Found", "Future", "GREY", "Generator", "HEAD", "HEADS", "IGNORE",
    "IO", "Ignored", "Image", "ImageDraw", "ImageFile", "ImageFont", "InputError", "Interruption", "Iterator", "KEPT",
    "KILLED", "LABEL", "LEAST", "LUMA", "Labels", "Log", "MEAN", "MOST", "MULTIPLE", "Mapping", "Meant", "Mesh",
    "Metrics", "NDArray", "NamedSharding", "NamedTuple", "OFFSET", "OUTPUT", "PADDING", "PROBABILITIES", "PYTORCH",
    "Pair", "PartitionSpec", "Path", "Reading", "SAID", "SIZE", "STAGES", "STD", "STOPS", "STRIDE", "SUMS",
    "Sequence", "Size", "SpawnProcess", "Stage", "State", "Step", "Stopped", "THREADS", "THRESHOLD", "Tensors",
    "TextIO", "ThreadPoolExecutor", "UNFINISHED", "WHOLE", *(name for name in dir(builtins) if name[0].isupper()),
}  # fmt: skip
