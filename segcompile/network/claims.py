"""What a paper says of a network, in numbers: it travels with the graph, and is held against it once all is known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from segcompile.ops import Size
from segcompile.text.errors import Span

Number = Size | Fraction
Sizes = tuple[tuple[str, tuple[Size, ...]], ...]  # of each input


@dataclass(frozen=True, slots=True)
class Claim:
    """One number that a paper says, of a layer by its name or (None) of the network.

    `kind` is a word of the section `claims`: `receptive_field`, `count`. `number` has one entry an axis, all the same
    for what has no axes. `result`: the node that the layer's name means.
    """

    layer: str | None
    kind: str
    number: tuple[Number, ...]
    span: Span  # where the number stands
    word: Span  # where the kind stands, in a table the number
    result: str | None = None
    input: str | None = None  # whose size is the number: `size: input`
    elsewhere: tuple[int, ...] | None = (
        None  # the input's size for which a `size` is claimed, if that is not the spec's own
    )
    ops: tuple[str, ...] = ()  # whose layers a `count` counts
    written: str = ""  # how the spec says `elsewhere` or `ops`
    made_for: Sizes = ()  # of the base that claims `parameters` or `weights`, where this spec changes them

    @property
    def in_table(self) -> bool:
        """Whether it is a cell of a table, whose row says the kind."""
        return self.word == self.span

    @property
    def what(self) -> str:
        """What is claimed, for people: `stride`, `size at 900`, `count of conv+deconv`."""
        return f"{self.kind} {'of' if self.ops else 'at'} {self.written}" if self.written else self.kind
