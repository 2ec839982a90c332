"""TorchLens (github.com/johnmarktaylor91/torchlens) on a model that segcompile emitted, used as its guide says.

It gets every advantage: a warm process, one thread, tracing without gradients or source text (the fastest options that
still give fields), max-pooling called with its stride (it refuses `F.max_pool2d(x, 2)`), its summary without pandas.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
import torchlens
from conftest import Emitted
from torchlens.options import CaptureOptions
from torchlens.receptive_field import ReceptiveFieldError

__all__ = ["Peer", "ReceptiveFieldError"]

Hull = tuple[tuple[int, int], tuple[int, int]]  # first and last row, first and last column


class _Functional(ModuleType):
    """torch.nn.functional, with max-pooling whose stride is always said."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.nn.functional, name)

    @staticmethod
    def max_pool2d(x: Any, kernel: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False) -> Any:
        return torch.nn.functional.max_pool2d(x, kernel, stride or kernel, padding, ceil_mode=ceil_mode)


class Peer:
    """What TorchLens says of the first output of a model with one input."""

    def __init__(self, net: Emitted) -> None:
        vars(net.module)["F"] = _Functional("functional")
        self.model = net.module.Net().eval()
        (self.image,) = (value.float() for value in net.inputs())
        self.extent = self.image.shape[2:]
        self.trace()

    def trace(self) -> None:
        """Run the model once and record its graph."""
        with torch.no_grad():
            self.recorded = torchlens.trace(
                self.model, self.image, capture=CaptureOptions(save_code_context=False, verbose=False)
            )

    def table(self) -> None:
        """Solve the fields of every operation, by asking for one; later questions read what was found."""
        self.view = self.recorded.output_ops[0].receptive_field

    def size(self) -> tuple[tuple[int | None, ...], bool]:
        """The extent of the field, (height, width), None for the whole image; and whether it is said to be exact, not
        a bound. Raises ReceptiveFieldError."""
        axes = self._axes()
        sizes = (1 if axis.kind == "pointwise" else axis.size for axis in axes)
        return tuple(sizes), all(axis.exact for axis in axes)

    def hull(self, cell: tuple[int, int]) -> Hull | None:
        """Between which rows and columns one output sees; None if nothing. Raises ReceptiveFieldError."""
        axes = self._axes()
        unit = tuple(place for place, axis in zip(cell, axes, strict=True) if axis.kind == "windowed")
        try:
            box = self.view.at(unit, clip=False)  # refuses where no axis has a window
        except ValueError as error:  # of an empty list, where an upsampling leaves outputs that see nothing
            raise ReceptiveFieldError(str(error)) from error
        if box.empty:
            return None
        rows, columns = (self._bounds(axis, cell[n], self.extent[n]) for n, axis in enumerate(box.axes[2:]))
        return rows, columns

    def _axes(self) -> Any:
        axes = self.view.axes
        if axes is None or any(axis.kind == "unknown" for axis in axes[2:]):
            raise ReceptiveFieldError("no geometry")
        return axes[2:]

    @staticmethod
    def _bounds(axis: Any, place: int, extent: int) -> tuple[int, int]:
        if axis.kind == "pointwise":
            return place, place
        return (0, extent - 1) if axis.index_start is None else (axis.index_start, axis.index_stop - 1)
