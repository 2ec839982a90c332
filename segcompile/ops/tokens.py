"""Lists: vectors before the positions of a map, and what a position is told of where it lies."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from segcompile.ops.base import (
    IDENTITY,
    Flag,
    Init,
    Initialiser,
    Natural,
    Op,
    Parameter,
    PerAxis,
    Positive,
    Reads,
    Shape,
    Window,
)
from segcompile.ops.channels import Part, check_part
from segcompile.ops.needs import Refusal
from segcompile.ops.size import Size, times

SMALL = Init(scheme="normal", std=0.02)  # as Dosovitskiy et al. (2021) and Touvron et al. (2021) start theirs


def check_vectors(init: Init) -> None:
    """Refuse (SC315) an initialisation that is of kernels, for vectors that are learned."""
    if init.scheme not in ("normal", "zeros"):
        message = f"learned vectors start from noise or zeros, not by `{init.scheme}`"
        raise Refusal("SC315", message, "init", "`init: {normal: 0.02}`, or `init: zeros`")


def check_list(source: Shape) -> None:
    """Refuse (SC316) what has no tokens, or no positions behind them."""
    if not source.tokens or not source.size:
        raise Refusal("SC316", f"{source} is no list of tokens and positions", None, "leave it out")


class Position(Op):
    """A learned vector for each position of a map of `size`, and for each token of a list, is added: Dosovitskiy et al.
    (2021), equation 1. Of a map of another size those of the positions are interpolated, as in their section 3.2, by a
    `mode` of resize: pixel centres at half integers, nothing smoothed."""

    spelling: ClassVar[str] = "position"
    main: ClassVar[str] = "kind"
    summary: ClassVar[str] = "a learned vector a position is added: size (of which they are), mode, init, frozen"
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    remembers: ClassVar[bool] = True
    positional: ClassVar[bool] = True
    spatial: ClassVar[bool] = True

    kind: Annotated[Literal["learned"], Reads.WORD] = "learned"
    size: PerAxis
    mode: Annotated[Literal["bilinear", "cubic"], Reads.WORD] = "bilinear"
    init: Initialiser = SMALL
    frozen: Flag = False

    @property
    def title(self) -> str:
        return f"{self.kind} position"

    @property
    def keeps_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        check_vectors(self.init)
        if not shapes[0].size:
            raise Refusal(
                "SC316", f"these are {shapes[0].tokens} tokens without a map", None, "a map, or a list of one"
            )
        return shapes[0]

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        return IDENTITY if index == 0 else None

    def remark(self, shapes: Sequence[Shape]) -> str | None:
        if shapes[0].size == self.size:
            return None
        return f"the vectors of {times(*self.size)} positions are interpolated to {times(*shapes[0].size)}"

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        positions = Shape(1, self.size).positions or 0
        return (Parameter("weight", (1, shapes[0].tokens + positions, shapes[0].channels), self.init, self.frozen),)


class Token(Op):
    """So many learned vectors before the positions of a map make a list; before those of a list, a longer one: the
    class token of Dosovitskiy et al. (2021), equation 1, the queries of Kerssies et al. (2025)."""

    spelling: ClassVar[str] = "token"
    main: ClassVar[str] = "count"
    summary: ClassVar[str] = "a list: learned vectors, then the positions of a map: init, frozen"
    spatial: ClassVar[bool] = True

    count: Positive
    init: Initialiser = SMALL
    frozen: Flag = False

    @property
    def keeps_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        check_vectors(self.init)
        (source,) = shapes
        return Shape(source.channels, source.size, source.tokens + self.count)

    def parameters(self, shapes: Sequence[Shape]) -> tuple[Parameter, ...]:
        return (Parameter("weight", (1, self.count, shapes[0].channels), self.init, self.frozen),)


class Map(Op):
    """The positions of a list, as the map that they were."""

    spelling: ClassVar[str] = "map"
    main: ClassVar[str] = "of"
    summary: ClassVar[str] = "the positions of a list, as a map"
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    remembers: ClassVar[bool] = True

    of: Annotated[Literal["positions"], Reads.WORD] = "positions"

    @property
    def takes_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source, *_) = shapes
        check_list(source)
        return Shape(source.channels, source.size)

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> Window | None:
        return IDENTITY if index == 0 else None


class TokenMap(Op):
    """One token of a list, the first is 0, as a map of one pixel: so it is read beside all positions, Ranftl et al.
    (2021), section 3.1."""

    spelling: ClassVar[str] = "map"
    main: ClassVar[str] = "token"
    by_word: ClassVar[Mapping[str, str]] = {"token": "token"}
    summary: ClassVar[str] = "a token of a list, as a map of one pixel: {token: number}"
    most_inputs: ClassVar[int | None] = 2
    lends_size: ClassVar[bool] = True
    remembers: ClassVar[bool] = True
    whole_image: ClassVar[bool] = True

    token: Annotated[Natural, Reads.NATURAL]

    @property
    def takes_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source, *_) = shapes
        check_list(source)
        if self.token >= source.tokens:
            message, most = f"no token {self.token} of {source.tokens}", source.tokens - 1
            raise Refusal("SC315", message, "token", f"the last one is {most}" if most else "its one token is 0")
        return Shape(source.channels, (1,) * len(source.size))

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> None:
        return None


class Tokens(Op):
    """Some tokens of a list, from the first number of `part` to the second one, which is excluded: a list without
    positions."""

    spelling: ClassVar[str] = "tokens"
    main: ClassVar[str] = "part"
    summary: ClassVar[str] = "tokens of a list, without its positions: [from, to], `to` excluded"
    whole_image: ClassVar[bool] = True

    part: Part

    @property
    def takes_lists(self) -> bool:
        return True

    def output(self, shapes: Sequence[Shape]) -> Shape:
        (source,) = shapes
        if not source.tokens:
            raise Refusal("SC316", f"{source} is no list of tokens and positions", None, "`token: 1` makes one")
        check_part(self.part, source.tokens, "token", "SC315")
        first, end = self.part
        return Shape(source.channels, (), end - first)

    def window_on(self, axis: int, sizes: Sequence[Size], index: int) -> None:
        return None
