"""op -> PyTorch: a table with one rule an op, made of those of each family of ops."""

from __future__ import annotations

from dataclasses import replace

from segcompile.emit import Rule, Rules
from segcompile.ops import Op
from segcompile_torch import attention, convolution, grids, pooling, values
from segcompile_torch.reserved import CLASSES, NAMES

RULES: dict[type[Op], Rule] = {
    **convolution.RULES,
    **pooling.RULES,
    **grids.RULES,
    **attention.RULES,
    **values.RULES,
}

TORCH = Rules(RULES, NAMES, CLASSES, typed=("F.", "torch."))
TORCH_IN_STAGES = replace(TORCH, table={**RULES, **values.IN_STAGES})
