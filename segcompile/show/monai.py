"""A certificate as the arguments of MONAI's sliding window: `segcompile certify MODEL --for monai`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segcompile.facts.even_windows import Windows
from segcompile.ops.size import times

_BITS = 120  # of the smallest weight, 2^-120: float32 has powers of two down to 2^-126

_CODE = '''\
"""Exact windows of {model} over {medium}s of {size}, by segcompile: what they give is what the whole {medium} gives."""

import torch
from monai.inferers import sliding_window_inference

ROI = {roi}
OVERLAP = {overlap}  # one window every {interval}: {count} windows
HALO = {halo}  # before and after, along each axis


def weight_map(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """1 for the outputs that are the whole {medium}'s; next to none, a power of two, for the halos."""
    weights = torch.ones((), dtype=dtype)
    for roi, (before, after) in zip(ROI, HALO):
        line = torch.ones(roi, dtype=dtype)
        line[:before] = 2.0**-{bits}
        line[roi - after :] = 2.0**-{bits}
        weights = weights[..., None] * line
    return weights


def predict(image: torch.Tensor, model: torch.nn.Module) -> torch.Tensor:
    """`image`: (1, channels, {size}), in the type of the weights; the model is in evaluation mode."""
    assert image.shape[2:] == {shape}, "the windows are of one size: print others for another"
    weights = weight_map(image.dtype)
    return sliding_window_inference(image, ROI, 1, model, overlap=OVERLAP, roi_weight_map=weights)
'''


def monai_text(model: str, medium: str, size: Sequence[int], windows: Sequence[Windows]) -> str:
    """Python code that needs torch and MONAI alone."""
    return _CODE.format(
        model=model,
        medium=medium,
        size=" x ".join(map(str, size)),
        shape=tuple(size),
        roi=tuple(each.roi for each in windows),
        overlap=tuple(each.overlap for each in windows),
        interval=times(*(each.interval for each in windows)),
        count=times(*(each.count for each in windows)),
        halo=tuple(each.halo for each in windows),
        bits=_BITS // len(windows),
    ).rstrip("\n")


def monai_json(model: str, size: Sequence[int], windows: Sequence[Windows]) -> dict[str, Any]:
    """The same numbers; `halo_weight`: of one axis, to be multiplied where halos of several meet."""
    return {
        "model": model,
        "image": list(size),
        "roi_size": [each.roi for each in windows],
        "overlap": [each.overlap for each in windows],
        "interval": [each.interval for each in windows],
        "count": [each.count for each in windows],
        "halo": [list(each.halo) for each in windows],
        "halo_weight": 2.0 ** -(_BITS // len(windows)),
    }
