"""Ops that choose, move or add channels, at each position alike, and change no value."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from segcompile.ops.base import Natural, Op, Positive, Reads, Shape
from segcompile.ops.needs import Refusal

Part = Annotated[tuple[Natural, Natural], Reads.PART]


def check_part(part: tuple[int, int], count: int, what: str, code: str) -> None:
    """Refuse a part that is empty, or goes beyond the `count` channels or tokens that there are."""
    first, end = part
    if first >= end:
        help = f"`to` is excluded: `[{first}, {first + 1}]` is one {what}"
        raise Refusal(code, f"no {what} lies from {first} to {end}", "part", help)
    if end > count:
        same = ", which `channels` stands for" if what == "channel" else ""
        raise Refusal(code, f"{what}s {first} to {end - 1} of {count}", "part", f"`to` is at most `{count}`{same}")


class Slice(Op):
    """The channels from the first number of `part` to the second one, which is excluded. A split is two slices."""

    spelling: ClassVar[str] = "slice"
    main: ClassVar[str] = "part"
    summary: ClassVar[str] = "some channels, one after another: [from, to], `to` excluded"
    pointwise: ClassVar[bool] = True

    part: Part

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,), (first, end) = shapes, self.part
        check_part(self.part, source.channels, "channel", "SC301")
        return source.with_channels(end - first)


class ChannelShuffle(Op):
    """Channel i of n in group g goes to place i * groups + g, so that each later group has channels of all: Zhang et
    al. (2018), section 3.1."""

    spelling: ClassVar[str] = "channel_shuffle"
    main: ClassVar[str] = "groups"
    summary: ClassVar[str] = "the channels of some groups in turn"
    pointwise: ClassVar[bool] = True

    groups: Positive

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        if source.channels % self.groups:
            message = f"{source.channels} channels are no {self.groups} groups of equal size"
            raise Refusal("SC308", message, "groups", f"a multiple of {self.groups} channels before it")
        return source


class PadChannels(Op):
    """Channels of zeros behind those that are there: the shortcut of ENet, Paszke et al. (2016), section 3."""

    spelling: ClassVar[str] = "pad"
    main: ClassVar[str] = "more"
    by_word: ClassVar[Mapping[str, str]] = {"channels": "more"}
    summary: ClassVar[str] = "zeros behind the channels: {channels: number}"
    pointwise: ClassVar[bool] = True

    more: Annotated[Natural, Reads.NATURAL]

    @property
    def title(self) -> str:
        return "pad channels"

    def output(self, shapes: Sequence[Shape]) -> Shape:
        return shapes[0].with_channels(shapes[0].channels + self.more)
