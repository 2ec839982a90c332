"""The turnings of a map that are ops of ours: shuffles of channels, and of channels and pixels.

DepthToSpace, SpaceToDepth and a channel shuffle are each a reshape, a transposition and a reshape. Whoever wrote one of
them, what is left of it is how the parts of the axes lie at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from segcompile.importers.views import Part, Unheld, View
from segcompile.ops import ChannelShuffle, Op, PixelShuffle, SpaceToDepth


def rearrangement(view: View) -> list[Op]:
    """The ops that make of a node's map the tensor of a view, as (batch, channels, sizes). Raises Unheld where there
    are none."""
    rank = len(view.sizes) - 2
    if len(view.axes) < rank + 2 or view.axes[0] != view.whole(0) or any(view.axes[rank + 2 :]):
        raise Unheld(_why(view))
    spatial, channels = view.axes[2 : rank + 2], view.axes[1]
    if all(each == view.whole(axis) for axis, each in enumerate(spatial, 2)):
        return _shuffled(view, channels)
    if all(each[:-1] == view.whole(axis) and each[-1][0] == 1 for axis, each in enumerate(spatial, 2) if each):
        return _to_pixels(view, channels, [each[-1] for each in spatial if each])
    if all(each == ((axis, 0),) and len(view.parts[axis]) == 2 for axis, each in enumerate(spatial, 2)):
        return _to_channels(view, channels)
    raise Unheld(_why(view))


def _why(view: View) -> str:
    rank = len(view.sizes) - 2
    names = ("batch", "channels", *(("length",), ("height", "width"), ("depth", "height", "width"))[max(rank, 1) - 1])
    axes = (" x ".join(names[axis] for axis, _ in each) or "1" for each in view.axes)
    return f"it is read as ({', '.join(axes)}), which is no map"


def _extents(view: View, parts: Sequence[Part]) -> list[int]:
    found = [view.parts[axis][part].number for axis, part in parts]
    return [number or 0 for number in found]


def _shuffled(view: View, channels: Sequence[Part]) -> list[Op]:
    """Channels in another order. A shuffle of g groups brings the part of g channels from the front to the back."""
    mine = list(view.whole(1))
    if sorted(channels) != mine:
        raise Unheld(_why(view))
    for turn in range(len(mine)):
        if mine[turn:] + mine[:turn] == list(channels):
            return [ChannelShuffle(groups=prod(_extents(view, mine[:turn])))] if turn else []
    if len(mine) == 3 and list(channels) == [mine[0], mine[2], mine[1]]:
        raise Unheld("channels are shuffled within groups")
    raise Unheld("its channels are put in another order")


def _to_pixels(view: View, channels: Sequence[Part], factors: Sequence[Part]) -> list[Op]:
    """Channels that go to pixels, as many along each axis."""
    sizes = set(_extents(view, factors))
    wanted = [*channels, *factors]
    if len(factors) != len(view.sizes) - 2 or len(sizes) > 1:
        raise Unheld("its channels go to pixels by unequal factors")
    return [*_shuffled(view, wanted), PixelShuffle(factor=sizes.pop())]


def _to_channels(view: View, channels: Sequence[Part]) -> list[Op]:
    """Pixels that go to channels, as many along each axis: of our op behind the channels that they come from."""
    inner = [(axis, 1) for axis in range(2, len(view.sizes))]
    made = [*view.whole(1), *inner]
    sizes = set(_extents(view, inner))
    if len(sizes) > 1 or sorted(channels) != sorted(made):
        raise Unheld("its pixels go to channels by unequal factors")
    first = SpaceToDepth(factor=sizes.pop())
    for turn in range(len(made)):
        if made[turn:] + made[:turn] == list(channels):
            return [first, ChannelShuffle(groups=prod(_extents(view, made[:turn])))] if turn else [first]
    raise Unheld("its pixels go to channels in another order")
