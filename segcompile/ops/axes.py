"""How vectors (0 axes), signals (1), images (2) and volumes (3) are spoken of, by rank: the outermost axis first."""

from __future__ import annotations

AXIS_NAMES = {0: (), 1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
SYMBOLS = {0: "", 1: "L", 2: "HW", 3: "DHW"}  # of sizes that may be any
# What is counted along each axis.
LINES = {0: (), 1: ("samples",), 2: ("rows", "columns"), 3: ("slices", "rows", "columns")}
ENDS = {
    0: (),
    1: (("start", "end"),),
    2: (("top", "bottom"), ("left", "right")),
    3: (("front", "back"), ("top", "bottom"), ("left", "right")),
}
CELL = {0: "feature", 1: "sample", 2: "pixel", 3: "voxel"}  # of an input
MEDIUM = {0: "vector", 1: "signal", 2: "image", 3: "volume"}  # an input
