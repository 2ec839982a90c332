"""Receptive fields for notebooks and programs: `segcompile.receptive_field("specs/unet.yaml")`.

Everything here is frozen and computed when asked for. Sizes are in input pixels, pairs are (height, width), indices
count from 0 and may be negative: fields run on into the padding. What cannot be answered raises SegcompileError.
"""

from segcompile.notebook.imported import ImportedNetwork, from_torch
from segcompile.notebook.layer import LayerField
from segcompile.notebook.network import ReceptiveField, receptive_field
from segcompile.notebook.padding import SeenPadding
from segcompile.notebook.projective import ProjectiveField
from segcompile.notebook.values import Coverage, PhaseField

__all__ = [
    "Coverage",
    "ImportedNetwork",
    "LayerField",
    "PhaseField",
    "ProjectiveField",
    "ReceptiveField",
    "SeenPadding",
    "from_torch",
    "receptive_field",
]
