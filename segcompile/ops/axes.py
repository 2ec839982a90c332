"""How signals (1 axis), images (2) and volumes (3) are spoken of, by their rank: of each the outermost axis first."""

from __future__ import annotations

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
SYMBOLS = {1: "L", 2: "HW", 3: "DHW"}  # of sizes that may be any
LINES = {1: ("samples",), 2: ("rows", "columns"), 3: ("slices", "rows", "columns")}  # what is counted along each axis
ENDS = {
    1: (("start", "end"),),
    2: (("top", "bottom"), ("left", "right")),
    3: (("front", "back"), ("top", "bottom"), ("left", "right")),
}
CELL = {1: "sample", 2: "pixel", 3: "voxel"}  # of an input
MEDIUM = {1: "signal", 2: "image", 3: "volume"}  # an input
