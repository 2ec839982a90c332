"""Windows that slide over an image in even steps, with one weight map for all of them, and are exact all the same.

MONAI's `sliding_window_inference` lays windows of `roi` pixels at 0, interval, 2 interval, ..., the last one moved back
to end where the image ends, multiplies all their outputs by one weight map, and divides the sum by that of the weights.
It is exact with weight 1 for the good outputs of a tile and next to none, w, for its halos, if

- the windows are exact tiles: the interval is a multiple of the step, and roi of the image's residue (see `tiling`);
- the interval divides what the image has more than one window, so that none is moved back: in the halo that ends where
  the image ends, and is good there, no other window's halo lies;
- the interval is no smaller than either halo, for the same reason, and no larger than what both leave.

w is a power of two below the last bit of a sum: what lies in a halo alone keeps every bit, as w y / w = y.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segcompile.facts.tiling import Along, AxisTiling


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows along one axis: `roi` pixels each, one every `interval`, so many of them; `halo` (before, after)."""

    roi: int
    interval: int
    count: int
    halo: tuple[int, int]

    @property
    def overlap(self) -> float:
        """The share of a window that gives int(roi * (1 - overlap)) = interval: half a pixel from any other integer."""
        return 1 - (self.interval + 0.5) / self.roi if self.count > 1 else 0.0


class NoWindows(Exception):
    """Why there are none: ends a sentence that the axis begins."""


def windows_along(along: Along, size: int, most: int) -> Windows:
    """The fewest windows of at most `most` pixels over an image of `size`. Raises NoWindows."""
    tiling = next((each for each in along.tilings if size % each.step == each.rest % each.step), None)
    if tiling is None:
        raise NoWindows(f"no tile of an image of {along.symbol} = {size} is exact")
    _check_lies(tiling)
    if size <= most:
        return Windows(size, size, 1, (0, 0))
    known = list(_every(tiling, size))
    fitting = next((each for each in known if each.roi <= most), None)
    if fitting is None:
        before, after = tiling.halo
        fit = (
            f"{min(each.roi for each in known)} pixels or more will do"
            if known
            else "only the whole image is one window"
        )
        reason = f"with halos of {before} and {after}, windows of {most} do not move on evenly over {size}"
        raise NoWindows(f"{reason}: {fit}")
    return fitting


def _every(tiling: AxisTiling, size: int) -> Iterator[Windows]:
    """The smallest windows for each count of them, from two on."""
    before, after = tiling.halo
    for count in range(2, size + 1):
        interval = (size - before - after) // count // tiling.step * tiling.step
        roi = size - (count - 1) * interval
        if interval < max(before, after, 1) or roi < tiling.least:
            return
        yield Windows(roi, interval, count, (before, after))


def _check_lies(tiling: AxisTiling) -> None:
    """Raise NoWindows where an output's pixels do not lie over the window as MONAI lays them: in proportion."""
    for name, head in tiling.heads.items():
        turns = tiling.turns(tiling.least)
        if head.offset or head.extent.at(turns) * head.stride != tiling.least:
            raise NoWindows(f"`{name}` does not cover the window that it is made of, and MONAI lays it over all of it")


def whole_windows(along: Sequence[Along], size: Sequence[int], most: int) -> tuple[Windows, ...]:
    """Those of all axes. Raises NoWindows."""
    return tuple(windows_along(each, extent, most) for each, extent in zip(along, size, strict=True))
